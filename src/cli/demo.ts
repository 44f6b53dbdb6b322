/** `demo`: real baskets, a storm, a murdered worker, and every cent in its place. */
import { InvalidArgumentError, type Command } from 'commander';

import { loadConfig, readEnvironment } from '../config.ts';
import { createDemo, type Access } from '../demo/demo.ts';
import { ALL_DAYS } from '../demo/grocery.ts';
import type { Watch } from '../demo/play.ts';
import { IngestError } from '../errors.ts';
import { announce, findRunning, isPortChosen, withdraw, type Running } from './context.ts';
import { showReport } from './demo-report.ts';
import { print, printJson, say } from './output.ts';
import { createProgress } from './progress.ts';
import { runtimeOptions } from './runtime.ts';
import { stopOnSignal } from './service.ts';

interface Options {
  readonly days: number;
  readonly seed: string;
  readonly keep?: boolean;
  readonly json?: boolean;
}

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('ten days of real grocery orders, shuffled, repeated and late, while the worker is killed; then every cent is checked')
    .option('--days <n>', `the first n days, 1 to ${ALL_DAYS}`, parseDays, ALL_DAYS)
    .option('--seed <seed>', 'another seed is another storm', '1')
    .option('--keep', 'leave everything running afterwards, until Ctrl-C')
    .option('--json', 'print the report as one JSON object')
    .action(demo);
}

async function demo({ days, seed, keep = false, json = false }: Options): Promise<void> {
  const config = loadConfig(readEnvironment());
  const other = keep ? findRunning() : undefined;
  if (other !== undefined)
    throw new IngestError(
      'BAD_CONFIG',
      `process ${other.pid} runs in this directory already, at ${other.url}; stop it, or keep this one in another directory`,
    );
  const watch = createWatch();
  const port = keep && isPortChosen() ? config.port : 0;
  const command = [process.execPath, process.argv[1] ?? ''];
  const it = createDemo({
    days,
    seed,
    command,
    port,
    watch,
    runtime: { ...runtimeOptions(config), http: keep, brief: !keep },
    environment: environment(),
  });
  let stage: 'running' | 'kept' | 'stopping' = 'running';
  // Interrupted before the verdict is no success.
  process.exitCode = 1;
  const { uninstall } = stopOnSignal(async () => {
    if (stage === 'kept') withdraw();
    stage = 'stopping';
    watch.end();
    await it.close();
    process.exit();
  });
  try {
    const report = await it.run();
    watch.end();
    if (json) printJson(report);
    else print(showReport(report));
    process.exitCode = report.ok ? 0 : 1;
    if (!keep) return;
    const access = it.access();
    announce(runningOf(access), access.queuePrefix);
    stage = 'kept';
    sayKept(runningOf(access), access.browserUrl);
  } catch (error) {
    // What is stopped midway complains, and nobody wants to hear it.
    if (!isStopping()) throw error;
  } finally {
    watch.end();
    if (stage === 'running') {
      uninstall();
      await it.close();
    }
  }

  /** Asked anew: a signal may have come meanwhile. */
  function isStopping(): boolean {
    return stage === 'stopping';
  }
}

function parseDays(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > ALL_DAYS)
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${ALL_DAYS}.`);
  return days;
}

/** What a process needs to run at all, and certificates of databases that were given; never the user's own settings of eventgraft. */
function environment(): Record<string, string> {
  const wanted = /^(PATH|HOME|TMPDIR|TZ|LANG|LC_\w+|NODE_EXTRA_CA_CERTS|NODE_OPTIONS|SSL_CERT_\w+)$/;
  return Object.fromEntries(
    Object.entries(readEnvironment()).flatMap(([name, value]) => (wanted.test(name) && value !== undefined ? [[name, value]] : [])),
  );
}

function runningOf({ url, neo4j, redisUrl, secret, adminToken, producerToken }: Access): Running {
  return {
    url,
    neo4jUri: neo4j.uri,
    neo4jUsername: neo4j.username,
    neo4jPassword: neo4j.password,
    redisUrl,
    secrets: { facts: secret },
    adminToken,
    producerToken,
  };
}

function sayKept(running: Running, browserUrl: string | undefined): void {
  say('');
  say(`Receiver  ${running.url}/webhooks/facts, signed with ${running.secrets['facts']}`);
  say(`API       ${running.url}/docs   X-Admin-Token: ${running.adminToken}`);
  say(`Neo4j     ${running.neo4jUri}   ${running.neo4jUsername} / ${running.neo4jPassword}`);
  if (browserUrl !== undefined) say(`Browser   ${browserUrl}`);
  say('');
  say('In another terminal, in this directory:');
  say('  eventgraft query best-customers');
  say('  eventgraft events list --limit 10');
  say('');
  say('Ctrl-C stops everything.');
}

const BAR_WIDTH = 20;
/** Where nobody watches a line that moves: one now and then. */
const PLAIN_MS = 5_000;

/** Phases stay; what moves within one is written over. */
function createWatch(): Watch & { end(): void } {
  const progress = createProgress();
  let now = '';
  let saidAt = performance.now();
  const told = (name: string, detail: string): void => {
    progress.end();
    saidAt = performance.now();
    say(`${name.padEnd(10)} ${detail}`);
  };
  return {
    phase(name, detail) {
      // Death and return of the worker happen within the storm, which goes on.
      if (name !== 'kill' && name !== 'restart') now = name;
      told(name, detail);
    },
    moved(share, detail) {
      const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
      const full = Math.round(share * BAR_WIDTH);
      progress.show(`${now.padEnd(10)} ${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)} ${percent}  ${detail}`);
      if (!process.stderr.isTTY && performance.now() - saidAt > PLAIN_MS) told(now, `${percent}  ${detail}`);
    },
    end: () => progress.end(),
  };
}
