/** The role `work`: from the queue into the graph, beside it what asks senders for objects and what tells gateways, and a look at both stores' memories. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createAcknowledgement, type Acknowledgement } from './acknowledge.ts';
import { acknowledgeVariable, fetchVariable, type Config } from './config.ts';
import { IngestError } from './errors.ts';
import { matchEpochs, moveWatermark, type Lives } from './epoch.ts';
import { createWhatBecame } from './graph/became.ts';
import type { Bolt } from './graph/driver.ts';
import { readMeta } from './graph/meta.ts';
import { requireSchema } from './graph/schema.ts';
import { createGraphStore } from './graph/store.ts';
import { createHydration, type Hydration } from './hydrate.ts';
import type { Setup } from './load-config.ts';
import type { Log } from './log.ts';
import { formatMs } from './model/instant.ts';
import type { Metrics } from './metrics.ts';
import { createOutbound } from './outbound/outbound.ts';
import { createAside, type Aside } from './queue/aside.ts';
import { createConsumer } from './queue/consumer.ts';
import { connectRedis, type Redis } from './queue/redis.ts';
import { createReports } from './queue/reports.ts';
import { createWorker, type Worker } from './worker.ts';

export interface WorkOptions {
  readonly config: Config;
  readonly setup: Setup;
  readonly redisUrl: string;
  readonly log: Log;
}

/** What is to be stopped, in the order in which it was started. */
type Closers = (() => Promise<void> | void)[];

export interface WorkStores {
  readonly redis: Redis;
  readonly bolt: Bolt | undefined;
  readonly metrics: Metrics;
}

/** Starts the worker and what it needs. Throws `BAD_CONFIG`, `SCHEMA_DRIFT`, or what a denied login throws. */
export async function startWork(
  { config, setup, redisUrl, log }: WorkOptions,
  closers: Closers,
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
    onLasting: (err) => log.warn({ err }, 'conflict.lasted'),
  });
  const connection = connectRedis(redisUrl, { role: 'worker', log });
  closers.push(() => connection.disconnect());
  const hydration = startHydration({ config, setup, log }, closers, { redis: connection, metrics });
  const acknowledgement = startAcknowledgement({ config, setup, log }, closers, { redis: connection, bolt, metrics });
  const saySourceless = createSourcelessSaying(log);
  const worker = createWorker(graph, {
    sources: setup.sources,
    maxFutureMs: config.maxFutureSeconds * 1_000,
    aside: hydration,
    gateways: acknowledgement,
    report: {
      setAside: (events) => log.debug({ events }, 'events.set-aside'),
      sourceless(source, events) {
        metrics.sourceless(source, events);
        saySourceless(source, events);
      },
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
      choreFailed: (chore, err) => log.warn({ chore, err }, 'chore.failed'),
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
  worker.start();
  consumer.run();
  hydration.run();
  acknowledgement.run();
  return worker;
}

/**
 * Runs also where no source asks its sender for anything any more: what still waits goes back as it came. Throws
 * `BAD_CONFIG` for a source without its token or with a host that no request may go to.
 */
function startHydration(
  { config, setup, log }: Pick<WorkOptions, 'config' | 'setup' | 'log'>,
  closers: Closers,
  { redis, metrics }: Pick<WorkStores, 'redis' | 'metrics'>,
): Pick<Aside, 'add' | 'run'> & Pick<Hydration, 'wants'> {
  const asking = [...setup.sources.values()].flatMap(({ name, hydrate }) => (hydrate === undefined ? [] : [{ name, hydrate }]));
  const tokenOf = tokensOf(
    asking,
    (name) => config.fetchTokenOf(name),
    (name) => `source ${name} asks its sender for objects; set ${fetchVariable(name)}`,
  );
  const hydration = createHydration({
    sources: setup.sources,
    outbound: createOutbound(asking.map(({ hydrate }) => hydrate.origin)),
    tokenOf,
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

/** Tells gateways what became of their events. Throws `BAD_CONFIG` for a source without its token or with a host that no request may go to. */
function startAcknowledgement(
  { config, setup, log }: Pick<WorkOptions, 'config' | 'setup' | 'log'>,
  closers: Closers,
  { redis, bolt, metrics }: Pick<WorkStores, 'redis' | 'metrics'> & { readonly bolt: Bolt },
): Acknowledgement {
  const telling = [...setup.sources.values()].flatMap(({ name, acknowledge }) =>
    acknowledge === undefined ? [] : [{ name, acknowledge }],
  );
  const tokenOf = tokensOf(
    telling,
    (name) => config.acknowledgeTokenOf(name),
    (name) => `source ${name} reports to a gateway; set ${acknowledgeVariable(name)}`,
  );
  const acknowledgement = createAcknowledgement({
    sources: setup.sources,
    outbound: createOutbound(telling.map(({ acknowledge }) => acknowledge.origin)),
    reports: createReports({ redis, prefix: config.queuePrefix }),
    whatBecame: createWhatBecame(bolt),
    tokenOf,
    report: {
      answered({ durationMs, ...said }) {
        const { source, status, means } = said;
        metrics.reported(source, String(status));
        const advice =
          means === 'denied'
            ? { advice: `Set ${acknowledgeVariable(source)} to what the gateway takes and restart work; its reports wait.` }
            : {};
        log[REPORT_LEVELS[means]]({ ...said, durationMs: Math.round(durationMs), ...advice }, `report.${means}`);
      },
      failed({ error, final, ...which }) {
        metrics.reported(which.source, error instanceof IngestError ? error.code : 'FAULT');
        log[final ? 'warn' : 'debug']({ ...which, err: error }, 'report.failed');
      },
      lost: (outage) => log.warn(outage, 'gateway.lost'),
      found: (outage) => log.info(outage, 'gateway.found'),
    },
  });
  closers.push(() => acknowledgement.close());
  return acknowledgement;
}

/** What is given up, and what a person must see to, is told at once. */
const REPORT_LEVELS = { taken: 'debug', failed: 'debug', refused: 'warn', denied: 'error' } as const;

/** The token of each of these sources, by its name. Throws `BAD_CONFIG` where one is missing. */
function tokensOf(
  sources: readonly { readonly name: string }[],
  tokenOf: (name: string) => string | undefined,
  problem: (name: string) => string,
): (name: string) => string {
  const tokens = new Map<string, string>();
  for (const { name } of sources) {
    const token = tokenOf(name);
    if (token === undefined) throw new IngestError('BAD_CONFIG', problem(name));
    tokens.set(name, token);
  }
  return (name) => tokens.get(name) ?? '';
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
async function watchEpochs(lives: Lives, log: Log, closers: Closers): Promise<() => void> {
  async function look(): Promise<void> {
    const { verdict, lastAppliedAtMs } = await matchEpochs(lives);
    if (verdict !== 'same') {
      const lastAppliedAt = lastAppliedAtMs === undefined ? null : formatMs(lastAppliedAtMs);
      log.error(
        {
          verdict,
          lastAppliedAt,
          advice:
            'Events may be missing. Run `eventgraft backfill <source> --from <lastAppliedAt>` for every source; what the graph has changes nothing.',
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

const SAY_AGAIN_MS = 60_000;

/** Loud, but once a minute for each source, with what came since: the same events come again and again. */
export function createSourcelessSaying(log: Log, now: () => number = Date.now): (source: string, events: number) => void {
  const unsaid = new Map<string, { events: number; sayAtMs: number }>();
  return (source, more) => {
    const { events, sayAtMs } = unsaid.get(source) ?? { events: 0, sayAtMs: -Infinity };
    if (now() < sayAtMs) return void unsaid.set(source, { events: events + more, sayAtMs });
    unsaid.set(source, { events: 0, sayAtMs: now() + SAY_AGAIN_MS });
    const advice =
      "Give this worker the source's configuration (its WEBHOOK_SECRET_<SOURCE>, its row in eventgraft.config.ts) and restart it; until then its events wait in the queue.";
    log.error({ source, events: events + more, advice }, 'source.unknown');
  };
}

function tally(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
