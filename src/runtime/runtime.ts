/**
 * The databases of `dev`, `demo`, `verify` and the tests: those given, else local processes, else Docker.
 */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { IngestError } from '../errors.ts';
import { startDocker } from './docker.ts';
import { startLocal } from './local.ts';

export interface Neo4jAccess {
  readonly uri: string;
  readonly username: string;
  readonly password: string;
  readonly database: string;
}

export interface RuntimeOptions {
  /** Databases that run already; they are used as they are and never stopped. */
  readonly neo4j?: Neo4jAccess | undefined;
  readonly redisUrl?: string | undefined;
  /** Forces the way of starting what is not given. */
  readonly kind?: 'local' | 'docker' | undefined;
  /** Kept, with its passwords and ports, for the next start. Default: a fresh directory, removed on close. */
  readonly dataDir?: string | undefined;
  /** Where downloads stay. Default: `~/.cache/eventgraft`. */
  readonly cacheDir?: string | undefined;
  readonly javaHome?: string | undefined;
  /** Of the Java heap, megabytes. Default 1024. */
  readonly heapMb?: number | undefined;
  /** Of Neo4j's page cache, megabytes. Default 256. */
  readonly pageCacheMb?: number | undefined;
  /** For a run of minutes: the JVM compiles quickly rather than well, which halves the CPU of a cold server and slows a warm one. Default false. */
  readonly brief?: boolean | undefined;
  /** Serve Neo4j's HTTP and Browser too. Default false. */
  readonly http?: boolean | undefined;
  /** One line of progress for people. Default: silence. */
  readonly report?: ((line: string) => void) | undefined;
}

export interface Runtime {
  readonly kind: 'given' | 'local' | 'docker';
  readonly neo4j: Neo4jAccess;
  readonly redisUrl: string;
  /** Of the Neo4j Browser, where it was asked for. */
  readonly browserUrl: string | undefined;
  /** For outage tests: stop in order, kill as a crash would, start again at the same address. Given databases refuse. */
  stopNeo4j(): Promise<void>;
  killNeo4j(): Promise<void>;
  startNeo4j(): Promise<void>;
  stopRedis(): Promise<void>;
  killRedis(): Promise<void>;
  startRedis(): Promise<void>;
  /** Stops what was started. Idempotent. */
  close(): Promise<void>;
}

interface Control {
  stop(): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** What one way of starting came up with. */
export interface Started {
  readonly neo4j: { readonly server: Control; readonly access: Neo4jAccess; readonly browserUrl: string | undefined } | undefined;
  readonly redis: { readonly server: Control; readonly url: string } | undefined;
  close(): Promise<void>;
}

export interface StartOptions {
  readonly dataDir: string | undefined;
  readonly cacheDir: string;
  readonly javaHome: string | undefined;
  readonly heapMb: number;
  readonly pageCacheMb: number;
  readonly brief: boolean;
  readonly http: boolean;
  readonly report: (line: string) => void;
}

const NAMES = { local: 'Local', docker: 'Docker' } as const;
const NOTHING: Started = { neo4j: undefined, redis: undefined, close: async () => {} };

/** Both databases, ready to be used. They end with this process, however it ends. Throws NO_RUNTIME. */
export async function startRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { neo4j, redisUrl } = options;
  const wanted = { neo4j: neo4j === undefined, redis: redisUrl === undefined };
  const { kind, started } =
    wanted.neo4j || wanted.redis ? await startMissing(wanted, options) : { kind: 'given' as const, started: NOTHING };
  const access = neo4j ?? started.neo4j?.access;
  const url = redisUrl ?? started.redis?.url;
  if (access === undefined || url === undefined) throw new IngestError('NO_RUNTIME', 'A database that was asked for did not start.');

  const graph = started.neo4j?.server ?? refusing('Neo4j');
  const queue = started.redis?.server ?? refusing('Redis');
  let closing: Promise<void> | undefined;
  return {
    kind,
    neo4j: access,
    redisUrl: url,
    browserUrl: started.neo4j?.browserUrl,
    stopNeo4j: () => graph.stop(),
    killNeo4j: () => graph.kill(),
    startNeo4j: () => graph.start(),
    stopRedis: () => queue.stop(),
    killRedis: () => queue.kill(),
    startRedis: () => queue.start(),
    close: () => (closing ??= started.close()),
  };
}

async function startMissing(
  wanted: { neo4j: boolean; redis: boolean },
  options: RuntimeOptions,
): Promise<{ kind: 'local' | 'docker'; started: Started }> {
  const settings: StartOptions = {
    dataDir: options.dataDir,
    cacheDir: options.cacheDir ?? join(homedir(), '.cache/eventgraft'),
    javaHome: options.javaHome,
    heapMb: options.heapMb ?? 1024,
    pageCacheMb: options.pageCacheMb ?? 256,
    brief: options.brief ?? false,
    http: options.http ?? false,
    report: options.report ?? (() => {}),
  };
  const ways = { local: startLocal, docker: startDocker } as const;
  const reasons: string[] = [];
  const causes: IngestError[] = [];
  for (const kind of options.kind === undefined ? (['local', 'docker'] as const) : [options.kind]) {
    try {
      return { kind, started: await ways[kind](wanted, settings) };
    } catch (error) {
      if (!(error instanceof IngestError && error.code === 'NO_RUNTIME')) throw error;
      reasons.push(`${NAMES[kind]}: ${error.message}`);
      causes.push(error);
    }
  }
  const missing = [...(wanted.neo4j ? ['NEO4J_URI'] : []), ...(wanted.redis ? ['REDIS_URL'] : [])].join(' and ');
  throw new IngestError(
    'NO_RUNTIME',
    `${reasons.join(' ')} Set ${missing}, or have Java 17 or 21 and Maven, or start Docker.`,
    {},
    causes.length === 1 ? causes[0] : new AggregateError(causes),
  );
}

function refusing(name: string): Control {
  const refuse = (): Promise<never> =>
    Promise.reject(new IngestError('NO_RUNTIME', `${name} was given, not started here; it is not ours to stop.`));
  return { stop: refuse, kill: refuse, start: refuse };
}
