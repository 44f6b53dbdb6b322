/** What there is to count and to add up: once from the files, once from the graph. Money in whole cents. */
import { readStatement } from '../graph/cypher-file.ts';
import type { Bolt } from '../graph/driver.ts';
import { toPlain } from '../graph/plain.ts';
import { readTransaction } from '../graph/read-transaction.ts';
import type { LineRow } from './grocery.ts';

export interface Totals {
  readonly orders: number;
  readonly customers: number;
  readonly products: number;
  readonly lines: number;
  readonly units: number;
  readonly zeroQuantityLines: number;
  readonly zeroValueLines: number;
  readonly revenueOfOrders: number;
  readonly revenueOfLines: number;
  readonly paid: number;
  readonly firstAt: string;
  readonly lastAt: string;
}

export interface Day {
  readonly day: string;
  readonly orders: number;
  readonly revenueOfOrders: number;
  readonly revenueOfLines: number;
}

export interface Order {
  readonly id: string;
  readonly customer: string | null;
  readonly at: string | null;
  readonly status: string | null;
  readonly totalMinor: number | null;
  readonly lines: number;
  readonly linesMinor: number;
  readonly units: number;
  readonly paidMinor: number;
  readonly shipments: number;
}

/** One side of the comparison. */
export interface Books {
  readonly totals: Totals;
  readonly days: readonly Day[];
  readonly orders: readonly Order[];
  readonly topCustomers: readonly { readonly customer: string; readonly revenueCents: number; readonly orders: number }[];
  readonly topProducts: readonly { readonly product: string; readonly units: number }[];
}

/** Straight from the files, in whole numbers; knows neither events nor the model, and rounds by itself. */
export function addUpFiles(lines: readonly LineRow[]): Books {
  const orders = new Map<string, { -readonly [K in keyof Order]: Order[K] }>();
  const [spent, baskets, units] = [new Map<string, number>(), new Map<string, Set<string>>(), new Map<string, number>()];
  let [zeroQuantityLines, zeroValueLines] = [0, 0];
  for (const line of lines) {
    const [quantity, value] = [Number(line.quantity), wholeCents(line.sales_value)];
    if (quantity === 0) zeroQuantityLines += 1;
    if (value === 0) zeroValueLines += 1;
    const { basket_id: id, household_id: customer, product_id: product } = line;
    const at = `${line.transaction_timestamp}Z`;
    const none: Order = {
      id,
      customer,
      at,
      status: 'fulfilled',
      totalMinor: 0,
      lines: 0,
      linesMinor: 0,
      units: 0,
      paidMinor: 0,
      shipments: 1,
    };
    const order = orders.get(id) ?? { ...none };
    const total = order.linesMinor + value;
    orders.set(
      id,
      Object.assign(order, {
        totalMinor: total,
        linesMinor: total,
        paidMinor: total,
        lines: order.lines + 1,
        units: order.units + quantity,
      }),
    );
    spent.set(customer, (spent.get(customer) ?? 0) + value);
    units.set(product, (units.get(product) ?? 0) + quantity);
    baskets.set(customer, (baskets.get(customer) ?? new Set()).add(id));
  }
  const all = [...orders.values()];
  const revenue = sum(all.map((order) => order.linesMinor));
  const times = all.map((order) => order.at ?? '').sort();
  return {
    totals: {
      orders: all.length,
      customers: spent.size,
      products: units.size,
      lines: lines.length,
      units: sum(all.map((order) => order.units)),
      zeroQuantityLines,
      zeroValueLines,
      revenueOfOrders: revenue,
      revenueOfLines: revenue,
      paid: revenue,
      firstAt: times[0] ?? '',
      lastAt: times.at(-1) ?? '',
    },
    days: daysOf(all),
    orders: all,
    topCustomers: top(spent).map(([customer, revenueCents]) => ({ customer, revenueCents, orders: baskets.get(customer)?.size ?? 0 })),
    topProducts: top(units).map(([product, n]) => ({ product, units: n })),
  };
}

function daysOf(orders: readonly Order[]): Day[] {
  const dates = [...new Set(orders.map((order) => order.at?.slice(0, 10) ?? ''))].sort();
  return dates.map((day) => {
    const own = orders.filter((order) => order.at?.startsWith(day) === true);
    const revenue = sum(own.map((order) => order.linesMinor));
    return { day, orders: own.length, revenueOfOrders: revenue, revenueOfLines: revenue };
  });
}

/** The five largest; of equals, the smaller number first. */
function top(amounts: ReadonlyMap<string, number>): [string, number][] {
  return [...amounts].sort(([a, m], [b, n]) => n - m || Number(a) - Number(b)).slice(0, 5);
}

/** As a fraction of whole numbers, half up: another way than the one by which events are made. */
function wholeCents(dollars: string): number {
  const [whole = '', fraction = ''] = dollars.split('.');
  const unit = 10n ** BigInt(fraction.length);
  return Number((BigInt(whole + fraction) * 200n + unit) / (2n * unit));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

const TIMEOUT_MS = 60_000;

/** The same from the graph, by the statements of cypher/demo. */
export function addUpGraph(bolt: Bolt): Promise<Books> {
  return readTransaction(bolt, TIMEOUT_MS, async (tx) => {
    const ask = async <Row>(name: string): Promise<Row[]> => {
      const { records } = await tx.run(readStatement(`demo/${name}`));
      return records.map((record) => toPlain(record.toObject()) as Row);
    };
    const [totals] = await ask<Totals>('totals');
    if (totals === undefined) throw new Error('the graph gave no totals');
    return {
      totals,
      days: await ask<Day>('days'),
      orders: await ask<Order>('orders'),
      topCustomers: await ask('top-customers'),
      topProducts: await ask('top-products'),
    };
  });
}
