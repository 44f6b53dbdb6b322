/** Connections to Redis, what it promises about the disk, and the epoch that tells one life of it from the next. */
import { randomBytes } from 'node:crypto';

import { Redis, type RedisOptions } from 'ioredis';

import type { Durability } from '../config.ts';
import { IngestError } from '../errors.ts';
import type { Log } from '../log.ts';
import { keysOf } from './keys.ts';

export type { Redis } from 'ioredis';

export interface ConnectOptions {
  /**
   * `inbox`: a command fails at once while Redis is away, since a sender is waiting for the answer.
   * `worker`: commands wait for Redis to come back, for ever.
   */
  readonly role: 'inbox' | 'worker';
  readonly log?: Log;
}

/** A pending command without any data from Redis for so long counts the connection as dead. Below the receiver's deadline. */
const SILENCE_MS = 2_500;
const CONNECT_TIMEOUT_MS = 2_000;

const ROLES: Readonly<Record<ConnectOptions['role'], Omit<RedisOptions, 'replyMapping'>>> = {
  inbox: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    socketTimeout: SILENCE_MS,
    retryStrategy: (times) => Math.min(20 * times, 250),
  },
  worker: { maxRetriesPerRequest: null, retryStrategy: (times) => Math.min(50 * times, 1_000) },
};

/** Connects in the background and reconnects for ever. Losing Redis is logged once, not thrown. */
export function connectRedis(url: string, { role, log }: ConnectOptions): Redis {
  const redis = new Redis(url, { ...ROLES[role], connectTimeout: CONNECT_TIMEOUT_MS, connectionName: `eventgraft-${role}` });
  if (role === 'inbox') defineOnly(redis, 'addStandardJob');
  let lost = false;
  redis.on('error', (err: unknown) => {
    if (!lost) log?.warn({ err, connection: role }, 'redis.lost');
    lost = true;
  });
  redis.on('ready', () => {
    if (lost) log?.info({ connection: role }, 'redis.found');
    lost = false;
  });
  return redis;
}

/**
 * BullMQ defines 65 scripts on a connection, and ioredis copies them all into each transaction, which is half of what a
 * receiver allocates. What takes events in needs one.
 */
function defineOnly(redis: Redis, name: string): void {
  const define = redis.defineCommand.bind(redis);
  redis.defineCommand = (command, definition) => (command.startsWith(`${name}:`) ? define(command, definition) : undefined);
}

/** Resolves when commands can be sent. Throws `QUEUE_UNAVAILABLE` after the timeout. */
export async function waitUntilReady(redis: Redis, timeoutMs = 10_000): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((done, fail) => {
    const timer = setTimeout(
      () =>
        finish(() =>
          fail(new IngestError('QUEUE_UNAVAILABLE', `Redis did not answer within ${timeoutMs} ms; check REDIS_URL and that it runs`)),
        ),
      timeoutMs,
    );
    const onReady = () => finish(done);
    const finish = (then: () => void) => {
      clearTimeout(timer);
      redis.off('ready', onReady);
      then();
    };
    redis.on('ready', onReady);
  });
}

export interface DurabilityReport {
  /** What Redis does; `unknown` where it forbids CONFIG, `none` without an append-only file. */
  readonly tier: 'always' | 'everysec' | 'unknown' | 'none';
  readonly appendonly: string | undefined;
  readonly appendfsync: string | undefined;
  readonly maxmemoryPolicy: string | undefined;
}

const RANK: Readonly<Record<DurabilityReport['tier'], number>> = { none: 0, unknown: 1, everysec: 2, always: 3 };
const NEEDED: Readonly<Record<Durability, number>> = { 'unknown-ok': 1, everysec: 2, always: 3 };

/** What a 2xx is worth with this Redis. Throws `NOT_DURABLE`, naming the way out, when it is less than `wanted`. */
export async function checkDurability(redis: Redis, wanted: Durability): Promise<DurabilityReport> {
  const report = await readDurability(redis);
  if (report.maxmemoryPolicy !== undefined && report.maxmemoryPolicy !== 'noeviction') {
    throw notDurable(`Redis may evict events (maxmemory-policy ${report.maxmemoryPolicy}); set it to noeviction`, report);
  }
  if (RANK[report.tier] >= NEEDED[wanted]) return report;
  switch (report.tier) {
    case 'unknown':
      throw notDurable(
        'Redis does not tell whether it writes to disk (CONFIG is forbidden); if its provider promises it, set EVENTGRAFT_DURABILITY=unknown-ok',
        report,
      );
    case 'none':
      throw notDurable('Redis keeps nothing on disk (appendonly no); set appendonly yes and appendfsync always', report);
    case 'everysec':
    case 'always':
      throw notDurable(
        'Redis writes to disk once a second (appendfsync is not always); set appendfsync always, or accept the loss of a second with EVENTGRAFT_DURABILITY=everysec',
        report,
      );
  }
}

async function readDurability(redis: Redis): Promise<DurabilityReport> {
  let settings: [string | undefined, string | undefined, string | undefined];
  try {
    settings = await Promise.all([
      readSetting(redis, 'appendonly'),
      readSetting(redis, 'appendfsync'),
      readSetting(redis, 'maxmemory-policy'),
    ]);
  } catch (error) {
    if (!isRefusal(error)) throw new IngestError('QUEUE_UNAVAILABLE', 'Redis could not be asked for its settings', {}, error);
    return { tier: 'unknown', appendonly: undefined, appendfsync: undefined, maxmemoryPolicy: undefined };
  }
  const [appendonly, appendfsync, maxmemoryPolicy] = settings;
  return { tier: tierOf(appendonly, appendfsync), appendonly, appendfsync, maxmemoryPolicy };
}

function tierOf(appendonly: string | undefined, appendfsync: string | undefined): DurabilityReport['tier'] {
  if (appendonly === undefined || appendfsync === undefined) return 'unknown';
  if (appendonly !== 'yes' || appendfsync === 'no') return 'none';
  return appendfsync === 'always' ? 'always' : 'everysec';
}

/** CONFIG GET answers a flat list in RESP2 and a map in RESP3, which ioredis gives as either. */
async function readSetting(redis: Redis, name: string): Promise<string | undefined> {
  const answer: unknown = await redis.config('GET', name);
  if (Array.isArray(answer)) return typeof answer[1] === 'string' ? answer[1] : undefined;
  const value: unknown = answer instanceof Map ? answer.get(name) : Object.entries(answer ?? {})[0]?.[1];
  return typeof value === 'string' ? value : undefined;
}

/** Redis answered, and the answer was no: an ACL, a renamed command, a managed service. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR)\b/.test(error.message);
}

/** The random name of this life of Redis, made where there is none. A Redis that lost its data has another one. */
export async function readEpoch(redis: Redis, prefix: string): Promise<string> {
  const { epoch } = keysOf(prefix);
  await redis.set(epoch, newEpoch(), 'NX');
  const found = await redis.get(epoch);
  if (found === null) throw new IngestError('QUEUE_UNAVAILABLE', 'Redis did not keep the epoch');
  return found;
}

/** A new life by decision, as after the graph was restored from a backup: duplicate marks set before no longer count. */
export async function renewEpoch(redis: Redis, prefix: string): Promise<string> {
  const epoch = newEpoch();
  await redis.set(keysOf(prefix).epoch, epoch);
  return epoch;
}

/** Throws when Redis would not take an event now, out of memory for one. */
export async function probeInbox(redis: Redis, prefix: string): Promise<void> {
  await redis.incrby(keysOf(prefix).accepted, 0);
}

/** The last watermark that a worker left; undefined before the first. */
export async function readWatermark(redis: Redis, prefix: string): Promise<string | undefined> {
  return (await redis.get(keysOf(prefix).watermark)) ?? undefined;
}

export async function writeWatermark(redis: Redis, prefix: string, watermark: string): Promise<void> {
  await redis.set(keysOf(prefix).watermark, watermark);
}

export function newEpoch(): string {
  return randomBytes(9).toString('base64url');
}

function notDurable(message: string, report: DurabilityReport): IngestError {
  return new IngestError('NOT_DURABLE', message, { ...report });
}
