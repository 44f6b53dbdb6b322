/** Every Redis key that is ours, under one prefix. BullMQ's own are `<prefix>:inbox:…` and `<prefix>:hydrate:…`. */
import { createHash } from 'node:crypto';

/** The BullMQ queue that every event goes through. */
export const QUEUE = 'inbox';
/** The one where events wait for the object that they are about. */
export const HYDRATE_QUEUE = 'hydrate';

/** `{…}` in a prefix keeps all keys in one slot of a Redis Cluster; the default has none. */
export function keysOf(prefix: string) {
  return {
    epoch: `${prefix}:epoch`,
    watermark: `${prefix}:watermark`,
    accepted: `${prefix}:accepted`,
    duplicate: `${prefix}:duplicate`,
    backfills: `${prefix}:backfills`,
    /** A BullMQ key of the queue: `wait`, `active`, a job's id. */
    queue: (part: string) => `${prefix}:${QUEUE}:${part}`,
    hydrate: (part: string) => `${prefix}:${HYDRATE_QUEUE}:${part}`,
    /** What a source's gateway is still to be told, by when; and how often each of it was tried. */
    reports: (source: string) => `${prefix}:reports:${source}`,
    reportTries: (source: string) => `${prefix}:report-tries:${source}`,
    /** The duplicate mark: 128 bits of (source, id, body hash). Source names have no line feed, hashes none either. */
    mark: (source: string, id: string, bodyHash: string) =>
      `${prefix}:m:${createHash('sha256').update(`${source}\n${bodyHash}\n${id}`).digest('base64url').slice(0, 22)}`,
  };
}

export type Keys = ReturnType<typeof keysOf>;
