/**
 * `square`: the notification URL and the body are signed together, so an event can neither be changed nor sent on to
 * another endpoint. The URL is the configured one, never rebuilt from a request: proxies rewrite hosts, and anyone can
 * send a Host. What the events say is in square-mapping.ts. (developer.squareup.com/docs/webhooks/step3validate)
 */
import { IngestError } from '../errors.ts';
import { identityAt } from './identity.ts';
import { digestOf, matchHmac, requireSecrets } from './signature.ts';
import type { SourceBuilder } from './source.ts';
import { mapSquare } from './square-mapping.ts';

export interface SquareOptions {
  /** As in the subscription, character by character: it is part of what Square signs. */
  readonly notificationUrl: string;
}

const SIGNATURE = 'x-square-hmacsha256-signature';

/** Identity: the body's `event_id`, the same on every retry and signed. */
export function square({ notificationUrl }: SquareOptions): SourceBuilder {
  return ({ name, secrets, model }) => {
    const live = requireSecrets(name, secrets);
    if (!URL.canParse(notificationUrl) || !/^https?:$/.test(new URL(notificationUrl).protocol))
      throw new IngestError('BAD_CONFIG', `source ${name}: notificationUrl must be the http(s) URL of the subscription, as Square has it`);
    return {
      name,
      model,
      version: 'square@1',
      keepHeaders: [
        'square-environment',
        'square-initial-delivery-timestamp',
        'square-retry-number',
        'square-retry-reason',
        'content-type',
      ],
      verify: (delivery) => matchHmac(live, [notificationUrl, delivery.body], digestOf(delivery, SIGNATURE, 'base64')),
      identify: (_delivery, body) => identityAt(body, 'event_id'),
      map: (_event, body) => mapSquare(body),
    };
  };
}
