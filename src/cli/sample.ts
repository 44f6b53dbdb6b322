/** A small shop's story, made up but plausible, as events in the order in which they happened. The same seed tells the same story to the byte. */
import { createRandom, hash32, type Random } from '../verify/random.ts';

export interface Customer {
  readonly n: number;
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
  readonly country: string;
}

export interface Product {
  readonly n: number;
  readonly title: string;
  readonly vendor: string;
  readonly type: string;
  readonly priceMinor: number;
}

export interface Line {
  readonly product: Product;
  readonly quantity: number;
}

export interface Order {
  /** Unique among all seeds, in practice. */
  readonly n: number;
  readonly customer: Customer;
  readonly lines: readonly Line[];
  readonly totalMinor: number;
  readonly placedAtMs: number;
}

/** What happened; `order` events carry what the shop knew of the order by then. */
export type Happening = { readonly atMs: number } & (
  | { readonly kind: 'customer.created'; readonly customer: Customer }
  | { readonly kind: 'product.created'; readonly product: Product }
  | { readonly kind: 'order.placed' | 'order.paid' | 'order.fulfilled' | 'order.cancelled' | 'order.refunded'; readonly order: Order }
);

const FIRST_NAMES = ['Ada', 'Bruno', 'Chiara', 'Deniz', 'Elin', 'Farid', 'Greta', 'Hugo', 'Ines', 'Jonas', 'Kira', 'Luca'];
const LAST_NAMES = ['Almeida', 'Berg', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Hansen', 'Ivanova', 'Jansen'];
const COUNTRIES = ['DE', 'FR', 'IT', 'NL', 'PT', 'SE'];
const GOODS: readonly (readonly [title: string, type: string, priceMinor: number])[] = [
  ['Espresso beans, 1 kg', 'Coffee', 2490],
  ['Filter coffee, 500 g', 'Coffee', 1290],
  ['Decaf beans, 500 g', 'Coffee', 1390],
  ['Green tea', 'Tea', 890],
  ['Earl Grey', 'Tea', 790],
  ['Peppermint tea', 'Tea', 590],
  ['Moka pot', 'Equipment', 3490],
  ['French press', 'Equipment', 2990],
  ['Hand grinder', 'Equipment', 7900],
  ['Kettle', 'Equipment', 5900],
  ['Paper filters', 'Equipment', 390],
  ['Stoneware cup', 'Cups', 1490],
  ['Glass cup', 'Cups', 990],
  ['Travel mug', 'Cups', 2190],
  ['Oat biscuits', 'Food', 450],
  ['Dark chocolate', 'Food', 390],
  ['Almond brittle', 'Food', 520],
  ['Honey', 'Food', 850],
];
const VENDORS = ['Hillside', 'Northbound', 'Copper & Co'];
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Long past, so that no clock takes it for the future: 2025-01-01. */
const EPOCH_MS = 1_735_689_600_000;

/** Exactly `count` events. Customers and products are the same for every seed, and introduced just before they are needed. */
export function tellStory(seed: string, count: number): Happening[] {
  const random = createRandom(`sample/${seed}`);
  const told: Told[] = [];
  const met = new Set<string>();
  const first = (hash32(`${seed}/order`) % 900_000) * 10_000;
  let atMs = EPOCH_MS + random.below(300 * 24 * 60) * MINUTE_MS;
  for (let i = 0; told.length < count; i++) {
    atMs += (1 + random.below(90)) * MINUTE_MS;
    told.push(...tellOrder(random, first + i, atMs, met));
  }
  return told
    .sort((a, b) => a.turnMs - b.turnMs)
    .slice(0, count)
    .map(({ happening }) => happening);
}

interface Told {
  readonly happening: Happening;
  /** When its turn comes; not always when it happened. */
  readonly turnMs: number;
}

function tellOrder(random: Random, n: number, atMs: number, met: Set<string>): Told[] {
  const told: Told[] = [];
  const tell = (happening: Happening, turnMs = happening.atMs): number => told.push({ happening, turnMs });
  const customer = customerOf(random.below(60));
  const lines = random
    .shuffle(
      GOODS.map((_, index) => index),
      1 + random.below(4),
    )
    .map((index) => ({ product: productOf(index), quantity: random.pick([1, 1, 1, 2, 3]) }));
  const order: Order = {
    n,
    customer,
    lines,
    totalMinor: lines.reduce((sum, line) => sum + line.quantity * line.product.priceMinor, 0),
    placedAtMs: atMs,
  };
  const once = (name: string, happening: Happening): void => {
    if (!met.has(name)) tell(happening, atMs);
    met.add(name);
  };
  // The time of what every seed tells is the same for all, so that two runs tell of one thing and not of two versions.
  once(customer.email, { kind: 'customer.created', customer, atMs: EPOCH_MS - DAY_MS + customer.n * MINUTE_MS });
  for (const { product } of lines)
    once(product.title, { kind: 'product.created', product, atMs: EPOCH_MS - 2 * DAY_MS + product.n * MINUTE_MS });
  tell({ kind: 'order.placed', order, atMs });
  if (random.chance(0.08)) {
    tell({ kind: 'order.cancelled', order, atMs: atMs + (30 + random.below(600)) * MINUTE_MS });
    return told;
  }
  const paidAtMs = atMs + (1 + random.below(30)) * MINUTE_MS;
  tell({ kind: 'order.paid', order, atMs: paidAtMs });
  if (random.chance(0.85)) tell({ kind: 'order.fulfilled', order, atMs: paidAtMs + (4 * 60 + random.below(44 * 60)) * MINUTE_MS });
  if (random.chance(0.06)) tell({ kind: 'order.refunded', order, atMs: paidAtMs + (3 + random.below(5)) * DAY_MS });
  return told;
}

function customerOf(n: number): Customer {
  const firstName = FIRST_NAMES[n % FIRST_NAMES.length] ?? '';
  const lastName = LAST_NAMES[(n * 7) % LAST_NAMES.length] ?? '';
  return {
    n,
    firstName,
    lastName,
    email: `${firstName}.${lastName}.${n}@example.com`.toLowerCase(),
    country: COUNTRIES[n % COUNTRIES.length] ?? '',
  };
}

function productOf(n: number): Product {
  const [title, type, priceMinor] = GOODS[n] ?? ['', '', 0];
  return { n, title, type, vendor: VENDORS[n % VENDORS.length] ?? '', priceMinor };
}
