/** For what Redis is asked on the way. */
import { setTimeout as sleep } from 'node:timers/promises';

import { isOutage } from '../queue/outage.ts';

const REDIS_RETRY_MS = 250;

/** Tries again for as long as Redis is away. Throws the signal's reason, and at once what no waiting mends. */
export async function patiently<T>(work: () => Promise<T>, signal: AbortSignal, waiting: (reason: string) => void): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!isOutage(error)) throw error;
      waiting(`Redis: ${error instanceof Error ? error.message : String(error)}`);
      await sleep(REDIS_RETRY_MS, undefined, { signal });
    }
  }
}
