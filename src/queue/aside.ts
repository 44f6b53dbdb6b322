/**
 * The second queue: events that wait for the object that they are about. Whoever sets an event aside has it on disk here
 * before its own job is completed; whoever has the object puts event and copy back into the inbox and takes them from here
 * in one transaction. Both name the job after the place that the event came from, so that doing either again changes nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { DelayedError, Job, Queue, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';

import type { Event, Fetched } from '../event.ts';
import type { Log } from '../log.ts';
import { isUnreadable, readJob, type JobData } from './job.ts';
import { HYDRATE_QUEUE, keysOf, QUEUE } from './keys.ts';
import { JOB_OPTIONS, REDIS_RETRY_MS, WORKER_OPTIONS } from './patience.ts';

/** An event of a job, to be set aside. */
export interface Thin {
  readonly job: string;
  readonly index: number;
  readonly event: Event;
}

/** What became of the asking: a copy, nothing to ask for, or when to ask again. */
export type Asked =
  | { readonly is: 'fetched'; readonly copy: Fetched }
  | { readonly is: 'unwanted' }
  | { readonly is: 'later'; readonly atMs: number };

export interface AsideOptions {
  /** Of role `worker`; closed by its owner after `close`. */
  readonly redis: Redis;
  readonly prefix: string;
  /** Asks for an event's object. Never throws for the sender's sake; `attempt` counts from one. */
  readonly ask: (event: Event, attempt: number) => Promise<Asked>;
  /** How many events may be in hand at once. Default 200. */
  readonly concurrency?: number;
  /** How long a killed worker's events stay its own. Default 5,000. */
  readonly lockMs?: number;
  readonly log?: Log;
}

export interface Aside {
  /** On disk when it resolves. Idempotent by job and index. Throws when Redis did not do as asked: try again. */
  add(events: readonly Thin[]): Promise<void>;
  /** Starts asking; returns at once. */
  run(): void;
  /** Takes nothing more; resolves when what is in hand was answered or given back. Within `graceMs`, whatever Redis does. */
  close(graceMs?: number): Promise<void>;
}

/**
 * KEYS wait, paused, active, delayed and job key where it was added; then, where it is taken from, active, stalled, job key, lock
 * · ARGV job id, lock's token → 1 where the job is there, else 0
 * What an add left half done would pass for done for ever, and so is removed. Nothing is taken that is not there.
 */
const SETTLE = `
local function has(list) return type(redis.pcall('LPOS', list, ARGV[1])) == 'number' end
local there = has(KEYS[1]) or has(KEYS[2]) or has(KEYS[3]) or redis.call('ZSCORE', KEYS[4], ARGV[1])
if not there then
  redis.call('DEL', KEYS[5])
  return 0
end
if #KEYS > 5 and redis.call('GET', KEYS[9]) == ARGV[2] then
  redis.call('LREM', KEYS[6], 1, ARGV[1])
  redis.call('SREM', KEYS[7], ARGV[1])
  redis.call('DEL', KEYS[8], KEYS[9])
end
return 1`;

const ADD_AT_ONCE = 500;

export function createAside({ redis, prefix, ask, concurrency = 200, lockMs = 5_000, log }: AsideOptions): Aside {
  const keys = keysOf(prefix);
  const open = (name: string): Queue => {
    const queue = new Queue(name, { connection: redis, prefix, streams: { events: { maxLen: 100 } } });
    queue.on('error', () => {}); // The connection's owner logs; without a listener Node would throw.
    return queue;
  };
  const inbox = open(QUEUE);
  const aside = open(HYDRATE_QUEUE);
  let closed = false;

  const worker = new Worker(HYDRATE_QUEUE, (job, token) => handle(job, token ?? ''), {
    connection: redis,
    prefix,
    ...WORKER_OPTIONS,
    concurrency,
    lockDuration: lockMs,
    settings: { backoffStrategy: () => REDIS_RETRY_MS },
  });
  worker.on('error', (err) => log?.debug({ err }, 'hydration.failed'));
  worker.on('failed', (job, err) => log?.warn({ err, job: job?.id }, 'hydration.repeated'));

  async function handle(job: Job, token: string): Promise<void> {
    const event = eventIn(job.data);
    const asked: Asked = event === undefined ? { is: 'unwanted' } : await ask(event, job.attemptsStarted);
    if (closed && asked.is !== 'fetched') {
      await job.moveToWait(token);
      throw new WaitingError(); // Tells BullMQ that the job has been moved already; it is no failure.
    }
    if (asked.is === 'later') {
      await job.moveToDelayed(asked.atMs, token);
      throw new DelayedError();
    }
    await putBack(job, token, event !== undefined && asked.is === 'fetched' ? { ...event, fetched: asked.copy } : undefined);
    throw new WaitingError();
  }

  /** Into the inbox and out of here at once. An event without a copy goes back as it came, and so does a job that is not understood here. */
  async function putBack(job: Job, token: string, event: Event | undefined): Promise<void> {
    const id = job.id ?? '';
    const data: unknown = event === undefined ? job.data : ({ v: 1, events: [event] } satisfies JobData);
    const from = [keys.hydrate('active'), keys.hydrate('stalled'), keys.hydrate(id), keys.hydrate(`${id}:lock`)];
    await commit(inbox, keys.queue, [{ id, data }], from, token);
  }

  async function commit(
    to: Queue,
    keyOf: (part: string) => string,
    jobs: readonly { readonly id: string; readonly data: unknown }[],
    from: readonly string[] = [],
    token = '',
  ): Promise<void> {
    const multi = (await to.getBackend().client).multi();
    for (const { id, data } of jobs) {
      await to.getBackend().addJobToTransaction(multi, new Job(to, 'events', data, { ...JOB_OPTIONS, jobId: id }, id).asJSON(), id);
      const there = [keyOf('wait'), keyOf('paused'), keyOf('active'), keyOf('delayed'), keyOf(id)];
      multi.runCommand('eval', [SETTLE, there.length + from.length, ...there, ...from, id, token]);
    }
    const replies = await multi.exec();
    if (replies === null) throw new Error('Redis discarded the transaction');
    for (let i = 0; i < jobs.length; i++) {
      const [added] = replies[2 * i] ?? [];
      const [unsettled, settled] = replies[2 * i + 1] ?? [];
      if (settled === 1) continue;
      const failure = added ?? unsettled ?? new Error('Redis did not keep the job');
      // ioredis does not notice within a MULTI that Redis has forgotten its scripts; a new socket starts afresh.
      if (failure.message.startsWith('NOSCRIPT')) redis.disconnect(true);
      throw failure;
    }
  }

  return {
    async add(events) {
      for (let at = 0; at < events.length; at += ADD_AT_ONCE) {
        const jobs = events.slice(at, at + ADD_AT_ONCE).map(({ job, index, event }) => {
          const data: JobData = { v: 1, events: [event] };
          return { id: asideId(job, index), data };
        });
        await commit(aside, keys.hydrate, jobs);
      }
    },
    run() {
      worker.run().catch((err: unknown) => log?.error({ err }, 'consumer.stopped'));
    },
    async close(graceMs = 10_000) {
      closed = true;
      await Promise.race([worker.close(), sleep(graceMs, undefined, { ref: false })]);
      await Promise.all([inbox.close(), aside.close()]);
    },
  };
}

function eventIn(data: unknown): Event | undefined {
  const rows = readJob(data);
  const row = rows === 'newer' ? undefined : rows[0];
  return row === undefined || isUnreadable(row) ? undefined : row;
}

/**
 * Names the place in the inbox that an event came from, and the one event of the new job. The ledger marks jobs as done, so
 * the same place twice is work done again, where the same event from another place was taken in twice.
 */
export function asideId(job: string, index: number): string {
  return `${job}.${index}-1`;
}
