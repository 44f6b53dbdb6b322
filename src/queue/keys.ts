/** Every Redis key that is ours, under one prefix. BullMQ's own are `<prefix>:inbox:…`. */
import { createHash } from 'node:crypto';

/** The one BullMQ queue. */
export const QUEUE = 'inbox';

/** `{…}` in a prefix keeps all keys in one slot of a Redis Cluster; the default has none. */
export function keysOf(prefix: string) {
  return {
    epoch: `${prefix}:epoch`,
    watermark: `${prefix}:watermark`,
    accepted: `${prefix}:accepted`,
    duplicate: `${prefix}:duplicate`,
    /** A BullMQ key of the queue: `wait`, `active`, a job's id. */
    queue: (part: string) => `${prefix}:${QUEUE}:${part}`,
    /** The duplicate mark: 128 bits of (source, id, body hash). Source names have no line feed, hashes none either. */
    mark: (source: string, id: string, bodyHash: string) =>
      `${prefix}:m:${createHash('sha256').update(`${source}\n${bodyHash}\n${id}`).digest('base64url').slice(0, 22)}`,
  };
}

export type Keys = ReturnType<typeof keysOf>;
