/** Asking a sender for one page until it is there: so many requests a second at most, and never given up for an outage. */
import { setTimeout as sleep } from 'node:timers/promises';

import { backOffMs } from '../back-off.ts';
import { IngestError } from '../errors.ts';
import { decodeUtf8 } from '../json.ts';
import { answeredAtMs, noAnswer } from '../outbound/answer.ts';
import type { Answer, Outbound } from '../outbound/outbound.ts';

export interface AskOptions {
  readonly outbound: Outbound;
  readonly headers: Readonly<Record<string, string>>;
  /** Requests a second. */
  readonly rate: number;
  readonly signal: AbortSignal;
  /** No page yet, and when it is asked for again. */
  readonly waiting: (reason: string, delayMs: number) => void;
  /** Between two tries of one page: doubled from this up to a minute. */
  readonly minDelayMs: number;
}

/** A 200 whose body is JSON. */
export interface Answered {
  readonly text: string;
  /** Milliseconds since the epoch: its `Date`. */
  readonly atMs: number;
}

export type Ask = <T>(url: string, read: (page: Answered) => T) => Promise<T>;

const MAX_DELAY_MS = 60_000;
/** Of the 4xx, those that a later request may not get. 430 is what Shopify says to whom it takes for an attacker. */
const PASSING = new Set([408, 409, 421, 423, 425, 429, 430]);

/** Throws `BAD_CONFIG` for an answer that will not change by itself, `OUTBOUND_REFUSED`, and the signal's reason. */
export function createAsk({ outbound, headers, rate, signal, waiting, minDelayMs }: AskOptions): Ask {
  let turnMs = 0;

  async function takeTurn(): Promise<void> {
    const waitMs = turnMs - performance.now();
    turnMs = Math.max(turnMs, performance.now()) + 1_000 / rate;
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
  }

  return async (url, read) => {
    for (let attempt = 1; ; attempt++) {
      await takeTurn();
      try {
        return read(pageOf(await outbound.get(url, headers, signal), Date.now()));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof IngestError) || error.code !== 'SENDER_UNAVAILABLE') throw error;
        const { waitMs } = error.context;
        const delayMs = typeof waitMs === 'number' ? waitMs : backOffMs(attempt, minDelayMs, MAX_DELAY_MS);
        waiting(error.message, delayMs);
        await sleep(delayMs, undefined, { signal });
      }
    }
  };
}

function pageOf(answer: Answer, nowMs: number): Answered {
  const { status, body, retryAfter } = answer;
  if (status >= 300 && status < 500 && !PASSING.has(status)) throw refusedWith(status);
  if (status !== 200) throw noAnswer(`answered ${status}`, retryAfter, nowMs);
  const text = readJsonText(body);
  if (text === undefined) throw noAnswer('answered 200 with something that is not JSON', undefined, nowMs);
  return { text, atMs: answeredAtMs(answer, nowMs) };
}

/** Loosely: what is wrong with one object is not to keep the others of its page away. */
function readJsonText(body: Buffer): string | undefined {
  try {
    const text = decodeUtf8(body);
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}

/** Who asked is told what to set by the caller, who knows the variable. */
function refusedWith(status: number): IngestError {
  return new IngestError('BAD_CONFIG', `the sender answered ${status}`, { answered: status });
}
