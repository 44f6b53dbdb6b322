/**
 * What WooCommerce's topics say in the commerce model. The table with fields and times is docs/guides/woocommerce.md;
 * change both together, and bump the source's version. Objects are whole snapshots, built when they are delivered and
 * ordered by their own `date_modified_gmt`, which is UTC and does not say so. `*.deleted` is an id and nothing else: what it
 * means is in the copy that was asked for, and without one it says nothing.
 */
import { IngestError } from '../errors.ts';
import type { Fetched } from '../event.ts';
import { parseJson, type Json } from '../json.ts';
import type { commerce, CommerceFact, CommerceLine } from '../model/commerce.ts';
import type { Mapped } from '../model/facts.ts';
import { formatMs } from '../model/instant.ts';
import { money } from '../model/money.ts';
import { upsertCustomer } from './customers.ts';
import { amountAt, idAt, integerAt, listAt, mappingFailed, objectAt, readObject, required, textAt, type Read } from './read.ts';
import type { Ignored } from './source.ts';

interface Resource {
  /** The last part of its REST address, which the body names under `_links`. */
  readonly plural: string;
  facts(id: string, body: Read): readonly CommerceFact[];
  /** When it is in the trash, or gone for good. */
  gone(id: string): CommerceFact;
}

const order: Resource = { plural: 'orders', facts: orderFacts, gone: (id) => ({ remove: { node: 'Order', key: { id } } }) };
const customer: Resource = { plural: 'customers', facts: customerFacts, gone: (id) => ({ remove: { node: 'Customer', key: { id } } }) };
const product: Resource = {
  plural: 'products',
  facts: productFacts,
  gone: (id): CommerceFact => ({ upsert: { node: 'Product', key: { id }, set: { status: 'deleted' } } }),
};

const TOPICS: ReadonlyMap<string, Resource> = new Map([
  ['order.created', order],
  ['order.updated', order],
  ['order.restored', order],
  ['customer.created', customer],
  ['customer.updated', customer],
  ['product.created', product],
  ['product.updated', product],
  ['product.restored', product],
]);

const DELETIONS: ReadonlyMap<string, Resource> = new Map([
  ['order.deleted', order],
  ['customer.deleted', customer],
  ['product.deleted', product],
]);

/** The collection that a deletion is about; undefined for any other topic. */
export function deletedOf(type: string): string | undefined {
  return DELETIONS.get(type)?.plural;
}

export function mapWoocommerce(type: string, json: Json, fetched?: Fetched): Mapped<typeof commerce.declaration> | Ignored {
  const deleted = DELETIONS.get(type);
  if (deleted !== undefined) return fetched === undefined ? { type } : mapDeletion(type, deleted, readObject(json, ''), fetched);
  const resource = TOPICS.get(type);
  if (resource === undefined) return { type };
  return mapSnapshot(type, resource, readObject(json, ''));
}

/**
 * Not there: gone since the answer's time at the latest. In the trash: since it was last changed. Each beats what was told
 * within the same second, for whose order there is no other sign. Anything else has come back, and is told as it is.
 */
function mapDeletion(type: string, resource: Resource, notice: Read, { status, body, at }: Fetched): Mapped<typeof commerce.declaration> {
  const id = required(idAt(notice, 'id'), notice, 'id');
  if (status !== 200) return { type, occurredAt: formatMs(at), sequence: 1, facts: [resource.gone(id)] };
  const copy = readObject(parseJson(body), 'fetched');
  if (idAt(copy, 'id') !== id) throw mappingFailed('fetched.id', 'is of another object');
  const said = mapSnapshot(type, resource, copy);
  return textAt(copy, 'status') === 'trash' ? { ...said, sequence: 1, facts: [resource.gone(id)] } : said;
}

function mapSnapshot(type: string, resource: Resource, body: Read): Mapped<typeof commerce.declaration> {
  checkKind(resource, body);
  const id = required(idAt(body, 'id'), body, 'id');
  // A customer who was never changed has no time of change.
  const occurredAt = utcAt(body, 'date_modified') ?? utcAt(body, 'date_created');
  if (typeof occurredAt !== 'string')
    throw new IngestError('NO_CLOCK', 'date_modified_gmt: the time is missing', { path: 'date_modified_gmt' });
  return { type, occurredAt, facts: resource.facts(id, body) };
}

/** The topic is unsigned and the body is not: a captured order must not pass for a customer. */
function checkKind({ plural }: Resource, body: Read): void {
  const links = objectAt(body, '_links');
  const [collection] = (links === undefined ? undefined : listAt(links, 'collection')) ?? [];
  const href = collection === undefined ? undefined : textAt(collection, 'href');
  if (typeof href === 'string' && !new RegExp(`/${plural}(?:[?&#]|$)`).test(href))
    throw mappingFailed('_links.collection', `the topic is about ${plural}`);
}

/** The `_gmt` twin of a time, with the zone that it leaves out. The other one is local time, somewhere. */
function utcAt(from: Read, name: string): string | null | undefined {
  const time = textAt(from, `${name}_gmt`);
  return typeof time === 'string' && /T[\d:.]+$/.test(time) ? `${time}Z` : emptyAsNull(time);
}

/** WooCommerce writes nothing as an empty text. */
function emptyAsNull(text: string | null | undefined): string | null | undefined {
  return text === '' ? null : text;
}

/** The same table is in the guide. A plugin's own status, and the trash, say nothing. */
const STATUS: ReadonlyMap<string, string> = new Map([
  ['refunded', 'refunded'],
  ['cancelled', 'cancelled'],
  ['completed', 'fulfilled'],
  ['processing', 'paid'],
  ['pending', 'pending'],
  ['on-hold', 'pending'],
  ['failed', 'pending'],
  ['checkout-draft', 'pending'],
]);

function orderFacts(id: string, body: Read): CommerceFact[] {
  const status = textAt(body, 'status');
  const currency = textAt(body, 'currency');
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Order',
        key: { id },
        set: {
          name: idAt(body, 'number'),
          status: STATUS.get(status ?? ''),
          financialStatus: status,
          currency,
          totalMinor: minorAt(body, 'total', currency),
          createdAt: utcAt(body, 'date_created'),
          updatedAt: utcAt(body, 'date_modified'),
        },
      },
    },
  ];
  const buyer = idAt(body, 'customer_id');
  if (buyer === '0') facts.push({ clear: { relationship: 'PLACED', owner: { id } } });
  else if (buyer !== undefined) facts.push({ link: { relationship: 'PLACED', from: { id: buyer }, to: { id } } });
  const lines = listAt(body, 'line_items');
  if (lines !== undefined)
    facts.push({ replace: { relationship: 'CONTAINS', from: { id }, links: lines.map((line) => lineOf(line, currency)) } });
  return [...facts, ...(listAt(body, 'refunds') ?? []).flatMap((refund) => refundFacts(refund, id, currency))];
}

/** A line whose product is gone (id 0) keeps its money under a product of its own. */
function lineOf(line: Read, currency: string | null | undefined): CommerceLine {
  const id = required(idAt(line, 'id'), line, 'id');
  const quantity = integerAt(line, 'quantity');
  const product = idAt(line, 'product_id');
  return {
    to: { id: product === undefined || product === '0' ? `line-${id}` : product },
    key: { line: id },
    set: {
      quantity,
      unitPriceMinor: unitPriceOf(minorAt(line, 'subtotal', currency), quantity),
      totalMinor: minorAt(line, 'total', currency),
      title: textAt(line, 'name'),
      sku: emptyAsNull(textAt(line, 'sku')),
    },
  };
}

/** `price` is a quotient in floating point, so the price is found from the line; null where it is no whole number of minor units. */
function unitPriceOf(subtotal: bigint | undefined, quantity: number | bigint): bigint | null | undefined {
  if (subtotal === undefined) return undefined;
  const n = BigInt(quantity);
  return n === 0n || subtotal % n !== 0n ? null : subtotal / n;
}

/** Of a refund an order tells id, reason and total, which is negative. */
function refundFacts(refund: Read, of: string, currency: string | null | undefined): CommerceFact[] {
  const id = required(idAt(refund, 'id'), refund, 'id');
  const total = minorAt(refund, 'total', currency);
  return [
    {
      upsert: {
        node: 'Refund',
        key: { id },
        set: { amountMinor: total === undefined ? undefined : -total, currency, reason: emptyAsNull(textAt(refund, 'reason')) },
      },
    },
    { link: { relationship: 'REFUNDS', from: { id }, to: { id: of } } },
  ];
}

function minorAt(from: Read, name: string, currency: string | null | undefined): bigint | undefined {
  const amount = amountAt(from, name);
  if (amount === undefined) return undefined;
  if (typeof currency !== 'string') throw mappingFailed('currency', 'is missing');
  return money(amount, currency);
}

function customerFacts(id: string, body: Read): CommerceFact[] {
  const billing = objectAt(body, 'billing');
  return upsertCustomer({
    key: { id },
    set: {
      email: emptyAsNull(textAt(body, 'email')),
      firstName: emptyAsNull(textAt(body, 'first_name')),
      lastName: emptyAsNull(textAt(body, 'last_name')),
      phone: billing === undefined ? undefined : emptyAsNull(textAt(billing, 'phone')),
      country: billing === undefined ? undefined : emptyAsNull(textAt(billing, 'country')),
      createdAt: utcAt(body, 'date_created'),
      updatedAt: utcAt(body, 'date_modified'),
    },
  });
}

/** A variation is part of its parent, whose id the lines of orders name. */
function productFacts(id: string, body: Read): CommerceFact[] {
  const type = textAt(body, 'type');
  if (type === 'variation') return [];
  const status = textAt(body, 'status');
  return [
    {
      upsert: {
        node: 'Product',
        key: { id },
        set: {
          title: textAt(body, 'name'),
          productType: type,
          sku: emptyAsNull(textAt(body, 'sku')),
          status: status === 'publish' ? 'active' : status === 'trash' ? 'deleted' : status,
          createdAt: utcAt(body, 'date_created'),
          updatedAt: utcAt(body, 'date_modified'),
        },
      },
    },
  ];
}
