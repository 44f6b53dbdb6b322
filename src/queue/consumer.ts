/**
 * The way out of the queue. Natural group commit: while batches are being handled, jobs gather, and the next batch takes
 * them all; when idle, a job is handled at once. A job is completed after its batch, and a batch that fails is tried again
 * until it does not: BullMQ's own retries, stall limits and failed set are never reached.
 *   fetched ──▶ gathered ──▶ in hand ──done───▶ completed
 *      │           ▲            ├────close──▶ back in the queue
 *      │           └──back-off──┤
 *      └──no room, not read─────┴────later──▶ delayed in the queue
 * Those that come again share one lane, one at a time, so that whatever is slow holds up nothing but what was slow before. Where
 * there is one lane for all, they take turns with first-comers.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { DelayedError, Worker, WaitingError, type Job, type JobJson } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';

import { backOffMs } from '../back-off.ts';
import type { Log } from '../log.ts';
import { readJob, sizeOf, type Row } from './job.ts';
import { QUEUE } from './keys.ts';
import { WORKER_OPTIONS } from './patience.ts';

/** One job, with its rows in the order in which they were taken in. */
export interface Gathered {
  readonly id: string;
  readonly events: readonly Row[];
  /** Of a job that comes again: the indices of the events that are still to be done. Of a first-comer undefined: all are. */
  readonly left?: readonly number[] | undefined;
}

/** A job of which some events are not committed yet, and could not be for now though the rest of the batch was. */
export interface LaterJob {
  readonly id: string;
  /** `slow`: at least one takes too long. `sourceless`: this worker has no source of their name. */
  readonly why: 'slow' | 'sourceless';
  /** The indices of these events in the job. */
  readonly left: readonly number[];
  /** The key of the first of them, for people. */
  readonly key: string;
}

/** How often a job was put off, and what it was put off for. Kept as BullMQ's progress, since its own counts of attempts grow by deploys and stalls, too. */
const putOffs = z.object({ delays: z.int().positive(), left: z.array(z.int().nonnegative()).readonly() });
type PutOff = z.infer<typeof putOffs>;

export interface ConsumerOptions {
  /** Of role `worker`; closed by its owner after `close`. */
  readonly redis: Redis;
  readonly prefix: string;
  /**
   * Returns when with every event all is done, but for those that it names: with these their jobs come again, each in a batch
   * by itself. A throw is logged and the same batch handed over again, with backoff.
   */
  readonly handle: (jobs: readonly Gathered[]) => Promise<readonly LaterJob[]>;
  /** A batch takes whole jobs up to so many events (default 2,000) or characters of bodies (default 16 Mi), and one job at least. */
  readonly maxBatchEvents?: number;
  readonly maxBatchBytes?: number;
  /** How many batches may be in flight at once. Default 2: one is written while the next is being made ready. */
  readonly lanes?: number;
  /** How long a killed worker's jobs stay its own. Default 5,000. */
  readonly lockMs?: number;
  /** Until a slow job comes again: doubled from `minDelayMs` (10,000) up to `maxDelayMs` (600,000). */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  readonly log?: Log;
}

export interface Consumer {
  /** Starts fetching; returns at once. */
  run(): void;
  /** Finishes the batch in flight and gives the rest back to the queue. Within `graceMs`, whatever Redis does. */
  close(graceMs?: number): Promise<void>;
}

type End = 'done' | 'back' | LaterJob;

interface Held extends Gathered {
  readonly bytes: number;
  end(how: End): void;
}

/** Most jobs held at once. Small jobs need many to fill a batch, and each costs a lock to renew. */
const MAX_JOBS = 1_000;
/** Of these, slow ones that wait for their lane: what is slow must not fill the room that all others come through. */
const MAX_SLOW_JOBS = 250;
const MIN_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 5_000;

export function createConsumer({
  redis,
  prefix,
  handle,
  maxBatchEvents = 2_000,
  maxBatchBytes = 16 * 2 ** 20,
  lanes = 2,
  lockMs = 5_000,
  minDelayMs = 10_000,
  maxDelayMs = 600_000,
  log,
}: ConsumerOptions): Consumer {
  const gathered: Held[] = [];
  const slow = { gathered: [] as Held[], inHand: false, isNext: true };
  const held = { jobs: 0, events: 0, bytes: 0 };
  let awake = 0;
  /** Batches in a row, but for those that come again, of which nothing was done. */
  let inVain = 0;
  const closing = new AbortController();

  const worker = new TolerantWorker(QUEUE, (job, token) => hold(job, token ?? ''), {
    connection: redis,
    prefix,
    ...WORKER_OPTIONS,
    concurrency: MAX_JOBS,
    lockDuration: lockMs,
    settings: { backoffStrategy: failureDelayMs },
  });
  worker.on('error', (err) => log?.debug({ err }, 'consumer.failed'));
  worker.on('failed', (job, err) => log?.error({ err, job: job?.id }, 'job.failed'));
  worker.on('stalled', (job) => log?.warn({ job }, 'job.stalled'));

  /** BullMQ completes the job when this resolves. */
  async function hold(job: Job, token: string): Promise<void> {
    const left = putOffOf(job)?.left;
    if (left !== undefined && !hasRoomForSlow()) return delay(job, token, backOffMs(1, minDelayMs, maxDelayMs));
    const events = readJob(job.data);
    if (events === 'newer') return putOffUnread(job, token);
    const list = left === undefined ? gathered : slow.gathered;
    const bytes = events.reduce((sum, row) => sum + sizeOf(row), 0);
    weigh(1, events.length, bytes);
    try {
      const how = await new Promise<End>((end) => {
        list.push({ id: job.id ?? '', events, left, bytes, end });
        wake();
      });
      if (how === 'done') return;
      if (how !== 'back') return await putOff(job, token, how);
    } finally {
      weigh(-1, -events.length, -bytes);
    }
    await job.moveToWait(token);
    throw new WaitingError(); // Tells BullMQ that the job has been moved already; it is no failure.
  }

  /** What comes again waits here up to one batch of it; any more would fill the room that all others come through. */
  function hasRoomForSlow(): boolean {
    return slow.gathered.length < MAX_SLOW_JOBS && countBatch(slow.gathered) === slow.gathered.length;
  }

  /** A worker of the release that wrote it may be the next to take it. Not yet handled by anyone, so BullMQ's count of attempts will do. */
  async function putOffUnread(job: Job, token: string): Promise<never> {
    const delayMs = backOffMs(job.attemptsStarted, minDelayMs, maxDelayMs);
    const comesAgainAt = new Date(Date.now() + delayMs).toISOString();
    const advice = 'It was written by a newer release. Start a work of that release; until then the job waits in the queue.';
    log?.error({ job: job.id, comesAgainAt, advice }, 'job.unread');
    return delay(job, token, delayMs);
  }

  async function putOff(job: Job, token: string, { id, key, left, why }: LaterJob): Promise<never> {
    const delays = (putOffOf(job)?.delays ?? 0) + 1;
    const delayMs = backOffMs(delays, minDelayMs, maxDelayMs);
    const comesAgainAt = new Date(Date.now() + delayMs).toISOString();
    log?.warn({ job: id, key, events: left.length, delays, comesAgainAt }, `event.${why}`);
    // Where Redis has no memory for that, it is delayed all the same, and comes again as if for the first time: whole.
    await job.updateProgress({ delays, left } satisfies PutOff).catch((err: unknown) => log?.warn({ err, job: id }, 'progress.refused'));
    return delay(job, token, delayMs);
  }

  /** One batch in hand and three gathered or on their way is enough to keep busy; beyond that nothing more is fetched, so that memory stays bounded. */
  function weigh(jobs: number, events: number, bytes: number): void {
    held.jobs += jobs;
    held.events += events;
    held.bytes += bytes;
    const enough = held.events >= 4 * maxBatchEvents || held.bytes >= 4 * maxBatchBytes;
    worker.concurrency = enough ? Math.max(1, Math.min(MAX_JOBS, held.jobs)) : MAX_JOBS;
  }

  function wake(): void {
    if (awake >= lanes) return;
    awake += 1;
    void drain();
  }

  async function drain(): Promise<void> {
    await new Promise(setImmediate); // Lets the other jobs of this turn of the event loop come along.
    while (!closing.signal.aborted) {
      if (slow.gathered.length > 0 && !slow.inHand && (slow.isNext || gathered.length === 0)) {
        slow.inHand = true;
        slow.isNext = false;
        await handleOnce(slow.gathered.splice(0, 1));
        slow.inHand = false;
      } else if (gathered.length > 0) {
        slow.isNext = true;
        inVain = (await handleOnce(gathered.splice(0, countBatch(gathered)))) ? 0 : inVain + 1;
        // Or whatever makes all slow within milliseconds would put off the whole queue.
        if (inVain > 0) await rest(inVain);
      } else break;
    }
    if (closing.signal.aborted) for (const job of [...gathered.splice(0), ...slow.gathered.splice(0)]) job.end('back');
    awake -= 1; // In the same turn as the last look at what is gathered, or a newcomer would find nobody awake.
  }

  /** How many of these jobs, from the first, make a batch. */
  function countBatch(jobs: readonly Held[]): number {
    let count = 0;
    let events = 0;
    let bytes = 0;
    for (const job of jobs) {
      events += job.events.length;
      bytes += job.bytes;
      if (count > 0 && (events > maxBatchEvents || bytes > maxBatchBytes)) break;
      count += 1;
    }
    return count;
  }

  /**
   * Hands a batch over until it is taken. An outage of Neo4j never comes here, since `handle` waits it out; what does is all else:
   * Redis away when something was to be put there, or a fault of ours. Returns whether any event of the batch was done, or
   * could have been were its source known here.
   */
  async function handleOnce(batch: readonly Held[]): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        const later = new Map((await handle(batch)).map((job) => [job.id, job]));
        for (const job of batch) job.end(later.get(job.id) ?? 'done');
        const done = batch.some(({ id, events }) => later.get(id)?.left.length !== events.length);
        return done || [...later.values()].every(({ why }) => why === 'sourceless');
      } catch (err) {
        log?.error({ err, jobs: batch.length, attempt }, 'batch.failed');
        await rest(attempt);
        if (!closing.signal.aborted) continue;
        for (const job of batch) job.end('back');
        return false;
      }
    }
  }

  /** Ends early by `close`. */
  async function rest(attempt: number): Promise<void> {
    await sleep(failureDelayMs(attempt), undefined, { signal: closing.signal }).catch(() => {});
  }

  return {
    run() {
      worker.run().catch((err: unknown) => log?.error({ err }, 'consumer.stopped'));
    },
    async close(graceMs = 10_000) {
      closing.abort();
      await Promise.race([worker.close(), sleep(graceMs, undefined, { ref: false })]);
    },
  };
}

/** BullMQ parses a job's JSON outside of any processor, where a throw would leave the job stalling for ever. */
class TolerantWorker extends Worker {
  protected override createJob(json: JobJson, id: string): Job {
    try {
      return super.createJob(json, id);
    } catch {
      return super.createJob({ ...json, data: JSON.stringify(json.data) }, id);
    }
  }
}

/** Undefined of a first-comer. */
function putOffOf({ progress }: Job): PutOff | undefined {
  return putOffs.safeParse(progress).data;
}

async function delay(job: Job, token: string, delayMs: number): Promise<never> {
  await job.moveToDelayed(Math.round(Date.now() + delayMs), token);
  throw new DelayedError(); // As with WaitingError.
}

function failureDelayMs(attempt: number): number {
  return backOffMs(attempt, MIN_BACKOFF_MS, MAX_BACKOFF_MS);
}
