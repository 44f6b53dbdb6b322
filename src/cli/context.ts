/** What every command starts from: the configuration, a log, and where the databases are. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { loadConfig, readEnvironment, type Config, type LogLevel } from '../config.ts';
import { IngestError } from '../errors.ts';
import { createBolt, type Bolt, type GraphAddress } from '../graph/driver.ts';
import { loadSetup, type Setup } from '../load-config.ts';
import { createLog, type Log } from '../log.ts';
import { connectRedis, type Redis } from '../queue/redis.ts';
import { parseSecret } from '../secret.ts';

export interface Context {
  readonly config: Config;
  readonly setup: Setup;
  readonly log: Log;
}

export interface ContextOptions {
  /** Stand-ins for sources that have no secret of their own (local runs only). */
  readonly secrets?: (source: string) => string;
  /** Unless EVENTGRAFT_LOG_LEVEL says otherwise. */
  readonly logLevel?: LogLevel;
}

/** The whole of it is loaded only for a config file, which imports it. */
export const library = (): Promise<typeof import('../index.ts')> => import('../index.ts');

/** Reads environment and config file. */
export async function loadContext(role: string, { secrets, logLevel }: ContextOptions = {}): Promise<Context> {
  const environment = readEnvironment();
  const config = withSecrets(loadConfig(environment), secrets);
  const level = isSet(environment['EVENTGRAFT_LOG_LEVEL']) ? config.logLevel : (logLevel ?? config.logLevel);
  return { config, setup: await loadSetup(config, { library }), log: createLog({ level, role }) };
}

/** For commands that look but take nothing in: every source is there, whoever holds its secret. */
export function loadReader(): Promise<Context> {
  return loadContext('cli', { secrets: makeSecret });
}

/** Whether the user chose a port, rather than left it to us. */
export function isPortChosen(): boolean {
  return isSet(readEnvironment()['PORT']);
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

export function withSecrets(config: Config, secrets: ((source: string) => string | undefined) | undefined): Config {
  if (secrets === undefined) return config;
  return {
    ...config,
    secretsOf(source) {
      const live = config.secretsOf(source);
      const standIn = live.length > 0 ? undefined : secrets(source);
      if (standIn === undefined) return live;
      const secret = parseSecret(standIn);
      return 'problem' in secret ? [] : [secret];
    },
  };
}

/** How to reach a running `dev` or `demo --keep`: its first line with `--json`, and the file by which other commands join it. */
export interface Running {
  readonly url: string;
  readonly neo4jUri: string;
  readonly neo4jUsername: string;
  readonly neo4jPassword: string;
  readonly redisUrl: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly adminToken: string;
  readonly producerToken: string;
}

/** Local runs keep their data, secrets and address below the working directory. */
export const LOCAL_DIR = '.eventgraft';
const RUNNING_FILE = join(LOCAL_DIR, 'running.json');

export function announce(running: Running, queuePrefix: string): void {
  makeLocalDir();
  writeFileSync(RUNNING_FILE, `${JSON.stringify({ pid: process.pid, queuePrefix, ...running }, null, 2)}\n`, { mode: 0o600 });
}

/** It holds passwords and secrets, so nobody should commit it by accident. */
export function makeLocalDir(): void {
  mkdirSync(LOCAL_DIR, { recursive: true });
  const ignore = join(LOCAL_DIR, '.gitignore');
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n');
}

export function withdraw(): void {
  rmSync(RUNNING_FILE, { force: true });
}

export interface Found extends Running {
  readonly pid: number;
  readonly queuePrefix: string;
}

/** The local run of this directory, while its process lives. */
export function findRunning(): Found | undefined {
  try {
    const found = JSON.parse(readFileSync(RUNNING_FILE, 'utf8')) as Found;
    process.kill(found.pid, 0);
    return found;
  } catch {
    return undefined;
  }
}

/** The graph of the environment, else of a running `dev`. Throws `BAD_CONFIG` naming both ways. */
export function graphAddress(config: Config): GraphAddress {
  const address = findGraph(config);
  if (address !== undefined) return address;
  throw new IngestError('BAD_CONFIG', 'no graph: set NEO4J_URI and NEO4J_PASSWORD, or start `eventgraft dev` in this directory');
}

export function findGraph(config: Config): GraphAddress | undefined {
  if (config.neo4j !== undefined) return config.neo4j;
  const running = findRunning();
  if (running === undefined) return undefined;
  return { uri: running.neo4jUri, username: running.neo4jUsername, password: running.neo4jPassword, database: 'neo4j' };
}

export interface RedisAddress {
  readonly url: string;
  readonly prefix: string;
}

/** Redis of the environment, else of a running `dev`. Throws `BAD_CONFIG` naming both ways. */
export function redisAddress(config: Config): RedisAddress {
  const address = findRedis(config);
  if (address !== undefined) return address;
  throw new IngestError('BAD_CONFIG', 'no queue: set REDIS_URL, or start `eventgraft dev` in this directory');
}

export function findRedis(config: Config): RedisAddress | undefined {
  if (config.redisUrl !== undefined) return { url: config.redisUrl, prefix: config.queuePrefix };
  const running = findRunning();
  return running === undefined ? undefined : { url: running.redisUrl, prefix: running.queuePrefix };
}

/** Few: a command asks one thing at a time. */
const POOL_SIZE = 4;
/** A person waits. */
const REDIS_TIMEOUT_MS = 3_000;

/** Connects for the time of `use`. Idle connections would keep the process alive, so they are closed whatever happens. */
export async function withGraph<T>(address: GraphAddress, use: (bolt: Bolt) => Promise<T>): Promise<T> {
  const bolt = createBolt(address, POOL_SIZE);
  try {
    return await use(bolt);
  } finally {
    await bolt.close();
  }
}

/** The same for Redis. Throws `QUEUE_UNAVAILABLE` with what the connection said. */
export async function withRedis<T>({ url }: RedisAddress, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = connectRedis(url, { role: 'inbox' });
  try {
    await untilReady(redis, hostOf(url));
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** A service waits for Redis to come up; a person would rather know. */
function untilReady(redis: Redis, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown): void => {
      clearTimeout(timer);
      reject(new IngestError('QUEUE_UNAVAILABLE', `Redis at ${host} does not answer: ${reason}`, {}, cause));
    };
    const timer = setTimeout(() => fail(`nothing within ${REDIS_TIMEOUT_MS / 1_000} s`), REDIS_TIMEOUT_MS);
    redis.once('error', (error: NodeJS.ErrnoException) =>
      fail(error.message === '' ? (error.code ?? 'no reason given') : error.message, error),
    );
    redis.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** An address without user and password, for people to read. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? `${new URL(url).protocol}//${new URL(url).host}` : '(no URL)';
}

/** A fresh secret in the form that all packs take. */
export function makeSecret(): string {
  return `whsec_${randomBytes(24).toString('base64')}`;
}

export function makeToken(): string {
  return randomBytes(24).toString('hex');
}
