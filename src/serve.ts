/** The role `serve`: deliveries come in; health, metrics, the API and its pages go out. A worker has the latter, too. */
import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import { createDocuments, type Documents } from './documents.ts';
import { IngestError } from './errors.ts';
import { createExplainer } from './explain/explain.ts';
import { createFactsOf } from './facts-of.ts';
import type { Bolt } from './graph/driver.ts';
import { createEventReader, type EventReader } from './graph/events.ts';
import { readMeta } from './graph/meta.ts';
import { createAddressOf, createHolderOf } from './http/address.ts';
import { createAdmission, limitSources } from './http/admission.ts';
import { createApp } from './http/app.ts';
import { createHealth, type Probes } from './http/health.ts';
import { watchLag } from './http/lag.ts';
import { createRate } from './http/rate.ts';
import { createHttpServer } from './http/server.ts';
import { createWebhooks } from './http/webhooks.ts';
import type { Setup } from './load-config.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { createOutbound } from './outbound/outbound.ts';
import type { Inbox } from './queue/inbox.ts';
import { probeInbox, readEpoch, type DurabilityReport, type Redis } from './queue/redis.ts';
import { countReports } from './queue/reports.ts';
import { receive } from './receive.ts';
import type { Worker } from './worker.ts';

const { version: VERSION } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

export interface ServeOptions {
  readonly config: Config;
  readonly setup: Setup;
  readonly roles: readonly ('serve' | 'work')[];
  readonly log: Log;
}

/** What is to be stopped, in the order in which it was started. */
type Closers = (() => Promise<void> | void)[];

export interface ServeStores {
  readonly inbox: Inbox;
  readonly redis: Redis;
  readonly bolt: Bolt | undefined;
  readonly durability: DurabilityReport;
  readonly metrics: Metrics;
  readonly worker: Worker | undefined;
}

/** Listens for deliveries where `serve` is among the roles, and for people and probes in any case. Returns the URL. */
export async function listen({ config, setup, roles, log }: ServeOptions, closers: Closers, stores: ServeStores): Promise<string> {
  const { inbox, metrics } = stores;
  const sources = limitSources(roles.includes('serve') ? setup.sources : new Map(), createRate(config.maxSourceRate));
  const addressOf = createAddressOf(config.trustedProxies);
  const lag = watchLag(config.maxLagMs);
  closers.push(() => lag.close());
  const documents = startDocuments({ setup, log }, metrics);
  closers.push(() => documents.close());
  const used = new Set<string>();
  const isFirst = (secret: string): boolean => !used.has(secret) && used.add(secret).size > 0;
  const webhooks = createWebhooks({
    receive: (delivery) => receive(delivery, { sources, inbox, documents }),
    admit: createAdmission({ addressOf, rate: createRate(config.maxAddressRate), lag }),
    isSource: (name) => sources.has(name),
    isPing: (delivery) => sources.get(delivery.source)?.ping?.(delivery),
    onReceived(receipt, source, tookMs) {
      metrics[receipt.status](source, tookMs);
      // A rotation is over when the old one is no longer told of after a start.
      if (isFirst(`${source} ${receipt.secretId}`)) log.info({ source, secretId: receipt.secretId }, 'secret.used');
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
    reportsWaiting: () => countReports(stores.redis, config.queuePrefix, acknowledgingIn(setup)),
  });
  const app = createApp({
    events,
    stats: async () => {
      const [{ accepted, duplicate, queued }, ledger] = await Promise.all([inbox.counts(), events.stats()]);
      return { accepted, duplicate, queued, ...ledger };
    },
    explainer:
      stores.bolt === undefined
        ? { explain: () => Promise.reject(NOWHERE) }
        : createExplainer(stores.bolt, setup.model, { events, sources: setup.sources }),
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
    holderOf: createHolderOf(config.trustedProxies),
    webhooks,
    fallback: app,
    onRejected: (code) => metrics.rejected(code),
  });
  closers.push(() => server.close());
  return server.listen();
}

/** Well under what senders wait; certificates are some kB. */
const DOCUMENT_TIMEOUT_MS = 2_500;
const MAX_DOCUMENT_BYTES = 65_536;

function startDocuments({ setup, log }: Pick<ServeOptions, 'setup' | 'log'>, metrics: Metrics): Documents {
  const origins = [...setup.sources.values()].flatMap(({ evidence }) => evidence?.origins ?? []);
  return createDocuments({
    outbound: createOutbound(origins, { timeoutMs: DOCUMENT_TIMEOUT_MS, maxBytes: MAX_DOCUMENT_BYTES }),
    timeoutMs: DOCUMENT_TIMEOUT_MS,
    onFetched(fetch) {
      metrics.fetched(fetch.source, fetch.answer, fetch.durationMs);
      log.debug(fetch, 'document.fetched');
    },
  });
}

/** Of the sources whose gateways are told. */
function acknowledgingIn({ sources }: Setup): string[] {
  return [...sources.values()].flatMap(({ name, acknowledge }) => (acknowledge === undefined ? [] : [name]));
}

function roleOf(roles: ServeOptions['roles']): 'serve' | 'work' | 'dev' {
  return roles.length > 1 ? 'dev' : (roles[0] ?? 'serve');
}

function probesOf({ queuePrefix }: Config, { inbox, redis, bolt, durability, worker }: ServeStores): Probes {
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
  mentions: () => Promise.reject(NOWHERE),
  count: () => Promise.reject(NOWHERE),
  stats: () => Promise.reject(NOWHERE),
};
