/**
 * The ledger as people read it: one event, pages of them, counts. Read transactions only.
 * Exceptional states and parked events are found by index; all else by walking segments from the newest down, past
 * those whose summary rules them out. Bodies are read for a single event only.
 */
import { STATES, type State } from '../event.ts';
import type { Bolt } from './driver.ts';
import { readStatement } from './cypher-file.ts';
import { decodeCursor, encodeCursor, isBefore, isByStateAlone, matchesText, NEWEST, type EventFilter, type Place } from './event-filter.ts';
import { showEvent, type EventDetail, type FactsOf, type Found, type PublicEvent } from './event-view.ts';
import { indexKey } from './loaded.ts';
import { readTransaction } from './read-transaction.ts';
import { REGULAR, unpackSegment, type LedgerEntry } from './segment.ts';
import { rowStart, unpackRow } from './segment-row.ts';
import type { Tx } from './transact.ts';
import { IngestError } from '../errors.ts';

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
  /** Newest first. Throws `BAD_REQUEST` for a cursor that is none. */
  list(filter: EventFilter, options?: { readonly limit?: number; readonly cursor?: string | undefined }): Promise<Page>;
  /** Immediate for no filter and for a state alone; otherwise reads every segment that may match. */
  count(filter: EventFilter): Promise<number>;
  stats(): Promise<LedgerStats>;
}

export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1_000;

const PAGE_TIMEOUT_MS = 10_000;
/** A page that is not full by then ends where it is: the next one goes on. */
const PAGE_BUDGET_MS = 2_000;
const COUNT_TIMEOUT_MS = 300_000;
/** Segments a round: all that is read of them is parsed, unless an entity is looked for, which the server does. */
const MAX_SEGMENTS = 16;
const MAX_SEARCHED = 128;
const MAX_ROWS = 500;
/** Most rows are shorter. */
const ROW_CHARS = 3_000;

const NAMES = [
  'event-segments',
  'event-segments-by-state',
  'events-by-state',
  'events-parked',
  'event-rows',
  'event-texts',
  'segments-by-id',
  'one-event',
  'waiting-events',
  'count-states',
  'count-late',
  'count-parked',
] as const;

interface SegmentRow {
  id: string;
  appliedAt: bigint;
  /** Null where the server saw that nothing in it matches. */
  meta: string | null;
}

interface EventRow {
  state: State | null;
  error: string | null;
}

interface IndexRow extends EventRow {
  key: string;
  segment: string;
  position: bigint;
}

/** Some matches, and how far the walk has come: nothing at or after `reached` is left. */
interface Stretch {
  readonly found: readonly Found[];
  readonly reached: Place;
}

export function createEventReader(bolt: Bolt, { now = Date.now }: { readonly now?: () => number } = {}): EventReader {
  const texts = new Map<string, string>(NAMES.map((name) => [name, readStatement(`read/${name}`)]));

  async function rows<R extends object>(
    tx: Tx,
    name: (typeof NAMES)[number],
    parameters: Readonly<Record<string, unknown>> = {},
  ): Promise<R[]> {
    const result = await tx.run(texts.get(name) ?? '', parameters);
    return result.records.map((record) => record.toObject() as R);
  }

  /** `enough`: how many the reader hopes for. */
  function walk(tx: Tx, filter: EventFilter, from: Place, enough: number): AsyncGenerator<Stretch, void> {
    const { state } = filter;
    if (state === 'parked' || (state !== undefined && !REGULAR.has(state))) return walkIndex(tx, filter, from, Math.min(enough, MAX_ROWS));
    return walkSegments(tx, filter, from, state);
  }

  async function* walkSegments(tx: Tx, filter: EventFilter, from: Place, state: State | undefined): AsyncGenerator<Stretch, void> {
    const summary = {
      state: state ?? null,
      since: bigintOf(filter.since),
      until: bigintOf(filter.until),
      source: filter.source ?? null,
      type: filter.type ?? null,
      // Node ids need no escaping in JSON, so an entity stands in the text as it is.
      mention: filter.entity === undefined ? null : JSON.stringify(filter.entity),
    };
    let reached = from;
    for (let wanted = 1; ; wanted = Math.min(wanted * 2, summary.mention === null ? MAX_SEGMENTS : MAX_SEARCHED)) {
      // `~` sorts after all that ids are made of: within a segment, that one is asked for too.
      const before = reached.position > 0 ? `${reached.segment}~` : reached.segment;
      const segments = await rows<SegmentRow>(tx, state === undefined ? 'event-segments' : 'event-segments-by-state', {
        ...summary,
        before,
        limit: BigInt(wanted),
      });
      const last = segments.at(-1);
      if (last === undefined) return;
      const start = reached;
      const candidates = segments.flatMap((segment) =>
        unpack(segment)
          .filter((one) => isBefore(one, start) && matchesText(one.entry, filter))
          .reverse(),
      );
      const found = await withRows(tx, candidates);
      reached = { segment: last.id, position: 0 };
      yield { found: state === undefined ? found : found.filter((one) => one.state === state), reached };
      if (segments.length < wanted) return;
    }
  }

  async function* walkIndex(tx: Tx, filter: EventFilter, from: Place, limit: number): AsyncGenerator<Stretch, void> {
    const name = filter.state === 'parked' ? 'events-parked' : 'events-by-state';
    for (let reached = from; ;) {
      const page = await rows<IndexRow>(tx, name, {
        state: filter.state,
        segment: reached.segment,
        position: BigInt(reached.position),
        limit: BigInt(limit),
      });
      const last = page.at(-1);
      if (last === undefined) return;
      const entries = await readEntries(tx, page);
      reached = { segment: last.segment, position: Number(last.position) };
      yield { found: entries.filter((one) => matchesText(one.entry, filter)), reached };
      if (page.length < limit) return;
    }
  }

  async function readEntries(tx: Tx, page: readonly IndexRow[]): Promise<Found[]> {
    const texts = await rows<{ i: bigint; appliedAt: bigint; rest: string | null }>(tx, 'event-texts', {
      rows: page.map((row) => [row.segment, rowStart(row.key)]),
      chars: BigInt(ROW_CHARS),
    });
    const found = new Map<IndexRow, Found>();
    for (const { i, appliedAt, rest } of texts) {
      const row = page[Number(i)] as IndexRow;
      const entry = rest === null ? undefined : unpackRow(row.key, rest);
      if (entry !== undefined)
        found.set(
          row,
          withRow(
            {
              segment: row.segment,
              position: Number(row.position),
              appliedAtMs: Number(appliedAt),
              entry,
              state: entry.state,
              errorCode: undefined,
            },
            row,
          ),
        );
    }
    // Rows that are longer than most: by their whole segment.
    const long = page.filter((row) => !found.has(row));
    for (const segment of long.length === 0
      ? []
      : await rows<SegmentRow>(tx, 'segments-by-id', { ids: [...new Set(long.map((row) => row.segment))] })) {
      const all = unpack(segment);
      for (const row of long) {
        const one = row.segment === segment.id ? all[Number(row.position)] : undefined;
        if (one !== undefined) found.set(row, withRow(one, row));
      }
    }
    return page.flatMap((row) => found.get(row) ?? []);
  }

  async function withRows(tx: Tx, found: readonly Found[]): Promise<Found[]> {
    if (found.length === 0) return [];
    const known = await rows<EventRow & { key: string }>(tx, 'event-rows', { keys: found.map((one) => one.entry.key) });
    const byKey = new Map(known.map((row) => [row.key, row]));
    return found.map((one) => withRow(one, byKey.get(one.entry.key)));
  }

  async function show(tx: Tx, found: readonly Found[]): Promise<PublicEvent[]> {
    const from = [...new Set(found.flatMap((one) => one.entry.entities))].map(indexKey);
    const waiting = from.length === 0 ? [] : await rows<{ name: string }>(tx, 'waiting-events', { from });
    const names = new Set(waiting.map((row) => row.name));
    return found.map((one) => showEvent(one, names.has(nameOf(one.entry))));
  }

  return {
    get: (key, factsOf) =>
      readTransaction(bolt, PAGE_TIMEOUT_MS, async (tx) => {
        const [row] = await rows<EventRow & { position: bigint; appliedAt: bigint; meta: string; bodies: string }>(tx, 'one-event', {
          key,
        });
        const entry = row === undefined ? undefined : unpackSegment(row.meta, row.bodies)[Number(row.position)];
        if (row === undefined || entry === undefined) return undefined;
        const found = withRow(
          { segment: '', position: 0, appliedAtMs: Number(row.appliedAt), entry, state: entry.state, errorCode: undefined },
          row,
        );
        const [shown] = await show(tx, [found]);
        return shown === undefined
          ? undefined
          : { ...shown, body: entry.event.body, headers: entry.event.headers, facts: factsOf(entry.event) };
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

    count: (filter) =>
      readTransaction(bolt, COUNT_TIMEOUT_MS, async (tx) => {
        if (isByStateAlone(filter)) {
          if (filter.state === 'parked') return countParked(tx);
          const states = await countStates(tx);
          return filter.state === undefined ? STATES.reduce((sum, state) => sum + states[state], 0) : states[filter.state];
        }
        let n = 0;
        for await (const { found } of walk(tx, filter, NEWEST, MAX_ROWS)) n += found.length;
        return n;
      }),

    stats: () =>
      readTransaction(bolt, PAGE_TIMEOUT_MS, async (tx) => {
        const [late, parked, states] = await Promise.all([rows<{ n: bigint }>(tx, 'count-late'), countParked(tx), countStates(tx)]);
        return { duplicateLate: Number(late[0]?.n ?? 0n), parked, states };
      }),
  };

  async function countStates(tx: Tx): Promise<Record<State, number>> {
    const counted = await rows<{ state: State; n: bigint }>(tx, 'count-states');
    const sum = (state: State): number => counted.reduce((total, row) => (row.state === state ? total + Number(row.n) : total), 0);
    return Object.fromEntries(STATES.map((state) => [state, sum(state)])) as Record<State, number>;
  }

  async function countParked(tx: Tx): Promise<number> {
    return Number((await rows<{ n: bigint }>(tx, 'count-parked'))[0]?.n ?? 0n);
  }
}

/** The entries of a segment by position, as their segment tells them. */
function unpack({ id, appliedAt, meta }: SegmentRow): Found[] {
  if (meta === null) return [];
  return unpackSegment(meta, '').map((entry, position) => ({
    segment: id,
    position,
    appliedAtMs: Number(appliedAt),
    entry,
    state: entry.state,
    errorCode: entry.error?.code,
  }));
}

function withRow(found: Found, row: EventRow | undefined): Found {
  return { ...found, state: row?.state ?? found.state, errorCode: row?.error ?? undefined };
}

/** How waiting edges name an event: by its key without a conflict's suffix, and its body hash. */
function nameOf({ key, conflict, event }: LedgerEntry): string {
  return `${conflict ? key.slice(0, key.lastIndexOf('~')) : key}#${event.bodyHash}`;
}

function bigintOf(ms: number | undefined): bigint | null {
  return ms === undefined ? null : BigInt(Math.trunc(ms));
}
