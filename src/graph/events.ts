/** The ledger as people read it: one event, pages of them, counts. Read transactions only; bodies are read for a single event only. */
import { IngestError } from '../errors.ts';
import { STATES, type State } from '../event.ts';
import type { Bolt } from './driver.ts';
import { decodeCursor, encodeCursor, isByStateAlone, NEWEST, type EventFilter, type Place } from './event-filter.ts';
import { showDetail, showEvent, type EventDetail, type FactsOf, type Found, type PublicEvent } from './event-view.ts';
import { createRows, createWalk, withRow, type EventRow } from './event-walk.ts';
import { indexKey } from './loaded.ts';
import { readTransaction } from './read-transaction.ts';
import { unpackSegment, type LedgerEntry } from './segment.ts';
import type { Tx } from './transact.ts';

export interface Page {
  readonly events: readonly PublicEvent[];
  /** Where the next page begins; null at the end. A page may be short, even empty, before the end. */
  readonly next: string | null;
}

export interface LedgerStats {
  readonly duplicateLate: number;
  readonly parked: number;
  readonly states: Readonly<Record<State, number>>;
}

export interface EventReader {
  /** Undefined when the ledger does not know the key. */
  get(key: string, factsOf: FactsOf): Promise<EventDetail | undefined>;
  /** The last applied first. Throws `BAD_REQUEST` for a cursor that is none. */
  list(filter: EventFilter, options?: { readonly limit?: number; readonly cursor?: string | undefined }): Promise<Page>;
  /** Events that mention a node, the last applied first, with their bodies; at most `limit`. */
  mentions(entity: string, limit: number): Promise<{ readonly found: readonly Found[]; readonly more: boolean }>;
  /** Immediate for no filter and for a state alone; otherwise reads every segment that may match. */
  count(filter: EventFilter): Promise<number>;
  stats(): Promise<LedgerStats>;
}

export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1_000;

const PAGE_TIMEOUT_MS = 10_000;
/** A page that is not full by then ends where it is: the next one goes on. */
const PAGE_BUDGET_MS = 2_000;
const MENTIONS_TIMEOUT_MS = 60_000;
const SEGMENTS_AT_ONCE = 8;
const COUNT_TIMEOUT_MS = 300_000;

export function createEventReader(bolt: Bolt, { now = Date.now }: { readonly now?: () => number } = {}): EventReader {
  const rows = createRows();
  const walk = createWalk(rows);

  /** Whether each has an edge that waits. */
  async function areParked(tx: Tx, found: readonly Found[]): Promise<boolean[]> {
    const from = [...new Set(found.flatMap((one) => one.entry.entities))].map(indexKey);
    const waiting = from.length === 0 ? [] : await rows<{ name: string }>(tx, 'waiting-events', { from });
    const names = new Set(waiting.map((row) => row.name));
    return found.map((one) => names.has(nameOf(one.entry)));
  }

  async function show(tx: Tx, found: readonly Found[]): Promise<PublicEvent[]> {
    const parked = await areParked(tx, found);
    return found.map((one, i) => showEvent(one, parked[i] === true));
  }

  return {
    get: (key, factsOf) =>
      readTransaction(bolt, PAGE_TIMEOUT_MS, async (tx) => {
        const [row] = await rows<EventRow & { position: bigint; appliedAt: bigint; meta: string; bodies: string; states: string }>(
          tx,
          'one-event',
          {
            key,
          },
        );
        const entry = row === undefined ? undefined : unpackSegment(row.meta, row.bodies, row.states)[Number(row.position)];
        if (row === undefined || entry === undefined) return undefined;
        const found = withRow(
          { segment: '', position: 0, appliedAtMs: Number(row.appliedAt), entry, state: entry.state, errorCode: undefined },
          row,
        );
        const [parked] = await areParked(tx, [found]);
        return showDetail(found, parked === true, factsOf);
      }),

    list: (filter, { limit = DEFAULT_LIMIT, cursor } = {}) =>
      readTransaction(bolt, PAGE_TIMEOUT_MS, async (tx) => {
        const from = cursor === undefined ? NEWEST : decodeCursor(cursor);
        if (from === undefined) throw new IngestError('BAD_REQUEST', 'cursor is not one that a page gave', { path: 'cursor' });
        const deadline = now() + PAGE_BUDGET_MS;
        const found: Found[] = [];
        let next: Place | undefined;
        for await (const stretch of walk(tx, filter, from, limit + 1)) {
          for (const one of stretch.found) found.push(one);
          if (found.length > limit) {
            next = found[limit - 1];
            break;
          }
          if (now() >= deadline) {
            next = stretch.reached;
            break;
          }
        }
        return { events: await show(tx, found.slice(0, limit)), next: next === undefined ? null : encodeCursor(next) };
      }),

    mentions: (entity, limit) =>
      readTransaction(bolt, MENTIONS_TIMEOUT_MS, async (tx) => {
        const found: Found[] = [];
        for await (const stretch of walk(tx, { entity }, NEWEST, limit + 1)) {
          found.push(...stretch.found);
          if (found.length > limit) break;
        }
        return { found: await withBodies(tx, found.slice(0, limit)), more: found.length > limit };
      }),

    count: (filter) =>
      readTransaction(bolt, COUNT_TIMEOUT_MS, async (tx) => {
        if (isByStateAlone(filter)) {
          if (filter.state === 'parked') return countParked(tx);
          const states = await countStates(tx);
          return filter.state === undefined ? STATES.reduce((sum, state) => sum + states[state], 0) : states[filter.state];
        }
        let n = 0;
        for await (const { found } of walk(tx, filter, NEWEST)) n += found.length;
        return n;
      }),

    stats: () =>
      readTransaction(bolt, PAGE_TIMEOUT_MS, async (tx) => {
        const [late, parked, states] = await Promise.all([rows<{ n: bigint }>(tx, 'count-late'), countParked(tx), countStates(tx)]);
        return { duplicateLate: Number(late[0]?.n ?? 0n), parked, states };
      }),
  };

  async function withBodies(tx: Tx, found: readonly Found[]): Promise<Found[]> {
    const bySegment = new Map<string, LedgerEntry[]>();
    const ids = [...new Set(found.map(({ segment }) => segment))];
    for (let at = 0; at < ids.length; at += SEGMENTS_AT_ONCE) {
      const read = await rows<{ id: string; meta: string; bodies: string; states: string }>(tx, 'segments-whole', {
        ids: ids.slice(at, at + SEGMENTS_AT_ONCE),
      });
      for (const { id, meta, bodies, states } of read) {
        // Only what is asked for is kept: a segment is a megabyte.
        const entries = unpackSegment(meta, bodies, states);
        bySegment.set(
          id,
          found.filter(({ segment }) => segment === id).flatMap(({ position }) => entries[position] ?? []),
        );
      }
    }
    const byKey = new Map([...bySegment.values()].flat().map((entry) => [entry.key, entry]));
    return found.map((one) => ({ ...one, entry: byKey.get(one.entry.key) ?? one.entry }));
  }

  async function countStates(tx: Tx): Promise<Record<State, number>> {
    const counted = await rows<{ state: State; n: bigint }>(tx, 'count-states');
    const sum = (state: State): number => counted.reduce((total, row) => (row.state === state ? total + Number(row.n) : total), 0);
    return Object.fromEntries(STATES.map((state) => [state, sum(state)])) as Record<State, number>;
  }

  async function countParked(tx: Tx): Promise<number> {
    return Number((await rows<{ n: bigint }>(tx, 'count-parked'))[0]?.n ?? 0n);
  }
}

/** How waiting edges name an event: by its key without the suffix of a second body, and its body hash. */
function nameOf({ key, event }: LedgerEntry): string {
  return `${key.split('~', 1)[0]}#${event.bodyHash}`;
}
