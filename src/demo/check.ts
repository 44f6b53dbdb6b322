/** The graph against the files, and the ledger against itself. Pure. */
import { STATES, type Stats } from '../event.ts';
import type { Golden } from './grocery.ts';
import type { Books, Totals } from './totals.ts';

export interface Check {
  readonly what: string;
  /** How people write the values. */
  readonly unit: 'cents' | 'number' | 'text';
  readonly graph: number | string;
  readonly files: number | string;
  /** Counted by the publisher of the extract; null where it did not. */
  readonly golden: number | string | null;
  readonly equal: boolean;
}

/** accepted = sum of states + queued + duplicateLate */
export interface Conservation {
  readonly accepted: number;
  readonly accounted: number;
  readonly holds: boolean;
}

export function conserve({ accepted, queued, duplicateLate, states }: Stats): Conservation {
  const accounted = STATES.reduce((sum, state) => sum + states[state], 0) + queued + duplicateLate;
  return { accepted, accounted, holds: accepted === accounted };
}

const ROWS: readonly (readonly [what: string, name: keyof Totals, unit: Check['unit'], golden: keyof Golden | undefined])[] = [
  ['revenue, from the orders', 'revenueOfOrders', 'cents', 'revenueCents'],
  ['revenue, from their lines', 'revenueOfLines', 'cents', 'revenueCents'],
  ['payments', 'paid', 'cents', undefined],
  ['orders', 'orders', 'number', 'orders'],
  ['lines', 'lines', 'number', 'lines'],
  ['customers', 'customers', 'number', 'customers'],
  ['products', 'products', 'number', 'products'],
  ['units', 'units', 'number', undefined],
  ['lines of quantity 0', 'zeroQuantityLines', 'number', 'zeroQuantityLines'],
  ['lines of value 0', 'zeroValueLines', 'number', 'zeroValueLines'],
  ['first order', 'firstAt', 'text', 'firstTimestamp'],
  ['last order', 'lastAt', 'text', 'lastTimestamp'],
];

/** `golden` only where all of its days were played. */
export function compare(graph: Books, files: Books, golden: Golden | undefined): Check[] {
  const checks = ROWS.map(([what, name, unit, known]): Check => {
    const third = golden === undefined || known === undefined ? null : plain(golden[known]);
    return judge(what, unit, graph.totals[name], files.totals[name], third);
  });
  checks.push(judge('days, each with its orders and revenue', 'number', matching(graph.days, files.days), files.days.length, null));
  checks.push(judge('orders, each with all that hangs on it', 'number', matching(graph.orders, files.orders), files.orders.length, null));
  const best = (what: string, one: readonly object[], two: readonly object[], third: readonly object[] | undefined): Check =>
    judge(what, 'number', matching(one, two), two.length, third === undefined ? null : matching(third, two));
  checks.push(best('best customers, with what they spent', graph.topCustomers, files.topCustomers, golden?.topCustomers));
  checks.push(best('best products, with their units', graph.topProducts, files.topProducts, golden?.topProductsByUnits));
  return checks;
}

function judge(what: string, unit: Check['unit'], graph: number | string, files: number | string, golden: number | string | null): Check {
  return { what, unit, graph, files, golden, equal: graph === files && (golden === null || golden === graph) };
}

/** Golden timestamps have a space where RFC 3339 has a T, and no zone. */
function plain(value: unknown): number | string {
  return typeof value === 'number' ? value : `${String(value).replace(' ', 'T')}Z`;
}

/** How many rows of `right` are in `found`, less those that are there and should not be. */
function matching(found: readonly object[], right: readonly object[]): number {
  const rows = new Set(found.map(canonical));
  return right.filter((row) => rows.has(canonical(row))).length - Math.max(0, found.length - right.length);
}

/** A flat row by value, whatever the order of its fields. */
function canonical(row: object): string {
  return JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
}
