/** The part of `doctor` that looks at Redis. */
import type { Config } from '../../config.ts';
import { readCounts } from '../../queue/depth.ts';
import { keysOf } from '../../queue/keys.ts';
import { checkDurability, type Redis } from '../../queue/redis.ts';
import { hostOf, type RedisAddress } from '../context.ts';
import { bad, fromError, ok, plural, type Check } from './check.ts';

/** What BullMQ's scripts need. */
const OLDEST_REDIS = [6, 2] as const;
/** Of EVENTGRAFT_MAX_QUEUED and of the memory: from here on a person should know. */
const NEARLY_FULL = 0.8;
/** What a queued event takes of Redis's memory, beside its body. */
const EVENT_BYTES = 1_024;

export async function examineQueue(redis: Redis, { url, prefix }: RedisAddress, config: Config): Promise<Check[]> {
  const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown';
  return [
    checkVersion(version, hostOf(url)),
    await checkDisk(redis, config),
    checkMemory(await redis.info('memory'), config.maxQueued),
    await checkDepth(redis, prefix, config.maxQueued),
  ];
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

/** `info` is what INFO memory answers. A queue that may grow beyond the memory must be known before it does: a full Redis completes no event either. */
export function checkMemory(info: string, maxQueued: number): Check {
  const told = (name: string): string | undefined => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];
  const used = Number(told('used_memory'));
  const limit = Number(told('maxmemory') ?? 0);
  const room = limit > 0 ? limit : Number(told('total_system_memory')) || Infinity;
  const policy = told('maxmemory_policy') ?? 'noeviction';
  const whole = limit > 0 ? ` of maxmemory ${mb(limit)}` : Number.isFinite(room) ? ` of the machine's ${mb(room)}` : ', no maxmemory';
  const detail = `${mb(used)}${whole}`;
  const more = limit > 0 ? 'raise maxmemory' : 'give Redis a larger machine';
  if (limit > 0 && policy !== 'noeviction')
    return bad('memory', `${detail}, and then events are evicted (${policy})`, 'Set maxmemory-policy noeviction.');
  if (used >= NEARLY_FULL * room)
    return bad('memory', detail, `See why the queue is long, or ${more}: a full Redis takes no event in and completes none.`);
  if (maxQueued * EVENT_BYTES > room)
    return bad(
      'memory',
      `${detail}; ${maxQueued} queued events need ${mb(maxQueued * EVENT_BYTES)} and their bodies`,
      `Set EVENTGRAFT_MAX_QUEUED so low that they fit, or ${more}: a full Redis takes no event in and completes none.`,
    );
  return ok('memory', detail);
}

function mb(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`;
}

async function checkDepth(redis: Redis, prefix: string, maxQueued: number): Promise<Check> {
  const { queued, accepted } = await readCounts(redis, keysOf(prefix));
  const detail = `${plural(queued, 'event')} of at most ${maxQueued}; ${accepted} accepted ever`;
  return queued < NEARLY_FULL * maxQueued
    ? ok('queue', detail)
    : bad('queue', detail, 'Start more of `eventgraft work`, or see below why the graph does not take them.');
}
