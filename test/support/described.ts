/** Sources that no name alone can have, since they must be told something: `square` its URL, `generic` how each of its senders proves itself. */
import { createHmac } from 'node:crypto';

import { SAMPLES } from '../../src/cli/sample-packs.ts';
import type { Happening } from '../../src/cli/sample.ts';
import type { Delivery } from '../../src/event.ts';
import { generic, type GenericOptions } from '../../src/sources/generic.ts';
import type { SourceBuilder } from '../../src/sources/source.ts';
import { square } from '../../src/sources/square.ts';
import { hmacDelivery, NOW_MS, secret, SECRET_TEXT, SQUARE_URL, squareDelivery, stampedDelivery, type Sign } from './deliveries.ts';

export interface Described {
  readonly builder: SourceBuilder;
  readonly sign: (sign: Sign) => Delivery;
  readonly bodyOf: (happening: Happening) => string;
}

/** The user of `basic`. */
export const USER = 'acme';

const describeSender = (auth: GenericOptions['auth'], sign: Described['sign'], identity: GenericOptions['identity']): Described => ({
  builder: generic({
    auth,
    identity,
    type: 'type',
    time: 'occurred_at',
    events: [
      {
        when: 'to_number(data.total) > `0`',
        facts: [{ upsert: { node: 'Order', key: { id: 'data.id' }, set: { totalMinor: 'money(data.total, data.currency)' } } }],
      },
    ],
  }),
  sign,
  bodyOf: (happening) => SAMPLES.generic(happening).body,
});

const inBody = { body: 'event_id' };
const withAuthorization =
  (authorization: string) =>
  ({ body, source = 'acme' }: Sign): Delivery => {
    return { source, body: Buffer.from(body), headers: { authorization, 'content-type': 'application/json' }, receivedAtMs: NOW_MS };
  };

/** By the name under which each is served: letters only. */
export const DESCRIBED: Readonly<Record<string, Described>> = {
  square: {
    builder: square({ notificationUrl: SQUARE_URL }),
    sign: (sign) => squareDelivery(sign),
    bodyOf: (happening) => SAMPLES.square(happening).body,
  },
  plain: describeSender(
    { hmac: { header: 'x-signature', prefix: 'sha256=' } },
    (sign) => hmacDelivery(sign, 'x-signature', 'sha256='),
    inBody,
  ),
  stamped: describeSender(
    {
      hmac: {
        header: 'x-signature',
        algorithm: 'sha512',
        encoding: 'base64',
        prefix: 'v1=',
        timestamp: 'x-time',
        signed: '{timestamp}.{body}',
      },
    },
    (sign) => stampedDelivery(sign),
    inBody,
  ),
  named: describeSender({ hmac: { header: 'x-signature', signed: '{X-Event-Id}.{body}' } }, signNamed, { header: 'x-event-id' }),
  token: describeSender({ token: {} }, withAuthorization(`Bearer ${SECRET_TEXT}`), inBody),
  basic: describeSender({ basic: { user: USER } }, withAuthorization(`Basic ${btoa(`${USER}:${SECRET_TEXT}`)}`), inBody),
};

/** Id and body are signed. */
function signNamed({ body, id = 'evt_1', source = 'acme' }: Sign): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha256', secret().key).update(`${id}.`).update(bytes).digest('hex');
  return { source, body: bytes, headers: { 'x-event-id': id, 'x-signature': signature }, receivedAtMs: NOW_MS };
}
