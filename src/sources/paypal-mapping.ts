/**
 * What PayPal's events say in the commerce model. The table with fields and times is docs/guides/paypal.md; change both
 * together, and bump the source's version. `resource` is a snapshot, ordered by its own `update_time`; a payment's
 * statuses are PayPal's words in lower case.
 */
import type { Json } from '../json.ts';
import type { commerce, CommerceFact, CommerceLine } from '../model/commerce.ts';
import type { Mapped } from '../model/facts.ts';
import { upsertCustomer } from './customers.ts';
import { moneyAt, rankOf, relatedId, statusAt } from './paypal-read.ts';
import { idAt, listAt, mappingFailed, objectAt, readObject, required, textAt, timeAt, typeName, type Read } from './read.ts';
import type { Ignored } from './source.ts';

interface Said {
  readonly facts: readonly CommerceFact[];
  /** Orders what is told of one payment in one second. */
  readonly sequence?: number;
}

const TOPICS: ReadonlyMap<string, (resource: Read, type: string) => Said> = new Map([
  ...under('CHECKOUT.ORDER', 'SAVED APPROVED PROCESSED COMPLETED DECLINED VOIDED', orderSaid),
  ['CHECKOUT.PAYMENT-APPROVAL.REVERSED', approvalSaid],
  ...under('PAYMENT.AUTHORIZATION', 'CREATED VOIDED', paymentSaid),
  ...under('PAYMENT.CAPTURE', 'PENDING COMPLETED DECLINED DENIED', paymentSaid),
  ...under('PAYMENT.CAPTURE', 'REFUNDED REVERSED', refundSaid),
  ...under('PAYMENT.REFUND', 'PENDING FAILED', refundSaid),
  ...under('PAYMENT.SALE', 'PENDING COMPLETED DENIED', paymentSaid),
  ...under('PAYMENT.SALE', 'REFUNDED REVERSED', refundSaid),
  ...under('CUSTOMER.DISPUTE', 'CREATED UPDATED RESOLVED', disputeSaid),
]);

function under<T>(object: string, verbs: string, topic: T): [string, T][] {
  return verbs.split(' ').map((verb) => [`${object}.${verb}`, topic]);
}

export function mapPaypal(json: Json): Mapped<typeof commerce.declaration> | Ignored {
  const event = readObject(json, '');
  const type = textAt(event, 'event_type') || 'unknown';
  const topic = TOPICS.get(type);
  if (topic === undefined) return { type: typeName(type) };
  const resource = required(objectAt(event, 'resource'), event, 'resource');
  const own = textAt(resource, 'update_time') ?? textAt(resource, 'create_time');
  return { type, occurredAt: own ?? timeAt(event, 'create_time'), ...topic(resource, type) };
}

/** `COMPLETED` of an order that is only to be authorized says that it was, and not that anything was paid. */
function orderStatus(order: Read, type: string): string | undefined {
  const status = statusAt(order);
  if (status === 'voided' || type === 'CHECKOUT.ORDER.DECLINED') return 'cancelled';
  if (status === undefined) return undefined;
  return status === 'completed' && textAt(order, 'intent')?.toUpperCase() !== 'AUTHORIZE' ? 'paid' : 'pending';
}

function orderSaid(order: Read, type: string): Said {
  const id = required(idAt(order, 'id'), order, 'id');
  const units = listAt(order, 'purchase_units') ?? [];
  const status = orderStatus(order, type);
  const total = totalOf(units);
  const method = methodOf(order);
  const parts = units.flatMap((unit) => paymentsOf(unit, id, method));
  return {
    facts: [
      {
        upsert: {
          node: 'Order',
          key: { id },
          set: {
            name: units.length === 1 && units[0] !== undefined ? textAt(units[0], 'invoice_id') : undefined,
            status,
            currency: total?.currency,
            totalMinor: total?.minor,
            createdAt: textAt(order, 'create_time'),
            updatedAt: textAt(order, 'update_time'),
            cancelledAt: status === 'cancelled' ? textAt(order, 'update_time') : undefined,
          },
        },
      },
      ...buyerFacts(order, id),
      ...lineFacts(units, id),
      ...parts,
    ],
  };
}

/** What all units come to: PayPal allows one currency in an order. */
function totalOf(units: readonly Read[]): { readonly minor: bigint; readonly currency: string } | undefined {
  const amounts = units.map((unit) => moneyAt(unit, 'amount'));
  const [first] = amounts;
  if (first === undefined) return undefined;
  const minor = amounts.reduce((sum, amount, index) => {
    if (amount?.currency !== first.currency) throw mappingFailed(`resource.purchase_units[${index}].amount`, 'one order in two currencies');
    return sum + amount.minor;
  }, 0n);
  return { minor, currency: first.currency };
}

/** A guest has no id, and so is nobody who could come again. */
function buyerFacts(order: Read, orderId: string): CommerceFact[] {
  const payer = objectAt(order, 'payer');
  const id = payer === undefined ? undefined : idAt(payer, 'payer_id');
  if (payer === undefined || id === undefined) return [];
  const name = objectAt(payer, 'name');
  const phone = objectAt(payer, 'phone');
  const number = phone === undefined ? undefined : objectAt(phone, 'phone_number');
  const address = objectAt(payer, 'address');
  return [
    ...upsertCustomer({
      key: { id },
      set: {
        email: textAt(payer, 'email_address'),
        firstName: name && textAt(name, 'given_name'),
        lastName: name && textAt(name, 'surname'),
        phone: number && textAt(number, 'national_number'),
        country: address && textAt(address, 'country_code'),
      },
    }),
    { link: { relationship: 'PLACED', from: { id }, to: { id: orderId } } },
  ];
}

/** Lines have no id and products none but a SKU, so a line is known by its place. */
function lineFacts(units: readonly Read[], orderId: string): CommerceFact[] {
  const lists = units.map((unit) => listAt(unit, 'items'));
  if (lists.length === 0 || lists.includes(undefined)) return [];
  const links = lists.flatMap((items = [], unit) =>
    items.map((item, index): CommerceLine => {
      const line = `${unit + 1}.${index + 1}`;
      const sku = textAt(item, 'sku') || undefined;
      const price = moneyAt(item, 'unit_amount');
      const quantity = quantityOf(item);
      return {
        to: { id: sku ?? `line-${orderId}-${line}` },
        key: { line },
        set: {
          quantity,
          unitPriceMinor: price?.minor,
          totalMinor: price === undefined || quantity === undefined ? undefined : price.minor * quantity,
          title: textAt(item, 'name'),
          sku,
        },
      };
    }),
  );
  return [{ replace: { relationship: 'CONTAINS', from: { id: orderId }, links } }];
}

/** PayPal writes it as text. */
function quantityOf(item: Read): bigint | undefined {
  const text = idAt(item, 'quantity');
  if (text === undefined) return undefined;
  if (!/^\d{1,10}$/.test(text)) throw mappingFailed(`${item.path}.quantity`, 'expected a whole number');
  return BigInt(text);
}

/** What paid an order and what was given back, as far as the order itself shows it. */
function paymentsOf(unit: Read, orderId: string, method: string | undefined): CommerceFact[] {
  const payments = objectAt(unit, 'payments');
  if (payments === undefined) return [];
  const list = (name: string) => listAt(payments, name) ?? [];
  return [
    ...list('authorizations').flatMap((one) => paymentFacts(one, orderId, method)),
    ...list('captures').flatMap((one) => paymentFacts(one, orderId, method)),
    ...list('refunds').flatMap((one) => refundFacts(one, orderId)),
  ];
}

/** The one way of paying: `paypal`, `card`, `venmo`, … */
function methodOf(order: Read): string | undefined {
  const source = objectAt(order, 'payment_source');
  const names = source === undefined ? [] : Object.keys(source.json);
  return names.length === 1 ? names[0] : undefined;
}

/** The buyer agreed and the merchant did not capture in time: nothing was taken. */
function approvalSaid(approval: Read): Said {
  const id = required(idAt(approval, 'order_id') ?? idAt(approval, 'id'), approval, 'order_id');
  return { facts: [{ upsert: { node: 'Order', key: { id }, set: { status: 'cancelled' } } }] };
}

/** An authorization and each capture of it are payments of their own; which of them took money, their status says. */
function paymentSaid(payment: Read): Said {
  const facts = paymentFacts(payment, relatedId(payment, 'order_id', 'checkout/orders'));
  const authorization = relatedId(payment, 'authorization_id', 'payments/authorizations');
  const status = statusAt(payment);
  if (authorization !== undefined && status === 'completed') {
    const captured = payment.json['final_capture'] === false ? 'partially_captured' : 'captured';
    facts.push({ upsert: { node: 'Payment', key: { id: authorization }, set: { status: captured } } });
  }
  return { facts, sequence: rankOf(status) };
}

function paymentFacts(payment: Read, orderId: string | undefined, method?: string): CommerceFact[] {
  const id = required(idAt(payment, 'id'), payment, 'id');
  const amount = moneyAt(payment, 'amount');
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Payment',
        key: { id },
        set: {
          status: statusAt(payment),
          amountMinor: amount?.minor,
          currency: amount?.currency,
          method,
          createdAt: textAt(payment, 'create_time'),
        },
      },
    },
  ];
  if (orderId !== undefined) facts.push({ link: { relationship: 'PAYS', from: { id }, to: { id: orderId } } });
  return facts;
}

/** Whether a payment was given back in full only its own status says; what PayPal itself took back says so. */
function refundSaid(refund: Read, type: string): Said {
  const facts = refundFacts(refund, relatedId(refund, 'order_id', 'checkout/orders'));
  const payment = idAt(refund, 'sale_id') ?? relatedId(refund, 'capture_id', 'payments/captures');
  if (!type.endsWith('.REVERSED') || payment === undefined) return { facts };
  return {
    facts: [...facts, { upsert: { node: 'Payment', key: { id: payment }, set: { status: 'reversed' } } }],
    sequence: rankOf('reversed'),
  };
}

/** Money counts as given back once it is; a refund that came to nothing is none. */
function refundFacts(refund: Read, orderId: string | undefined): CommerceFact[] {
  const id = required(idAt(refund, 'id'), refund, 'id');
  const status = statusAt(refund);
  if (status === 'failed' || status === 'cancelled') return [{ remove: { node: 'Refund', key: { id } } }];
  const amount = moneyAt(refund, 'amount');
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Refund',
        key: { id },
        set: {
          amountMinor: status === 'completed' ? amount?.minor : undefined,
          currency: amount?.currency,
          reason: textAt(refund, 'note_to_payer'),
          createdAt: textAt(refund, 'create_time'),
        },
      },
    },
  ];
  if (orderId !== undefined) facts.push({ link: { relationship: 'REFUNDS', from: { id }, to: { id: orderId } } });
  return facts;
}

/** How a dispute ended for the payment; while it lasts, and where nobody won, it is `disputed`. */
const OUTCOMES: ReadonlyMap<string, string> = new Map([
  ['RESOLVED_BUYER_FAVOUR', 'charged_back'],
  ['RESOLVED_SELLER_FAVOUR', 'completed'],
  ['RESOLVED_WITH_PAYOUT', 'completed'],
  ['CANCELED_BY_BUYER', 'completed'],
  ['DENIED', 'completed'],
]);

function disputeSaid(dispute: Read): Said {
  const outcome = objectAt(dispute, 'dispute_outcome');
  const code = outcome === undefined ? undefined : textAt(outcome, 'outcome_code');
  const status = (typeof code === 'string' ? OUTCOMES.get(code) : undefined) ?? 'disputed';
  const payments = (listAt(dispute, 'disputed_transactions') ?? []).flatMap((one) => idAt(one, 'seller_transaction_id') ?? []);
  const facts = payments.map((id): CommerceFact => ({ upsert: { node: 'Payment', key: { id }, set: { status } } }));
  return { facts, sequence: rankOf(code === undefined ? 'disputed' : 'settled') };
}
