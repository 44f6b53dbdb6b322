/** From clocks to words: which event a clock names, and why one clock lost to another. Pure. */
import type { State } from '../event.ts';
import type { Found } from '../graph/event-view.ts';
import { compareClocks, isNewer, type Clock } from '../model/clock.ts';
import { formatInstant } from '../model/instant.ts';
import type { EdgeState, Register } from '../model/state.ts';
import { compareScalars, type PropertyType, type Scalar, type Value } from '../model/values.ts';

/** An event, as the one that said something. */
export interface Cause {
  /** Its key in the ledger. */
  readonly event: string;
  /** The time that it said it of, RFC 3339. */
  readonly at: string;
  /** Null where the event is not among those that were read. */
  readonly type: string | null;
  readonly state: State | null;
  /** The version of the mapping that spoke for it. */
  readonly mapping: string | null;
}

/** From clocks, which name an event by key and body, to causes. */
export interface Naming {
  of(clock: Clock): Cause;
  maybe(clock: Clock | undefined): Cause | null;
  event(found: Found): Cause;
}

export function createNaming(found: readonly Found[]): Naming {
  const byName = new Map(found.map((one) => [`${one.entry.key.split('~', 1)[0]}#${one.entry.event.bodyHash}`, one]));
  const of = (clock: Clock): Cause => {
    const one = byName.get(`${clock.key}#${clock.bodyHash}`);
    return {
      event: one?.entry.key ?? clock.key,
      at: formatInstant(clock.time),
      type: one?.entry.type ?? null,
      state: one?.state ?? null,
      mapping: one?.entry.mapping ?? null,
    };
  };
  return {
    of,
    maybe: (clock) => (clock === undefined ? null : of(clock)),
    event: ({ entry, state }) => ({
      event: entry.key,
      at: entry.occurredAt === undefined ? '' : formatInstant(entry.occurredAt),
      type: entry.type ?? null,
      state,
      mapping: entry.mapping,
    }),
  };
}

/** What ended all that is older, if anything did. */
export interface Ending {
  readonly clock: Clock | undefined;
  /** `the removal by` … */
  readonly what: string;
  /** A list counts for what is older; all else also for what is as old. */
  readonly strict?: true;
}

export function whyLost(
  { clock, value, found }: { readonly clock: Clock; readonly value: Value | null; readonly found: Found },
  type: PropertyType,
  register: Register | undefined,
  endings: readonly Ending[],
  name: Naming,
): string | null {
  if (register !== undefined && compareClocks(register.clock, clock) === 0) return null;
  const ended = endings.find((ending) => covers(ending, clock));
  if (ended?.clock !== undefined) return `older than ${ended.what} by ${name.of(ended.clock).event}`;
  if (found.state !== 'applied' && found.state !== 'superseded') return `the event is ${found.state}`;
  if (register === undefined) return `the mapping of then, ${found.entry.mapping}, said otherwise`;
  const winner = name.of(register.clock).event;
  switch (type.rule) {
    case 'last':
      return isNewer(register.clock, clock)
        ? behind(clock, register.clock, winner)
        : `the mapping of then, ${found.entry.mapping}, said otherwise`;
    case 'first':
      return `${winner} said it first`;
    case 'union':
      return null;
    case 'min':
    case 'max':
    case 'ranked':
      if (value === null || register.value === null) return `${winner} holds it`;
      return compareScalars(value as Scalar, register.value as Scalar) === 0
        ? `${winner} said the same before`
        : `${winner} said ${type.rule === 'min' ? 'less' : type.rule === 'max' ? 'more' : 'what ranks higher'}`;
  }
}

function covers({ clock, strict }: Ending, said: Clock): boolean {
  return clock !== undefined && (strict === true ? isNewer(clock, said) : compareClocks(clock, said) >= 0);
}

/** In what the order of the two was decided. */
function behind(loser: Clock, winner: Clock, event: string): string {
  if (loser.time !== winner.time) return `older than ${event}`;
  if (loser.sequence !== winner.sequence) return `of the same time as ${event}, with a lower sequence`;
  if (loser.rank !== winner.rank) return `of the same time as ${event}, which ranks higher`;
  if (loser.key !== winner.key) return `of the same time as ${event}, whose key is greater`;
  return `of the same time and id as ${event}, whose body's hash is greater`;
}

export function whyNotLinked(
  clock: Clock,
  found: Found,
  edge: EdgeState | undefined,
  endings: readonly Ending[],
  name: Naming,
): string | null {
  if (edge?.linked !== undefined && compareClocks(edge.linked, clock) === 0) return null;
  const ended = endings.find((ending) => covers(ending, clock));
  if (ended?.clock !== undefined) return `older than ${ended.what} by ${name.of(ended.clock).event}`;
  if (found.state !== 'applied' && found.state !== 'superseded') return `the event is ${found.state}`;
  if (edge?.linked !== undefined) return behind(clock, edge.linked, name.of(edge.linked).event);
  return 'its other end was removed, or the slot or list of its other end has gone on';
}
