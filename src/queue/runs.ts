/**
 * What is known of backfills, in Redis beside the queue that they fill: how far the last run of each job is, and who is at it.
 * A run is kept only after the events of its page are on the disk, so whoever goes on repeats a page at most.
 */
import { z } from 'zod';

import { IngestError } from '../errors.ts';
import { keysOf } from './keys.ts';
import type { Redis } from './redis.ts';

const runSchema = z.object({
  v: z.literal(1),
  /** Names the run; a job that is begun again has another. */
  run: z.string(),
  /** Who is at it, or was last. */
  holder: z.string(),
  source: z.string(),
  streams: z.array(z.string()),
  /** RFC 3339; `to` is null where the range is open. */
  from: z.string(),
  to: z.string().nullable(),
  startedAtMs: z.int(),
  updatedAtMs: z.int(),
  state: z.enum(['running', 'finished', 'failed']),
  error: z.string().nullable(),
  /** The list that is being read, and its next page; null: the first. */
  stream: z.int(),
  cursor: z.string().nullable(),
  /** By the sender's clock, when it answered first. */
  firstMs: z.int().nullable(),
  pages: z.int(),
  accepted: z.int(),
  duplicate: z.int(),
});

/** `failed`: it stopped with an error, and may go on where it is. */
export type Run = z.infer<typeof runSchema>;

/** What Redis says to who is at a job. `behind`: it has lost the end of its log, and knows an earlier place of this run. `gone`: it knows nothing of it. */
export type Standing = 'held' | 'taken' | 'behind' | 'gone';

/**
 * KEYS lease, runs · ARGV holder, lease in ms, job, the run as it is to be or '', as it was kept last or '' for a new holder → Standing
 * A holder who was away so long that another has come and gone finds the other's name in the run.
 */
const HOLD = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 'taken' end
if ARGV[5] ~= '' then
  local run = redis.call('HGET', KEYS[2], ARGV[3])
  if not run then return 'gone' end
  if run ~= ARGV[4] and run ~= ARGV[5] then return cjson.decode(run).holder == ARGV[1] and 'behind' or 'taken' end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], ARGV[3], ARGV[4]) end
return 'held'`;

const LET_GO = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

export interface Runs {
  /** The last run of a job; undefined before the first. */
  find(job: string): Promise<Run | undefined>;
  /** The last runs of all jobs, the newest first. */
  list(): Promise<Run[]>;
  /** Takes the job for a new holder, and with it a run; false: somebody else has it. */
  take(job: string, holder: string, run?: Run): Promise<boolean>;
  /** Keeps the job, whose run was kept last as `was`, and with `next` how far it is now. Doing it again changes nothing. */
  hold(job: string, was: Run, next?: Run): Promise<Standing>;
  letGo(job: string, holder: string): Promise<void>;
}

/** A job whose holder is not heard of for so long is anybody's. */
export const LEASE_MS = 10_000;

export function openRuns(redis: Redis, prefix: string, leaseMs = LEASE_MS): Runs {
  const { backfills } = keysOf(prefix);
  const leaseOf = (job: string): string => `${backfills}:${job}`;
  // Through the schema, so that the same run is the same text.
  const write = (run: Run | undefined): string => (run === undefined ? '' : JSON.stringify(runSchema.parse(run)));
  const hold = async (job: string, holder: string, next: Run | undefined, was?: Run): Promise<Standing> => {
    const said: unknown = await redis.eval(HOLD, 2, leaseOf(job), backfills, holder, leaseMs, job, write(next), write(was));
    return STANDING.parse(said);
  };
  return {
    find: async (job) => {
      const text = await redis.hget(backfills, job);
      return text === null ? undefined : readRun(text);
    },
    list: async () =>
      Object.values(await redis.hgetall(backfills))
        .map(readRun)
        .sort((a, b) => b.startedAtMs - a.startedAtMs),
    take: async (job, holder, run) => (await hold(job, holder, run)) === 'held',
    hold: (job, was, next) => hold(job, was.holder, next, was),
    letGo: async (job, holder) => void (await redis.eval(LET_GO, 1, leaseOf(job), holder)),
  };
}

const STANDING = z.enum(['held', 'taken', 'behind', 'gone'] satisfies Standing[]);

function readRun(text: string): Run {
  const read = runSchema.safeParse(JSON.parse(text));
  if (!read.success) throw new IngestError('BAD_CONFIG', 'Redis holds a backfill of another release; finish it there, or use --restart');
  return read.data;
}
