/**
 * The only reader of the environment. Every wrong setting is a `BAD_CONFIG` that names the variable and the way out,
 * and never repeats the value, which may be a secret.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

import { z } from 'zod';

import { IngestError } from './errors.ts';
import { parseSecret, type Secret } from './secret.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Durability = 'always' | 'everysec' | 'unknown-ok';
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface Config {
  /** Undefined without `NEO4J_URI`: the local runtime, or an error for `work`. */
  readonly neo4j: { readonly uri: string; readonly username: string; readonly password: string; readonly database: string } | undefined;
  /** Undefined without `REDIS_URL`: the local runtime, or an error for `serve` and `work`. */
  readonly redisUrl: string | undefined;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Any of them is accepted; none = those routes answer 404. */
  readonly adminTokens: readonly string[];
  readonly producerTokens: readonly string[];
  /** Path of the user's config file, when named. */
  readonly configFile: string | undefined;
  readonly queuePrefix: string;
  /** Events in the queue beyond which senders get 503 `OVERLOADED`. */
  readonly maxQueued: number;
  readonly durability: Durability;
  /** Sockets at once. */
  readonly maxConnections: number;
  /** Requests a second, before anything is verified, and verified ones of a source; 0 = no limit. */
  readonly maxAddressRate: number;
  readonly maxSourceRate: number;
  /** How late the event loop may be before senders get 503 `OVERLOADED`; 0 = as late as it likes. */
  readonly maxLagMs: number;
  /** Addresses and ranges (`10.0.0.0/8`) whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** How far ahead of receipt a stamp may be before its event is quarantined. */
  readonly maxFutureSeconds: number;
  readonly runtime: 'local' | 'docker' | undefined;
  readonly logLevel: LogLevel;
  /** The secrets of `WEBHOOK_SECRET_<SOURCE>` and its `_FILE`, newest first as written; empty when neither is set. */
  secretsOf(source: string): readonly Secret[];
  /** What a source proves itself with where it is asked for objects: `FETCH_TOKEN_<SOURCE>` or its `_FILE`. */
  fetchTokenOf(source: string): string | undefined;
  /** What proves to a source's gateway who reports to it: `ACKNOWLEDGE_TOKEN_<SOURCE>` or its `_FILE`. */
  acknowledgeTokenOf(source: string): string | undefined;
}

const MIN_TOKEN_LENGTH = 32;
/** Far beyond what Redis should hold; keeps a typing error from switching back-pressure off. */
const MAX_QUEUED_LIMIT = 1_000_000_000;

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
const url = (...schemes: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => schemes.includes(URL.canParse(text) ? new URL(text).protocol : ''),
      `must be a URL that begins with ${schemes.map((s) => `${s}//`).join(' or ')}`,
    );
const tokens = z
  .string()
  .transform((text) => text.split(',').map((token) => token.trim()))
  .refine((all) => all.length <= 2, 'may hold at most two tokens, the old one and the new')
  .refine(
    (all) => all.every((token) => token.length >= MIN_TOKEN_LENGTH),
    `must have at least ${MIN_TOKEN_LENGTH} characters a token; try: openssl rand -hex 32`,
  )
  // Tokens travel in a header, where nothing else survives unchanged.
  .refine((all) => all.every((token) => /^[\x21-\x7e]+$/.test(token)), 'must be printable ASCII without spaces');

const proxies = z
  .string()
  .transform((text) => text.split(',').map((range) => range.trim()))
  .refine((all) => all.every(isRange), 'must be addresses or ranges such as 10.0.0.0/8, separated by commas');

const schema = z.object({
  NEO4J_URI: url('bolt:', 'bolt+s:', 'bolt+ssc:', 'neo4j:', 'neo4j+s:', 'neo4j+ssc:').optional(),
  NEO4J_USERNAME: z.string().default('neo4j'),
  NEO4J_PASSWORD: z.string().optional(),
  NEO4J_DATABASE: z.string().default('neo4j'),
  REDIS_URL: url('redis:', 'rediss:').optional(),
  HOST: z.string().default('127.0.0.1'),
  PORT: whole(0, 65_535).default(8080),
  ADMIN_TOKEN: tokens.default([]),
  PRODUCER_TOKEN: tokens.default([]),
  EVENTGRAFT_CONFIG: z.string().optional(),
  EVENTGRAFT_QUEUE_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_.{}-]{1,64}$/, 'must be 1 to 64 of letters, digits, _ . - and { }')
    .default('eventgraft'),
  EVENTGRAFT_MAX_QUEUED: whole(1, MAX_QUEUED_LIMIT).default(1_000_000),
  EVENTGRAFT_DURABILITY: z.enum(['always', 'everysec', 'unknown-ok'], 'must be always, everysec or unknown-ok').default('always'),
  EVENTGRAFT_MAX_FUTURE: whole(0, 366 * 86_400).default(600),
  EVENTGRAFT_MAX_CONNECTIONS: whole(1, 1_000_000).default(16_384),
  // About what one core takes in (bench/receiver.ts: 6,077 a second): a limit for the mad, not a share for each.
  EVENTGRAFT_MAX_ADDRESS_RATE: whole(0, 1_000_000).default(20_000),
  EVENTGRAFT_MAX_SOURCE_RATE: whole(0, 1_000_000).default(20_000),
  // A request takes about five turns of the loop, and the tightest sender waits 5 s.
  EVENTGRAFT_MAX_LAG: whole(0, 60_000).default(500),
  EVENTGRAFT_TRUSTED_PROXIES: proxies.default([]),
  EVENTGRAFT_RUNTIME: z.enum(['local', 'docker'], 'must be local or docker').optional(),
  EVENTGRAFT_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'must be fatal, error, warn, info, debug, trace or silent')
    .default('info'),
});

/** Those that may be given as a file: what an orchestrator mounts rather than prints. */
const FILES = ['NEO4J_PASSWORD', 'ADMIN_TOKEN', 'PRODUCER_TOKEN', 'REDIS_URL'] as const;

/** The whole configuration, checked. An empty variable counts as unset. Throws `BAD_CONFIG` for the first that is wrong. */
export function loadConfig(env: Environment): Config {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) if (env[name] !== undefined && env[name] !== '') given[name] = env[name];
  for (const name of FILES) {
    const lines = readLines(env, `${name}_FILE`);
    if (lines === undefined) continue;
    if (given[name] !== undefined) throw bad(`${name} and ${name}_FILE are both set; keep one`);
    given[name] = lines.join(',');
  }
  const read = schema.safeParse(given);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw bad(`${String(issue?.path[0])} ${issue?.message ?? 'is not understood'}`);
  }
  const set = read.data;
  if (set.NEO4J_URI !== undefined && set.NEO4J_PASSWORD === undefined)
    throw bad('NEO4J_URI is set without NEO4J_PASSWORD; set it, or NEO4J_PASSWORD_FILE');
  return {
    neo4j:
      set.NEO4J_URI === undefined
        ? undefined
        : { uri: set.NEO4J_URI, username: set.NEO4J_USERNAME, password: set.NEO4J_PASSWORD ?? '', database: set.NEO4J_DATABASE },
    redisUrl: set.REDIS_URL,
    host: set.HOST,
    port: set.PORT,
    adminTokens: set.ADMIN_TOKEN,
    producerTokens: set.PRODUCER_TOKEN,
    configFile: set.EVENTGRAFT_CONFIG,
    queuePrefix: set.EVENTGRAFT_QUEUE_PREFIX,
    maxQueued: set.EVENTGRAFT_MAX_QUEUED,
    durability: set.EVENTGRAFT_DURABILITY,
    maxConnections: set.EVENTGRAFT_MAX_CONNECTIONS,
    maxAddressRate: set.EVENTGRAFT_MAX_ADDRESS_RATE,
    maxSourceRate: set.EVENTGRAFT_MAX_SOURCE_RATE,
    maxLagMs: set.EVENTGRAFT_MAX_LAG,
    trustedProxies: set.EVENTGRAFT_TRUSTED_PROXIES,
    maxFutureSeconds: set.EVENTGRAFT_MAX_FUTURE,
    runtime: set.EVENTGRAFT_RUNTIME,
    logLevel: set.EVENTGRAFT_LOG_LEVEL,
    secretsOf: (source) => readSecrets(env, source),
    fetchTokenOf: (source) => readToken(env, fetchVariable(source)),
    acknowledgeTokenOf: (source) => readToken(env, acknowledgeVariable(source)),
  };
}

/** `acme-shopify` → `WEBHOOK_SECRET_ACME_SHOPIFY`. */
export function secretVariable(source: string): string {
  return `WEBHOOK_SECRET_${inCapitals(source)}`;
}

/** `acme-shop` → `FETCH_TOKEN_ACME_SHOP`. */
export function fetchVariable(source: string): string {
  return `FETCH_TOKEN_${inCapitals(source)}`;
}

/** `acme-shop` → `ACKNOWLEDGE_TOKEN_ACME_SHOP`. */
export function acknowledgeVariable(source: string): string {
  return `ACKNOWLEDGE_TOKEN_${inCapitals(source)}`;
}

function inCapitals(source: string): string {
  return source.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
}

function readToken(env: Environment, variable: string): string | undefined {
  const file = readLines(env, `${variable}_FILE`);
  const text = env[variable] === '' ? undefined : env[variable];
  if (file !== undefined && text !== undefined) throw bad(`${variable} and ${variable}_FILE are both set; keep one`);
  const token = file?.[0] ?? text;
  // It travels in a header.
  if (token !== undefined && (!/^[\x21-\x7e]+$/.test(token) || (file?.length ?? 1) > 1))
    throw bad(`${file === undefined ? variable : `${variable}_FILE`} must hold one value, printable ASCII without spaces`);
  return token;
}

function readSecrets(env: Environment, source: string): readonly Secret[] {
  const variable = secretVariable(source);
  const file = readLines(env, `${variable}_FILE`);
  const text = env[variable];
  if (file !== undefined && text !== undefined && text !== '') throw bad(`${variable} and ${variable}_FILE are both set; keep one`);
  const origin = file === undefined ? variable : `${variable}_FILE`;
  const written = file ?? (text === undefined || text === '' ? [] : text.split(',').map((part) => part.trim()));
  return written.map((one, index) => {
    const secret = parseSecret(one);
    if ('problem' in secret)
      throw bad(`${origin}: secret ${index + 1} of ${written.length} ${secret.problem}; write whsec_<base64>, whpk_<base64> or plain text`);
    return secret;
  });
}

/** One value a line; blank lines do not count. Undefined when the variable is unset. */
function readLines(env: Environment, variable: string): readonly string[] | undefined {
  const path = env[variable];
  if (path === undefined || path === '') return undefined;
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new IngestError('BAD_CONFIG', `${variable} names a file that cannot be read; mount it, or unset the variable`, {}, cause);
  }
  const lines = content
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) throw bad(`${variable} names an empty file; write one value a line`);
  return lines;
}

function isRange(text: string): boolean {
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits ?? 0) <= (family === 6 ? 128 : 32);
}

function bad(message: string): IngestError {
  return new IngestError('BAD_CONFIG', message);
}

/** The environment of this process. */
export function readEnvironment(): Environment {
  return process.env;
}

/** Where downloads are kept, when the user says so (XDG Base Directory Specification). */
export function cacheDirectory(env: Environment = process.env): string | undefined {
  const base = env['XDG_CACHE_HOME'];
  return base === undefined || base === '' ? undefined : join(base, 'eventgraft');
}

export function javaHome(env: Environment = process.env): string | undefined {
  return env['JAVA_HOME'] === '' ? undefined : env['JAVA_HOME'];
}
