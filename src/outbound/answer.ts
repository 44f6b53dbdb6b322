/** What an answer says beside its body: that it is none, when to come again, when it was given. */
import { IngestError } from '../errors.ts';
import type { Answer } from './outbound.ts';

const MAX_RETRY_AFTER_MS = 3_600_000;

/** An answer that is none: `SENDER_UNAVAILABLE`, with how long to wait where it said so. */
export function noAnswer(problem: string, retryAfter: string | undefined, nowMs: number): IngestError {
  const waitMs = retryAfterMs(retryAfter, nowMs);
  return new IngestError('SENDER_UNAVAILABLE', `the sender ${problem}`, waitMs === undefined ? {} : { waitMs });
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** Its `Date`, in milliseconds since the epoch; `nowMs` where it has none that can be read. */
export function answeredAtMs({ date }: Pick<Answer, 'date'>, nowMs: number): number {
  const at = Date.parse(date ?? '');
  return Number.isNaN(at) || at < 0 ? nowMs : at;
}
