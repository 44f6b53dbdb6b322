/**
 * The demo: real baskets through the real receiver, queue and graph, as badly treated as a network can, and then every
 * number compared. Phases: databases → services → storm (the worker is killed midway) → drain → check.
 */
import { randomBytes } from 'node:crypto';

import { IngestError } from '../errors.ts';
import { createBolt, type Bolt } from '../graph/driver.ts';
import { applySchema } from '../graph/schema.ts';
import { commerce } from '../model/commerce.ts';
import { startRuntime, type Runtime, type RuntimeOptions } from '../runtime/runtime.ts';
import { askThree, type Answer } from './answers.ts';
import { compare, conserve, type Check, type Conservation } from './check.ts';
import { tellGrocery, type Message } from './events.ts';
import { ALL_DAYS, readGolden, readGrocery, type Grocery } from './grocery.ts';
import { play, type Played, type Watch } from './play.ts';
import { createServices, type Services } from './services.ts';
import { createStopwatch, type Stopwatch } from './stopwatch.ts';
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

export interface Report extends Played {
  readonly ok: boolean;
  readonly days: number;
  readonly seed: string;
  readonly events: number;
  /** Of them, sent more than once. */
  readonly repeated: number;
  readonly heldBack: number;
  readonly conservation: Conservation;
  readonly checks: readonly Check[];
  readonly answers: readonly Answer[];
  /** One sentence for each thing that is not as it should be. */
  readonly problems: readonly string[];
  readonly seconds: ReturnType<Stopwatch['seconds']>;
}

export interface Demo {
  /** Once. Throws where something could not be started; what differs in the end is in the report. */
  run(): Promise<Report>;
  /** After `run`. */
  access(): Access;
  /** Stops all that was started, in reverse. Idempotent, at any time. */
  close(): Promise<void>;
}

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
        // The storm is one sender as fast as it can.
        EVENTGRAFT_MAX_ADDRESS_RATE: '0',
        EVENTGRAFT_MAX_SOURCE_RATE: '0',
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

    const played = await play({ url, secret, adminToken, storm, services, watch, clock });

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
