/**
 * What Stripe's events say in the commerce model. The tables with fields and times are in docs/guides/stripe.md; change
 * both together, and bump the source's version. Every object is a snapshot as of the event's `created`, whole seconds:
 * where several events share one, `sequence` says which must have come first.
 */
import { IngestError } from '../errors.ts';
import type { Json } from '../json.ts';
import type { commerce, CommerceFact, CommerceLine } from '../model/commerce.ts';
import type { Mapped } from '../model/facts.ts';
import { parseInstant } from '../model/instant.ts';
import { upsertCustomer } from './customers.ts';
import { idAt, integerAt, objectAt, readObject, required, textAt, typeName, type Read } from './read.ts';
import type { Ignored } from './source.ts';
import { chargeSaid, disputeSaid, intentSaid, refundSaid } from './stripe-payments.ts';
import { amountAt, currencyAt, instantOf, orderAt, pageAt, refAt, secondsAt, type Said, type Told } from './stripe-read.ts';

/** What one type of event says of its object. */
export type Topic = (object: Read, event: Told) => Said;

const TOPICS: ReadonlyMap<string, Topic> = new Map<string, Topic>([
  ['customer.created', (customer, event) => ({ facts: customerFacts(customer, event), sequence: 0 })],
  ['customer.updated', (customer, event) => ({ facts: customerFacts(customer, event), sequence: 1 })],
  ['customer.deleted', (customer) => ({ facts: [{ remove: { node: 'Customer', key: { id: idOf(customer) } } }], sequence: 2 })],
  ['product.created', (product) => ({ facts: productFacts(product), sequence: 0 })],
  ['product.updated', (product) => ({ facts: productFacts(product), sequence: 1 })],
  ['product.deleted', (product) => ({ facts: productFacts(product, 'deleted'), sequence: 2 })],
  ...under('checkout.session', 'completed expired', (session, event): Said => ({ facts: sessionFacts(session, event), sequence: 0 })),
  ...under('checkout.session', 'async_payment_succeeded async_payment_failed', (session, event): Said => ({
    facts: sessionFacts(session, event),
    sequence: 1,
  })),
  ...under(
    'payment_intent',
    'created requires_action processing partially_funded amount_capturable_updated payment_failed canceled succeeded',
    intentSaid,
  ),
  ...under('charge', 'pending failed succeeded captured expired updated refunded', chargeSaid),
  ...under('charge.dispute', 'created updated funds_withdrawn funds_reinstated closed', disputeSaid),
  ...under('refund', 'created updated failed', refundSaid),
  ['charge.refund.updated', refundSaid],
]);

function under(object: string, verbs: string, topic: Topic): [string, Topic][] {
  return verbs.split(' ').map((verb) => [`${object}.${verb}`, topic]);
}

export function topicOf(type: string): Topic | undefined {
  return TOPICS.get(type);
}

/** Snapshot events, which show their object; thin ones are in stripe-thin.ts. */
export function mapStripe(json: Json, orders: Pick<Told, 'orderSource' | 'orderField'>): Mapped<typeof commerce.declaration> | Ignored {
  const body = readObject(json, '');
  const type = typeName(required(textAt(body, 'type'), body, 'type'));
  const topic = body.json['object'] === 'event' ? TOPICS.get(type) : undefined;
  if (topic === undefined) return { type };
  const occurredAt = instantOf(body.json['created']);
  if (occurredAt === undefined)
    throw new IngestError('NO_CLOCK', 'created: the time of the event is missing, or no Unix seconds', { path: 'created' });
  const data = required(objectAt(body, 'data'), body, 'data');
  const object = required(objectAt(data, 'object'), data, 'object');
  // Every event has an id; what the backfill made of a list's object has none.
  const since = body.json['id'] === undefined ? undefined : occurredAt;
  return { type, occurredAt, ...topic(object, { ...orders, type, at: occurredAt, since }) };
}

function idOf(object: Read): string {
  return required(idAt(object, 'id'), object, 'id');
}

/** Stripe keeps a name in one field; where it parts is anybody's guess, so it is not told. */
function customerFacts(customer: Read, { since }: Told): CommerceFact[] {
  const id = idOf(customer);
  const address = objectAt(customer, 'address');
  return upsertCustomer({
    key: { id },
    set: {
      email: textAt(customer, 'email'),
      phone: textAt(customer, 'phone'),
      country: address === undefined ? (customer.json['address'] === null ? null : undefined) : textAt(address, 'country'),
      currency: currencyAt(customer),
      createdAt: secondsAt(customer, 'created'),
      updatedAt: since,
    },
  });
}

function productFacts(product: Read, deleted?: 'deleted'): CommerceFact[] {
  const { active } = product.json;
  return [
    {
      upsert: {
        node: 'Product',
        key: { id: idOf(product) },
        set: {
          title: textAt(product, 'name'),
          productType: textAt(product, 'type'),
          status: deleted ?? (typeof active === 'boolean' ? (active ? 'active' : 'archived') : undefined),
          createdAt: secondsAt(product, 'created'),
          updatedAt: secondsAt(product, 'updated'),
        },
      },
    },
  ];
}

/** A session is an order, unless another source has the orders: then it only says which of them its payment pays. */
function sessionFacts(session: Read, event: Told): CommerceFact[] {
  const id = idOf(session);
  const payment = refAt(session, 'payment_intent');
  if (event.orderSource !== undefined) {
    const to = orderAt(session, event);
    return to === undefined ? [] : paidBy(payment, to);
  }
  // Setup mode keeps a card for later: nothing is bought.
  if (session.json['mode'] === 'setup') return [];
  const currency = currencyAt(session);
  const status = statusOfSession(session, event);
  const { since } = event;
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Order',
        key: { id },
        set: {
          // A payment that came later and failed leaves the session as one that is still waited for.
          status: since === undefined && status === 'pending' ? undefined : status,
          financialStatus: textAt(session, 'payment_status'),
          currency,
          totalMinor: amountAt(session, 'amount_total', currency),
          createdAt: secondsAt(session, 'created'),
          updatedAt: since,
          cancelledAt: status === 'cancelled' ? since : undefined,
        },
      },
    },
  ];
  if (since === undefined) facts.push(...undatedFacts(session, id, status, event));
  // Customers may be accounts now, with ids of their own.
  const customer = refAt(session, 'customer');
  const buyer = customer ?? refAt(session, 'customer_account') ?? customer;
  if (typeof buyer === 'string') facts.push({ link: { relationship: 'PLACED', from: { id: buyer }, to: { id } } });
  else if (buyer === null) facts.push({ clear: { relationship: 'PLACED', owner: { id } } });
  const lines = pageAt(session, 'line_items');
  // Half a list would take the other half away.
  if (lines?.whole === true)
    facts.push({ replace: { relationship: 'CONTAINS', from: { id }, links: lines.items.map((line) => lineOf(line, currency)) } });
  return [...facts, ...paidBy(payment, { id })];
}

/** What a session of a list says without knowing since when: as of when it was made, so every event is newer. It ran out at its own time, unless it was ended by hand. */
function undatedFacts(session: Read, id: string, status: string | undefined, { at: readAt }: Told): CommerceFact[] {
  const at = secondsAt(session, 'created');
  if (at === undefined) return [];
  if (status === 'pending') return [{ upsert: { node: 'Order', key: { id }, set: { status }, at } }];
  const ranOut = secondsAt(session, 'expires_at');
  if (status !== 'cancelled' || ranOut === undefined || (parseInstant(ranOut) ?? 0n) > (parseInstant(readAt) ?? 0n)) return [];
  return [{ upsert: { node: 'Order', key: { id }, set: { cancelledAt: ranOut }, at } }];
}

/** That a session names its payment says that there is one, whatever else is known of it. */
function paidBy(payment: string | null | undefined, to: { readonly id: string; readonly source?: string }): CommerceFact[] {
  if (typeof payment !== 'string') return [];
  const key = { id: payment };
  return [{ upsert: { node: 'Payment', key } }, { link: { relationship: 'PAYS', from: key, to } }];
}

/** The first row that holds decides; the same table is in the guide. */
function statusOfSession(session: Read, { type }: Told): string | undefined {
  if (type === 'checkout.session.expired' || type === 'checkout.session.async_payment_failed') return 'cancelled';
  const payment = textAt(session, 'payment_status');
  if (payment === 'paid' || payment === 'no_payment_required') return 'paid';
  return payment === 'unpaid' ? 'pending' : undefined;
}

/** A line without a product keeps its money under a product of its own. */
function lineOf(line: Read, currencyOfSession: string | null | undefined): CommerceLine {
  const id = idOf(line);
  const currency = currencyAt(line) ?? currencyOfSession;
  const price = objectAt(line, 'price');
  const quantity = line.json['quantity'];
  return {
    to: { id: (price === undefined ? undefined : refAt(price, 'product')) ?? `line-${id}` },
    key: { line: id },
    set: {
      quantity: quantity === undefined || quantity === null ? undefined : integerAt(line, 'quantity'),
      unitPriceMinor: price === undefined ? undefined : amountAt(price, 'unit_amount', currencyAt(price) ?? currency),
      totalMinor: amountAt(line, 'amount_total', currency),
      title: textAt(line, 'description'),
    },
  };
}
