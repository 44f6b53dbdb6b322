/** `doctor`: what a person needs on a bad day, one line a check with the way out. Changes nothing, and never prints a secret. */
import type { Command } from 'commander';
import { basename } from 'node:path';

import { acknowledgeVariable, fetchVariable, loadConfig, readEnvironment, type Config } from '../config.ts';
import { loadSetup, type Setup } from '../load-config.ts';
import { commerce } from '../model/commerce.ts';
import { findGraph, findRedis, findRunning, hostOf, library, makeSecret, withGraph, withRedis, withSecrets } from './context.ts';
import { bad, fromError, lineOf, none, ok, plural, type Check } from './doctor/check.ts';
import { checkEpoch, examineGraph } from './doctor/graph.ts';
import { examineQueue } from './doctor/queue.ts';
import { examineRuntime } from './doctor/runtime.ts';
import { print, printJson } from './output.ts';

const OLDEST_NODE = [20, 19] as const;

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check this machine, the configuration, the queue and the graph; exit 1 if anything is wrong')
    .option('--json', 'print one JSON object')
    .action(doctor);
}

async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const checks: Check[] = [];
  const tell = (...found: readonly Check[]): void => {
    checks.push(...found);
    if (json !== true) for (const check of found) print(lineOf(check));
  };
  tell(checkNode(process.versions.node));
  const config = readConfig();
  if ('status' in config) tell(config);
  else await examine(config, tell);
  const ok = checks.every(({ status }) => status !== 'bad');
  if (json === true) printJson({ ok, checks });
  if (!ok) process.exitCode = 1;
}

async function examine(config: Config, tell: (...found: readonly Check[]) => void): Promise<void> {
  const running = findRunning();
  tell({
    name: 'configuration',
    status: 'ok',
    detail: running === undefined ? 'the environment is understood' : `joins the dev of process ${running.pid}, ${running.url}`,
  });
  const real = withSecrets(config, (source) => running?.secrets[source]);
  tell(await checkSources(real), checkTokens(config, running !== undefined));
  const setup = await loadSetup(withSecrets(real, makeSecret), { library }).catch((): Setup => ({
    model: commerce,
    sources: new Map(),
    file: undefined,
  }));
  tell(checkRequests(setup, config));

  const redis = findRedis(config);
  const graph = findGraph(config);
  if (redis === undefined || graph === undefined) tell(...(await examineRuntime(config)));
  const queue =
    redis === undefined
      ? [none('redis', 'REDIS_URL is not set, and no dev runs in this directory')]
      : await withRedis(redis, (client) => examineQueue(client, redis, config)).catch((error: unknown) => [fromError('redis', error)]);
  tell(...queue);
  const seen =
    graph === undefined
      ? [none('neo4j', 'NEO4J_URI is not set, and no dev runs in this directory')]
      : await withGraph(graph, (bolt) => examineGraph(bolt, setup, config, hostOf(graph.uri))).catch((error: unknown) => [
          fromError('neo4j', error),
        ]);
  tell(...seen);
  if (
    redis === undefined ||
    graph === undefined ||
    [...queue, ...seen].some(({ name, status }) => status === 'bad' && (name === 'redis' || name === 'neo4j'))
  )
    return;
  tell(
    ...(await withRedis(redis, (client) => withGraph(graph, (bolt) => checkEpoch(client, redis, bolt))).catch((error: unknown) => [
      fromError('epoch', error),
    ])),
  );
}

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fits = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return fits ? ok('node', version) : bad('node', version, `Install Node ${OLDEST_NODE.join('.')} or newer.`);
}

function readConfig(): Config | Check {
  try {
    return loadConfig(readEnvironment());
  } catch (error) {
    return fromError('configuration', error);
  }
}

async function checkSources(config: Config): Promise<Check> {
  try {
    const { file, sources } = await loadSetup(config, { library });
    const from = file === undefined ? 'built-in' : basename(file);
    if (sources.size > 0)
      return ok(
        'sources',
        `${from}: ${[...sources.keys()].map((name) => `${name} (${plural(config.secretsOf(name).length, 'secret')})`).join(', ')}`,
      );
    const advice = 'Set WEBHOOK_SECRET_<SOURCE>, e.g. WEBHOOK_SECRET_SHOPIFY.';
    return config.redisUrl === undefined
      ? none('sources', 'none has a secret; dev makes them up')
      : bad('sources', 'none has a secret, so serve would take nothing in', advice);
  } catch (error) {
    return fromError('sources', error);
  }
}

/** What `work` proves itself with where it sends requests: without that it does not start. */
export function checkRequests({ sources }: Pick<Setup, 'sources'>, config: Pick<Config, 'fetchTokenOf' | 'acknowledgeTokenOf'>): Check {
  const needed = [...sources.values()].flatMap(({ name, hydrate, acknowledge }) => [
    ...(hydrate === undefined
      ? []
      : [{ what: `asks ${hydrate.origin}`, name, variable: fetchVariable(name), token: config.fetchTokenOf(name) }]),
    ...(acknowledge === undefined
      ? []
      : [{ what: `reports to ${acknowledge.origin}`, name, variable: acknowledgeVariable(name), token: config.acknowledgeTokenOf(name) }]),
  ]);
  if (needed.length === 0) return none('requests', 'no source asks its sender or reports to a gateway');
  const detail = needed.map(({ name, what }) => `${name} ${what}`).join(', ');
  const missing = needed.filter(({ token }) => token === undefined).map(({ variable }) => variable);
  return missing.length === 0 ? ok('requests', detail) : bad('requests', detail, `Set ${missing.join(' and ')}, or work does not start.`);
}

export function checkTokens({ adminTokens, producerTokens }: Pick<Config, 'adminTokens' | 'producerTokens'>, isLocal: boolean): Check {
  if (isLocal) return none('tokens', 'of the running dev');
  const unused = producerTokens.length > 0 ? '; PRODUCER_TOKEN is set, and used by nothing yet' : '';
  return adminTokens.length > 0
    ? ok('tokens', `ADMIN_TOKEN is set${unused}`)
    : none('tokens', `ADMIN_TOKEN is not set: /events and /admin answer 404${unused}`);
}
