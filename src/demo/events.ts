/**
 * What a shop, its catalogue and its payment provider would tell of the baskets, each of its own part and no more:
 *   order.placed      Order pending, its total, its Customer        at the basket's time
 *   order.lines       the whole list of lines                       at the basket's time
 *   order.paid        Order paid                                    2 minutes later
 *   payment.captured  Payment, which waits for its Order (PAYS)     3 minutes later
 *   order.fulfilled   Order fulfilled, Fulfillment                  10 minutes later
 *   product.updated   title, vendor, type                           before the first basket
 *   customer.updated  currency, first seen                          at the first basket
 */
import { addTo } from '../group.ts';
import { cents } from './cents.ts';
import type { Grocery, LineRow, ProductRow } from './grocery.ts';

/** One event as its sender keeps it: the same bytes under the same id, however often it is sent. */
export interface Message {
  readonly id: string;
  readonly body: string;
}

const CURRENCY = 'USD';
const MINUTE_MS = 60_000;
const PAID_AFTER_MS = 2 * MINUTE_MS;
const CAPTURED_AFTER_MS = 3 * MINUTE_MS;
const FULFILLED_AFTER_MS = 10 * MINUTE_MS;
/** The catalogue was there before the first basket. */
const CATALOGUE_AT = '2017-01-01T00:00:00Z';

/** Every event of the story, by entity. */
export function tellGrocery({ lines, products }: Grocery): Message[] {
  const baskets = groupBy(lines, (line) => line.basket_id);
  const households = groupBy(lines, (line) => line.household_id);
  return [
    ...products.map(tellProduct),
    ...[...households].map(([household, own]) => tellCustomer(household, own)),
    ...[...baskets].flatMap(([basket, own]) => tellOrder(basket, own)),
  ];
}

function tellProduct(row: ProductRow): Message {
  const title = [row.product_type || row.product_category, row.package_size].filter((part) => part !== '').join(', ');
  return message(`product-${row.product_id}`, 'product.updated', CATALOGUE_AT, [
    { upsert: { node: 'Product', key: { id: row.product_id }, set: { title, vendor: row.brand, productType: row.department } } },
  ]);
}

function tellCustomer(household: string, lines: readonly LineRow[]): Message {
  const since = stamp(lines, 0);
  return message(`customer-${household}`, 'customer.updated', since, [
    { upsert: { node: 'Customer', key: { id: household }, set: { currency: CURRENCY, country: 'US', createdAt: since } } },
  ]);
}

function tellOrder(basket: string, lines: readonly LineRow[]): Message[] {
  const id = `order-${basket}`;
  const key = { id: basket };
  const totalMinor = lines.reduce((sum, line) => sum + cents(line.sales_value), 0);
  const placedAt = stamp(lines, 0);
  const [paidAt, capturedAt, fulfilledAt] = [PAID_AFTER_MS, CAPTURED_AFTER_MS, FULFILLED_AFTER_MS].map((ms) => stamp(lines, ms)) as [
    string,
    string,
    string,
  ];
  return [
    message(`${id}-placed`, 'order.placed', placedAt, [
      { upsert: { node: 'Order', key, set: { status: 'pending', currency: CURRENCY, totalMinor, createdAt: placedAt } } },
      { link: { relationship: 'PLACED', from: { id: lines[0]?.household_id }, to: key } },
    ]),
    message(`${id}-lines`, 'order.lines', placedAt, [{ replace: { relationship: 'CONTAINS', from: key, links: lines.map(tellLine) } }]),
    message(`${id}-paid`, 'order.paid', paidAt, [{ upsert: { node: 'Order', key, set: { status: 'paid', updatedAt: paidAt } } }]),
    message(`payment-${basket}`, 'payment.captured', capturedAt, [
      {
        upsert: {
          node: 'Payment',
          key,
          set: { status: 'captured', amountMinor: totalMinor, currency: CURRENCY, method: 'card', createdAt: capturedAt },
        },
      },
      { link: { relationship: 'PAYS', from: key, to: key } },
    ]),
    message(`${id}-fulfilled`, 'order.fulfilled', fulfilledAt, [
      { upsert: { node: 'Order', key, set: { status: 'fulfilled', updatedAt: fulfilledAt } } },
      { upsert: { node: 'Fulfillment', key, set: { status: 'handed over', createdAt: fulfilledAt } } },
      { link: { relationship: 'FULFILLS', from: key, to: key } },
    ]),
  ];
}

function tellLine(line: LineRow): object {
  return {
    to: { id: line.product_id },
    key: { line: line.product_id },
    set: { quantity: Number(line.quantity), totalMinor: cents(line.sales_value) },
  };
}

function message(id: string, type: string, occurredAt: string, facts: readonly object[]): Message {
  return { id, body: JSON.stringify({ id, type, occurredAt, facts }) };
}

/** The basket's time, read as UTC, and so much later. */
function stamp([line]: readonly LineRow[], laterMs: number): string {
  return new Date(Date.parse(`${line?.transaction_timestamp}Z`) + laterMs).toISOString();
}

function groupBy(lines: readonly LineRow[], nameOf: (line: LineRow) => string): Map<string, LineRow[]> {
  const groups = new Map<string, LineRow[]>();
  for (const line of lines) addTo(groups, nameOf(line), line);
  return groups;
}
