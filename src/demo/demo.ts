/**
 * The demo: real baskets through the real receiver, queue and graph, as badly treated as a network can, and then every
 * number compared. Phases: databases → services → storm (worker killed midway) → late → again → drain → check.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { IngestError } from '../errors.ts';
import { STATES } from '../event.ts';
import { createBolt, type Bolt } from '../graph/driver.ts';
import { applySchema } from '../graph/schema.ts';
import { commerce } from '../model/commerce.ts';
import { startRuntime, type Runtime, type RuntimeOptions } from '../runtime/runtime.ts';
import { parseSecret } from '../secret.ts';
import { askThree, type Answer } from './answers.ts';
import { compare, conserve, type Check, type Conservation, type Stats } from './check.ts';
import { tellGrocery, type Message } from './events.ts';
import { ALL_DAYS, readGolden, readGrocery, type Grocery } from './grocery.ts';
import { createSender } from './sender.ts';
import { createServices, type Services } from './services.ts';
import { planStorm, type Storm } from './storm.ts';
import { addUpFiles, addUpGraph } from './totals.ts';

export interface DemoOptions {
  /** The first days of the data, 1 to 10. */
  readonly days: number;
  readonly seed: string;
  /** The command line of eventgraft, e.g. node and dist/cli/main.js. */
  readonly command: readonly string[];
  readonly runtime: RuntimeOptions;
  /** What the processes need of the environment beyond the demo's own settings: PATH and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of the receiver; 0 = any free one. */
  readonly port: number;
  readonly watch: Watch;
}

/** Hears how it goes. */
export interface Watch {
  phase(name: string, detail: string): void;
  /** Often. `share` of the phase, 0 to 1. */
  moved(share: number, detail: string): void;
}

export interface Access {
  readonly url: string;
  readonly browserUrl: string | undefined;
  readonly neo4j: Runtime['neo4j'];
  readonly redisUrl: string;
  readonly queuePrefix: string;
  readonly secret: string;
  readonly adminToken: string;
  readonly producerToken: string;
}

export interface Report {
  readonly ok: boolean;
  readonly days: number;
  readonly seed: string;
  readonly events: number;
  readonly requests: number;
  readonly repeated: number;
  readonly heldBack: number;
  /** Attempts after a 503 or a broken connection. */
  readonly retries: number;
  readonly kill: { readonly afterRequests: number; readonly queued: number; readonly downMs: number };
  readonly stats: Stats;
  readonly conservation: Conservation;
  /** The most that waited at one time. */
  readonly peak: { readonly queued: number; readonly parked: number };
  readonly ack: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  /** From the first request to the last event in the graph. */
  readonly requestsPerSecond: number;
  readonly eventsPerSecond: number;
  readonly checks: readonly Check[];
  readonly answers: readonly Answer[];
  /** One sentence for each thing that is not as it should be. */
  readonly problems: readonly string[];
  readonly seconds: Readonly<Record<Phase | 'total', number>>;
}

type Phase = 'databases' | 'services' | 'storm' | 'drain' | 'check';

export interface Demo {
  /** Once. Throws where something could not be started; what differs in the end is in the report. */
  run(): Promise<Report>;
  /** After `run`. */
  access(): Access;
  /** Stops all that was started, in reverse. Idempotent, at any time. */
  close(): Promise<void>;
}

const CONNECTIONS = 32;
const POLL_MS = 300;
/** The queue must move within this, or the demo gives up waiting. */
const STUCK_MS = 60_000;
const DOWN_MS = 1_000;
const SOURCE = 'facts';
const EMPTY: Stats = {
  accepted: 0,
  duplicate: 0,
  duplicateLate: 0,
  queued: 0,
  parked: 0,
  states: Object.fromEntries(STATES.map((state) => [state, 0])) as Stats['states'],
};

export function createDemo(options: DemoOptions): Demo {
  const { watch } = options;
  const closers: (() => Promise<void> | void)[] = [];
  const clock = createStopwatch();
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  const [adminToken, producerToken] = [randomBytes(24).toString('hex'), randomBytes(24).toString('hex')];
  const queuePrefix = `demo-${randomBytes(4).toString('hex')}`;
  let access: Access | undefined;
  let closing: Promise<void> | undefined;

  /** Nothing is left running that is not in `closers`, also when the user stops it midway. */
  async function keep<T>(started: Promise<T>, close: (it: T) => Promise<void> | void): Promise<T> {
    const it = await started;
    if (closing !== undefined) await close(it);
    else closers.push(() => close(it));
    return it;
  }

  async function startDatabases(): Promise<{ runtime: Runtime; bolt: Bolt }> {
    watch.phase('databases', 'starting Neo4j and Redis');
    const runtime = await keep(startRuntime(options.runtime), (it) => it.close());
    const bolt = await keep(Promise.resolve(createBolt(runtime.neo4j, 2)), (it) => it.close());
    await requireEmpty(bolt);
    await applySchema(bolt, commerce);
    return { runtime, bolt };
  }

  async function startServices(runtime: Runtime): Promise<{ services: Services; url: string }> {
    watch.phase('services', 'starting serve and work, each a process of its own');
    const { uri, username, password, database } = runtime.neo4j;
    const services = createServices({
      command: options.command,
      env: {
        ...options.environment,
        NEO4J_URI: uri,
        NEO4J_USERNAME: username,
        NEO4J_DATABASE: database,
        HOST: '127.0.0.1',
        EVENTGRAFT_QUEUE_PREFIX: queuePrefix,
        EVENTGRAFT_LOG_LEVEL: 'info',
      },
      secrets: {
        NEO4J_PASSWORD: password,
        REDIS_URL: runtime.redisUrl,
        ADMIN_TOKEN: adminToken,
        PRODUCER_TOKEN: producerToken,
        WEBHOOK_SECRET_FACTS: secret,
      },
    });
    closers.push(() => services.close());
    const [url] = await Promise.all([services.start('serve', { PORT: String(options.port) }), services.start('work', { PORT: '0' })]);
    access = {
      url,
      browserUrl: runtime.browserUrl,
      neo4j: runtime.neo4j,
      redisUrl: runtime.redisUrl,
      queuePrefix,
      secret,
      adminToken,
      producerToken,
    };
    return { services, url };
  }

  async function run(): Promise<Report> {
    const databases = startDatabases();
    databases.catch(() => undefined);
    const { grocery, messages, storm } = prepare(options);
    const { runtime, bolt } = await databases;
    clock.lap('databases');
    const { services, url } = await startServices(runtime);
    clock.lap('services');

    const played = await play({ url, secret, adminToken, storm, services, watch, clock, closers });

    watch.phase('check', 'adding up the graph and the files');
    const graph = await addUpGraph(bolt);
    const checks = compare(graph, addUpFiles(grocery.lines), options.days === ALL_DAYS ? readGolden() : undefined);
    const answers = await askThree(runtime.neo4j);
    clock.lap('check');
    const conservation = conserve(played.stats);
    const problems = problemsOf(checks, conservation, played, messages.length);
    const { days, seed } = options;
    const { repeated, heldBack } = storm;
    return {
      ok: problems.length === 0,
      days,
      seed,
      events: messages.length,
      repeated,
      heldBack,
      ...played,
      conservation,
      checks,
      answers,
      problems,
      seconds: clock.seconds(),
    };
  }

  return {
    run,
    access() {
      if (access === undefined) throw new Error('the demo has not started yet');
      return access;
    },
    close: () =>
      (closing ??= (async () => {
        for (const closer of closers.toReversed()) await closer();
      })()),
  };
}

function prepare({ days, seed }: DemoOptions): { grocery: Grocery; messages: Message[]; storm: Storm<Message> } {
  const grocery = readGrocery(days);
  const messages = tellGrocery(grocery);
  return { grocery, messages, storm: planStorm(messages, seed) };
}

/** A graph that was given may be somebody's. */
async function requireEmpty({ driver, database }: Bolt): Promise<void> {
  const { records } = await driver.executeQuery('MATCH (n) RETURN count(n) AS n', {}, { database });
  const n = Number(records[0]?.get('n') ?? 0);
  if (n > 0)
    throw new IngestError(
      'BAD_CONFIG',
      `the graph at NEO4J_URI is not empty (${n} nodes); the demo wants one of its own: give an empty one, or unset NEO4J_URI`,
    );
}

interface Play {
  readonly url: string;
  readonly secret: string;
  readonly adminToken: string;
  readonly storm: Storm<Message>;
  readonly services: Services;
  readonly watch: Watch;
  readonly clock: Stopwatch;
  readonly closers: (() => Promise<void> | void)[];
}

type Played = Pick<Report, 'requests' | 'retries' | 'kill' | 'stats' | 'peak' | 'ack' | 'requestsPerSecond' | 'eventsPerSecond'>;

async function play({ url, secret, adminToken, storm, services, watch, clock, closers }: Play): Promise<Played> {
  const total = storm.rush.length + storm.late.length + storm.again.length;
  const acks: number[] = [];
  let retries = 0;
  const peak = { queued: 0, parked: 0 };
  let killing: Promise<Report['kill']> | undefined;
  let stats: Stats = EMPTY;

  const sender = createSender({
    url: `${url}/webhooks/${SOURCE}`,
    key: keyOf(secret),
    connections: CONNECTIONS,
    onAnswer(answer) {
      acks.push(answer.tookMs);
      retries += answer.retries;
      if (acks.length === Math.ceil(total / 2)) {
        killing = killWorker(acks.length);
        killing.catch(() => undefined);
      }
    },
  });
  closers.push(() => sender.close());

  async function killWorker(afterRequests: number): Promise<Report['kill']> {
    const killed = performance.now();
    await services.kill('work');
    watch.phase('kill', `worker killed with SIGKILL after ${afterRequests} requests; events keep coming`);
    const { queued } = (await readStats(url, adminToken)) ?? stats;
    await sleep(DOWN_MS);
    await services.start('work', { PORT: '0' });
    const downMs = Math.round(performance.now() - killed);
    watch.phase('restart', `worker started again after ${(downMs / 1_000).toFixed(1)} s`);
    return { afterRequests, queued, downMs };
  }

  async function look(show: (stats: Stats) => void): Promise<void> {
    services.check();
    const now = await readStats(url, adminToken);
    // A graph that is busy enough lets a look time out; the next one will do.
    if (now === undefined) return;
    stats = now;
    peak.queued = Math.max(peak.queued, stats.queued);
    peak.parked = Math.max(peak.parked, stats.parked);
    show(stats);
  }

  /** Looks until nothing is queued, or nothing has moved for a minute. */
  async function drain(): Promise<void> {
    for (let [left, movedAt, seen] = [-1, performance.now(), false]; !seen || stats.queued > 0;) {
      if (performance.now() - movedAt > STUCK_MS) return;
      await look(({ accepted, queued, parked }) => {
        seen = true;
        watch.moved(1 - queued / accepted, `${queued} queued  ${parked} parked`);
      });
      if (stats.queued !== left) [left, movedAt] = [stats.queued, performance.now()];
      if (stats.queued > 0) await sleep(POLL_MS);
    }
  }

  watch.phase('storm', `sending ${total} signed webhooks over ${CONNECTIONS} connections`);
  const started = performance.now();
  const perSecond = (n: number): number => Math.round((n * 1_000) / (performance.now() - started));
  const sending = (async () => {
    await sender.sendAll(storm.rush);
    await sender.sendAll(storm.late);
    await sender.sendAll(storm.again);
  })();
  const sent = settled(sending);
  while (!sent.done()) {
    await Promise.race([sending, sleep(POLL_MS)]);
    await look(({ queued, parked }) => watch.moved(acks.length / total, `${perSecond(acks.length)}/s  ${queued} queued  ${parked} parked`));
  }
  const requestsPerSecond = perSecond(acks.length);
  const kill = await killing;
  if (kill === undefined) throw new Error('the worker was never killed');
  clock.lap('storm');

  watch.phase('drain', 'all are acknowledged; the worker finishes');
  await drain();
  const eventsPerSecond = perSecond(stats.accepted);
  clock.lap('drain');

  acks.sort((a, b) => a - b);
  const at = (share: number): number => Number((acks[Math.min(acks.length - 1, Math.floor(acks.length * share))] ?? 0).toFixed(1));
  return {
    requests: acks.length,
    retries,
    kill,
    stats,
    peak,
    ack: { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) },
    requestsPerSecond,
    eventsPerSecond,
  };
}

/** As users see them; undefined while the graph does not answer. Throws when serve does not. */
async function readStats(url: string, adminToken: string): Promise<Stats | undefined> {
  const response = await fetch(`${url}/admin/stats`, { headers: { 'x-admin-token': adminToken } });
  if (response.status === 503) return undefined;
  if (!response.ok) throw new Error(`GET /admin/stats answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Stats;
}

function keyOf(secret: string): Buffer {
  const parsed = parseSecret(secret);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.key;
}

function problemsOf(
  checks: readonly Check[],
  { accepted, accounted, holds }: Conservation,
  { stats, requests }: Played,
  events: number,
): string[] {
  const { duplicate, duplicateLate, queued, parked, states } = stats;
  return [
    ...checks
      .filter((check) => !check.equal)
      .map(
        ({ what, graph, files, golden }) =>
          `${what}: ${graph} in the graph, ${files} in the files${golden === null ? '' : `, ${golden} by the publisher`}`,
      ),
    ...(holds ? [] : [`accepted ${accepted}, but accounted for ${accounted}`]),
    ...(accepted - duplicateLate === events ? [] : [`${events} events were sent, and ${accepted - duplicateLate} different ones taken in`]),
    ...(accepted + duplicate >= requests ? [] : [`${requests} requests were acknowledged, but only ${accepted + duplicate} counted`]),
    ...(queued === 0 ? [] : [`${queued} events are still queued`]),
    ...(parked === 0 ? [] : [`${parked} events are still parked`]),
    ...(['failed', 'quarantined', 'ignored'] as const).flatMap((state) =>
      states[state] === 0 ? [] : [`${states[state]} events are ${state}`],
    ),
  ];
}

interface Stopwatch {
  /** Ends the phase that began with the last lap. */
  lap(phase: Phase): void;
  seconds(): Report['seconds'];
}

function createStopwatch(): Stopwatch {
  const started = performance.now();
  let last = started;
  const seconds = { databases: 0, services: 0, storm: 0, drain: 0, check: 0 };
  const round = (ms: number): number => Math.round(ms / 100) / 10;
  return {
    lap(phase) {
      const now = performance.now();
      seconds[phase] = round(now - last);
      last = now;
    },
    seconds: () => ({ ...seconds, total: round(performance.now() - started) }),
  };
}

/** Whether a promise has settled; its failure is for whoever awaits it. */
function settled(promise: Promise<unknown>): { done(): boolean } {
  let done = false;
  promise.catch(() => undefined).finally(() => (done = true));
  return { done: () => done };
}
