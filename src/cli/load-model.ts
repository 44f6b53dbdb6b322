/** The model that `verify` checks beside the law's own: the user's, or the shipped one. */
import { createJiti } from 'jiti';
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';

import { IngestError } from '../errors.ts';
import * as library from '../index.ts';
import type { Model } from '../model/model.ts';

/** The default export of a file: a model, or a configuration that has one. Throws `BAD_CONFIG`. */
export async function loadModel(file: string): Promise<{ readonly name: string; readonly model: Model }> {
  const path = resolve(file);
  if (!existsSync(path)) throw new IngestError('BAD_CONFIG', `--model: ${file} does not exist`);
  const jiti = createJiti(import.meta.url, { virtualModules: { eventgraft: library } });
  let exported: unknown;
  try {
    exported = await jiti.import(path, { default: true });
  } catch (cause) {
    if (cause instanceof IngestError) throw cause;
    throw new IngestError('BAD_CONFIG', `${file} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {}, cause);
  }
  const model = isModel(exported)
    ? exported
    : typeof exported === 'object' && exported !== null && 'model' in exported
      ? exported.model
      : undefined;
  if (!isModel(model))
    throw new IngestError('BAD_CONFIG', `${file} must export default defineModel({ … }), or a configuration with a model`);
  return { name: basename(file), model };
}

function isModel(value: unknown): value is Model {
  return typeof value === 'object' && value !== null && 'nodes' in value && value.nodes instanceof Map && 'relationships' in value;
}
