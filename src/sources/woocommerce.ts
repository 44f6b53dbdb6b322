/**
 * `woocommerce`: the signature covers the body and nothing else, so topic and site come in headers that anyone who holds
 * one signed body can rewrite. They are pinned by name below; docs/guides/woocommerce.md says what a forger could do with
 * them. What the topics say is in woocommerce-mapping.ts. (woocommerce/includes/class-wc-webhook.php, `deliver`)
 */
import { IngestError } from '../errors.ts';
import type { Event } from '../event.ts';
import { isJsonObject, type Json } from '../json.ts';
import { readBaseUrl } from './base-url.ts';
import { digestOf, header, matchHmac, pinnedHeader, requireSecrets } from './signature.ts';
import type { Hydrate, SourceBuilder } from './source.ts';
import { woocommerceBackfill } from './woocommerce-backfill.ts';
import { deletedOf, mapWoocommerce } from './woocommerce-mapping.ts';

export interface WoocommerceOptions {
  /** Accept this site only, e.g. `shop.example` or `https://example.com/shop/`. Default: any site that holds the secret. */
  readonly site?: string;
  /**
   * Where the shop's REST API is, e.g. `https://shop.example/wp-json/wc/v3`, for asking what became of what is said to be
   * deleted, and for backfills; with a key in `FETCH_TOKEN_<SOURCE>`. Default: such events are ignored.
   */
  readonly api?: string;
}

/** Every unsigned header that is kept. Only topic and source mean anything; the delivery id is the same for all deliveries of one second. */
const UNSIGNED = {
  topic: 'x-wc-webhook-topic',
  resource: 'x-wc-webhook-resource',
  event: 'x-wc-webhook-event',
  source: 'x-wc-webhook-source',
  id: 'x-wc-webhook-id',
  deliveryId: 'x-wc-webhook-delivery-id',
} as const;

const SIGNATURE = 'x-wc-webhook-signature';
const TOPIC = /^(?=.{1,200}$)[a-z0-9_]+\.[\w./-]+$/;
const SITE = /^(?=.{1,200}$)(?:https?:\/\/)?[a-z0-9.-]+(?::\d+)?(?:\/[\w.~%-]+)*\/?$/i;
const RESOURCE_ID = /^\d{1,20}$/;
const PING = /^webhook_id=\d{1,20}$/;
const MAX_PING_BYTES = 40;
const DELIVERY_ID = /^[\w-]{1,64}$/;

/**
 * Identity: `<site>/<topic>/<resource id>/<body hash>`; WooCommerce sends no id that tells two deliveries apart. A deletion is
 * an id and nothing else, the same each time that an order goes into the trash, so the second of its delivery is added.
 */
export function woocommerce(options: WoocommerceOptions = {}): SourceBuilder {
  const only = options.site === undefined ? undefined : siteOf(options.site);
  if (options.site !== undefined && !SITE.test(options.site))
    throw new IngestError('BAD_CONFIG', 'woocommerce: site must be a host, with a path if there is one, such as shop.example');
  const root = options.api === undefined ? undefined : readBaseUrl('woocommerce: api', options.api, 'https://shop.example/wp-json/wc/v3');
  return ({ name, secrets, model }) => {
    const live = requireSecrets(name, secrets);
    return {
      name,
      model,
      version: 'woocommerce@1',
      keepHeaders: [...Object.values(UNSIGNED), 'content-type', 'user-agent'],
      verify: (delivery) => matchHmac(live, [delivery.body], digestOf(delivery, SIGNATURE, 'base64')),
      identify(delivery, body, bodyHash) {
        const topic = pinnedHeader(delivery, UNSIGNED.topic, TOPIC);
        const source = pinnedHeader(delivery, UNSIGNED.source, SITE);
        if (topic === undefined || source === undefined)
          throw new IngestError('NO_IDENTITY', `the header ${topic === undefined ? UNSIGNED.topic : UNSIGNED.source} is missing`);
        const site = siteOf(source);
        if (only !== undefined && site !== only)
          throw new IngestError('BAD_HEADER', `the header ${UNSIGNED.source} names another site than this source is for`);
        const again = deletedOf(topic) === undefined ? undefined : pinnedHeader(delivery, UNSIGNED.deliveryId, DELIVERY_ID);
        return { id: `${site}/${topic}/${resourceOf(body)}/${bodyHash}${again === undefined ? '' : `/${again}`}` };
      },
      map: (event, body) => mapWoocommerce(topicOf(event), body, event.fetched),
      ...(root === undefined ? {} : { hydrate: hydrateFrom(root), backfill: woocommerceBackfill(root, provenBy, UNSIGNED.topic) }),
      // Saving a webhook posts this form, unsigned, and takes nothing but 200 for an answer.
      ping: (delivery) =>
        delivery.body.length <= MAX_PING_BYTES && PING.test(delivery.body.toString('latin1')) && header(delivery, SIGNATURE) === undefined,
    };
  };
}

/** Consumer key and secret, with a colon between them. */
function provenBy(token: string): Readonly<Record<string, string>> {
  return { authorization: `Basic ${Buffer.from(token).toString('base64')}` };
}

/** Asks what became of an object that is said to be deleted: it may be in the trash, gone for good, or back already. */
function hydrateFrom(root: string): Hydrate {
  return {
    origin: new URL(root).origin,
    wants(event, body) {
      const plural = deletedOf(topicOf(event));
      if (plural === undefined) return undefined;
      const id = resourceOf(body());
      if (id === '-') return undefined;
      return { url: `${root}/${plural}/${id}`, object: `${plural}/${id}` };
    },
    headers: provenBy,
    // A 404 of the web server, or of a WordPress without its shop, says nothing of an order.
    accepts(status, body) {
      if (!isJsonObject(body)) return false;
      const { id, code } = body;
      return status === 200 ? id !== undefined : typeof code === 'string' && code.endsWith('_invalid_id');
    },
  };
}

function topicOf(event: Event): string {
  return event.headers[UNSIGNED.topic] ?? 'unknown';
}

/** `https://Shop.example/` and `shop.example` are one site. */
function siteOf(url: string): string {
  return url
    .toLowerCase()
    .replace(/^https?:\/\//, '')
    .replace(/\/$/, '');
}

/** Where a body has no id (an action, or an error of the shop's own) its hash says enough. */
function resourceOf(body: Json): string {
  const id = isJsonObject(body) ? body['id'] : undefined;
  const text = typeof id === 'number' || typeof id === 'bigint' || typeof id === 'string' ? String(id) : '';
  return RESOURCE_ID.test(text) ? text : '-';
}
