/**
 * An event before and after `apply`: delivery → event → state, and how it is named. (apply.ts says what it is in between.)
 * Everything here is plain data that survives JSON, so that a job written by one version is read by the next.
 */

import { IngestError } from './errors.ts';

/** One HTTP request (or queue message) before anything in it is trusted. Header names are lower-case. */
export interface Delivery {
  readonly source: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, by our clock. Kept for people; never part of an order. */
  readonly receivedAtMs: number;
}

/** One event as taken in: what `receive` enqueues, `apply` reads and the ledger keeps. */
export interface Event {
  readonly source: string;
  readonly id: string;
  /** The exact body as text (strict UTF-8). */
  readonly body: string;
  /** SHA-256, lower-case hex, of the exact raw bytes. */
  readonly bodyHash: string;
  /** Lower-case names, secrets stripped. */
  readonly headers: Readonly<Record<string, string>>;
  readonly receivedAtMs: number;
  /** The object that a thin notification is about, as its sender showed it to us; what identifies the event stays the notification's own. */
  readonly fetched?: Fetched;
}

/** A sender's answer, kept beside the event that made us ask, so that a retry and a replay need no network. */
export interface Fetched {
  /** The answer's body as text (strict UTF-8). */
  readonly body: string;
  /** SHA-256, lower-case hex, of the answer's exact bytes. */
  readonly bodyHash: string;
  /** 200, or 404 and 410: that the object is gone is an answer too. */
  readonly status: number;
  /** Milliseconds since the epoch, by the sender's clock: the answer's `Date`. */
  readonly at: number;
}

/** What became of an event in the ledger (docs/guides/http-api.md). `parked` is a view over waiting edges, not a state. */
export const STATES = ['applied', 'superseded', 'ignored', 'quarantined', 'failed', 'acknowledged', 'erased'] as const;
export type State = (typeof STATES)[number];

/** The account of all events: accepted = sum of states + queued + duplicateLate. What `GET /admin/stats` answers. */
export interface Stats {
  /** Events taken in, ever. */
  readonly accepted: number;
  /** Deliveries answered `duplicate`, ever. */
  readonly duplicate: number;
  /** Taken in, but in the ledger already. */
  readonly duplicateLate: number;
  readonly queued: number;
  /** A view: these are applied, and an edge of theirs waits. */
  readonly parked: number;
  readonly states: Readonly<Record<State, number>>;
}

/** Characters. Long enough for every sender, short enough for an index. */
export const MAX_EVENT_ID_LENGTH = 1_024;

export function isEventId(id: unknown): id is string {
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_EVENT_ID_LENGTH && id.isWellFormed();
}

/** Throws `NO_IDENTITY` for what could be taken in under no id, or not be read again. */
export function checkEventId(id: unknown): void {
  if (isEventId(id)) return;
  throw new IngestError('NO_IDENTITY', `an id must be text of 1 to ${MAX_EVENT_ID_LENGTH} characters, without lone surrogates`);
}

const NEEDS_ESCAPE = /[%~]/g;

/** The public name of an event: `source:id`, with `%` and `~` of the id percent-encoded (`~` marks a conflict's suffix). */
export function eventKey(source: string, id: string): string {
  return `${source}:${id.replace(NEEDS_ESCAPE, (c) => (c === '%' ? '%25' : '%7E'))}`;
}

/** Inverse of `eventKey`; of a second body's key, too. */
export function parseEventKey(key: string): { source: string; id: string } {
  const [named = ''] = key.split('~', 1);
  const colon = named.indexOf(':');
  return { source: named.slice(0, colon), id: named.slice(colon + 1).replace(/%(25|7E)/g, (code) => (code === '%25' ? '%' : '~')) };
}

/** The ledger key of a second body under one id: `key~<first 16 hex of its body hash>`. */
export function conflictKey(key: string, bodyHash: string): string {
  return `${key}~${bodyHash.slice(0, 16)}`;
}

/** `[a-z0-9][a-z0-9-]{0,62}`, e.g. `acme-shopify`. */
export const SOURCE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
