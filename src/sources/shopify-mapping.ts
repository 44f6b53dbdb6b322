/**
 * What Shopify's topics say in the commerce model. The table with fields and times is docs/guides/shopify.md; change
 * both together, and bump the source's version. Objects are whole snapshots ordered by their own `updated_at`; deletions
 * carry an id only, so they alone are ordered by X-Shopify-Triggered-At.
 */
import { IngestError } from '../errors.ts';
import type { Event } from '../event.ts';
import type { Json, JsonObject } from '../json.ts';
import type { commerce, CommerceFact, CommerceLine } from '../model/commerce.ts';
import type { Mapped } from '../model/facts.ts';
import { money } from '../model/money.ts';
import { upsertCustomer } from './customers.ts';
import { amountAt, idAt, integerAt, listAt, mappingFailed, objectAt, readObject, required, textAt, timeAt, type Read } from './read.ts';
import type { Ignored } from './source.ts';

interface Topic {
  /** The type in `admin_graphql_api_id`; a body that names another was not sent under this topic. */
  readonly gid: string;
  /** The field that orders the event; deletions have none and use the header. */
  readonly clock: 'updated_at' | 'created_at' | 'header';
  /** Default `id`. */
  readonly key?: 'token';
  facts(id: string, body: Read): readonly CommerceFact[];
}

const order: Topic = { gid: 'Order', clock: 'updated_at', facts: orderFacts };
const customer: Topic = { gid: 'Customer', clock: 'updated_at', facts: customerFacts };
const product: Topic = { gid: 'Product', clock: 'updated_at', facts: productFacts };
/** Since 2026-04 a checkout has no id any more; its token, which its order names too, it always had. */
const checkout: Topic = { gid: 'Checkout', clock: 'updated_at', key: 'token', facts: checkoutFacts };
const fulfillment: Topic = { gid: 'Fulfillment', clock: 'updated_at', facts: fulfillmentFacts };

const TOPICS: ReadonlyMap<string, Topic> = new Map<string, Topic>([
  ...['create', 'updated', 'paid', 'partially_fulfilled', 'fulfilled', 'cancelled'].map((verb): [string, Topic] => [
    `orders/${verb}`,
    order,
  ]),
  ['orders/delete', { gid: 'Order', clock: 'header', facts: (id) => [{ remove: { node: 'Order', key: { id } } }] }],
  ...['create', 'update', 'enable', 'disable'].map((verb): [string, Topic] => [`customers/${verb}`, customer]),
  ['customers/delete', { gid: 'Customer', clock: 'header', facts: (id) => [{ remove: { node: 'Customer', key: { id } } }] }],
  ['products/create', product],
  ['products/update', product],
  [
    'products/delete',
    {
      gid: 'Product',
      clock: 'header',
      facts: (id): CommerceFact[] => [{ upsert: { node: 'Product', key: { id }, set: { status: 'deleted' } } }],
    },
  ],
  ['refunds/create', { gid: 'Refund', clock: 'created_at', facts: refundFacts }],
  ['fulfillments/create', fulfillment],
  ['fulfillments/update', fulfillment],
  ['checkouts/create', checkout],
  ['checkouts/update', checkout],
]);

/**
 * Topics that ask something of people (docs/guides/shopify.md says what), and by what a body is told to be one: somebody will
 * act on it, and the topic is not signed.
 */
const NOTICES: ReadonlyMap<string, (body: JsonObject) => boolean> = new Map([
  ['app/uninstalled', ({ myshopify_domain: shop }: JsonObject) => typeof shop === 'string'],
  ['customers/data_request', ({ shop_domain: shop, data_request: asked }: JsonObject) => typeof shop === 'string' && asked !== undefined],
  ['customers/redact', ({ shop_domain: shop, orders_to_redact: orders }: JsonObject) => typeof shop === 'string' && orders !== undefined],
  ['shop/redact', ({ shop_domain: shop, customer }: JsonObject) => typeof shop === 'string' && customer === undefined],
]);

export function mapShopify(event: Event, json: Json): Mapped<typeof commerce.declaration> | Ignored {
  const type = event.headers['x-shopify-topic'] ?? 'unknown';
  const topic = TOPICS.get(type);
  if (topic === undefined) return noticed(type, json);
  const body = readObject(json, '');
  checkKind(topic, body);
  const { key = 'id' } = topic;
  const id = required(idAt(body, key), body, key);
  const occurredAt = topic.clock === 'header' ? triggeredAt(event) : timeAt(body, topic.clock);
  const occurrenceId = event.headers['x-shopify-event-id'];
  return { type, occurredAt, ...(occurrenceId === undefined || occurrenceId === '' ? {} : { occurrenceId }), facts: topic.facts(id, body) };
}

/** Kept as ignored, a notice as one only where it is one. */
function noticed(type: string, json: Json): Ignored {
  if (NOTICES.get(type)?.(readObject(json, '').json) === false) throw mappingFailed('', `this body was not sent under the topic ${type}`);
  return { type };
}

/** The topic is unsigned and the body is not: a captured order must not pass for a customer, nor for a deletion. */
function checkKind(topic: Topic, body: Read): void {
  const gid = textAt(body, 'admin_graphql_api_id');
  if (gid !== undefined && gid !== null && !gid.startsWith(`gid://shopify/${topic.gid}/`))
    throw mappingFailed('admin_graphql_api_id', `the topic is about a ${topic.gid}`);
  if (topic.clock === 'header' && (body.json['updated_at'] !== undefined || body.json['created_at'] !== undefined)) {
    throw mappingFailed('updated_at', 'a deletion carries no times; this body was sent under another topic');
  }
}

function triggeredAt(event: Event): string {
  const at = event.headers['x-shopify-triggered-at'];
  if (at === undefined || at === '')
    throw new IngestError('NO_CLOCK', 'a deletion has no time but the header X-Shopify-Triggered-At, which is missing');
  return at;
}

function orderFacts(id: string, body: Read): CommerceFact[] {
  const currency = textAt(body, 'currency');
  const total = amountAt(body, 'total_price');
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Order',
        key: { id },
        set: {
          name: textAt(body, 'name'),
          status: statusOf(body),
          financialStatus: textAt(body, 'financial_status'),
          fulfillmentStatus: textAt(body, 'fulfillment_status'),
          currency,
          totalMinor: total === undefined ? undefined : money(total, required(currency, body, 'currency')),
          createdAt: textAt(body, 'created_at'),
          updatedAt: textAt(body, 'updated_at'),
          cancelledAt: textAt(body, 'cancelled_at'),
        },
      },
    },
  ];
  const buyer = objectAt(body, 'customer');
  if (buyer !== undefined)
    facts.push({ link: { relationship: 'PLACED', from: { id: required(idAt(buyer, 'id'), buyer, 'id') }, to: { id } } });
  else if (body.json['customer'] === null) facts.push({ clear: { relationship: 'PLACED', owner: { id } } });
  const lines = listAt(body, 'line_items');
  if (lines !== undefined)
    facts.push({
      replace: { relationship: 'CONTAINS', from: { id }, links: lines.map((line) => lineOf(line, required(currency, body, 'currency'))) },
    });
  return facts;
}

/** A line without a product (a custom item, or one deleted since) keeps its money under a product of its own. */
function lineOf(line: Read, currency: string): CommerceLine {
  const id = required(idAt(line, 'id'), line, 'id');
  const price = amountAt(line, 'price');
  const unitPriceMinor = price === undefined ? undefined : money(price, currency);
  const quantity = integerAt(line, 'quantity');
  return {
    to: { id: idAt(line, 'product_id') ?? `line-${id}` },
    key: { line: id },
    set: {
      quantity,
      unitPriceMinor,
      totalMinor: unitPriceMinor === undefined ? undefined : unitPriceMinor * BigInt(quantity) - discountOf(line, currency),
      title: textAt(line, 'title'),
      sku: textAt(line, 'sku'),
    },
  };
}

/** Allocations hold the line's share of every discount; `total_discount` is what older versions sent instead. */
function discountOf(line: Read, currency: string): bigint {
  const allocations = listAt(line, 'discount_allocations');
  if (allocations === undefined) return money(amountAt(line, 'total_discount') ?? '0', currency);
  return allocations.reduce((sum, allocation) => sum + money(required(amountAt(allocation, 'amount'), allocation, 'amount'), currency), 0n);
}

/** The first row that holds decides; the same table is in the guide. Not told when the sender did not tell. */
function statusOf(body: Read): string | undefined {
  const financial = textAt(body, 'financial_status');
  if (financial === undefined) return undefined;
  if (financial === 'refunded') return 'refunded';
  if (typeof textAt(body, 'cancelled_at') === 'string' || financial === 'voided') return 'cancelled';
  if (textAt(body, 'fulfillment_status') === 'fulfilled') return 'fulfilled';
  return financial === 'paid' || financial === 'partially_refunded' ? 'paid' : 'pending';
}

function customerFacts(id: string, body: Read): CommerceFact[] {
  const address = objectAt(body, 'default_address');
  return upsertCustomer({
    key: { id },
    set: {
      email: textAt(body, 'email'),
      firstName: textAt(body, 'first_name'),
      lastName: textAt(body, 'last_name'),
      phone: textAt(body, 'phone'),
      country: address === undefined ? noneIfNull(body, 'default_address') : textAt(address, 'country_code'),
      currency: textAt(body, 'currency'),
      createdAt: textAt(body, 'created_at'),
      updatedAt: textAt(body, 'updated_at'),
    },
  });
}

/** Null was told and clears; absent was not. */
function noneIfNull(from: Read, name: string): null | undefined {
  return from.json[name] === null ? null : undefined;
}

function productFacts(id: string, body: Read): CommerceFact[] {
  const variants = listAt(body, 'variants');
  const only = variants?.length === 1 ? variants[0] : undefined;
  return [
    {
      upsert: {
        node: 'Product',
        key: { id },
        set: {
          title: textAt(body, 'title'),
          vendor: textAt(body, 'vendor'),
          productType: textAt(body, 'product_type'),
          // A product has no SKU, its variants have: only one of them can speak for it.
          sku: variants === undefined ? undefined : only === undefined ? null : textAt(only, 'sku'),
          status: textAt(body, 'status'),
          createdAt: textAt(body, 'created_at'),
          updatedAt: textAt(body, 'updated_at'),
        },
      },
    },
  ];
}

/** A visit that came as far as the checkout. Guests have no customer; where one is known later, the visit was theirs. */
function checkoutFacts(id: string, body: Read): CommerceFact[] {
  const facts: CommerceFact[] = [{ upsert: { node: 'Session', key: { id }, set: { startedAt: textAt(body, 'created_at') } } }];
  const buyer = objectAt(body, 'customer');
  if (buyer !== undefined)
    facts.push({ link: { relationship: 'HAS_SESSION', from: { id: required(idAt(buyer, 'id'), buyer, 'id') }, to: { id } } });
  else if (body.json['customer'] === null) facts.push({ clear: { relationship: 'HAS_SESSION', owner: { id } } });
  return facts;
}

function refundFacts(id: string, body: Read): CommerceFact[] {
  const paid = listAt(body, 'transactions')?.filter((t) => t.json['kind'] === 'refund' && t.json['status'] === 'success');
  const currency = paid?.[0] === undefined ? undefined : required(textAt(paid[0], 'currency'), paid[0], 'currency');
  const amountMinor = paid?.reduce((sum, t) => {
    if (textAt(t, 'currency') !== currency) throw mappingFailed(`${t.path}.currency`, 'one refund in two currencies');
    return sum + money(required(amountAt(t, 'amount'), t, 'amount'), currency ?? '');
  }, 0n);
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Refund',
        key: { id },
        set: { amountMinor, currency, reason: textAt(body, 'note'), createdAt: textAt(body, 'created_at') },
      },
    },
  ];
  const of = idAt(body, 'order_id');
  if (of !== undefined) facts.push({ link: { relationship: 'REFUNDS', from: { id }, to: { id: of } } });
  return facts;
}

function fulfillmentFacts(id: string, body: Read): CommerceFact[] {
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Fulfillment',
        key: { id },
        set: {
          status: textAt(body, 'status'),
          carrier: textAt(body, 'tracking_company'),
          trackingNumber: textAt(body, 'tracking_number'),
          createdAt: textAt(body, 'created_at'),
        },
      },
    },
  ];
  const of = idAt(body, 'order_id');
  if (of !== undefined) facts.push({ link: { relationship: 'FULFILLS', from: { id }, to: { id: of } } });
  return facts;
}
