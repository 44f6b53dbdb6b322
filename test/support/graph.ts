/** A real graph to write events to, through `apply` and nothing else. */
import { createHash } from 'node:crypto';

import { apply, type Outcome } from '../../src/apply.ts';
import type { Event } from '../../src/event.ts';
import { createBolt, type Bolt } from '../../src/graph/driver.ts';
import { applySchema } from '../../src/graph/schema.ts';
import { createGraphStore } from '../../src/graph/store.ts';
import { commerce } from '../../src/model/commerce.ts';
import type { FactOf } from '../../src/model/facts.ts';
import { secretOf } from '../../src/secret.ts';
import { facts } from '../../src/sources/facts.ts';
import type { Source } from '../../src/sources/source.ts';
import { freshDatabase, neo4j } from './runtime.ts';

type CommerceFact = FactOf<typeof commerce>;

export interface Said {
  readonly id: string;
  readonly source?: string;
  readonly type?: string;
  readonly at?: string;
  readonly receivedAtMs?: number;
  readonly occurrenceId?: string;
  readonly facts: readonly CommerceFact[];
}

/** When test events are received unless they say otherwise: 2026-11-21T10:00:00Z. */
export const RECEIVED_MS = Date.UTC(2026, 10, 21, 10);

/** An event of the `facts` source (or of another that speaks the same). */
export function eventOf({ id, source = 'shop', type = 'told', at = '2026-11-21T09:00:00Z', receivedAtMs = RECEIVED_MS, occurrenceId, facts: told }: Said): Event {
  const body = JSON.stringify({ id, type, occurredAt: at, occurrenceId, facts: told });
  return { source, id, body, bodyHash: createHash('sha256').update(body).digest('hex'), headers: { 'webhook-id': `msg_${id}` }, receivedAtMs };
}

export interface TestGraph {
  readonly bolt: Bolt;
  readonly sources: ReadonlyMap<string, Source>;
  /** One batch, one job. */
  tell(events: readonly Event[]): Promise<Outcome[]>;
  close(): Promise<void>;
}

/** An empty graph with the commerce schema; `sources` all speak facts. `now` stamps segments. */
export async function openGraph({ sources: names = ['shop', 'other'], now = Date.now }: { sources?: readonly string[]; now?: () => number } = {}): Promise<TestGraph> {
  await freshDatabase();
  const bolt = createBolt(neo4j());
  await applySchema(bolt, commerce);
  const secrets = [secretOf('hmac', Buffer.from('a secret for tests'))];
  const sources = new Map(names.map((name) => [name, facts()({ name, secrets, model: commerce })]));
  const store = createGraphStore(bolt, commerce, { now });
  let jobs = 0;
  return {
    bolt,
    sources,
    tell: (events) => {
      const job = `job-${++jobs}-${events.length}`;
      return apply(events.map((event, index) => ({ job, index, of: events.length, event })), store, { sources, maxFutureMs: 600_000 });
    },
    close: () => bolt.close(),
  };
}
