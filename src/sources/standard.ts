/**
 * `standard`: any sender that speaks Standard Webhooks or Svix. The identity is `webhook-id`; the body is the spec's
 * `{ type, timestamp, data }`. Where `data.facts` is present the event speaks the model, else it is kept as `ignored`.
 */
import { isJsonObject } from '../json.ts';
import { factsIn, typeText } from './data-facts.ts';
import type { FactsOptions } from './facts.ts';
import type { SourceBuilder } from './source.ts';
import { deliveryId, signedByStandard } from './standard-signature.ts';

/** `occurredAt` is `data.occurredAt`, else the body's `timestamp`; never the header's time, which is new on each retry. */
export function standard({ sameId = 'conflict' }: FactsOptions = {}): SourceBuilder {
  return ({ name, secrets, model }) => ({
    name,
    model,
    sameId,
    version: 'standard@1',
    ...signedByStandard(name, secrets),
    identify: (delivery) => ({ id: deliveryId(delivery) }),
    map(event, body) {
      const { type, timestamp, data } = isJsonObject(body) ? body : {};
      return factsIn(data, { id: event.id, type: typeText(type), time: timestamp, timeName: 'timestamp' });
    },
  });
}
