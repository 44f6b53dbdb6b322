import { expect, test } from 'vitest';
import { compare, conserve } from '../../../src/demo/check.ts';
import { tellGrocery } from '../../../src/demo/events.ts';
import { ALL_DAYS, readGolden, readGrocery } from '../../../src/demo/grocery.ts';
import { addUpFiles } from '../../../src/demo/totals.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { readEnvelope } from '../../../src/model/envelope.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { parseJson } from '../../../src/json.ts';

const grocery = readGrocery(ALL_DAYS);
const files = addUpFiles(grocery.lines);
const golden = readGolden();

test('the files add up to what their publisher counted', () => {
  expect(compare(files, files, golden).filter((check) => !check.equal)).toEqual([]);
  expect(files.totals).toMatchObject({ orders: 4_002, lines: 41_504, customers: 1_511, products: 14_102, revenueOfOrders: 12_324_675 });
});

test('a day is one of the ten, and its products are those that were bought', () => {
  const { lines, products } = readGrocery(1);
  expect(lines).toHaveLength(3_098);
  const bought = new Set(lines.map((line) => line.product_id));
  expect(products.every((product) => bought.has(product.product_id))).toBe(true);
});

test('every event has an id of its own and says what the model understands', () => {
  const messages = tellGrocery(readGrocery(1));
  expect(new Set(messages.map((message) => message.id)).size).toBe(messages.length);
  for (const { id, body } of messages) {
    const envelope = readEnvelope(parseJson(body));
    expect(() => resolve(commerce, { source: 'facts', id, bodyHash: '0'.repeat(64) }, envelope)).not.toThrow();
  }
});

test('an order is told in five parts', () => {
  const [first] = files.orders;
  const own = tellGrocery(grocery).filter(({ body }) => body.includes(`"${first?.id}"`));
  expect(own.map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual([
    'order.placed',
    'order.lines',
    'order.paid',
    'payment.captured',
    'order.fulfilled',
  ]);
});

test('a cent, a lost line, a stranger among the orders: each is seen', () => {
  const differing = (books: typeof files): string[] =>
    compare(books, files, golden)
      .filter((check) => !check.equal)
      .map((check) => check.what);
  const { totals, orders, days } = files;
  expect(differing({ ...files, totals: { ...totals, revenueOfLines: totals.revenueOfLines - 1 } })).toEqual(['revenue, from their lines']);
  expect(differing({ ...files, orders: orders.map((order, i) => (i === 7 ? { ...order, status: 'paid' } : order)) })).toEqual([
    'orders, each with all that hangs on it',
  ]);
  const [stranger] = orders;
  if (stranger === undefined) throw new Error('no orders');
  expect(differing({ ...files, orders: [...orders.slice(1), { ...stranger, id: '1' }] })).toEqual([
    'orders, each with all that hangs on it',
  ]);
  expect(differing({ ...files, orders: [...orders, { ...stranger, id: '1' }] })).toEqual(['orders, each with all that hangs on it']);
  expect(differing({ ...files, days: days.slice(1) })).toEqual(['days, each with its orders and revenue']);
  expect(differing({ ...files, topCustomers: [] })).toEqual(['best customers, with what they spent']);
});

test('conservation: taken in is what has a state, waits, or came too late', () => {
  const states = { applied: 5, superseded: 2, ignored: 0, quarantined: 1, failed: 0, acknowledged: 0, erased: 0 };
  const stats = { accepted: 10, duplicate: 3, duplicateLate: 1, queued: 1, parked: 4, states };
  expect(conserve(stats)).toEqual({ accepted: 10, accounted: 10, holds: true });
  expect(conserve({ ...stats, accepted: 11 }).holds).toBe(false);
});
