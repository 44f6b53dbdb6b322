/**
 * A job's payload: a tagged, versioned union, so that jobs of one version are read by the next. One job carries many
 * events. Reading never throws: what no release could read comes out as itself, to be kept with its reason.
 */
import { z } from 'zod';

import { isEventId, MAX_EVENT_ID_LENGTH, SOURCE_NAME, type Event, type Fetched } from '../event.ts';

export interface JobData {
  readonly v: 1;
  readonly events: readonly Event[];
}

/** A row of the queue that is no event: why, and its exact text. */
export interface Unreadable {
  readonly unreadable: string;
  readonly raw: string;
}

export type Row = Event | Unreadable;

const SHA256 = /^[0-9a-f]{64}$/;
const wellFormed = z.string().refine((text) => text.isWellFormed(), 'holds a lone surrogate');

const eventSchema = z.object({
  source: z.string().regex(SOURCE_NAME, 'is no source name'),
  id: wellFormed.min(1).max(MAX_EVENT_ID_LENGTH),
  body: wellFormed,
  bodyHash: z.string().regex(SHA256, 'is no SHA-256'),
  headers: z.record(z.string(), wellFormed),
  receivedAtMs: z.int().min(0),
  fetched: z
    .object({
      body: wellFormed,
      bodyHash: z.string().regex(SHA256, 'is no SHA-256'),
      status: z.int().min(100).max(599),
      at: z.int().min(0),
    })
    .exactOptional(),
});

/**
 * The events of a job as BullMQ parsed it, in order; a row that is none in its place. `newer`: a job of a later release, with
 * who knows how many events, which a worker of that release reads.
 */
export function readJob(data: unknown): readonly Row[] | 'newer' {
  if (typeof data !== 'object' || data === null || !('v' in data)) return [unreadable('the job has no version', data)];
  if (typeof data.v === 'number' && Number.isSafeInteger(data.v) && data.v > 1) return 'newer';
  if (data.v !== 1) return [unreadable('the job has a version that no release has', data)];
  if (!('events' in data) || !Array.isArray(data.events)) return [unreadable('the job has no list of events', data)];
  return data.events.map(readRow);
}

export function isUnreadable(row: Row): row is Unreadable {
  return 'unreadable' in row;
}

/** Characters of what it holds: its body, and the copy of an object that was fetched for it. */
export function sizeOf(row: Row): number {
  return isUnreadable(row) ? row.raw.length : row.body.length + (row.fetched?.body.length ?? 0);
}

function readRow(row: unknown): Row {
  if (isEvent(row)) return row;
  const [issue] = eventSchema.safeParse(row).error?.issues ?? [];
  return unreadable(`${issue?.path.join('.') || 'the row'}: ${issue?.message ?? 'is no event'}`, row);
}

/** By hand, since this runs once an event on the way to the graph; the schema then says what is wrong. */
function isEvent(row: unknown): row is Event {
  if (typeof row !== 'object' || row === null) return false;
  const { source, id, body, bodyHash, headers, receivedAtMs, fetched } = row as Partial<Record<keyof Event, unknown>>;
  return (
    typeof source === 'string' &&
    SOURCE_NAME.test(source) &&
    isEventId(id) &&
    typeof body === 'string' &&
    body.isWellFormed() &&
    typeof bodyHash === 'string' &&
    SHA256.test(bodyHash) &&
    typeof headers === 'object' &&
    headers !== null &&
    Object.values(headers).every((value) => typeof value === 'string' && value.isWellFormed()) &&
    typeof receivedAtMs === 'number' &&
    Number.isSafeInteger(receivedAtMs) &&
    receivedAtMs >= 0 &&
    (fetched === undefined || isFetched(fetched))
  );
}

function isFetched(copy: unknown): copy is Fetched {
  if (typeof copy !== 'object' || copy === null) return false;
  const { body, bodyHash, status, at } = copy as Partial<Record<keyof Fetched, unknown>>;
  return (
    typeof body === 'string' &&
    body.isWellFormed() &&
    typeof bodyHash === 'string' &&
    SHA256.test(bodyHash) &&
    typeof status === 'number' &&
    Number.isInteger(status) &&
    status >= 100 &&
    status <= 599 &&
    typeof at === 'number' &&
    Number.isSafeInteger(at) &&
    at >= 0
  );
}

function unreadable(reason: string, raw: unknown): Unreadable {
  return { unreadable: reason, raw: typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? '') };
}

/** `<random>-<count>`: the count is how `queued` is summed over the lists. Never all digits, which BullMQ keeps for its own ids. */
export function jobId(random: string, count: number): string {
  return `j${random}-${count}`;
}
