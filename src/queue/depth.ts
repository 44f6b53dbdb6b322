/**
 * How many events are queued, in both queues: the counts in the job ids, summed over BullMQ's lists in one script, so that
 * no job is seen twice or between two lists.
 */
import type { Redis } from 'ioredis';

import type { Keys } from './keys.ts';

/**
 * KEYS accepted, duplicate, then for each queue wait, active, paused, delayed, prioritized · ARGV exact up to so many jobs a
 * list, prefix of inbox jobs → accepted, duplicate, queued, hydrating
 * An event that was set aside (`<job>.<index>-1`) is counted by the job that it came in for as long as that is there, and by
 * the job that takes it back as soon as that is.
 */
const COUNT = `
local limit, inbox = tonumber(ARGV[1]), ARGV[2]
local function there(id) return redis.call('EXISTS', inbox .. id) == 1 end
local function count(id, aside)
  local from = string.match(id, '^(.+)%.%d+%-1$')
  if from and (there(from) or (aside and there(id))) then return 0 end
  return tonumber(string.match(id, '%-(%d+)$') or 1)
end
local function sum(cmd, key, from, to, aside)
  local total = 0
  for i = from, to, 5000 do
    for _, id in ipairs(redis.call(cmd, key, i, math.min(i + 4999, to))) do total = total + count(id, aside) end
  end
  return total
end
local function depth(first, aside)
  local total = 0
  for k = first, first + 4 do
    local list = k < first + 3
    local cmd = list and 'LRANGE' or 'ZRANGE'
    local n = redis.call(list and 'LLEN' or 'ZCARD', KEYS[k])
    if n <= limit then
      total = total + sum(cmd, KEYS[k], 0, n - 1, aside)
    else
      local half = math.floor(limit / 2)
      local ends = sum(cmd, KEYS[k], 0, half - 1, aside) + sum(cmd, KEYS[k], n - half, n - 1, aside)
      total = total + math.floor(ends / (2 * half) * n)
    end
  end
  return total
end
local hydrating = depth(8, true)
return { tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(redis.call('GET', KEYS[2]) or 0), depth(3, false) + hydrating, hydrating }`;

const PLACES = ['wait', 'active', 'paused', 'delayed', 'prioritized'];
/** Beyond so many jobs a list, the estimate looks at both ends only: it runs several times a second. */
const SAMPLE = 1_000;
const EVERYTHING = 1_000_000_000;

export interface Counts {
  /** Events taken in, ever. */
  readonly accepted: number;
  /** Deliveries answered `duplicate`, ever. */
  readonly duplicate: number;
  /** Events in either queue now: waiting, being worked on, or delayed. */
  readonly queued: number;
  /** Of these, events that wait for the object that they are about. */
  readonly hydrating: number;
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
  const names = [keys.accepted, keys.duplicate, ...PLACES.map(keys.queue), ...PLACES.map(keys.hydrate)];
  const counted = (await redis.eval(COUNT, names.length, ...names, limit, keys.queue(''))) as [number, number, number, number];
  const [accepted, duplicate, queued, hydrating] = counted;
  return { accepted, duplicate, queued, hydrating };
}
