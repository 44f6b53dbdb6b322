/** An event of the ledger as API, CLI and docs show it (docs/guides/http-api.md). Pure. */
import { ERRORS, type ErrorCode } from '../errors.ts';
import type { Event, State } from '../event.ts';
import { formatInstant, formatMs } from '../model/instant.ts';
import { REGULAR, type LedgerEntry } from './segment.ts';

/** Times are RFC 3339 in UTC; null is "not known" or "none". */
export interface PublicEvent {
  readonly key: string;
  readonly source: string;
  readonly id: string;
  readonly occurrenceId: string | null;
  readonly type: string | null;
  readonly subject: string | null;
  readonly entities: readonly string[];
  readonly state: State;
  readonly occurredAt: string | null;
  readonly receivedAt: string;
  /** When the ledger last took it in, whatever became of it. */
  readonly appliedAt: string;
  readonly bodyHash: string;
  readonly conflict: boolean;
  readonly mapping: string;
  readonly error: { readonly code: string; readonly message: string; readonly path?: string } | null;
  readonly attempts: number;
  /** Whether an edge of this event still waits for one of its ends. */
  readonly parked: boolean;
}

export interface EventDetail extends PublicEvent {
  /** The raw body as text. */
  readonly body: string;
  /** Without secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** The object as its sender showed it when asked; absent where nobody asked. */
  readonly fetched?: { readonly status: number; readonly at: string; readonly bodyHash: string; readonly body: string };
  /** What today's mapping says of it; empty where it says nothing or fails. */
  readonly facts: readonly unknown[];
}

/** The facts of an event by today's mapping, in the form of the envelope. Never throws. */
export type FactsOf = (event: Event) => readonly unknown[];

/** An entry of a segment, where it is, and what its own row says since. */
export interface Found {
  readonly segment: string;
  readonly position: number;
  readonly appliedAtMs: number;
  readonly entry: LedgerEntry;
  readonly state: State;
  readonly errorCode: string | undefined;
}

export function showEvent({ entry, state, errorCode, appliedAtMs }: Found, parked: boolean): PublicEvent {
  const { event } = entry;
  return {
    key: entry.key,
    source: event.source,
    id: event.id,
    occurrenceId: entry.occurrenceId ?? null,
    type: entry.type ?? null,
    subject: entry.subject ?? null,
    entities: entry.entities,
    state,
    occurredAt: entry.occurredAt === undefined ? null : formatInstant(entry.occurredAt),
    receivedAt: formatMs(event.receivedAtMs),
    appliedAt: formatMs(appliedAtMs),
    bodyHash: event.bodyHash,
    conflict: entry.conflict,
    mapping: entry.mapping,
    error: errorOf(entry, state, errorCode),
    attempts: entry.attempts,
    parked,
  };
}

/** The whole of it, for who looks at one event. */
export function showDetail(found: Found, parked: boolean, factsOf: FactsOf): EventDetail {
  const { event } = found.entry;
  const { body, headers, fetched } = event;
  const detail = { ...showEvent(found, parked), body, headers, facts: factsOf(event) };
  return fetched === undefined ? detail : { ...detail, fetched: { ...fetched, at: formatMs(fetched.at) } };
}

/** The segment keeps the first reason in full; of a later one there is the code. */
export function errorOf(entry: LedgerEntry, state: State, code: string | undefined): PublicEvent['error'] {
  if (code === undefined && REGULAR.has(state)) return null;
  const { error } = entry;
  if (code !== undefined && code !== error?.code) return { code, message: isErrorCode(code) ? ERRORS[code].advice : code };
  if (error === undefined) return null;
  return error.path === undefined
    ? { code: error.code, message: error.message }
    : { code: error.code, message: error.message, path: error.path };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
