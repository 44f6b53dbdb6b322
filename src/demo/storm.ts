/** How unkind the network is, by a seed: what is sent in which order, and how often. Pure. */
import { createRandom, type Random } from '../verify/random.ts';

export interface Storm<Event> {
  /** Shuffled, with most of the repetitions. */
  readonly rush: readonly Event[];
  /** Every copy of the events that are held back until the rush is over. */
  readonly late: readonly Event[];
  /** Sent once more after all was acknowledged: their senders lost the answer. */
  readonly again: readonly Event[];
  /** How many events are sent more than once, and how many are held back. */
  readonly repeated: number;
  readonly heldBack: number;
}

const REPEATED = 0.15;
const HELD_BACK = 0.1;
/** Of the repeated. */
const AGAIN = 0.1;

export function planStorm<Event>(events: readonly Event[], seed: string): Storm<Event> {
  const random = createRandom(`storm/${seed}`);
  const some = (share: number): Set<Event> => new Set(random.shuffle(events, Math.round(events.length * share)));
  const [repeated, heldBack] = [some(REPEATED), some(HELD_BACK)];
  const [rush, late, again]: [Event[], Event[], Event[]] = [[], [], []];
  for (const event of events) {
    const place = heldBack.has(event) ? late : rush;
    place.push(event);
    if (!repeated.has(event)) continue;
    for (let copies = extraCopies(random); copies > 0; copies--) (random.chance(AGAIN) ? again : place).push(event);
  }
  return {
    rush: random.shuffle(rush),
    late: random.shuffle(late),
    again: random.shuffle(again),
    repeated: repeated.size,
    heldBack: heldBack.size,
  };
}

/** Mostly one, sometimes up to four. */
function extraCopies(random: Random): number {
  return random.chance(0.8) ? 1 : 2 + random.below(3);
}
