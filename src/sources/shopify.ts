/**
 * `shopify`: the signature covers the body and nothing else, so topic, shop, ids and Triggered-At come in headers that
 * anyone who holds one signed body can rewrite. They are pinned by name below; docs/guides/shopify.md says what a forger
 * could do with them. What the topics say is in shopify-mapping.ts.
 */
import { IngestError } from '../errors.ts';
import { shopifyBackfill } from './shopify-backfill.ts';
import { mapShopify } from './shopify-mapping.ts';
import { digestOf, matchHmac, pinnedHeader, requireSecrets } from './signature.ts';
import type { SourceBuilder } from './source.ts';

export interface ShopifyOptions {
  /** Accept this shop only, e.g. `acme.myshopify.com`. Default: any shop whose app secret signs. */
  readonly shop?: string;
  /**
   * Where the shop's REST Admin API is, for backfills, with an access token in `FETCH_TOKEN_<SOURCE>`. Default with `shop`:
   * `https://<shop>/admin/api/2026-01`; Shopify answers with its oldest version where it has dropped that one.
   */
  readonly api?: string;
}

/** Every unsigned header that has a meaning here. No other is ever read. */
export const UNSIGNED = {
  topic: 'x-shopify-topic',
  shop: 'x-shopify-shop-domain',
  eventId: 'x-shopify-event-id',
  webhookId: 'x-shopify-webhook-id',
  triggeredAt: 'x-shopify-triggered-at',
} as const;

const API_VERSION = '2026-01';
const SIGNATURE = 'x-shopify-hmac-sha256';
const SHOP = /^[a-z0-9][a-z0-9.-]{0,252}$/i;
const TOPIC = /^(?=.{1,100}$)[a-z0-9_]+(?:\/[a-z0-9_]+)+$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const TOKEN = /^[\x21-\x7e]{1,128}$/;

/** Identity: `<shop>/<topic>/<Event-Id>`, else the Webhook-Id in its place, else the body hash. */
export function shopify(options: ShopifyOptions = {}): SourceBuilder {
  const only = options.shop?.toLowerCase();
  if (only !== undefined && !SHOP.test(only))
    throw new IngestError('BAD_CONFIG', 'shopify: shop must be a domain such as acme.myshopify.com');
  const api = options.api ?? (only === undefined ? undefined : `https://${only}/admin/api/${API_VERSION}`);
  const backfill = api === undefined ? undefined : shopifyBackfill(api, UNSIGNED.topic);
  return ({ name, secrets, model }) => {
    const live = requireSecrets(name, secrets);
    return {
      name,
      model,
      version: 'shopify@2',
      keepHeaders: [...Object.values(UNSIGNED), 'x-shopify-api-version', 'content-type'],
      verify: (delivery) => matchHmac(live, [delivery.body], digestOf(delivery, SIGNATURE, 'base64')),
      identify(delivery, _body, bodyHash) {
        const topic = pinnedHeader(delivery, UNSIGNED.topic, TOPIC);
        const shop = pinnedHeader(delivery, UNSIGNED.shop, SHOP)?.toLowerCase();
        if (topic === undefined || shop === undefined) {
          throw new IngestError('NO_IDENTITY', `the header ${topic === undefined ? UNSIGNED.topic : UNSIGNED.shop} is missing`);
        }
        if (only !== undefined && shop !== only)
          throw new IngestError('BAD_HEADER', `the header ${UNSIGNED.shop} names another shop than this source is for`);
        pinnedHeader(delivery, UNSIGNED.triggeredAt, TIME);
        const id = pinnedHeader(delivery, UNSIGNED.eventId, TOKEN) ?? pinnedHeader(delivery, UNSIGNED.webhookId, TOKEN) ?? bodyHash;
        return { id: `${shop}/${topic}/${id}` };
      },
      map: (event, body) => mapShopify(event, body),
      ...(backfill === undefined ? {} : { backfill }),
    };
  };
}
