/**
 * `standard`: any sender that speaks Standard Webhooks or Svix. The identity is `webhook-id`; the body is the spec's
 * `{ type, timestamp, data }`. Where `data.facts` is present the event speaks the model, else it is kept as `ignored`.
 */
import { IngestError } from '../errors.ts';
import { isJsonObject, type Json } from '../json.ts';
import { readEnvelope } from '../model/envelope.ts';
import type { SourceBuilder } from './source.ts';
import { deliveryId, requireKeys, verifyStandard } from './standard-signature.ts';

/** The envelope's fields that a sender may put beside `facts` in `data`; whatever else is there is the sender's own. */
const FIELDS = ['observedAt', 'sequence', 'occurrenceId', 'subject', 'facts'] as const;
const MAX_TYPE_LENGTH = 256;

/** `occurredAt` is `data.occurredAt`, else the body's `timestamp`; never the header's time, which is new on each retry. */
export function standard(): SourceBuilder {
  return ({ name, secrets, model }) => {
    const live = requireKeys(name, secrets);
    return {
      name,
      model,
      version: 'standard@1',
      keepHeaders: ['webhook-id', 'webhook-timestamp', 'svix-id', 'svix-timestamp', 'content-type', 'user-agent'],
      verify: (delivery) => verifyStandard(delivery, live),
      identify: (delivery) => ({ id: deliveryId(delivery) }),
      map(event, body) {
        const type = typeOf(body);
        const data = isJsonObject(body) ? body['data'] : undefined;
        if (!isJsonObject(body) || !isJsonObject(data) || data['facts'] === undefined) return { type };
        const occurredAt = data['occurredAt'] ?? body['timestamp'];
        if (occurredAt === undefined || occurredAt === null)
          throw new IngestError('NO_CLOCK', 'neither data.occurredAt nor timestamp is there', { path: 'timestamp' });
        const said = FIELDS.filter((field) => data[field] !== undefined).map((field): [string, Json] => [field, data[field] ?? null]);
        return readEnvelope({ id: event.id, type, occurredAt, ...Object.fromEntries(said) });
      },
    };
  };
}

function typeOf(body: Json): string {
  const type = isJsonObject(body) ? body['type'] : undefined;
  return typeof type === 'string' && type !== '' ? type.slice(0, MAX_TYPE_LENGTH).toWellFormed() : 'unknown';
}
