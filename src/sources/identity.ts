/** Identity by a field of the body that the sender fills and signs. */
import { IngestError } from '../errors.ts';
import { isJsonObject, type Json } from '../json.ts';
import type { Identity } from './source.ts';

const MAX_LENGTH = 512;

/** The text under a name. Throws `NO_IDENTITY` for anything but 1 to 512 characters. */
export function identityAt(body: Json, name: string): Identity {
  const id = isJsonObject(body) ? body[name] : undefined;
  if (typeof id !== 'string' || id === '' || id.length > MAX_LENGTH)
    throw new IngestError('NO_IDENTITY', `${name} must be text of 1 to ${MAX_LENGTH} characters`, { path: name });
  return { id };
}
