/** Ways for one history to arrive: every order, then random batches with redeliveries. */
import type { Random } from './random.ts';
import type { Schedule } from './told.ts';

const MIXED = 8;

/** Every order, one event a batch, or `orders` random ones where there are more (default: of up to five events all); then eight random splits with redeliveries. */
export function* schedulesOf(random: Random, size: number, orders = size <= 5 ? 120 : 60): Generator<Schedule> {
  const all = Array.from({ length: size }, (_, index) => index);
  if (factorial(size) <= orders) for (const order of permutations(all)) yield { batches: order.map((index) => [index]) };
  else for (let i = 0; i < orders; i++) yield { batches: random.shuffle(all).map((index) => [index]) };
  for (let i = 0; i < MIXED; i++) {
    const again = Array.from({ length: random.below(4) }, () => random.pick(all));
    yield { batches: split(random, random.shuffle([...all, ...again])) };
  }
}

export function* permutations<T>(list: readonly T[]): Generator<T[]> {
  if (list.length === 0) yield [];
  for (const [index, head] of list.entries()) {
    for (const tail of permutations(list.toSpliced(index, 1))) yield [head, ...tail];
  }
}

function factorial(size: number): number {
  return size < 2 ? 1 : size * factorial(size - 1);
}

function split(random: Random, order: readonly number[]): number[][] {
  const batches: number[][] = [];
  for (let i = 0; i < order.length;) {
    const size = random.pick([1, 1, 2, 3, order.length]);
    batches.push(order.slice(i, i + size));
    i += size;
  }
  return batches;
}
