/**
 * The way into the queue. Natural batching: while one flight to Redis is in the air, newcomers gather, and the next one
 * takes them all. A promise resolves only when its event is on the disk.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';

import { IngestError } from '../errors.ts';
import type { Event } from '../event.ts';
import type { Log } from '../log.ts';
import { estimateQueued, readCounts, type Counts } from './depth.ts';
import { enqueue, type Passenger, type Status } from './enqueue.ts';
import { sizeOf } from './job.ts';
import { keysOf, QUEUE } from './keys.ts';

export type { Counts } from './depth.ts';

export interface InboxOptions {
  /** Of role `inbox`; closed by its owner. */
  readonly redis: Redis;
  readonly prefix: string;
  /** Events in the queue beyond which `OVERLOADED` is thrown. Default 1,000,000. */
  readonly maxQueued?: number;
  /** When a caller gets `UNAVAILABLE` at the latest. Default 3,000: the tightest sender waits 5 s in all. */
  readonly deadlineMs?: number;
  /** Default 100 events and 1 MB of bodies a job. */
  readonly maxJobEvents?: number;
  readonly maxJobBytes?: number;
  readonly log?: Log;
}

export interface Inbox {
  /** Idempotent. `accepted`: on disk now; `duplicate`: was before. Throws `UNAVAILABLE` or `OVERLOADED`. */
  add(event: Event): Promise<Status>;
  /** As `add` for each, in order. Throws for the first that fails; the others may be stored, and trying again is safe. */
  addAll(events: readonly Event[]): Promise<readonly Status[]>;
  /** Exact and atomic. Throws `QUEUE_UNAVAILABLE`. */
  counts(): Promise<Counts>;
  /** Waits for those already let in, and lets nobody else in. */
  close(): Promise<void>;
}

interface Waiting extends Passenger {
  settled: boolean;
  fail(error: IngestError): void;
}

const FLIGHT_EVENTS = 1_000;
const FLIGHT_BYTES = 8 * 2 ** 20;
/** More than this waiting for Redis is memory that we may not have. */
const MAX_WAITING_BYTES = 128 * 2 ** 20;
const DEPTH_MAX_AGE_MS = 250;
const RETRY_MS = 40;

export function createInbox({
  redis,
  prefix,
  maxQueued = 1_000_000,
  deadlineMs = 3_000,
  maxJobEvents = 100,
  maxJobBytes = 2 ** 20,
  log,
}: InboxOptions): Inbox {
  const keys = keysOf(prefix);
  let queue = openQueue(redis, prefix);
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let pumping: Promise<void> | undefined;
  let closed = false;
  let depth = 0;
  let depthReadAt = -Infinity;
  let lastSuccess = performance.now();

  function add(event: Event): Promise<Status> {
    return new Promise((resolve, reject) => {
      const refusal = refuse();
      if (refusal !== undefined) return reject(refusal);
      const bytes = sizeOf(event) + 512;
      waitingBytes += bytes;
      const timer = setTimeout(() => passenger.fail(unavailable('Redis did not confirm the event in time')), deadlineMs);
      const leave = (): boolean => {
        if (passenger.settled) return false;
        passenger.settled = true;
        waitingBytes -= bytes;
        clearTimeout(timer);
        return true;
      };
      const passenger: Waiting = {
        event,
        mark: keys.mark(event.source, event.id, event.bodyHash),
        bytes,
        settled: false,
        settle(status) {
          if (!leave()) return;
          if (status === 'overloaded') reject(overloaded());
          else resolve(status);
        },
        fail(error) {
          if (leave()) reject(error);
        },
      };
      waiting.push(passenger);
      pumping ??= pump();
    });
  }

  /** Whoever cannot be served is told at once. */
  function refuse(): IngestError | undefined {
    if (closed) return unavailable('the inbox is closing');
    if (waitingBytes > MAX_WAITING_BYTES) return unavailable('too much is waiting for Redis');
    const now = performance.now();
    if (redis.status !== 'ready' && now - lastSuccess > deadlineMs && waiting.length > 0) return unavailable('Redis is away');
    if (depth >= maxQueued && now - depthReadAt < DEPTH_MAX_AGE_MS) return overloaded();
    return undefined;
  }

  /** Flies until nobody waits. The first wait lets every request of this turn of the event loop aboard. */
  async function pump(): Promise<void> {
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      const flight = board();
      if (flight.length === 0) continue;
      try {
        await fly(flight);
      } catch (error) {
        waiting.unshift(...flight.filter((passenger) => !passenger.settled));
        recover(error);
        await sleep(RETRY_MS);
      }
    }
    pumping = undefined;
  }

  function board(): Waiting[] {
    const flight: Waiting[] = [];
    let bytes = 0;
    while (waiting.length > flight.length && flight.length < FLIGHT_EVENTS && bytes < FLIGHT_BYTES) {
      const passenger = waiting[flight.length];
      if (passenger === undefined) break;
      bytes += passenger.bytes;
      flight.push(passenger);
    }
    waiting.splice(0, flight.length);
    return flight.filter((passenger) => !passenger.settled);
  }

  async function fly(flight: readonly Waiting[]): Promise<void> {
    if (redis.status !== 'ready') throw new Error('Redis is away');
    await prepareQueue();
    if (performance.now() - depthReadAt >= DEPTH_MAX_AGE_MS) {
      depth = await estimateQueued(redis, keys);
      depthReadAt = performance.now();
    }
    await enqueue(flight, Math.max(0, maxQueued - depth), { redis, queue, keys, maxJobEvents, maxJobBytes });
    depth += flight.length;
    lastSuccess = performance.now();
  }

  /** BullMQ prepares a queue once and remembers a failure for ever, as when Redis goes away at that very moment. */
  async function prepareQueue(): Promise<void> {
    try {
      await queue.waitUntilReady();
    } catch (error) {
      queue.close().catch(() => {});
      queue = openQueue(redis, prefix);
      throw error;
    }
  }

  function recover(error: unknown): void {
    log?.debug({ err: error, waiting: waiting.length }, 'enqueue.failed');
    // ioredis remembers scripts by socket and does not notice within a MULTI that Redis has forgotten them; a new socket starts afresh.
    if (error instanceof Error && error.message.startsWith('NOSCRIPT')) redis.disconnect(true);
  }

  return {
    add,
    addAll: async (events) => {
      const results = await Promise.allSettled(events.map(add));
      return results.map((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      });
    },
    counts: async () => {
      try {
        return await readCounts(redis, keys);
      } catch (error) {
        throw new IngestError('QUEUE_UNAVAILABLE', 'Redis could not be asked for its counts', {}, error);
      }
    },
    close: async () => {
      closed = true;
      await pumping;
      await queue.close();
    },
  };
}

/** Nobody listens to BullMQ's event stream; it is kept short because every job writes to it. */
function openQueue(redis: Redis, prefix: string): Queue {
  const queue = new Queue(QUEUE, { connection: redis, prefix, streams: { events: { maxLen: 100 } } });
  queue.on('error', () => {}); // The connection's owner logs; without a listener Node would throw.
  return queue;
}

function unavailable(message: string): IngestError {
  return new IngestError('UNAVAILABLE', message);
}

function overloaded(): IngestError {
  return new IngestError('OVERLOADED', 'the queue is full');
}
