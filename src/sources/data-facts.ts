/** Facts within a carrier: the `data` of Standard Webhooks or of a CloudEvent, where it speaks the model. */
import { IngestError } from '../errors.ts';
import { isJsonObject, type Json } from '../json.ts';
import { readEnvelope } from '../model/envelope.ts';
import type { Mapped } from '../model/facts.ts';
import { typeName } from './read.ts';
import type { Ignored } from './source.ts';

/** The envelope's fields that a sender may put beside `facts` in `data`; whatever else is there is the sender's own. */
const FIELDS = ['observedAt', 'sequence', 'occurrenceId', 'subject', 'facts'] as const;

export interface Carrier {
  readonly id: string;
  readonly type: string;
  /** When it happened, by the carrier; `data.occurredAt` is nearer. */
  readonly time: Json | undefined;
  /** What the carrier calls its time. */
  readonly timeName: string;
}

/** What `data` says; ignored where it has no `facts`. Throws `NO_CLOCK`, and `BAD_ENVELOPE` with the path of the first thing that is wrong. */
export function factsIn(data: Json | undefined, { id, type, time, timeName }: Carrier): Mapped | Ignored {
  if (!isJsonObject(data) || data['facts'] === undefined) return { type };
  const occurredAt = data['occurredAt'] ?? time;
  if (occurredAt === undefined || occurredAt === null)
    throw new IngestError('NO_CLOCK', `neither data.occurredAt nor ${timeName} is there`, { path: timeName });
  const said = FIELDS.filter((field) => data[field] !== undefined).map((field): [string, Json] => [field, data[field] ?? null]);
  return readEnvelope({ id, type, occurredAt, ...Object.fromEntries(said) });
}

/** The sender's word for what happened; `unknown` without one. */
export function typeText(type: Json | undefined): string {
  return typeof type === 'string' && type !== '' ? typeName(type) : 'unknown';
}
