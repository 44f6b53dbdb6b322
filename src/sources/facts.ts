/**
 * `facts`: any producer, in any language, speaks the model directly (docs/facts.schema.json), signed by Standard
 * Webhooks. `webhook-id` names the delivery, the body's `id` the event. The whole envelope is checked at the door.
 */
import { IngestError } from '../errors.ts';
import type { Json } from '../json.ts';
import { readEnvelope, type Envelope } from '../model/envelope.ts';
import { resolve, type SameId } from '../model/resolve.ts';
import type { SourceBuilder } from './source.ts';
import { signedByStandard } from './standard-signature.ts';

export interface FactsOptions {
  /** What another body under a known id is. `edit`: it updates in place, ordered by its `observedAt`, which is then required. */
  readonly sameId?: SameId;
}

/** Wrong shapes, names, types and keys too long are 400 with a path: `identify` resolves against the model before anything is stored. */
export function facts({ sameId = 'conflict' }: FactsOptions = {}): SourceBuilder {
  return ({ name, secrets, model }) => ({
    name,
    model,
    sameId,
    version: 'facts@1',
    ...signedByStandard(name, secrets),
    identify(_delivery, body, bodyHash) {
      const envelope = readOwn(body);
      resolve(model, { source: name, id: envelope.id, bodyHash }, envelope, sameId);
      return { id: envelope.id };
    },
    map: (_event, body) => readOwn(body),
  });
}

/** The row field `source` is for places where rows of many sources come together; here the path has named it. */
function readOwn(body: Json): Envelope {
  const envelope = readEnvelope(body);
  if (envelope.source !== undefined)
    throw new IngestError('BAD_ENVELOPE', 'source is not a field of a single event: the URL names it', { path: 'source' });
  return envelope;
}
