/**
 * `stripe`: one header holds the signed time and the signatures, `t=…,v1=…[,v1=…]`, over `t.body`. Everything that means
 * something is in the body, so nothing unsigned is read. What the event types say is in stripe-mapping.ts.
 * (docs.stripe.com/webhooks/signature, "Verify manually")
 */
import { IngestError } from '../errors.ts';
import { SOURCE_NAME, type Delivery } from '../event.ts';
import { isJsonObject } from '../json.ts';
import type { Secret } from '../secret.ts';
import { badSignature, checkStamp, decodeDigest, header, matchHmac, MAX_SIGNATURES, requireSecrets } from './signature.ts';
import type { SourceBuilder } from './source.ts';
import { stripeBackfill } from './stripe-backfill.ts';
import { mapStripe } from './stripe-mapping.ts';
import { hydrateFrom, isThin, mapThin } from './stripe-thin.ts';

export interface StripeOptions {
  /** The source whose orders are paid here, e.g. `acme-shopify`. Default: checkout sessions are the orders. */
  readonly orderSource?: string;
  /** With `orderSource`: the metadata field that holds the order's id. Default `order_id`. */
  readonly orderField?: string;
  /** Where Stripe's API is, for backfills and thin events, with a secret key in `FETCH_TOKEN_<SOURCE>`. Default `https://api.stripe.com/v1`. */
  readonly api?: string;
  /** Whether the objects of thin events are asked for; `work` then needs the key. Default: such events are ignored, but for deletions. */
  readonly thin?: boolean;
}

const SIGNATURE = 'stripe-signature';
const PART = /^([a-z][a-z0-9]*)=([0-9A-Za-z]+)$/;
const EVENT_ID = /^evt_[A-Za-z0-9_]{1,250}$/;

/** Identity: the event's `id`, the same on every retry and on every endpoint. */
export function stripe(options: StripeOptions = {}): SourceBuilder {
  const { orderSource, orderField = 'order_id', api = 'https://api.stripe.com/v1', thin = false } = options;
  if (orderSource !== undefined && !SOURCE_NAME.test(orderSource))
    throw new IngestError('BAD_CONFIG', 'stripe: orderSource must be the name of a source, such as acme-shopify');
  if (orderField === '') throw new IngestError('BAD_CONFIG', 'stripe: orderField must name a metadata field, such as order_id');
  const backfill = stripeBackfill(api);
  const hydrate = thin ? hydrateFrom(api) : undefined;
  const orders = { orderSource, orderField };
  return ({ name, secrets, model }) => {
    const live = requireSecrets(name, secrets).map(asWritten);
    return {
      name,
      model,
      version: 'stripe@3',
      keepHeaders: ['content-type', 'user-agent'],
      verify(delivery) {
        const { stamp, digests } = readSignature(delivery);
        return matchHmac(live, [`${checkStamp(stamp, delivery.receivedAtMs)}.`, delivery.body], digests);
      },
      identify(_delivery, body) {
        const id = isJsonObject(body) ? body['id'] : undefined;
        if (typeof id !== 'string' || !EVENT_ID.test(id)) throw new IngestError('NO_IDENTITY', 'id is no evt_…', { path: 'id' });
        return { id };
      },
      map: (event, body) => (isThin(body) ? mapThin(body, event.fetched, orders) : mapStripe(body, orders)),
      ...(hydrate === undefined ? {} : { hydrate }),
      backfill,
    };
  };
}

/** Stripe signs with the text of its secret, `whsec_` and all, where Standard Webhooks takes what the text stands for. */
export function asWritten(secret: Secret): Secret {
  return secret.kind === 'hmac' ? { ...secret, key: Buffer.from(`whsec_${secret.key.toString('base64')}`) } : secret;
}

/** One time and at most ten signatures; other schemes than v1 (v0 is for tests) are passed over. A header that came twice has two times, and is refused. */
function readSignature(delivery: Delivery): { stamp: string | undefined; digests: Buffer[] } {
  const text = header(delivery, SIGNATURE);
  if (text === undefined) throw badSignature('no signature');
  const parts = text.split(',', MAX_SIGNATURES + 2).map((part) => PART.exec(part));
  if (parts.length > MAX_SIGNATURES + 1) throw badSignature(`more than ${MAX_SIGNATURES} signatures`);
  if (parts.includes(null)) throw badSignature('a part of the signature is malformed');
  const stamps = parts.flatMap((part) => (part?.[1] === 't' ? [part[2]] : []));
  if (stamps.length > 1) throw badSignature('more than one signed time');
  return { stamp: stamps[0], digests: parts.flatMap((part) => (part?.[1] === 'v1' ? (decodeDigest(part[2] ?? '', 'hex') ?? []) : [])) };
}
