/**
 * From the newest event down, by two ways: exceptional states and parked events by index, all else segment by segment,
 * past those whose summary rules them out. Bodies are never read.
 */
import type { State } from '../event.ts';
import { readStatement } from './cypher-file.ts';
import { isBefore, matchesText, type EventFilter, type Place } from './event-filter.ts';
import type { Found } from './event-view.ts';
import { REGULAR, unpackSegment } from './segment.ts';
import { rowStart, unpackRow } from './segment-row.ts';
import type { Tx } from './transact.ts';

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
  'segments-whole',
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
  states: string;
}

/** What an event's own row says; null where its segment says it. */
export interface EventRow {
  state: State | null;
  error: string | null;
}

interface IndexRow extends EventRow {
  key: string;
  segment: string;
  position: bigint;
}

/** Some matches, and how far the walk has come: nothing at or after `reached` is left. */
export interface Stretch {
  readonly found: readonly Found[];
  readonly reached: Place;
}

/** The rows of a statement of `cypher/read`. */
export type Rows = <R extends object>(tx: Tx, name: (typeof NAMES)[number], parameters?: Readonly<Record<string, unknown>>) => Promise<R[]>;

export function createRows(): Rows {
  const texts = new Map<string, string>(NAMES.map((name) => [name, readStatement(`read/${name}`)]));
  return async <R extends object>(tx: Tx, name: (typeof NAMES)[number], parameters: Readonly<Record<string, unknown>> = {}) => {
    const result = await tx.run(texts.get(name) ?? '', parameters);
    return result.records.map((record) => record.toObject() as R);
  };
}

/** All matches after a place, in stretches; `enough` is how many the reader hopes for. */
export type Walk = (tx: Tx, filter: EventFilter, from: Place, enough?: number) => AsyncGenerator<Stretch, void>;

export function createWalk(rows: Rows): Walk {
  function walk(tx: Tx, filter: EventFilter, from: Place, enough = MAX_ROWS): AsyncGenerator<Stretch, void> {
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
    const texts = await rows<{ i: bigint; appliedAt: bigint; rest: string | null; digit: string }>(tx, 'event-texts', {
      rows: page.map((row) => [row.segment, rowStart(row.key), row.position]),
      chars: BigInt(ROW_CHARS),
    });
    const found = new Map<IndexRow, Found>();
    for (const { i, appliedAt, rest, digit } of texts) {
      const row = page[Number(i)] as IndexRow;
      const entry = rest === null ? undefined : unpackRow(row.key, rest, digit);
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

  return walk;
}

/** The entries of a segment by position, as their segment tells them. */
function unpack({ id, appliedAt, meta, states }: SegmentRow): Found[] {
  if (meta === null) return [];
  return unpackSegment(meta, '', states).map((entry, position) => ({
    segment: id,
    position,
    appliedAtMs: Number(appliedAt),
    entry,
    state: entry.state,
    errorCode: entry.error?.code,
  }));
}

/** The row knows better than its segment. */
export function withRow(found: Found, row: EventRow | undefined): Found {
  return { ...found, state: row?.state ?? found.state, errorCode: row?.error ?? undefined };
}

function bigintOf(ms: number | undefined): bigint | null {
  return ms === undefined ? null : BigInt(Math.trunc(ms));
}
