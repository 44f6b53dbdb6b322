/** Ways for one history to arrive: every order, then random batches with redeliveries. */
import type { Random } from './random.ts';
import type { Schedule } from './told.ts';

const CAP = 60;
const MIXED = 8;

/** Every permutation of up to five events (60 random ones of more), one event a batch; then eight random splits with redeliveries. */
export function* schedulesOf(random: Random, size: number): Generator<Schedule> {
  const all = Array.from({ length: size }, (_, index) => index);
  if (size <= 5) for (const order of permutations(all)) yield { batches: order.map((index) => [index]) };
  else for (let i = 0; i < CAP; i++) yield { batches: random.shuffle(all).map((index) => [index]) };
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

function split(random: Random, order: readonly number[]): number[][] {
  const batches: number[][] = [];
  for (let i = 0; i < order.length; ) {
    const size = random.pick([1, 1, 2, 3, order.length]);
    batches.push(order.slice(i, i + size));
    i += size;
  }
  return batches;
}
