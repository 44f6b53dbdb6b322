/** The composition root: builds in order, stops in reverse. What a process is made of stands here and nowhere else. */
import type { RequestListener } from 'node:http';

import type { Config } from './config.ts';
import { IngestError } from './errors.ts';
import { createBolt, type Bolt, type GraphAddress } from './graph/driver.ts';
import { adoptEpoch } from './graph/meta.ts';
import { requireSchema } from './graph/schema.ts';
import { createGraphStore } from './graph/store.ts';
import { createHttpServer } from './http/server.ts';
import { createWebhooks } from './http/webhooks.ts';
import type { Setup } from './load-config.ts';
import type { Log } from './log.ts';
import { createConsumer } from './queue/consumer.ts';
import { createInbox, type Inbox } from './queue/inbox.ts';
import { checkDurability, connectRedis, readEpoch, waitUntilReady, type DurabilityReport, type Redis } from './queue/redis.ts';
import { receive } from './receive.ts';
import { createWorker } from './worker.ts';

export type Role = 'serve' | 'work';

export interface ServiceOptions {
  readonly config: Config;
  readonly setup: Setup;
  /** `serve` takes events in, `work` brings them into the graph; `dev` does both. */
  readonly roles: readonly Role[];
  readonly redisUrl: string;
  readonly neo4j: GraphAddress | undefined;
  readonly log: Log;
}

export interface Service {
  readonly url: string;
  /** Lets requests and the batch in flight finish, then stops. Idempotent. */
  close(): Promise<void>;
}

/** Everything that this process is made of, in the order in which it was built. */
interface Parts {
  readonly closers: (() => Promise<void> | void)[];
}

/** Starts the given roles. Throws `NOT_DURABLE`, `SCHEMA_DRIFT`, `QUEUE_UNAVAILABLE`, `GRAPH_UNAVAILABLE` or `BAD_CONFIG`, with nothing left running. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const parts: Parts = { closers: [] };
  const close = once(async () => {
    for (const closer of parts.closers.toReversed()) await closer();
  });
  try {
    const url = await build(options, parts);
    options.log.info({ url, roles: options.roles, sources: [...options.setup.sources.keys()] }, 'service.started');
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(options: ServiceOptions, { closers }: Parts): Promise<string> {
  const { config, setup, roles, redisUrl, neo4j, log } = options;
  const redis = connectRedis(redisUrl, { role: 'inbox', log });
  closers.push(() => redis.disconnect());
  await waitUntilReady(redis);
  const durability = await checkDurability(redis, config.durability);
  log.info({ ...durability }, 'redis.checked');

  const bolt = neo4j === undefined ? undefined : createBolt(neo4j);
  if (bolt !== undefined) closers.push(() => bolt.close());
  if (roles.includes('work')) await startWork(options, closers, redis, bolt);

  const inbox = createInbox({ redis, prefix: config.queuePrefix, maxQueued: config.maxQueued, log });
  closers.push(() => inbox.close());
  return listen(options, closers, { inbox, redis, bolt, durability });
}

async function startWork({ config, setup, redisUrl, log }: ServiceOptions, closers: Parts['closers'], redis: Redis, bolt: Bolt | undefined): Promise<void> {
  if (bolt === undefined) throw new IngestError('BAD_CONFIG', 'work needs NEO4J_URI and NEO4J_PASSWORD: the graph that events go into');
  await requireSchema(bolt, setup.model);
  const epoch = await adoptEpoch(bolt, await readEpoch(redis, config.queuePrefix));
  if (!epoch.agrees) {
    log.error({ lastAppliedAt: epoch.lastAppliedAt, advice: 'Redis lost its data, or the graph was restored from a backup. Backfill from lastAppliedAt.' }, 'epoch.changed');
  }
  const graph = createGraphStore(bolt, setup.model, { onRetry: (error, attempt) => log.debug({ code: error.code, attempt }, 'transaction.retried') });
  const worker = createWorker(graph, {
    sources: setup.sources,
    maxFutureMs: config.maxFutureSeconds * 1_000,
    report: {
      applied: ({ outcomes, ...batch }) => log.info({ ...batch, ...tally(outcomes) }, 'batch.applied'),
      waiting: (error, attempt, delayMs) => log.warn({ err: error, attempt, delayMs: Math.round(delayMs) }, 'graph.lost'),
      resumed: (outageMs) => log.info({ outageMs }, 'graph.found'),
      released: (outcomes) => log.info(tally(outcomes), 'quarantine.released'),
    },
  });
  const connection = connectRedis(redisUrl, { role: 'worker', log });
  closers.push(() => connection.disconnect());
  const consumer = createConsumer({ redis: connection, prefix: config.queuePrefix, handle: (jobs) => worker.handle(jobs), onCompleted: (id) => graph.forget([id]), log });
  closers.push(async () => {
    const closing = consumer.close();
    worker.close();
    await closing;
  });
  worker.start();
  consumer.run();
}

interface Stores {
  readonly inbox: Inbox;
  readonly redis: Redis;
  readonly bolt: Bolt | undefined;
  readonly durability: DurabilityReport;
}

async function listen({ config, setup, roles, log }: ServiceOptions, closers: Parts['closers'], stores: Stores): Promise<string> {
  const sources = roles.includes('serve') ? setup.sources : new Map();
  const webhooks = createWebhooks({
    receive: (delivery) => receive(delivery, { sources, inbox: stores.inbox }),
    isSource: (name) => sources.has(name),
    onReceived: (receipt, source, tookMs) => log.debug({ id: receipt.id, source, tookMs }, `event.${receipt.status}`),
    onRejected: (code, source) => log.debug({ code, source }, 'delivery.rejected'),
    log,
  });
  const fallback: RequestListener | undefined = undefined;
  const server = createHttpServer({ host: config.host, port: config.port, webhooks, ...(fallback === undefined ? {} : { fallback }) });
  closers.push(() => server.close());
  return server.listen();
}

function tally(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
