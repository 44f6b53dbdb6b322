/** `verify`: the law as a tool, in memory and on a real Neo4j of its own. */
import { Option, type Command } from 'commander';
import { randomBytes } from 'node:crypto';

import type { Config } from '../config.ts';
import { createBolt, type GraphAddress } from '../graph/driver.ts';
import { applySchema } from '../graph/schema.ts';
import { commerce } from '../model/commerce.ts';
import type { Model } from '../model/model.ts';
import { startRuntime } from '../runtime/runtime.ts';
import { borrowGraph } from '../verify/borrow.ts';
import { verifyOnDatabase } from '../verify/database.ts';
import { createJudgedWorld } from '../verify/judge.ts';
import { law } from '../verify/law-model.ts';
import { showDivergence, verifyInMemory, type Divergence } from '../verify/memory.ts';
import { loadReader } from './context.ts';
import { loadModel } from './load-model.ts';
import { parseCount } from './options.ts';
import { print, printJson, say, table } from './output.ts';
import { createProgress } from './progress.ts';
import { runtimeOptions } from './runtime.ts';

interface Options {
  readonly histories?: number;
  readonly databaseHistories?: number;
  readonly model?: string;
  readonly seed?: string;
  readonly uri?: string;
  readonly username: string;
  readonly password?: string;
  readonly memoryOnly?: boolean;
  readonly writers?: number;
  readonly json?: boolean;
}

const IN_MEMORY = 20_000;
const ON_DATABASE = 300;
/** `--histories` counts those on the database; one in memory costs about a twentieth. */
const MEMORY_FACTOR = 20;

export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check the law: random histories in many orders must end in one graph')
    .option(
      '--histories <n>',
      `of each model: n on the database and ${MEMORY_FACTOR} n in memory (default ${ON_DATABASE} and ${IN_MEMORY}); n in memory with --memory-only`,
      parseCount,
    )
    .option('--database-histories <n>', 'on the database, where it should be another number', parseCount)
    .option('--model <file>', 'check this model instead of the configured one: a file that exports default defineModel(…)')
    .option('--seed <seed>', 'repeat an earlier run')
    .option('--memory-only', 'no database')
    .addOption(new Option('--writers <n>', 'concurrent writers on the database (default: one to four, by chance)').argParser(parseCount))
    .option('--uri <bolt>', 'use this Neo4j, which must be empty, instead of starting one')
    .option('--username <name>', 'of --uri', 'neo4j')
    .option('--password <password>', 'of --uri; default: NEO4J_PASSWORD')
    .option('--json', 'print one JSON object')
    .action(verify);
}

interface Subject {
  readonly name: string;
  readonly model: Model;
}

interface Result {
  readonly model: string;
  readonly where: 'memory' | 'database';
  readonly histories: number;
  readonly seconds: number;
  /** On the database: transactions that were cut off or done again, and races that were retried. */
  readonly redone?: number;
  readonly conflicts?: number;
  /** As pages of text: the story, the order that breaks it, and what differs. */
  readonly divergences: readonly string[];
}

async function verify(options: Options): Promise<void> {
  const { config, setup } = await loadReader();
  const own: Subject =
    options.model !== undefined
      ? await loadModel(options.model)
      : { name: setup.model === commerce ? 'commerce' : 'yours', model: setup.model };
  const subjects = [{ name: 'law', model: law }, own];
  const seed = options.seed ?? randomBytes(4).toString('hex');
  const inMemory = options.histories === undefined ? IN_MEMORY : options.histories * (options.memoryOnly === true ? 1 : MEMORY_FACTOR);
  const onDatabase = options.memoryOnly === true ? 0 : (options.databaseHistories ?? options.histories ?? ON_DATABASE);
  say(`seed ${seed}`);

  const results = subjects.map((subject) => checkInMemory(subject, inMemory, seed));
  if (onDatabase > 0) results.push(...(await checkOnDatabase(subjects, onDatabase, seed, config, options)));

  const divergences = results.flatMap((result) => result.divergences);
  const ok = divergences.length === 0;
  if (options.json === true) printJson({ ok, seed, results });
  else {
    print(table(['model', 'where', 'histories', 'divergences', 'seconds', ''], results.map(row)));
    for (const page of divergences) print(`\n${page}`);
  }
  say(
    ok
      ? 'Every history ended in the graph of the reference.'
      : `\nThe law does not hold. Repeat it with --seed ${seed}, and the same numbers.`,
  );
  if (!ok) process.exitCode = 1;
}

function row(result: Result): unknown[] {
  const extra = result.redone === undefined ? '' : `${result.redone} cut off or done twice, ${result.conflicts} races`;
  return [result.model, result.where, result.histories, result.divergences.length, result.seconds, extra];
}

function checkInMemory({ name, model }: Subject, histories: number, seed: string): Result {
  const watch = startWatch(`${name}, in memory`, histories);
  const verdict = verifyInMemory({ model, histories, seed, createWorld: createJudgedWorld, report: (at) => watch.show(at.histories) });
  return {
    model: name,
    where: 'memory',
    histories: verdict.histories,
    seconds: watch.end(),
    divergences: pages(model, verdict.divergences),
  };
}

async function checkOnDatabase(
  subjects: readonly Subject[],
  histories: number,
  seed: string,
  config: Config,
  options: Options,
): Promise<Result[]> {
  const { address, close } = await databaseOf(config, options);
  const bolt = createBolt(address);
  try {
    const graph = await borrowGraph(bolt);
    const results: Result[] = [];
    for (const { name, model } of subjects) {
      try {
        await applySchema(bolt, model);
        const watch = startWatch(`${name}, on Neo4j`, histories);
        const writers = options.writers === undefined ? {} : { writers: options.writers };
        const verdict = await verifyOnDatabase({ bolt, model, histories, seed, ...writers, report: (at) => watch.show(at.histories) });
        const { redone, conflicts } = verdict;
        results.push({
          model: name,
          where: 'database',
          histories: verdict.histories,
          seconds: watch.end(),
          redone,
          conflicts,
          divergences: pages(model, verdict.divergences),
        });
      } finally {
        await graph.clean();
      }
    }
    return results;
  } finally {
    await bolt.close();
    await close();
  }
}

/** The graph that was lent, else one that lives as long as this run. NEO4J_URI is never used: it may be somebody's data. */
async function databaseOf(
  config: Config,
  { uri, username, password }: Options,
): Promise<{ address: GraphAddress; close: () => Promise<void> }> {
  if (uri !== undefined) return { address: { uri, username, password: password ?? config.neo4j?.password ?? '' }, close: async () => {} };
  say('Starting a Neo4j of its own …');
  // Redis has no part in the law; any address keeps the runtime from starting one.
  const runtime = await startRuntime({ ...runtimeOptions(config), brief: true, neo4j: undefined, redisUrl: 'redis://127.0.0.1:0' });
  return { address: runtime.neo4j, close: () => runtime.close() };
}

function pages(model: Model, divergences: readonly Divergence[]): string[] {
  return divergences.map((divergence) => showDivergence(model, divergence));
}

function startWatch(what: string, all: number): { show(done: number): void; end(): number } {
  const started = performance.now();
  const progress = createProgress();
  const seconds = (): number => (performance.now() - started) / 1_000;
  progress.show(`${what}: ${all} histories …`);
  return {
    show: (done) => progress.show(`${what}: ${done} of ${all} histories, ${Math.round(done / seconds())}/s`),
    end() {
      progress.end();
      return Math.round(seconds() * 10) / 10;
    },
  };
}
