/**
 * One flight: many events onto the disk in two round trips. The first reads their duplicate marks; the second is one
 * MULTI with the jobs, and after each job a script that sets its marks and counts it only where the job is really there.
 * (An error inside a MULTI does not undo the rest of it, so a mark beside a failed enqueue would swallow the redelivery.)
 */
import { randomBytes } from 'node:crypto';

import { Job, type Queue } from 'bullmq';
import type { Redis } from 'ioredis';

import type { Event } from '../event.ts';
import { jobId, type JobData } from './job.ts';
import type { Keys } from './keys.ts';
import { JOB_OPTIONS } from './patience.ts';
import { newEpoch } from './redis.ts';

/** `accepted`: on disk now; `duplicate`: was before. */
export type Status = 'accepted' | 'duplicate';

export interface Passenger {
  readonly event: Event;
  readonly mark: string;
  /** About how much memory and disk it costs. */
  readonly bytes: number;
  settle(status: Status | 'overloaded'): void;
}

export interface EnqueueOptions {
  readonly redis: Redis;
  readonly queue: Queue;
  readonly keys: Keys;
  readonly maxJobEvents: number;
  readonly maxJobBytes: number;
}

/** How long a redelivery is recognised without asking the graph. */
const MARK_SECONDS = 7 * 86_400;

/**
 * KEYS wait, paused, accepted, marks… · ARGV job id, jobs in this MULTI, epoch, seconds → 1, or 0 where the job is in neither list.
 * A script that fails keeps what it had done, so the job's own key proves nothing; a new job is at the head of its list.
 */
const CONFIRM = `
local function has(list) return type(redis.pcall('LPOS', list, ARGV[1], 'MAXLEN', ARGV[2])) == 'number' end
if not (has(KEYS[1]) or has(KEYS[2])) then return 0 end
for i = 4, #KEYS do redis.call('SET', KEYS[i], ARGV[3], 'EX', ARGV[4]) end
redis.call('INCRBY', KEYS[3], #KEYS - 3)
return 1`;

/**
 * Settles everybody whose event is on the disk now, was before (`duplicate`), or has no room (`overloaded`). Throws when Redis
 * did not do as asked; whoever is not settled then may simply be tried again, since a mark says what got through.
 */
export async function enqueue(passengers: readonly Passenger[], room: number, options: EnqueueOptions): Promise<void> {
  const { redis, queue, keys } = options;
  const { epoch, known } = await readMarks(redis, keys, passengers);
  const { fresh, again, refused } = part(passengers, known, room);
  for (const passenger of refused) passenger.settle('overloaded');
  const jobs = split(fresh, options);
  const multi = (await queue.getBackend().client).multi();
  for (const { id, seats } of jobs) {
    const data: JobData = { v: 1, events: seats.map((p) => p.event) };
    await queue.getBackend().addJobToTransaction(multi, new Job(queue, 'events', data, { ...JOB_OPTIONS, jobId: id }, id).asJSON(), id);
    multi.runCommand('eval', [
      CONFIRM,
      3 + seats.length,
      keys.queue('wait'),
      keys.queue('paused'),
      keys.accepted,
      ...seats.map((p) => p.mark),
      id,
      jobs.length,
      epoch,
      MARK_SECONDS,
    ]);
  }
  if (again.length > 0) multi.runCommand('incrby', [keys.duplicate, again.length]);
  if (jobs.length === 0 && again.length === 0) return;
  const replies = await multi.exec();
  if (replies === null) throw new Error('Redis discarded the transaction');
  let failure: Error | undefined;
  jobs.forEach(({ seats }, index) => {
    const [added] = replies[2 * index] ?? [];
    const [unconfirmed, confirmed] = replies[2 * index + 1] ?? [];
    if (confirmed === 1) for (const passenger of seats) passenger.settle('accepted');
    else failure ??= added ?? unconfirmed ?? new Error('Redis did not keep the job');
  });
  if (failure !== undefined) throw failure;
  for (const passenger of again) passenger.settle('duplicate');
}

/** A mark counts only in the epoch in which it was set. */
async function readMarks(
  redis: Redis,
  keys: Keys,
  passengers: readonly Passenger[],
): Promise<{ epoch: string; known: readonly boolean[] }> {
  const [found, ...marks] = await redis.mget(keys.epoch, ...passengers.map((p) => p.mark));
  if (found !== null && found !== undefined) return { epoch: found, known: marks.map((mark) => mark === found) };
  // Redis lost everything since the start, or never had anything.
  await redis.set(keys.epoch, newEpoch(), 'NX');
  return readMarks(redis, keys, passengers);
}

/** Two of the same event in one flight: the first is fresh, and the second is a duplicate once that is on the disk. */
function part(
  passengers: readonly Passenger[],
  known: readonly boolean[],
  room: number,
): Record<'fresh' | 'again' | 'refused', readonly Passenger[]> {
  const fresh: Passenger[] = [];
  const again: Passenger[] = [];
  const refused: Passenger[] = [];
  const seen = new Set<string>();
  passengers.forEach((passenger, index) => {
    if (known[index] === true || seen.has(passenger.mark)) again.push(passenger);
    else if (fresh.length >= room) refused.push(passenger);
    else {
      seen.add(passenger.mark);
      fresh.push(passenger);
    }
  });
  return { fresh, again, refused };
}

function split(passengers: readonly Passenger[], { maxJobEvents, maxJobBytes }: EnqueueOptions): { id: string; seats: Passenger[] }[] {
  const groups: Passenger[][] = [];
  let bytes = 0;
  for (const passenger of passengers) {
    const last = groups.at(-1);
    bytes += passenger.bytes;
    if (last !== undefined && last.length < maxJobEvents && bytes <= maxJobBytes) last.push(passenger);
    else {
      groups.push([passenger]);
      bytes = passenger.bytes;
    }
  }
  return groups.map((seats) => ({ id: jobId(randomBytes(9).toString('base64url'), seats.length), seats }));
}
