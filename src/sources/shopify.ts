/**
 * `shopify`: the signature covers the body and nothing else, so topic, shop, ids and Triggered-At come in headers that
 * anyone who holds one signed body can rewrite. They are pinned by name below; docs/guides/shopify.md says what a forger
 * could do with them. What the topics say is in shopify-mapping.ts.
 */
import { IngestError } from '../errors.ts';
import type { Delivery } from '../event.ts';
import { mapShopify } from './shopify-mapping.ts';
import { digestOf, header, matchHmac, requireSecrets } from './signature.ts';
import type { SourceBuilder } from './source.ts';

export interface ShopifyOptions {
  /** Accept this shop only, e.g. `acme.myshopify.com`. Default: any shop whose app secret signs. */
  readonly shop?: string;
}

/** Every unsigned header that has a meaning here. No other is ever read. */
export const UNSIGNED = {
  topic: 'x-shopify-topic',
  shop: 'x-shopify-shop-domain',
  eventId: 'x-shopify-event-id',
  webhookId: 'x-shopify-webhook-id',
  triggeredAt: 'x-shopify-triggered-at',
} as const;

const SIGNATURE = 'x-shopify-hmac-sha256';
const SHOP = /^[a-z0-9][a-z0-9.-]{0,252}$/;
const TOPIC = /^(?=.{1,100}$)[a-z0-9_]+(?:\/[a-z0-9_]+)+$/;
const TOKEN = /^[\x21-\x7e]{1,128}$/;

/** Identity: `<shop>/<topic>/<Event-Id>`, else the Webhook-Id in its place, else the body hash. */
export function shopify(options: ShopifyOptions = {}): SourceBuilder {
  const only = options.shop?.toLowerCase();
  if (only !== undefined && !SHOP.test(only))
    throw new IngestError('BAD_CONFIG', 'shopify: shop must be a domain such as acme.myshopify.com');
  return ({ name, secrets, model }) => {
    const live = requireSecrets(name, secrets);
    return {
      name,
      model,
      version: 'shopify@1',
      keepHeaders: [...Object.values(UNSIGNED), 'x-shopify-api-version', 'content-type'],
      verify: (delivery) => matchHmac(live, [delivery.body], digestOf(delivery, SIGNATURE, 'base64')),
      identify(delivery, _body, bodyHash) {
        const topic = pinned(delivery, UNSIGNED.topic, TOPIC);
        const shop = pinned(delivery, UNSIGNED.shop, SHOP);
        if (topic === undefined || shop === undefined) {
          throw new IngestError('NO_IDENTITY', `the header ${topic === undefined ? UNSIGNED.topic : UNSIGNED.shop} is missing`);
        }
        if (only !== undefined && shop !== only)
          throw new IngestError('BAD_HEADER', `the header ${UNSIGNED.shop} names another shop than this source is for`);
        const id = pinned(delivery, UNSIGNED.eventId, TOKEN) ?? pinned(delivery, UNSIGNED.webhookId, TOKEN) ?? bodyHash;
        return { id: `${shop}/${topic}/${id}` };
      },
      map: (event, body) => mapShopify(event, body),
    };
  };
}

/** A header that is missing, or is exactly one well-formed value; two of a kind never fit a pattern without commas and spaces. */
function pinned(delivery: Delivery, name: string, pattern: RegExp): string | undefined {
  const value = header(delivery, name);
  const text = name === UNSIGNED.shop ? value?.toLowerCase() : value;
  if (text !== undefined && !pattern.test(text)) throw new IngestError('BAD_HEADER', `the header ${name} is malformed or repeated`);
  return text;
}
