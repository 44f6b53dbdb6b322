/**
 * What Square's events say in the commerce model. The table with fields and times is docs/guides/square.md; change both
 * together, and bump the source's version. Payments, refunds and customers come whole, and Square leaves out what is
 * empty; of an order a notification tells little more than its state.
 */
import type { Json } from '../json.ts';
import type { commerce, CommerceFact } from '../model/commerce.ts';
import type { Mapped } from '../model/facts.ts';
import { upsertCustomer } from './customers.ts';
import { idAt, integerAt, listAt, mappingFailed, objectAt, readObject, required, textAt, timeAt, typeName, type Read } from './read.ts';
import type { Ignored } from './source.ts';

interface Topic {
  /** Under this name the object stands in `data.object`. */
  readonly object: string;
  readonly id: 'id' | 'order_id';
  /** The event's own time; default is the object's, which is what its fields are true at. */
  readonly clock?: 'event';
  facts(id: string, object: Read): readonly CommerceFact[];
}

const payment: Topic = { object: 'payment', id: 'id', facts: paymentFacts };
const refund: Topic = { object: 'refund', id: 'id', facts: refundFacts };
const customer: Topic = { object: 'customer', id: 'id', facts: customerFacts };

const TOPICS: ReadonlyMap<string, Topic> = new Map<string, Topic>([
  ['payment.created', payment],
  ['payment.updated', payment],
  ['refund.created', refund],
  ['refund.updated', refund],
  ['order.created', { object: 'order_created', id: 'order_id', facts: orderFacts }],
  ['order.updated', { object: 'order_updated', id: 'order_id', facts: orderFacts }],
  ['order.fulfillment.updated', { object: 'order_fulfillment_updated', id: 'order_id', facts: fulfillmentFacts }],
  ['customer.created', customer],
  ['customer.updated', customer],
  ['customer.deleted', { object: 'customer', id: 'id', clock: 'event', facts: (id) => [{ remove: { node: 'Customer', key: { id } } }] }],
]);

export function mapSquare(json: Json): Mapped<typeof commerce.declaration> | Ignored {
  const event = readObject(json, '');
  const type = textAt(event, 'type') || 'unknown';
  const topic = TOPICS.get(type);
  if (topic === undefined) return { type: typeName(type) };
  const data = required(objectAt(event, 'data'), event, 'data');
  const holder = required(objectAt(data, 'object'), data, 'object');
  const object = required(objectAt(holder, topic.object), holder, topic.object);
  const id = required(idAt(object, topic.id), object, topic.id);
  const version = object.json['version'];
  const own = topic.clock === 'event' ? undefined : (textAt(object, 'updated_at') ?? textAt(object, 'created_at'));
  return {
    type,
    occurredAt: own ?? timeAt(event, 'created_at'),
    ...((typeof version === 'number' || typeof version === 'bigint') && version >= 0 ? { sequence: version } : {}),
    facts: topic.facts(id, object),
  };
}

function paymentFacts(id: string, payment: Read): CommerceFact[] {
  const { amountMinor, currency } = moneyOf(payment, 'total_money') ?? moneyOf(payment, 'amount_money') ?? {};
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Payment',
        key: { id },
        set: {
          status: lower(textAt(payment, 'status')),
          amountMinor,
          currency,
          method: lower(textAt(payment, 'source_type')),
          createdAt: textAt(payment, 'created_at'),
        },
      },
    },
  ];
  const order = idAt(payment, 'order_id');
  if (order === undefined) return facts;
  facts.push({ link: { relationship: 'PAYS', from: { id }, to: { id: order } } });
  // Of an order Square tells no buyer, and of a refund only the order that it opened for the return: both are known here.
  const payer = idAt(payment, 'customer_id');
  if (payer !== undefined) facts.push({ link: { relationship: 'PLACED', from: { id: payer }, to: { id: order } } });
  for (const refunded of idsAt(payment, 'refund_ids'))
    facts.push({ link: { relationship: 'REFUNDS', from: { id: refunded }, to: { id: order } } });
  return facts;
}

/** Money counts as given back once it is; a refund that came to nothing is none. */
function refundFacts(id: string, refund: Read): CommerceFact[] {
  const status = textAt(refund, 'status');
  if (status === 'REJECTED' || status === 'FAILED') return [{ remove: { node: 'Refund', key: { id } } }];
  const { amountMinor, currency } = moneyOf(refund, 'amount_money') ?? {};
  return [
    {
      upsert: {
        node: 'Refund',
        key: { id },
        set: {
          amountMinor: status === 'COMPLETED' ? amountMinor : undefined,
          currency,
          reason: textAt(refund, 'reason'),
          createdAt: textAt(refund, 'created_at'),
        },
      },
    },
  ];
}

const ORDER_STATUS: ReadonlyMap<string, string> = new Map([
  ['DRAFT', 'pending'],
  ['OPEN', 'pending'],
  ['COMPLETED', 'paid'],
  ['CANCELED', 'cancelled'],
]);

function orderFacts(id: string, order: Read): CommerceFact[] {
  const state = textAt(order, 'state');
  return [
    {
      upsert: {
        node: 'Order',
        key: { id },
        set: {
          status: typeof state === 'string' ? ORDER_STATUS.get(state) : undefined,
          createdAt: textAt(order, 'created_at'),
          updatedAt: textAt(order, 'updated_at'),
        },
      },
    },
  ];
}

/** A fulfillment's uid is its own within its order only. */
function fulfillmentFacts(order: string, changed: Read): CommerceFact[] {
  const facts = orderFacts(order, changed);
  for (const update of listAt(changed, 'fulfillment_update') ?? []) {
    const key = { id: `${order}/${required(idAt(update, 'fulfillment_uid'), update, 'fulfillment_uid')}` };
    facts.push(
      { upsert: { node: 'Fulfillment', key, set: { status: lower(textAt(update, 'new_state')) } } },
      { link: { relationship: 'FULFILLS', from: key, to: { id: order } } },
    );
  }
  return facts;
}

/** The whole profile: what is not there was emptied. */
function customerFacts(id: string, customer: Read): CommerceFact[] {
  const address = objectAt(customer, 'address');
  return upsertCustomer({
    key: { id },
    set: {
      email: textAt(customer, 'email_address') ?? null,
      firstName: textAt(customer, 'given_name') ?? null,
      lastName: textAt(customer, 'family_name') ?? null,
      phone: textAt(customer, 'phone_number') ?? null,
      country: (address === undefined ? undefined : textAt(address, 'country')) ?? null,
      createdAt: textAt(customer, 'created_at'),
      updatedAt: textAt(customer, 'updated_at'),
    },
  });
}

/** Square's money is in minor units already. */
function moneyOf(from: Read, name: string) {
  const money = objectAt(from, name);
  return money === undefined ? undefined : { amountMinor: integerAt(money, 'amount'), currency: textAt(money, 'currency') };
}

function idsAt(from: Read, name: string): readonly string[] {
  const ids = from.json[name] ?? [];
  if (Array.isArray(ids) && ids.every((id): id is string => typeof id === 'string' && id !== '')) return ids;
  throw mappingFailed(`${from.path}.${name}`, 'expected a list of ids');
}

function lower(text: string | null | undefined): string | null | undefined {
  return text?.toLowerCase() ?? text;
}
