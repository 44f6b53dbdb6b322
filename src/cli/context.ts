/** What every command starts from: the configuration, a log, and where the databases are. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { loadConfig, readEnvironment, type Config } from '../config.ts';
import { IngestError } from '../errors.ts';
import type { GraphAddress } from '../graph/driver.ts';
import * as library from '../index.ts';
import { loadSetup, type Setup } from '../load-config.ts';
import { createLog, type Log } from '../log.ts';
import { parseSecret } from '../secret.ts';

export interface Context {
  readonly config: Config;
  readonly setup: Setup;
  readonly log: Log;
}

/** Reads environment and config file. `secrets` stand in for sources that have none (local runs only). */
export async function loadContext(role: string, secrets?: (source: string) => string): Promise<Context> {
  const config = withSecrets(loadConfig(readEnvironment()), secrets);
  return { config, setup: await loadSetup(config, { library }), log: createLog({ level: config.logLevel, role }) };
}

function withSecrets(config: Config, secrets: ((source: string) => string) | undefined): Config {
  if (secrets === undefined) return config;
  return {
    ...config,
    secretsOf(source) {
      const live = config.secretsOf(source);
      if (live.length > 0) return live;
      const secret = parseSecret(secrets(source));
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
  mkdirSync(LOCAL_DIR, { recursive: true });
  writeFileSync(RUNNING_FILE, `${JSON.stringify({ pid: process.pid, queuePrefix, ...running }, null, 2)}\n`, { mode: 0o600 });
}

export function withdraw(): void {
  rmSync(RUNNING_FILE, { force: true });
}

/** The local run of this directory, while its process lives. */
export function findRunning(): (Running & { readonly queuePrefix: string }) | undefined {
  try {
    const found = JSON.parse(readFileSync(RUNNING_FILE, 'utf8')) as Running & { pid: number; queuePrefix: string };
    process.kill(found.pid, 0);
    return found;
  } catch {
    return undefined;
  }
}

/** The graph of the environment, else of a running `dev`. Throws `BAD_CONFIG` naming both ways. */
export function graphAddress(config: Config): GraphAddress {
  if (config.neo4j !== undefined) return config.neo4j;
  const running = findRunning();
  if (running !== undefined) return { uri: running.neo4jUri, username: running.neo4jUsername, password: running.neo4jPassword, database: 'neo4j' };
  throw new IngestError('BAD_CONFIG', 'no graph: set NEO4J_URI and NEO4J_PASSWORD, or start `eventgraft dev` in this directory');
}

/** Redis of the environment, else of a running `dev`. */
export function redisAddress(config: Config): { url: string; prefix: string } {
  if (config.redisUrl !== undefined) return { url: config.redisUrl, prefix: config.queuePrefix };
  const running = findRunning();
  if (running !== undefined) return { url: running.redisUrl, prefix: running.queuePrefix };
  throw new IngestError('BAD_CONFIG', 'no queue: set REDIS_URL, or start `eventgraft dev` in this directory');
}

/** A fresh secret in the form that all packs take. */
export function makeSecret(): string {
  return `whsec_${randomBytes(24).toString('base64')}`;
}

export function makeToken(): string {
  return randomBytes(24).toString('hex');
}
