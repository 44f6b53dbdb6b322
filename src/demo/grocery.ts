/** The shipped baskets (examples/grocery, see its NOTICE) as they are written there: every value is text. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { parse } from 'csv-parse/sync';

const FOLDER = new URL('../../examples/grocery/', import.meta.url);

export const ALL_DAYS = 10;

/** One line of a basket. `sales_value` is in dollars after discount, the timestamp local without a zone. */
export interface LineRow {
  readonly household_id: string;
  readonly basket_id: string;
  readonly product_id: string;
  readonly quantity: string;
  readonly sales_value: string;
  readonly transaction_timestamp: string;
}

export interface ProductRow {
  readonly product_id: string;
  readonly department: string;
  readonly brand: string;
  readonly product_category: string;
  readonly product_type: string;
  readonly package_size: string;
}

export interface Grocery {
  /** In the order of the file, which is that of time. */
  readonly lines: readonly LineRow[];
  /** Those in the lines; a few have no row. */
  readonly products: readonly ProductRow[];
}

/** The first `days` days, 1 to 10. */
export function readGrocery(days: number): Grocery {
  const all = readCsv<LineRow>('transactions.csv.gz');
  const dates = [...new Set(all.map(dateOf))].sort().slice(0, days);
  const lines = all.filter((line) => dates.includes(dateOf(line)));
  const bought = new Set(lines.map((line) => line.product_id));
  return { lines, products: readCsv<ProductRow>('products.csv.gz').filter((product) => bought.has(product.product_id)) };
}

function dateOf(line: LineRow): string {
  return line.transaction_timestamp.slice(0, 10);
}

function readCsv<Row>(name: string): Row[] {
  return parse<Row>(gunzipSync(readFileSync(new URL(name, FOLDER))), { columns: true });
}

/** What the publisher of the extract counted in all ten days, by another program in another language. */
export interface Golden {
  readonly lines: number;
  readonly orders: number;
  readonly customers: number;
  readonly products: number;
  readonly revenueCents: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly zeroQuantityLines: number;
  readonly zeroValueLines: number;
  readonly topCustomers: readonly { readonly customer: string; readonly revenueCents: number; readonly orders: number }[];
  readonly topProductsByUnits: readonly { readonly product: string; readonly units: number }[];
}

export function readGolden(): Golden {
  return JSON.parse(readFileSync(new URL('golden-10days.json', FOLDER), 'utf8')) as Golden;
}
