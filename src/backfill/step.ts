/** One page of a run: from where it is to where it then is, with the page's events on the disk. */
import { setTimeout as sleep } from 'node:timers/promises';

import { fetchVariable } from '../config.ts';
import { IngestError } from '../errors.ts';
import { checkEventId, type Event } from '../event.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Run } from '../queue/runs.ts';
import { estimateQueued } from '../queue/depth.ts';
import type { Inbox } from '../queue/inbox.ts';
import { keysOf } from '../queue/keys.ts';
import type { Redis } from '../queue/redis.ts';
import type { Backfill, PageRead, Range } from '../sources/source.ts';
import { createAsk } from './ask.ts';
import { patiently } from './patiently.ts';

export interface StepOptions {
  readonly source: string;
  readonly lists: Backfill;
  readonly range: Range;
  readonly token: string;
  readonly outbound: Outbound;
  readonly redis: Redis;
  readonly prefix: string;
  readonly inbox: Inbox;
  /** Requests a second. */
  readonly rate: number;
  /** Waits while so many events are queued. */
  readonly waitAtQueued: number;
  readonly minDelayMs: number;
  readonly signal: AbortSignal;
  /** Nothing happens at the moment, and why. */
  readonly waiting: (reason: string) => void;
}

const REFUSED_RETRY_MS = 250;
const DEPTH_RETRY_MS = 500;

/** A step throws what `Ask` throws, its words completed by what to set, and `NO_IDENTITY` where a pack finds an event without a usable id; an outage of Redis is waited for. */
export function createStep(options: StepOptions): (run: Run) => Promise<Run> {
  const { source, lists, range, token, redis, inbox, waitAtQueued, signal, waiting } = options;
  const ask = createAsk({ ...options, headers: lists.headers(token) });
  const keys = keysOf(options.prefix);

  /** Live traffic goes first. */
  async function awaitRoom(): Promise<void> {
    for (;;) {
      const queued = await patiently(() => estimateQueued(redis, keys), signal, waiting);
      if (queued < waitAtQueued) return;
      waiting(`${queued} events are queued; is \`eventgraft work\` running?`);
      await sleep(DEPTH_RETRY_MS, undefined, { signal });
    }
  }

  return async (run) => {
    const stream = run.streams[run.stream];
    if (stream === undefined) return { ...run, state: 'finished' };
    signal.throwIfAborted();
    await awaitRoom();
    const place = { stream, range, cursor: run.cursor ?? undefined };
    const first = run.firstMs ?? undefined;
    let read: PageRead & { firstMs: number };
    try {
      read = await ask(lists.url(place), ({ text, atMs }) => {
        const firstMs = first ?? atMs;
        return { ...lists.read({ text, atMs, firstMs }, place), firstMs };
      });
    } catch (error) {
      const other = isUnknown(error) && place.cursor !== undefined ? lists.recover?.(place.cursor) : undefined;
      if (other === undefined) throw explained(error, source, stream);
      return { ...run, cursor: other };
    }
    const { found, next, firstMs } = read;
    const receivedAtMs = Date.now();
    const events = found.map((one): Event => {
      checkEventId(one.id);
      return { source, receivedAtMs, ...one };
    });
    const { accepted, duplicate } = await takeIn(events, inbox, signal, waiting);
    return {
      ...run,
      firstMs,
      stream: next === undefined ? run.stream + 1 : run.stream,
      cursor: next ?? null,
      pages: run.pages + 1,
      accepted: run.accepted + accepted,
      duplicate: run.duplicate + duplicate,
    };
  };
}

/** Until each is on the disk. What Redis may have taken without saying so is a duplicate the second time. */
async function takeIn(
  events: readonly Event[],
  inbox: Inbox,
  signal: AbortSignal,
  waiting: (reason: string) => void,
): Promise<{ accepted: number; duplicate: number }> {
  const tally = { accepted: 0, duplicate: 0 };
  for (let left = events; left.length > 0;) {
    const settled = await Promise.allSettled(left.map((event) => inbox.add(event)));
    let refusal: unknown;
    for (const one of settled) {
      if (one.status === 'fulfilled') tally[one.value] += 1;
      else refusal = one.reason;
    }
    left = left.filter((_, index) => settled[index]?.status === 'rejected');
    if (left.length === 0) break;
    if (!(refusal instanceof IngestError) || refusal.retry !== 'retry') throw refusal;
    waiting(refusal.message);
    await sleep(REFUSED_RETRY_MS, undefined, { signal });
  }
  return tally;
}

/** What the sender says where it does not know what a cursor names. */
function isUnknown(error: unknown): boolean {
  const answered = error instanceof IngestError ? error.context['answered'] : undefined;
  return answered === 400 || answered === 404;
}

/** An answer that stays as it is: who reads this can change it. */
function explained(error: unknown, source: string, stream: string): unknown {
  const answered = error instanceof IngestError ? error.context['answered'] : undefined;
  if (typeof answered !== 'number') return error;
  const way =
    answered === 401 || answered === 403
      ? `set ${fetchVariable(source)} to a token that may read them`
      : `check the address and the options of ${source} in eventgraft.config.ts`;
  return new IngestError('BAD_CONFIG', `the sender answered ${answered} when asked for ${stream}: ${way}, and run the same backfill again`);
}
