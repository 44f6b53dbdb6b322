/** `dev`, `serve`, `work`: the long-running commands. */
import closeWithGrace from 'close-with-grace';
import type { Command } from 'commander';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { IngestError } from '../errors.ts';
import { applySchema } from '../graph/schema.ts';
import type { Role, Service, ServiceOptions } from '../main.ts';
import { findFreePort } from '../runtime/net.ts';
import { startRuntime } from '../runtime/runtime.ts';
import type { Secret } from '../secret.ts';
import {
  announce,
  findRunning,
  isPortChosen,
  LOCAL_DIR,
  loadContext,
  makeLocalDir,
  makeSecret,
  makeToken,
  withdraw,
  withGraph,
  type Running,
} from './context.ts';
import { printJson, say } from './output.ts';
import { runtimeOptions } from './runtime.ts';

export function addServiceCommands(program: Command): void {
  program
    .command('serve')
    .description('take events in: webhooks over HTTP into Redis')
    .action(() => runRole('serve'));
  program
    .command('work')
    .description('bring queued events into the graph')
    .action(() => runRole('work'));
  program
    .command('dev')
    .description('Neo4j, Redis, serve and work on this machine, with secrets made for you')
    .option('--json', 'print addresses and secrets as one JSON line')
    .action((options: { json?: boolean }) => runDev(options.json === true));
}

/** Loaded when it is needed: Express and BullMQ would cost every other command half a second. */
async function start(options: ServiceOptions): Promise<Service> {
  const { startService } = await import('../main.ts');
  return startService(options);
}

async function runRole(role: Role): Promise<void> {
  const { config, setup, log } = await loadContext(role);
  if (config.redisUrl === undefined)
    throw new IngestError('BAD_CONFIG', `${role} needs REDIS_URL; for a try-out on this machine run \`eventgraft dev\``);
  if (role === 'serve' && setup.sources.size === 0)
    throw new IngestError('BAD_CONFIG', 'no source has a secret; set WEBHOOK_SECRET_<SOURCE>, e.g. WEBHOOK_SECRET_SHOPIFY');
  const service = await start({ config, setup, roles: [role], redisUrl: config.redisUrl, neo4j: config.neo4j, log });
  stopOnSignal(() => service.close());
}

async function runDev(json: boolean): Promise<void> {
  const other = findRunning();
  if (other !== undefined) {
    throw new IngestError(
      'BAD_CONFIG',
      `process ${other.pid} runs in this directory already, at ${other.url}; use it, stop it, or start this one in another directory`,
    );
  }
  const kept = keptSecrets();
  // At a terminal a person reads, and needs to be told of trouble only.
  const context = await loadContext('dev', { secrets: kept.secretOf, ...(process.stderr.isTTY ? { logLevel: 'warn' as const } : {}) });
  const { setup, log } = context;
  const adminToken = context.config.adminTokens[0] ?? kept.secretOf('admin token');
  const producerToken = context.config.producerTokens[0] ?? kept.secretOf('producer token');
  const port = isPortChosen() ? context.config.port : await findFreePort(context.config.port);
  const config = { ...context.config, port, adminTokens: [adminToken], producerTokens: [producerToken] };
  await startStoppable(async (add) => {
    say('Starting Neo4j and Redis …');
    const runtime = await startRuntime({ ...runtimeOptions(config), dataDir: join(LOCAL_DIR, 'data'), http: true });
    add(() => runtime.close());
    const { neo4j, redisUrl } = runtime;
    await withGraph(neo4j, (bolt) => applySchema(bolt, setup.model));
    const service = await start({ config, setup, roles: ['serve', 'work'], redisUrl, neo4j, log });
    add(() => service.close());
    const running: Running = {
      url: service.url,
      neo4jUri: neo4j.uri,
      neo4jUsername: neo4j.username,
      neo4jPassword: neo4j.password,
      redisUrl,
      secrets: Object.fromEntries([...setup.sources.keys()].map((name) => [name, writeSecret(config.secretsOf(name)[0])])),
      adminToken,
      producerToken,
    };
    announce(running, config.queuePrefix);
    add(withdraw);
    if (json) printJson(running);
    else sayRunning(running, runtime.browserUrl);
  });
}

/** The secret that is in force, which may be the environment's, in a form that `send` can sign with. */
function writeSecret(secret: Secret | undefined): string {
  return secret === undefined ? '' : `whsec_${secret.key.toString('base64')}`;
}

function sayRunning(running: Running, browserUrl: string | undefined): void {
  say('');
  say(`Receiver  ${running.url}/webhooks/<source>, signed with the secret of the source:`);
  for (const [name, secret] of Object.entries(running.secrets)) say(`            ${name.padEnd(12)}${secret}`);
  say(`API       ${running.url}/docs   X-Admin-Token: ${running.adminToken}`);
  say(`Neo4j     ${running.neo4jUri}   ${running.neo4jUsername} / ${running.neo4jPassword}`);
  if (browserUrl !== undefined) say(`Browser   ${browserUrl}`);
  say(`Redis     ${running.redisUrl}`);
  say(`Data      ${LOCAL_DIR}/ in this directory; delete it to start afresh`);
  say('');
  say('In another terminal, in this directory:');
  say('  eventgraft send facts --count 100     sample orders');
  say('  eventgraft events list                what became of them');
  say('  eventgraft query best-customers       what the graph says');
  say('');
  say('Ctrl-C stops everything.');
}

/** Secrets of local runs stay the same from one start to the next. */
function keptSecrets(): { secretOf: (name: string) => string } {
  const file = join(LOCAL_DIR, 'secrets.json');
  let known: Record<string, string> = {};
  try {
    known = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  } catch {
    // The first start in this directory.
  }
  return {
    secretOf(name) {
      if (known[name] === undefined) {
        known[name] = name.endsWith(' token') ? makeToken() : makeSecret();
        makeLocalDir();
        writeFileSync(file, `${JSON.stringify(known, null, 2)}\n`, { mode: 0o600 });
      }
      return known[name];
    },
  };
}

/** Ends on SIGINT and SIGTERM, cleanly within ten seconds; a second signal ends at once. Returns how to take that back. */
export function stopOnSignal(close: () => Promise<void>): { readonly uninstall: () => void } {
  return closeWithGrace({ delay: 10_000, logger: false }, async ({ err, signal }) => {
    if (err !== undefined) say(String(err.stack));
    if (signal !== undefined && process.stderr.isTTY) say('\nStopping …');
    await close();
  });
}

type Closer = () => Promise<void> | void;

/** Builds step by step; a signal, or a step that fails, stops what was added by then, the last first. */
async function startStoppable(build: (add: (closer: Closer) => void) => Promise<void>): Promise<void> {
  const closers: Closer[] = [];
  const close = async (): Promise<void> => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
  };
  const { uninstall } = stopOnSignal(close);
  try {
    await build((closer) => closers.push(closer));
  } catch (error) {
    uninstall();
    await close();
    throw error;
  }
}
