/** Sources that need no bodies: each event says what the history has it say. */
import type { Model } from '../model/model.ts';
import type { Source } from '../sources/source.ts';
import { nameOf, type Told } from './told.ts';

/** The two sources that generated histories and stories speak under. */
const NAMES = ['acme', 'beta'];

export function sourcesOf(model: Model, history: readonly Told[]): ReadonlyMap<string, Source> {
  const said = new Map(history.map((told) => [nameOf(told), told.mapped]));
  const map: Source['map'] = (event) => said.get(nameOf(event)) ?? { type: 'unknown' };
  const verify = (): string => '';
  const identify = (): { id: string } => ({ id: '' });
  return new Map(NAMES.map((name) => [name, { name, model, version: '1', keepHeaders: [], verify, identify, map }]));
}
