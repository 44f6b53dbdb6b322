/**
 * What is set in place of BullMQ's defaults, by which a job fails for good after one stall or when its attempts end. Nothing
 * here ever fails: an outage is never a dead letter.
 */
const UNLIMITED = 2 ** 31 - 1;

export const REDIS_RETRY_MS = 500;

export const JOB_OPTIONS = { attempts: UNLIMITED, backoff: { type: 'capped' }, removeOnComplete: true };

/** A killed worker's jobs are taken over a second after its lock ends. */
export const WORKER_OPTIONS = {
  autorun: false,
  stalledInterval: 1_000,
  maxStalledCount: UNLIMITED,
  removeOnComplete: { count: 0 },
  runRetryDelay: REDIS_RETRY_MS,
};
