/** The model that `verify` checks beside the law's own: the user's, or the shipped one. */
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';

import { IngestError } from '../errors.ts';
import { importFile } from '../load-config.ts';
import type { Model } from '../model/model.ts';
import { library } from './context.ts';

/** The default export of a file: a model, or a configuration that has one. Throws `BAD_CONFIG`. */
export async function loadModel(file: string): Promise<{ readonly name: string; readonly model: Model }> {
  const path = resolve(file);
  if (!existsSync(path)) throw new IngestError('BAD_CONFIG', `--model: ${file} does not exist`);
  const exported = await importFile(path, library);
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
