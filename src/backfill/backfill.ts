/**
 * What a sender has, page by page, into the same queue as its webhooks. Of each page: ask → read → enqueue → keep the cursor.
 * A cursor is kept only after the page's events are on the disk, so that a run which dies anywhere goes on there, and what it
 * repeats is known. Whoever runs a job holds a lease of it; nobody else goes on meanwhile.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Durability } from '../config.ts';
import { IngestError } from '../errors.ts';
import { formatInstant } from '../model/instant.ts';
import { createOutbound } from '../outbound/outbound.ts';
import { LEASE_MS, openRuns, type Runs, type Run } from '../queue/runs.ts';
import { createInbox } from '../queue/inbox.ts';
import { checkDurability, connectRedis, waitUntilReady, type Redis } from '../queue/redis.ts';
import type { Backfill, Range, Source } from '../sources/source.ts';
import { patiently } from './patiently.ts';
import { createStep } from './step.ts';

export interface BackfillOptions {
  readonly redisUrl: string;
  /** Of all keys in Redis, as for `serve` and `work`. Default `eventgraft`. */
  readonly prefix?: string;
  /** What the source proves itself with. */
  readonly token: string;
  /** Which of the source's lists. Default: those that it takes for the range. */
  readonly streams?: readonly string[];
  /** Requests a second. Default 2. */
  readonly rate?: number;
  /** An unfinished run of the same job: gone on with (the default), insisted on, or begun anew. */
  readonly run?: 'continue' | 'resume' | 'restart';
  readonly durability?: Durability;
  /** `EVENTGRAFT_MAX_QUEUED`, as for `serve`. Default 1,000,000. Waits at half of it, and at 10,000: the rest of the queue is for live traffic. */
  readonly maxQueued?: number;
  /** How long the job of a process that died stays its own. Default 10,000. */
  readonly leaseMs?: number;
  /** The first wait before a page is asked for again. Default 500. */
  readonly minDelayMs?: number;
  readonly report?: (progress: Progress) => void;
  /** Stops after the page in hand; the run can be resumed. */
  readonly signal?: AbortSignal;
}

export interface Progress extends Run {
  /** Whether an earlier run is gone on with. */
  readonly resumed: boolean;
  /** Why nothing happens at the moment, e.g. `the sender answered 503`. */
  readonly waiting: string | undefined;
}

/** 250 orders with all that a shop hangs on them, and a shop that takes its time for that. */
const MAX_PAGE_BYTES = 64 * 2 ** 20;
const PAGE_TIMEOUT_MS = 60_000;
const MAX_QUEUED = 1_000_000;
const WAIT_AT_QUEUED = 10_000;

/**
 * Takes in everything that the source's sender has of a range, and returns the finished run. An outage of the sender is
 * waited for, and of Redis once the run has begun: before that, `QUEUE_UNAVAILABLE` after ten seconds. Throws `BAD_CONFIG` for a
 * source without backfill, a refused token and a job that another process is at, `BAD_REQUEST` for what cannot be asked for,
 * `NOT_DURABLE`, and the signal's reason.
 */
export async function backfill(source: Source, range: Range, options: BackfillOptions): Promise<Run> {
  const job = plan(source, range, options);
  const redis = connectRedis(options.redisUrl, { role: 'inbox' });
  try {
    await waitUntilReady(redis);
    await checkDurability(redis, options.durability ?? 'always');
    return await runJob(job, redis, options);
  } finally {
    redis.disconnect();
  }
}

interface Job {
  readonly id: string;
  readonly source: Source;
  readonly lists: Backfill;
  readonly range: Range;
  readonly streams: readonly string[];
}

/** What makes two backfills the same: the source, its lists and the whole range. */
function plan(source: Source, range: Range, { streams: wanted }: BackfillOptions): Job {
  const { name, backfill: lists } = source;
  if (lists === undefined)
    throw new IngestError(
      'BAD_CONFIG',
      `source ${name} has no backfill: in eventgraft.config.ts shopify needs its shop, woocommerce its api; stripe needs nothing, and other packs have none`,
    );
  if (range.to !== undefined && range.to <= range.from) throw new IngestError('BAD_REQUEST', 'the range ends before it begins');
  const unknown = wanted?.find((stream) => !lists.streams.includes(stream));
  if (unknown !== undefined)
    throw new IngestError('BAD_REQUEST', `source ${name} has no list ${unknown}; it has ${lists.streams.join(', ')}`);
  const streams =
    wanted === undefined ? (lists.streamsFor?.(range, Date.now()) ?? lists.streams) : lists.streams.filter((one) => wanted.includes(one));
  // Which lists are usual may depend on the day; a run goes on with those that it began with.
  const identity = JSON.stringify([name, wanted === undefined ? null : streams, String(range.from), String(range.to ?? '')]);
  return {
    id: createHash('sha256').update(identity).digest('base64url').slice(0, 16),
    source,
    lists,
    range,
    streams,
  };
}

async function runJob(job: Job, redis: Redis, options: BackfillOptions): Promise<Run> {
  const { prefix = 'eventgraft', leaseMs = LEASE_MS, report, signal } = options;
  const holder = randomBytes(9).toString('base64url');
  const runs = openRuns(redis, prefix, leaseMs);
  const lost = new AbortController();
  const stopping = signal === undefined ? lost.signal : AbortSignal.any([signal, lost.signal]);
  await takeJob(runs, job, holder, { leaseMs, signal: stopping, report });
  try {
    const begun = await beginRun(runs, job, holder, options);
    return await finishRun(begun, { job, redis, prefix, leaseMs, runs, lost, stopping }, options);
  } finally {
    await runs.letGo(job.id, holder).catch(() => {});
  }
}

interface Place {
  readonly job: Job;
  readonly redis: Redis;
  readonly prefix: string;
  readonly leaseMs: number;
  readonly runs: Runs;
  /** Aborted when another process has the job. */
  readonly lost: AbortController;
  /** That, or the caller's. */
  readonly stopping: AbortSignal;
}

/** Step by step, while the lease is kept. */
async function finishRun({ run: begun, resumed }: Begun, place: Place, options: BackfillOptions): Promise<Run> {
  const { job, redis, prefix, leaseMs, runs, lost, stopping } = place;
  const maxQueued = options.maxQueued ?? MAX_QUEUED;
  const inbox = createInbox({ redis, prefix, maxQueued });
  let run = begun;
  const tell = (waiting?: string): void => options.report?.({ ...run, resumed, waiting });
  // Without an answer nobody knows who has the job; the next page asks again.
  const beat = async (): Promise<void> => void ((await runs.hold(job.id, run)) === 'taken' && lost.abort(taken(job)));
  const timer = setInterval(() => void beat().catch(() => {}), leaseMs / 3);
  async function keep(next: Run): Promise<void> {
    const held = await patiently(() => runs.hold(job.id, run, next), stopping, tell);
    if (held === 'taken') throw taken(job);
    // What Redis has forgotten of the run it has forgotten of the events before it, too.
    const known = held === 'held' ? next : await patiently(() => runs.find(job.id), stopping, tell);
    if (known === undefined) throw forgotten(job);
    run = known;
    tell();
  }
  try {
    const step = createStep({
      source: job.source.name,
      lists: job.lists,
      range: job.range,
      token: options.token,
      outbound: createOutbound([job.lists.origin], { maxBytes: MAX_PAGE_BYTES, timeoutMs: PAGE_TIMEOUT_MS }),
      redis,
      prefix,
      inbox,
      rate: options.rate ?? 2,
      waitAtQueued: Math.min(WAIT_AT_QUEUED, Math.ceil(maxQueued / 2)),
      minDelayMs: options.minDelayMs ?? 500,
      signal: stopping,
      waiting: tell,
    });
    tell();
    while (run.state !== 'finished') await keep({ ...(await step(run)), updatedAtMs: Date.now() });
    return run;
  } catch (error) {
    stopping.throwIfAborted();
    if (error instanceof IngestError) await keep({ ...run, state: 'failed', error: error.message });
    throw error;
  } finally {
    clearInterval(timer);
    await inbox.close();
  }
}

interface Taking {
  readonly leaseMs: number;
  readonly signal: AbortSignal;
  readonly report: BackfillOptions['report'];
}

/** A process that was killed still has its lease for a while, so a second look is taken after that. */
async function takeJob(runs: Runs, job: Job, holder: string, { leaseMs, signal, report }: Taking): Promise<void> {
  for (const end = performance.now() + leaseMs + 1_000; ; await sleep(leaseMs / 20, undefined, { signal })) {
    if (await runs.take(job.id, holder)) return;
    if (performance.now() > end) throw taken(job);
    const run = await runs.find(job.id);
    if (run !== undefined) report?.({ ...run, resumed: true, waiting: `another process has not let go for ${leaseMs / 1_000} s yet` });
  }
}

function taken({ source }: Job): IngestError {
  return new IngestError('BAD_CONFIG', `another process is at this backfill of ${source.name}; let it finish, or stop it first`);
}

function forgotten({ source }: Job): IngestError {
  return new IngestError('BAD_CONFIG', `Redis lost its data while ${source.name} was read; run the same backfill again: it begins anew`);
}

interface Begun {
  readonly run: Run;
  readonly resumed: boolean;
}

/** The run to go on with, or a new one, in the name of its new holder. */
async function beginRun(runs: Runs, job: Job, holder: string, { run: how = 'continue' }: BackfillOptions): Promise<Begun> {
  const before = how === 'restart' ? undefined : await runs.find(job.id);
  const resumed = before !== undefined && before.state !== 'finished';
  if (!resumed && how === 'resume')
    throw new IngestError('BAD_REQUEST', `there is no unfinished backfill of ${job.source.name} with exactly this range and these lists`);
  const run: Run = resumed ? { ...before, holder, state: 'running', error: null } : newRun(job, holder, Date.now());
  if (!(await runs.take(job.id, holder, run))) throw taken(job);
  return { run, resumed };
}

function newRun({ source, streams, range }: Job, holder: string, nowMs: number): Run {
  return {
    v: 1,
    run: randomBytes(6).toString('base64url'),
    holder,
    source: source.name,
    streams: [...streams],
    from: formatInstant(range.from),
    to: range.to === undefined ? null : formatInstant(range.to),
    startedAtMs: nowMs,
    updatedAtMs: nowMs,
    state: 'running',
    error: null,
    stream: 0,
    cursor: null,
    firstMs: null,
    pages: 0,
    accepted: 0,
    duplicate: 0,
  };
}
