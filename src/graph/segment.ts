/**
 * The text form of ledger entries. A batch's entries go into segments: `meta` is a JSON list of rows, `bodies` all bodies
 * one after the other (lengths in meta; a fetched copy follows its notification), `states` a digit an entry, beside a summary by which lists skip what cannot match.
 */
import type { ErrorCode } from '../errors.ts';
import { parseEventKey, STATES, type Event, type Fetched, type State } from '../event.ts';

/** An event as the ledger keeps it, before it is known what becomes of it. */
export interface LedgerRow {
  /** `source:id`, or with the conflict suffix. */
  readonly key: string;
  readonly event: Event;
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
  /** Where it has facts: the latest time among them, epoch nanoseconds; a quarantined event is released by it. */
  readonly latest: bigint | undefined;
}

/** One entry of the ledger, as it was when its transaction committed. */
export interface LedgerEntry extends LedgerRow {
  readonly state: State;
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
  readonly meta: string;
  readonly bodies: string;
}

/** What became of a segment's entries; known only after the fold. */
export interface SegmentStates {
  /** The state of each entry in order, as its index in `STATES`. */
  readonly states: string;
  /** How many entries are in each regular state. */
  readonly applied: bigint;
  readonly superseded: bigint;
  readonly ignored: bigint;
}

/** Small enough that showing one event does not read megabytes, large enough that a batch is a handful of nodes. */
export const MAX_SEGMENT_EVENTS = 256;
const MAX_SEGMENT_CHARS = 1_000_000;

/** States that most events end in: told by their segment alone, without a property of their own. */
export const REGULAR: ReadonlySet<State> = new Set(['applied', 'superseded', 'ignored']);

/** Nothing that the key or another member says already: a third of what the ledger writes is this. */
type MetaRow = [
  key: string,
  occurrenceId: string | null,
  type: string | null,
  /** Its place among the entities; −1 for none. */
  subject: number,
  entities: readonly string[],
  occurredAt: string | null,
  receivedAtMs: number,
  /** base64url */
  bodyHash: string,
  conflict: 0 | 1,
  mapping: string,
  error: LedgerError | null,
  attempts: number,
  headers: Readonly<Record<string, string>>,
  bodyLength: number,
  /** 0 where it is `occurredAt`. */
  latest: string | 0 | null,
  fetched?: readonly [bodyLength: number, bodyHash: string, status: number, at: number],
];

export function packSegment(id: string, appliedAtMs: number, rows: readonly LedgerRow[]): Segment {
  const received = rows.map((row) => row.event.receivedAtMs);
  return {
    id,
    appliedAt: BigInt(appliedAtMs),
    receivedFrom: BigInt(received.reduce((a, b) => Math.min(a, b))),
    receivedTo: BigInt(received.reduce((a, b) => Math.max(a, b))),
    sources: [...new Set(rows.map((row) => row.event.source))],
    types: [...new Set(rows.map((row) => row.type ?? ''))],
    meta: JSON.stringify(rows.map(metaRow)),
    bodies: rows.map((row) => row.event.body + (row.event.fetched?.body ?? '')).join(''),
  };
}

export function packStates(states: readonly State[]): SegmentStates {
  const count = (state: State): bigint => BigInt(states.filter((one) => one === state).length);
  return {
    states: states.map((state) => STATES.indexOf(state)).join(''),
    applied: count('applied'),
    superseded: count('superseded'),
    ignored: count('ignored'),
  };
}

/** The state of one entry, by its digit among `states`. */
export function stateOf(digit: string | undefined): State | undefined {
  return STATES[Number(digit)];
}

/** Inverse of `packSegment` and `packStates`. */
export function unpackSegment(meta: string, bodies: string, states: string): LedgerEntry[] {
  let offset = 0;
  return (JSON.parse(meta) as MetaRow[]).map((row, i) => {
    const cut = (length: number): string => bodies.slice(offset, (offset += length));
    const [key, occurrenceId, type, subject, entities, occurredAt, receivedAtMs, hash, conflict, mapping, error, attempts, headers] = row;
    const [bodyLength, latest, fetched] = [row[13], row[14], row[15]];
    const bodyHash = Buffer.from(hash, 'base64url').toString('hex');
    const event = { ...parseEventKey(key), body: cut(bodyLength), bodyHash, headers, receivedAtMs };
    const when = latest === 0 ? occurredAt : latest;
    return {
      key,
      event: fetched === undefined ? event : { ...event, fetched: unpackFetched(fetched, cut) },
      state: stateOf(states[i]) ?? 'failed',
      conflict: conflict === 1,
      type: type ?? undefined,
      occurrenceId: occurrenceId ?? undefined,
      occurredAt: occurredAt === null ? undefined : BigInt(occurredAt),
      subject: entities[subject],
      entities,
      mapping,
      error: error ?? undefined,
      attempts,
      latest: when === null ? undefined : BigInt(when),
    };
  });
}

/** Cuts a batch into segments, in order. */
export function cutSegments<R extends LedgerRow>(rows: readonly R[]): R[][] {
  const out: R[][] = [];
  let current: R[] = [];
  let chars = 0;
  for (const row of rows) {
    const length = row.event.body.length + (row.event.fetched?.body.length ?? 0);
    if (current.length >= MAX_SEGMENT_EVENTS || (current.length > 0 && chars + length > MAX_SEGMENT_CHARS)) {
      out.push(current);
      current = [];
      chars = 0;
    }
    current.push(row);
    chars += length;
  }
  if (current.length > 0) out.push(current);
  return out;
}

function metaRow(entry: LedgerRow): MetaRow {
  const { event, entities, subject, occurredAt, latest } = entry;
  const row: MetaRow = [
    entry.key,
    entry.occurrenceId ?? null,
    entry.type ?? null,
    subject === undefined ? -1 : entities.indexOf(subject),
    entities,
    occurredAt?.toString() ?? null,
    event.receivedAtMs,
    Buffer.from(event.bodyHash, 'hex').toString('base64url'),
    entry.conflict ? 1 : 0,
    entry.mapping,
    entry.error ?? null,
    entry.attempts,
    event.headers,
    event.body.length,
    latest === undefined ? null : latest === occurredAt ? 0 : latest.toString(),
  ];
  if (event.fetched !== undefined) {
    const { body, bodyHash, status, at } = event.fetched;
    row[15] = [body.length, bodyHash, status, at];
  }
  return row;
}

function unpackFetched([length, bodyHash, status, at]: NonNullable<MetaRow[15]>, cut: (length: number) => string): Fetched {
  return { body: cut(length), bodyHash, status, at };
}
