/** The composition root: builds in order, stops in reverse. What a process is made of stands here and nowhere else. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { fetchVariable, type Config } from './config.ts';
import { IngestError } from './errors.ts';
import { matchEpochs, moveWatermark, type Lives } from './epoch.ts';
import { createFactsOf } from './facts-of.ts';
import { createBolt, type Bolt, type GraphAddress } from './graph/driver.ts';
import { createEventReader, type EventReader } from './graph/events.ts';
import { readMeta } from './graph/meta.ts';
import { requireSchema } from './graph/schema.ts';
import { createGraphStore } from './graph/store.ts';
import { createAddressOf } from './http/address.ts';
import { createAdmission, limitSources } from './http/admission.ts';
import { createHydration, type Hydration } from './hydrate.ts';
import { createApp } from './http/app.ts';
import { createHealth, type Probes } from './http/health.ts';
import { watchLag } from './http/lag.ts';
import { createRate } from './http/rate.ts';
import { createHttpServer } from './http/server.ts';
import { createWebhooks } from './http/webhooks.ts';
import type { Setup } from './load-config.ts';
import type { Log } from './log.ts';
import { formatInstant, fromMs } from './model/instant.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createOutbound } from './outbound/outbound.ts';
import { createAside, type Aside } from './queue/aside.ts';
import { createConsumer } from './queue/consumer.ts';
import { createInbox, type Inbox } from './queue/inbox.ts';
import { checkDurability, connectRedis, probeInbox, readEpoch, waitUntilReady, type DurabilityReport, type Redis } from './queue/redis.ts';
import { receive } from './receive.ts';
import { createWorker, type Worker } from './worker.ts';

const { version: VERSION } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

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

interface WorkStores {
  readonly redis: Redis;
  readonly bolt: Bolt | undefined;
  readonly metrics: Metrics;
}

async function startWork(
  { config, setup, redisUrl, log }: ServiceOptions,
  closers: Parts['closers'],
  { redis, bolt, metrics }: WorkStores,
): Promise<Worker> {
  if (bolt === undefined) throw new IngestError('BAD_CONFIG', 'work needs NEO4J_URI and NEO4J_PASSWORD: the graph that events go into');
  await awaitGraph(bolt, log);
  await requireSchema(bolt, setup.model);
  const lookAgain = await watchEpochs({ redis, prefix: config.queuePrefix, bolt }, log, closers);
  const graph = createGraphStore(bolt, setup.model, {
    onStage: (stage, durationMs) => metrics.stage(stage, durationMs),
    onRetry(error, attempt) {
      metrics.retried(error.code);
      log.debug({ code: error.code, attempt }, 'transaction.retried');
    },
  });
  const connection = connectRedis(redisUrl, { role: 'worker', log });
  closers.push(() => connection.disconnect());
  const hydration = startHydration({ config, setup, log }, closers, { redis: connection, metrics });
  const worker = createWorker(graph, {
    sources: setup.sources,
    maxFutureMs: config.maxFutureSeconds * 1_000,
    aside: hydration,
    report: {
      setAside: (events) => log.debug({ events }, 'events.set-aside'),
      applied(batch) {
        metrics.batchApplied(batch);
        const { outcomes, ...rest } = batch;
        log.info({ ...rest, ...tally(outcomes) }, 'batch.applied');
      },
      waiting(error, attempt, delayMs) {
        metrics.retried(error.code);
        log.warn({ code: error.code, reason: error.message, attempt, delayMs: Math.round(delayMs) }, 'graph.lost');
      },
      resumed(outageMs) {
        log.info({ outageMs }, 'graph.found');
        lookAgain();
      },
      released: (outcomes) => log.info(tally(outcomes), 'quarantine.released'),
    },
  });
  const consumer = createConsumer({
    redis: connection,
    prefix: config.queuePrefix,
    handle: (jobs) => worker.handle(jobs),
    log,
  });
  closers.push(async () => {
    const closing = consumer.close();
    worker.close();
    await closing;
  });
  await graph.forgetOldJobs();
  worker.start();
  consumer.run();
  hydration.run();
  return worker;
}

/**
 * Runs also where no source asks its sender for anything any more: what still waits goes back as it came. Throws
 * `BAD_CONFIG` for a source without its token or with a host that no request may go to.
 */
function startHydration(
  { config, setup, log }: Pick<ServiceOptions, 'config' | 'setup' | 'log'>,
  closers: Parts['closers'],
  { redis, metrics }: Pick<WorkStores, 'redis' | 'metrics'>,
): Pick<Aside, 'add' | 'run'> & Pick<Hydration, 'wants'> {
  const asking = [...setup.sources.values()].flatMap(({ name, hydrate }) => (hydrate === undefined ? [] : [{ name, hydrate }]));
  const tokens = new Map(asking.map(({ name }) => [name, config.fetchTokenOf(name)]));
  for (const [name, token] of tokens)
    if (token === undefined) throw new IngestError('BAD_CONFIG', `source ${name} asks its sender for objects; set ${fetchVariable(name)}`);
  const hydration = createHydration({
    sources: setup.sources,
    outbound: createOutbound(asking.map(({ hydrate }) => hydrate.origin)),
    tokenOf: (name) => tokens.get(name) ?? '',
    report: {
      fetched({ source, status, durationMs }) {
        metrics.fetched(source, String(status), durationMs);
        log.debug({ source, status, durationMs }, 'object.fetched');
      },
      failed({ source, error, durationMs }) {
        metrics.fetched(source, error.code, durationMs);
        log.debug({ source, code: error.code, reason: error.message, durationMs }, 'fetch.failed');
      },
      lost: (outage) => log.warn(outage, 'sender.lost'),
      found: (outage) => log.info(outage, 'sender.found'),
    },
  });
  const aside = createAside({ redis, prefix: config.queuePrefix, ask: (event, attempt) => hydration.ask(event, attempt), log });
  closers.push(async () => {
    const closing = aside.close();
    hydration.close();
    await closing;
  });
  return { wants: (event) => hydration.wants(event), add: (events) => aside.add(events), run: () => aside.run() };
}

/** A worker that is started before its graph waits for it, like one that loses it. Wrong credentials are told at once. */
async function awaitGraph(bolt: Bolt, log: Log): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await readMeta(bolt);
      return;
    } catch (error) {
      const denied = error instanceof IngestError && String(error.context['code']).startsWith('Neo.ClientError.Security');
      if (!(error instanceof IngestError) || error.retry !== 'retry' || denied) throw error;
      log.warn({ code: error.code, reason: error.message, attempt }, 'graph.awaited');
      await sleep(Math.min(5_000, 250 * attempt));
    }
  }
}

/** Says loudly when one of the two stores has lost its memory, and leaves watermarks by which the next look can tell. Returns how to look at once. */
async function watchEpochs(lives: Lives, log: Log, closers: Parts['closers']): Promise<() => void> {
  async function look(): Promise<void> {
    const { verdict, lastAppliedAtMs } = await matchEpochs(lives);
    if (verdict !== 'same') {
      const lastAppliedAt = lastAppliedAtMs === undefined ? null : formatInstant(fromMs(lastAppliedAtMs));
      log.error(
        {
          verdict,
          lastAppliedAt,
          advice: 'Events may be missing. Backfill every source from lastAppliedAt on; what the graph has changes nothing.',
        },
        'epoch.changed',
      );
    }
    await moveWatermark(lives);
  }
  await look();
  // An outage is reported by the worker, and the next look comes.
  const lookAgain = (): void => void look().catch((err: unknown) => log.debug({ err }, 'epoch.unread'));
  const timer = setInterval(lookAgain, WATERMARK_MS);
  closers.push(() => clearInterval(timer));
  return lookAgain;
}

const WATERMARK_MS = 600_000;

interface Stores {
  readonly inbox: Inbox;
  readonly redis: Redis;
  readonly bolt: Bolt | undefined;
  readonly durability: DurabilityReport;
  readonly metrics: Metrics;
  readonly worker: Worker | undefined;
}

async function listen({ config, setup, roles, log }: ServiceOptions, closers: Parts['closers'], stores: Stores): Promise<string> {
  const { inbox, metrics } = stores;
  const sources = limitSources(roles.includes('serve') ? setup.sources : new Map(), createRate(config.maxSourceRate));
  const addressOf = createAddressOf(config.trustedProxies);
  const lag = watchLag(config.maxLagMs);
  closers.push(() => lag.close());
  const webhooks = createWebhooks({
    receive: (delivery) => receive(delivery, { sources, inbox }),
    admit: createAdmission({ addressOf, rate: createRate(config.maxAddressRate), lag }),
    isSource: (name) => sources.has(name),
    isPing: (delivery) => sources.get(delivery.source)?.ping?.(delivery) === true,
    onReceived(receipt, source, tookMs) {
      metrics[receipt.status](source, tookMs);
      log.debug({ key: receipt.key, source, secretId: receipt.secretId, tookMs }, `event.${receipt.status}`);
    },
    onRejected(code, source) {
      metrics.rejected(code);
      log.debug({ code, source }, 'delivery.rejected');
    },
    log,
  });
  const events = stores.bolt === undefined ? NO_GRAPH : createEventReader(stores.bolt);
  metrics.watch({
    queued: async () => (await inbox.counts()).queued,
    hydrating: async () => (await inbox.counts()).hydrating,
    parked: async () => (await events.stats()).parked,
  });
  const app = createApp({
    events,
    stats: async () => {
      const [{ accepted, duplicate, queued }, ledger] = await Promise.all([inbox.counts(), events.stats()]);
      return { accepted, duplicate, queued, ...ledger };
    },
    health: createHealth(roleOf(roles), probesOf(config, stores)),
    metrics,
    tokens: config.adminTokens,
    addressOf,
    onRefused: (refusal) => log.warn({ ...refusal }, 'token.refused'),
    factsOf: createFactsOf(setup.sources),
    version: VERSION,
    onFault: (error) => log.error({ err: error }, 'request.failed'),
  });
  const server = createHttpServer({
    host: config.host,
    port: config.port,
    maxConnections: config.maxConnections,
    webhooks,
    fallback: app,
    onRejected: (code) => metrics.rejected(code),
  });
  closers.push(() => server.close());
  return server.listen();
}

function roleOf(roles: readonly Role[]): 'serve' | 'work' | 'dev' {
  return roles.length > 1 ? 'dev' : (roles[0] ?? 'serve');
}

function probesOf({ queuePrefix }: Config, { inbox, redis, bolt, durability, worker }: Stores): Probes {
  return {
    async durability() {
      await probeInbox(redis, queuePrefix);
      return durability.tier;
    },
    async queued() {
      const { queued, hydrating } = await inbox.counts();
      return worker === undefined ? queued : queued - hydrating; // A shop that is away is no stall of ours.
    },
    graph: async () => void (await knownEpoch(bolt)),
    queueEpoch: () => readEpoch(redis, queuePrefix),
    graphEpoch: () => knownEpoch(bolt),
    lastCommitMs: () => worker?.lastCommitMs(),
  };
}

async function knownEpoch(bolt: Bolt | undefined): Promise<string | undefined> {
  if (bolt === undefined) throw NOWHERE;
  return (await readMeta(bolt)).epoch;
}

/** `serve` does not need the graph; what shows the ledger does. */
const NOWHERE = new IngestError('GRAPH_UNAVAILABLE', 'this process has no NEO4J_URI');
const NO_GRAPH: EventReader = {
  get: () => Promise.reject(NOWHERE),
  list: () => Promise.reject(NOWHERE),
  count: () => Promise.reject(NOWHERE),
  stats: () => Promise.reject(NOWHERE),
};

function tally(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
