/** How many events are queued: the counts in the job ids, summed over BullMQ's lists in one script, so that no job is seen twice or between two lists. */
import type { Redis } from 'ioredis';

import type { Keys } from './keys.ts';

/** KEYS accepted, duplicate, then lists, then sorted sets · ARGV lists, exact up to so many jobs a list → accepted, duplicate, queued */
const COUNT = `
local function count(id) return tonumber(string.match(id, '%-(%d+)$') or 1) end
local function sum(cmd, key, from, to)
  local total = 0
  for i = from, to, 5000 do
    for _, id in ipairs(redis.call(cmd, key, i, math.min(i + 4999, to))) do total = total + count(id) end
  end
  return total
end
local lists, limit, queued = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for k = 3, #KEYS do
  local list = k <= 2 + lists
  local cmd = list and 'LRANGE' or 'ZRANGE'
  local n = redis.call(list and 'LLEN' or 'ZCARD', KEYS[k])
  if n <= limit then
    queued = queued + sum(cmd, KEYS[k], 0, n - 1)
  else
    local half = math.floor(limit / 2)
    queued = queued + math.floor((sum(cmd, KEYS[k], 0, half - 1) + sum(cmd, KEYS[k], n - half, n - 1)) / (2 * half) * n)
  end
end
return { tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(redis.call('GET', KEYS[2]) or 0), queued }`;

const LISTS = ['wait', 'active', 'paused'];
const SORTED_SETS = ['delayed', 'prioritized'];
/** Beyond so many jobs a list, the estimate looks at both ends only: it runs several times a second. */
const SAMPLE = 1_000;
const EVERYTHING = 1_000_000_000;

export interface Counts {
  /** Events taken in, ever. */
  readonly accepted: number;
  /** Deliveries answered `duplicate`, ever. */
  readonly duplicate: number;
  /** Events in the queue now: waiting, being worked on, or delayed. */
  readonly queued: number;
}

/** Exact and atomic; its cost grows with the number of jobs. */
export function readCounts(redis: Redis, keys: Keys): Promise<Counts> {
  return run(redis, keys, EVERYTHING);
}

/** Exact for short queues, sampled for long ones; cheap always. */
export async function estimateQueued(redis: Redis, keys: Keys): Promise<number> {
  return (await run(redis, keys, SAMPLE)).queued;
}

async function run(redis: Redis, keys: Keys, limit: number): Promise<Counts> {
  const names = [keys.accepted, keys.duplicate, ...[...LISTS, ...SORTED_SETS].map(keys.queue)];
  const [accepted, duplicate, queued] = (await redis.eval(COUNT, names.length, ...names, LISTS.length, limit)) as [number, number, number];
  return { accepted, duplicate, queued };
}
