/** Which events a list is about, and where a page begins. Pure. */
import type { State } from '../event.ts';
import type { LedgerEntry } from './segment.ts';

export interface EventFilter {
  readonly state?: State | 'parked' | undefined;
  readonly source?: string | undefined;
  readonly type?: string | undefined;
  /** Received at or after, milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Received before. */
  readonly until?: number | undefined;
  /** Events that mention this node, e.g. `Order/acme-shopify/1001`. */
  readonly entity?: string | undefined;
}

/** A place in the ledger; a page that begins here begins with what is older. Later segments have greater ids. */
export interface Place {
  readonly segment: string;
  readonly position: number;
}

/** Before everything: no segment id is greater. */
export const NEWEST: Place = { segment: '~', position: 0 };

const PLACE = /^(\d{14}-\d{6}-[0-9a-f]{12}) (\d{1,6})$/;

/** Opaque to its reader, and stable: it names an event, not a distance from the top. */
export function encodeCursor({ segment, position }: Place): string {
  return Buffer.from(`${segment} ${position}`).toString('base64url');
}

/** Undefined for what `encodeCursor` did not make. */
export function decodeCursor(cursor: string): Place | undefined {
  const [, segment, position] = PLACE.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  return segment === undefined || position === undefined ? undefined : { segment, position: Number(position) };
}

export function isBefore(a: Place, b: Place): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.position < b.position);
}

/** All but the state, which an event's own row may know better than its segment. */
export function matchesText(entry: LedgerEntry, { source, type, since, until, entity }: EventFilter): boolean {
  return (
    (source === undefined || entry.event.source === source) &&
    (type === undefined || entry.type === type) &&
    (since === undefined || entry.event.receivedAtMs >= since) &&
    (until === undefined || entry.event.receivedAtMs < until) &&
    (entity === undefined || entry.entities.includes(entity))
  );
}

/** Whether the state is all that is asked. */
export function isByStateAlone(filter: EventFilter): boolean {
  return Object.entries(filter).every(([name, value]) => name === 'state' || value === undefined);
}
