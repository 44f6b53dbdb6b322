/**
 * The text form of ledger entries. A batch's entries go into segments: `meta` is a JSON list of rows, `bodies` all bodies
 * one after the other (lengths in meta), beside a summary by which lists skip what cannot match.
 */
import type { ErrorCode } from '../errors.ts';
import { STATES, type Event, type State } from '../event.ts';

/** One row of the ledger, as it was when its transaction committed. */
export interface LedgerEntry {
  /** `source:id`, or with the conflict suffix. */
  readonly key: string;
  readonly event: Event;
  readonly state: State;
  readonly conflict: boolean;
  readonly type: string | undefined;
  readonly occurrenceId: string | undefined;
  /** Epoch nanoseconds. */
  readonly occurredAt: bigint | undefined;
  readonly subject: string | undefined;
  readonly entities: readonly string[];
  /** Version of the mapping that spoke. */
  readonly mapping: string;
  readonly error: LedgerError | undefined;
  readonly attempts: number;
  /** Quarantined only: the latest time among its facts, epoch nanoseconds. */
  readonly latest: bigint | undefined;
}

export interface LedgerError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly path?: string | undefined;
}

export interface Segment {
  readonly id: string;
  readonly appliedAt: bigint;
  readonly receivedFrom: bigint;
  readonly receivedTo: bigint;
  readonly sources: readonly string[];
  readonly types: readonly string[];
  /** How many entries were written in each regular state. */
  readonly applied: bigint;
  readonly superseded: bigint;
  readonly ignored: bigint;
  readonly meta: string;
  readonly bodies: string;
}

/** Small enough that showing one event does not read megabytes, large enough that a batch is a handful of nodes. */
export const MAX_SEGMENT_EVENTS = 256;
const MAX_SEGMENT_CHARS = 1_000_000;

/** States that most events end in: told by their segment alone, without a property of their own. */
export const REGULAR: ReadonlySet<State> = new Set(['applied', 'superseded', 'ignored']);

type MetaRow = [
  key: string,
  source: string,
  id: string,
  occurrenceId: string | null,
  type: string | null,
  subject: string | null,
  entities: readonly string[],
  state: number,
  occurredAt: string | null,
  receivedAtMs: number,
  bodyHash: string,
  conflict: 0 | 1,
  mapping: string,
  error: LedgerError | null,
  attempts: number,
  headers: Readonly<Record<string, string>>,
  bodyLength: number,
  latest: string | null,
];

export function packSegment(id: string, appliedAtMs: number, entries: readonly LedgerEntry[]): Segment {
  const count = (state: State): bigint => BigInt(entries.filter((entry) => entry.state === state).length);
  const received = entries.map((entry) => entry.event.receivedAtMs);
  return {
    id,
    appliedAt: BigInt(appliedAtMs),
    receivedFrom: BigInt(received.reduce((a, b) => Math.min(a, b))),
    receivedTo: BigInt(received.reduce((a, b) => Math.max(a, b))),
    sources: [...new Set(entries.map((entry) => entry.event.source))],
    types: [...new Set(entries.map((entry) => entry.type ?? ''))],
    applied: count('applied'),
    superseded: count('superseded'),
    ignored: count('ignored'),
    meta: JSON.stringify(entries.map(metaRow)),
    bodies: entries.map((entry) => entry.event.body).join(''),
  };
}

/** Inverse of `packSegment`. */
export function unpackSegment(meta: string, bodies: string): LedgerEntry[] {
  let offset = 0;
  return (JSON.parse(meta) as MetaRow[]).map((row) => {
    const body = bodies.slice(offset, (offset += row[16]));
    const state = STATES[row[7]] ?? 'failed';
    return {
      key: row[0],
      event: { source: row[1], id: row[2], body, bodyHash: row[10], headers: row[15], receivedAtMs: row[9] },
      state,
      conflict: row[11] === 1,
      type: row[4] ?? undefined,
      occurrenceId: row[3] ?? undefined,
      occurredAt: row[8] === null ? undefined : BigInt(row[8]),
      subject: row[5] ?? undefined,
      entities: row[6],
      mapping: row[12],
      error: row[13] ?? undefined,
      attempts: row[14],
      latest: row[17] === null ? undefined : BigInt(row[17]),
    };
  });
}

/** Cuts a batch into segments, in order. */
export function cutSegments(entries: readonly LedgerEntry[]): LedgerEntry[][] {
  const out: LedgerEntry[][] = [];
  let current: LedgerEntry[] = [];
  let chars = 0;
  for (const entry of entries) {
    if (current.length >= MAX_SEGMENT_EVENTS || (current.length > 0 && chars + entry.event.body.length > MAX_SEGMENT_CHARS)) {
      out.push(current);
      current = [];
      chars = 0;
    }
    current.push(entry);
    chars += entry.event.body.length;
  }
  if (current.length > 0) out.push(current);
  return out;
}

function metaRow(entry: LedgerEntry): MetaRow {
  const { event } = entry;
  return [
    entry.key,
    event.source,
    event.id,
    entry.occurrenceId ?? null,
    entry.type ?? null,
    entry.subject ?? null,
    entry.entities,
    STATES.indexOf(entry.state),
    entry.occurredAt?.toString() ?? null,
    event.receivedAtMs,
    event.bodyHash,
    entry.conflict ? 1 : 0,
    entry.mapping,
    entry.error ?? null,
    entry.attempts,
    event.headers,
    event.body.length,
    entry.latest?.toString() ?? null,
  ];
}
