/** `dev`, `serve`, `work`: the long-running commands. */
import closeWithGrace from 'close-with-grace';
import type { Command } from 'commander';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { IngestError } from '../errors.ts';
import { createBolt } from '../graph/driver.ts';
import { applySchema } from '../graph/schema.ts';
import { startService, type Role } from '../main.ts';
import { startRuntime } from '../runtime/runtime.ts';
import { announce, LOCAL_DIR, loadContext, makeSecret, makeToken, withdraw, type Running } from './context.ts';
import { printJson, say } from './output.ts';
import { runtimeOptions } from './runtime.ts';

export function addServiceCommands(program: Command): void {
  program.command('serve').description('take events in: webhooks over HTTP into Redis').action(() => runRole('serve'));
  program.command('work').description('bring queued events into the graph').action(() => runRole('work'));
  program
    .command('dev')
    .description('Neo4j, Redis, serve and work on this machine, with secrets made for you')
    .option('--json', 'print addresses and secrets as one JSON line')
    .action((options: { json?: boolean }) => runDev(options.json === true));
}

async function runRole(role: Role): Promise<void> {
  const { config, setup, log } = await loadContext(role);
  if (config.redisUrl === undefined) throw new IngestError('BAD_CONFIG', `${role} needs REDIS_URL; for a try-out on this machine run \`eventgraft dev\``);
  if (role === 'serve' && setup.sources.size === 0) throw new IngestError('BAD_CONFIG', 'no source has a secret; set WEBHOOK_SECRET_<SOURCE>, e.g. WEBHOOK_SECRET_SHOPIFY');
  const service = await startService({ config, setup, roles: [role], redisUrl: config.redisUrl, neo4j: config.neo4j, log });
  stopOnSignal(() => service.close());
}

async function runDev(json: boolean): Promise<void> {
  const kept = keptSecrets();
  const context = await loadContext('dev', kept.secretOf);
  const runtime = await startRuntime({ ...runtimeOptions(context.config), dataDir: join(LOCAL_DIR, 'data'), http: true });
  const adminToken = context.config.adminTokens[0] ?? kept.secretOf('admin token');
  const producerToken = context.config.producerTokens[0] ?? kept.secretOf('producer token');
  const config = { ...context.config, adminTokens: [adminToken], producerTokens: [producerToken] };
  const bolt = createBolt(runtime.neo4j, 1);
  await applySchema(bolt, context.setup.model);
  await bolt.close();
  const service = await startService({ config, setup: context.setup, roles: ['serve', 'work'], redisUrl: runtime.redisUrl, neo4j: runtime.neo4j, log: context.log });
  const running: Running = {
    url: service.url, neo4jUri: runtime.neo4j.uri, neo4jUsername: runtime.neo4j.username, neo4jPassword: runtime.neo4j.password, redisUrl: runtime.redisUrl,
    secrets: Object.fromEntries([...context.setup.sources.keys()].map((name) => [name, kept.secretOf(name)])), adminToken, producerToken,
  };
  announce(running, config.queuePrefix);
  if (json) printJson(running);
  else sayRunning(running, runtime.browserUrl);
  stopOnSignal(async () => {
    withdraw();
    await service.close();
    await runtime.close();
  });
}

function sayRunning(running: Running, browserUrl: string | undefined): void {
  say(`receiver  ${running.url}/webhooks/<source>   docs ${running.url}/docs`);
  for (const [name, secret] of Object.entries(running.secrets)) say(`  ${name.padEnd(12)} ${secret}`);
  say(`neo4j     ${running.neo4jUri}   ${running.neo4jUsername} / ${running.neo4jPassword}${browserUrl === undefined ? '' : `   browser ${browserUrl}`}`);
  say(`redis     ${running.redisUrl}`);
  say(`admin     X-Admin-Token: ${running.adminToken}`);
  say('Try in another terminal, in this directory:  npx eventgraft send facts --count 100');
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
        mkdirSync(LOCAL_DIR, { recursive: true });
        writeFileSync(file, `${JSON.stringify(known, null, 2)}\n`, { mode: 0o600 });
      }
      return known[name];
    },
  };
}

/** Ends on SIGINT and SIGTERM, cleanly within ten seconds. */
export function stopOnSignal(close: () => Promise<void>): void {
  closeWithGrace({ delay: 10_000, logger: false }, async ({ err }) => {
    if (err !== undefined) say(String(err.stack));
    await close();
  });
}
