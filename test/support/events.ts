/** Events as `receive` makes them, for tests of the queue. */
import { createHash } from 'node:crypto';

import type { Event } from '../../src/event.ts';
import { NOW_MS } from './deliveries.ts';

export function jobEvent(n: number, body = JSON.stringify({ n })): Event {
  return {
    source: 'acme',
    id: `evt_${n}`,
    body,
    bodyHash: createHash('sha256').update(body).digest('hex'),
    headers: {},
    receivedAtMs: NOW_MS,
  };
}

export const jobEvents = (from: number, count: number): Event[] => Array.from({ length: count }, (_, i) => jobEvent(from + i));
