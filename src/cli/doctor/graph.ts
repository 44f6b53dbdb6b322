/** The part of `doctor` that looks at Neo4j, and at Neo4j beside Redis. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Config } from '../../config.ts';
import { readOlderMappings, readQuarantines, readServer } from '../../graph/diagnosis.ts';
import type { Bolt } from '../../graph/driver.ts';
import { readMeta, type Meta } from '../../graph/meta.ts';
import { checkSchema } from '../../graph/schema.ts';
import type { Setup } from '../../load-config.ts';
import { formatMs, fromMs } from '../../model/instant.ts';
import { readCounts } from '../../queue/depth.ts';
import { keysOf } from '../../queue/keys.ts';
import { readWatermark, type Redis } from '../../queue/redis.ts';
import type { RedisAddress } from '../context.ts';
import { bad, none, ok, plural, type Check } from './check.ts';

const OLDEST_NEO4J = [5, 26] as const;
/** Workers look every few seconds. */
const OVERDUE_MS = 60_000;
const STALLED_MS = 60_000;
/** After a quiet hour the first event is no stall, so a backlog is looked at twice. */
const SECOND_LOOK_MS = 2_000;

export async function examineGraph(bolt: Bolt, setup: Setup, config: Config, host: string): Promise<Check[]> {
  const { version, edition } = await readServer(bolt);
  return [
    checkVersion(version, edition, host),
    checkDrift(await checkSchema(bolt, setup.model)),
    await checkMappings(bolt, setup),
    await checkQuarantines(bolt, config.maxFutureSeconds * 1_000),
  ];
}

/** `5.26.30`, or `2026.09.0` by calendar. */
export function checkVersion(version: string, edition: string, host: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const tooOld = major < OLDEST_NEO4J[0] || (major === OLDEST_NEO4J[0] && minor < OLDEST_NEO4J[1]);
  const detail = `${version} ${edition} at ${host}`;
  return tooOld ? bad('neo4j', detail, `Use Neo4j ${OLDEST_NEO4J.join('.')} or newer.`) : ok('neo4j', detail);
}

function checkDrift(problems: readonly string[]): Check {
  return problems.length === 0 ? ok('schema', "is the model's") : bad('schema', problems.join('; '), 'Run `eventgraft schema apply`.');
}

async function checkMappings(bolt: Bolt, { sources }: Setup): Promise<Check> {
  const found = await Promise.all(
    [...sources.values()].map(async ({ name, version }) => ({ name, version, ...(await readOlderMappings(bolt, name, version)) })),
  );
  const older = found.filter((one) => one.older > 0);
  if (older.length === 0)
    return found.some((one) => one.segments > 0)
      ? ok('mappings', 'the ledger was mapped as the sources map now')
      : none('mappings', 'the ledger is empty');
  const detail = older
    .map((one) => `${one.name}: ${one.older} of its ${plural(one.segments, 'oldest segment')} by an earlier mapping than ${one.version}`)
    .join('; ');
  // Right by its time, so not wrong; but a person who changed the mapping wants to know.
  return { name: 'mappings', status: 'none', detail, advice: 'Replay them if the change should count for the past.' };
}

async function checkQuarantines(bolt: Bolt, maxFutureMs: number): Promise<Check> {
  const { waiting, overdue } = await readQuarantines(bolt, fromMs(Date.now() + maxFutureMs - OVERDUE_MS));
  if (overdue > 0)
    return bad('quarantine', `${plural(overdue, 'event')} should have been released`, 'Start `eventgraft work`; any worker releases them.');
  return ok(
    'quarantine',
    waiting === 0 ? 'empty' : `${plural(waiting, 'event')} from the future; \`eventgraft events list --state quarantined\``,
  );
}

/** Whether queue and graph are of one life, and whether anybody brings the one into the other. Reads only. */
export async function checkEpoch(redis: Redis, { prefix }: RedisAddress, bolt: Bolt): Promise<Check[]> {
  const [epoch, watermark, meta] = await Promise.all([redis.get(keysOf(prefix).epoch), readWatermark(redis, prefix), readMeta(bolt)]);
  return [compareLives({ epoch: epoch ?? undefined, watermark }, meta), await checkBacklog(redis, prefix, bolt, meta.lastAppliedAtMs)];
}

/** As a worker compares them when it starts (epoch.ts); it then adopts what it finds, so this is seen only before. */
export function compareLives(queue: { readonly epoch: string | undefined; readonly watermark: string | undefined }, graph: Meta): Check {
  if (graph.epoch === undefined) return none('epoch', 'the graph has not met a queue yet');
  const since = `for each source run \`eventgraft backfill <source> --from ${formatMs(graph.lastAppliedAtMs ?? 0)}\``;
  if (queue.epoch === undefined)
    return bad('epoch', 'the graph knows a queue, and this Redis is empty', `Check EVENTGRAFT_QUEUE_PREFIX; if Redis was lost, ${since}.`);
  if (queue.epoch !== graph.epoch)
    return bad('epoch', 'Redis is not the one that fed this graph', `Check REDIS_URL and NEO4J_URI; if Redis was lost, ${since}.`);
  if (queue.watermark === undefined || graph.watermarks.includes(queue.watermark)) return ok('epoch', 'queue and graph are of one life');
  return bad('epoch', 'the graph is older than the queue: it was restored from a backup', `Start \`eventgraft work\`, and ${since}.`);
}

async function checkBacklog(redis: Redis, prefix: string, bolt: Bolt, beforeMs: number | undefined): Promise<Check> {
  const keys = keysOf(prefix);
  const since = (ms: number | undefined): string => (ms === undefined ? 'never' : formatMs(ms));
  // What waits for a sender's answer is no stall.
  const due = async (): Promise<number> => {
    const { queued: all, hydrating } = await readCounts(redis, keys);
    return all - hydrating;
  };
  const queued = await due();
  if (queued === 0 || (beforeMs !== undefined && Date.now() - beforeMs < STALLED_MS)) return ok('work', `last applied: ${since(beforeMs)}`);
  await sleep(SECOND_LOOK_MS);
  const [still, { lastAppliedAtMs: afterMs }] = await Promise.all([due(), readMeta(bolt)]);
  if (still === 0 || afterMs !== beforeMs) return ok('work', `last applied: ${since(afterMs)}`);
  return bad(
    'work',
    `${plural(still, 'event')} in the queue, last applied: ${since(afterMs)}`,
    'Start `eventgraft work`, or read its log.',
  );
}
