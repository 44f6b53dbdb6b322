/** The part of `doctor` that looks at Redis. */
import type { Config } from '../../config.ts';
import { readCounts } from '../../queue/depth.ts';
import { keysOf } from '../../queue/keys.ts';
import { checkDurability, type Redis } from '../../queue/redis.ts';
import { hostOf, type RedisAddress } from '../context.ts';
import { bad, fromError, ok, plural, type Check } from './check.ts';

/** What BullMQ's scripts need. */
const OLDEST_REDIS = [6, 2] as const;
/** Of EVENTGRAFT_MAX_QUEUED: from here on a person should know. */
const NEARLY_FULL = 0.8;

export async function examineQueue(redis: Redis, { url, prefix }: RedisAddress, config: Config): Promise<Check[]> {
  const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown';
  return [checkVersion(version, hostOf(url)), await checkDisk(redis, config), await checkDepth(redis, prefix, config.maxQueued)];
}

export function checkVersion(version: string, host: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const tooOld = major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1]);
  return tooOld
    ? bad('redis', `${version} at ${host}`, `Use Redis ${OLDEST_REDIS.join('.')} or newer.`)
    : ok('redis', `${version} at ${host}`);
}

async function checkDisk(redis: Redis, config: Config): Promise<Check> {
  try {
    const { tier, maxmemoryPolicy = 'unknown' } = await checkDurability(redis, config.durability);
    return ok('durability', `${tier}, maxmemory-policy ${maxmemoryPolicy}; EVENTGRAFT_DURABILITY asks for ${config.durability}`);
  } catch (error) {
    return fromError('durability', error);
  }
}

async function checkDepth(redis: Redis, prefix: string, maxQueued: number): Promise<Check> {
  const { queued, accepted } = await readCounts(redis, keysOf(prefix));
  const detail = `${plural(queued, 'event')} of at most ${maxQueued}; ${accepted} accepted ever`;
  return queued < NEARLY_FULL * maxQueued
    ? ok('queue', detail)
    : bad('queue', detail, 'Start more of `eventgraft work`, or see below why the graph does not take them.');
}
