/** The composition root: builds in order, stops in reverse. */
import type { Config } from './config.ts';
import { createBolt, type GraphAddress } from './graph/driver.ts';
import type { Setup } from './load-config.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createInbox } from './queue/inbox.ts';
import { checkDurability, connectRedis, waitUntilReady } from './queue/redis.ts';
import { listen } from './serve.ts';
import { startWork } from './work.ts';

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
  const { config, roles, redisUrl, neo4j, log } = options;
  const redis = connectRedis(redisUrl, { role: 'inbox', log });
  closers.push(() => redis.disconnect());
  await waitUntilReady(redis);
  const durability = await checkDurability(redis, config.durability);
  log.info({ ...durability }, 'redis.checked');

  const bolt = neo4j === undefined ? undefined : createBolt(neo4j);
  if (bolt !== undefined) closers.push(() => bolt.close());
  const metrics = createMetrics();
  closers.push(() => metrics.close());
  const worker = roles.includes('work') ? await startWork(options, closers, { redis, bolt, metrics }) : undefined;

  const inbox = createInbox({ redis, prefix: config.queuePrefix, maxQueued: config.maxQueued, log });
  closers.push(() => inbox.close());
  return listen(options, closers, { inbox, redis, bolt, durability, metrics, worker });
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
