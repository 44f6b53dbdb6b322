/** The whole way, with real processes killed on it: nothing lost, nothing twice, the graph of the reference. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, onTestFinished, test } from 'vitest';

import { createBolt } from '../../src/graph/driver.ts';
import { applySchema } from '../../src/graph/schema.ts';
import { readGraph } from '../../src/graph/snapshot.ts';
import { commerce } from '../../src/model/commerce.ts';
import { diffGraphs } from '../../src/model/graph.ts';
import { keysOf } from '../../src/queue/keys.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { startRuntime, type Runtime } from '../../src/runtime/runtime.ts';
import { generate } from '../../src/verify/generate.ts';
import { createRandom } from '../../src/verify/random.ts';
import { reference } from '../../src/verify/reference.ts';
import type { Told } from '../../src/verify/told.ts';
import { freshDatabase, freshPrefix, neo4j, redis } from '../support/runtime.ts';
import { createSender, drained, newSecret, startService, type Service, type Where } from '../support/service.ts';

const LONG = process.env['EVENTGRAFT_LONG'] === '1';
const KILLS = 20;
let where: Where;

beforeEach(async () => {
  await freshDatabase();
  where = { neo4j: neo4j(), redisUrl: redis(), prefix: freshPrefix(), secret: newSecret() };
  await withBolt(where, (bolt) => applySchema(bolt, commerce));
});

/** Runs until it is killed, or the test is over: after its account was asked for. */
async function start(role: 'serve' | 'work', at: Where): Promise<Service> {
  const service = await startService(role, at);
  onTestFinished(() => service.kill('SIGKILL'));
  return service;
}

/** Ids of the jobs that some worker has, or had when it died. */
async function activeJobs(): Promise<string[]> {
  const connection = connectRedis(where.redisUrl, { role: 'worker' });
  try {
    return await connection.lrange(keysOf(where.prefix).queue('active'), 0, -1);
  } finally {
    connection.disconnect();
  }
}

async function withBolt<T>({ neo4j: access }: Where, use: (bolt: ReturnType<typeof createBolt>) => Promise<T>): Promise<T> {
  const bolt = createBolt(access, 2);
  try {
    return await use(bolt);
  } finally {
    await bolt.close();
  }
}

interface Delivery {
  readonly told: Told;
  readonly body: string;
}

/** Stories of the commerce model as envelopes, each told under its own keys, all mixed up and some told twice. */
function storm(seed: string, stories: number): Delivery[] {
  const random = createRandom(seed);
  const deliveries: Delivery[] = [];
  for (let i = 0; i < stories; i++) {
    for (const told of generate(random, commerce, { events: 5, prefix: `s${i}-`, sources: ['facts'] })) {
      const body = toJson({ id: told.id, ...told.mapped });
      deliveries.push({ body, told: { ...told, source: 'facts', bodyHash: createHash('sha256').update(body).digest('hex') } });
    }
  }
  return random.shuffle([...deliveries, ...random.shuffle(deliveries, Math.floor(deliveries.length * 0.15))]);
}

/** Integers beyond 2^53 as they are. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `@int ${one}@` : one)).replaceAll(/"@int (-?\d+)@"/g, '$1');
}

interface Pace {
  readonly lanes?: number;
  /** Spread evenly over so long instead of as fast as it goes. */
  readonly overMs?: number;
}

/** How often each status was the answer, those that were tried again included; 0 is a connection that was cut. */
async function sendAll(
  deliveries: readonly Delivery[],
  urlOf: () => string,
  { lanes = 16, overMs = 0 }: Pace = {},
): Promise<ReadonlyMap<number, number>> {
  const sender = createSender(where.secret, urlOf, lanes);
  const startedMs = Date.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let mine = next++; mine < deliveries.length; mine = next++) {
      await sleep(Math.max(0, startedMs + (mine * overMs) / deliveries.length - Date.now()));
      await sender.deliver(`msg_${mine}`, deliveries[mine]?.body ?? '');
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  sender.close();
  return sender.answers;
}

const statusesOf = (...answers: readonly ReadonlyMap<number, number>[]): number[] =>
  [...new Set(answers.flatMap((some) => [...some.keys()]))].toSorted((one, other) => one - other);

async function expectReference(deliveries: readonly Delivery[]): Promise<void> {
  const expected = reference(
    commerce,
    deliveries.map(({ told }) => told),
  );
  expect(diffGraphs(expected, await withBolt(where, (bolt) => readGraph(bolt, commerce)))).toEqual([]);
}

test('a worker that is killed twenty times brings every event into the graph once', async () => {
  const deliveries = storm('killed-worker', LONG ? 2_000 : 500);
  const serve = await start('serve', where);
  const answers: ReadonlyMap<number, number>[] = [];
  const share = Math.ceil(deliveries.length / KILLS);
  let atWork = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // What earlier workers left behind counts for nothing here.
    const before = new Set(await activeJobs());
    const taken = async (): Promise<boolean> => (await activeJobs()).some((id) => !before.has(id));
    const sending = sendAll(deliveries.slice(kill * share, (kill + 1) * share), () => serve.url, { lanes: 8 });
    const worker = await start('work', where);
    for (const until = Date.now() + 10_000; !(await taken()) && Date.now() < until;) await sleep(2);
    await sleep(kill * 3);
    await worker.kill('SIGKILL');
    if (await taken()) atWork += 1;
    answers.push(await sending);
  }
  const worker = await start('work', where);
  const stats = await drained(serve.url);
  await worker.kill();
  expect(atWork, 'kills in the middle of a job').toBeGreaterThanOrEqual(0.7 * KILLS);
  expect(statusesOf(...answers)).toEqual([200, 202]);
  expect(stats.states['failed']).toBe(0);
  expect(stats.duplicateLate).toBe(0);
  await expectReference(deliveries);
});

test('a receiver that is killed under load loses nothing that it had acknowledged', async () => {
  const deliveries = storm('killed-receiver', 300);
  let serve = await start('serve', where);
  const worker = await start('work', where);
  const sending = sendAll(deliveries, () => serve.url, { overMs: 4_000 });
  let over = false;
  void sending.finally(() => (over = true));
  let underLoad = 0;
  for (let kill = 0; kill < 5; kill++) {
    await sleep(400);
    await serve.kill('SIGKILL');
    if (!over) underLoad += 1;
    serve = await start('serve', where);
  }
  const answers = await sending;
  const stats = await drained(serve.url);
  await worker.kill();
  expect(underLoad, 'kills while events were sent').toBeGreaterThanOrEqual(3);
  expect(statusesOf(answers)).toEqual([0, 200, 202]);
  expect(stats.states['failed']).toBe(0);
  await expectReference(deliveries);
});

test('while Neo4j is away every webhook is acknowledged at its first try, and when it is back all of it drains and nothing has failed', async () => {
  const outageMs = LONG ? 60_000 : 15_000;
  const runtime: Runtime = await startRuntime({ redisUrl: redis(), heapMb: 512, brief: true });
  onTestFinished(() => runtime.close());
  where = { ...where, neo4j: runtime.neo4j };
  await withBolt(where, (bolt) => applySchema(bolt, commerce));
  const deliveries = storm('neo4j-away', 300);
  const serve = await start('serve', where);
  const worker = await start('work', where);
  const third = Math.floor(deliveries.length / 3);
  const before = await sendAll(deliveries.slice(0, third), () => serve.url);
  await runtime.stopNeo4j();
  const sending = sendAll(deliveries.slice(third, 2 * third), () => serve.url, { overMs: outageMs });
  await sleep(outageMs / 2);
  const ready = await fetch(`${serve.url}/health/ready`);
  expect(ready.status).toBe(200);
  expect(((await ready.json()) as { graph: { reachable: boolean } }).graph.reachable).toBe(false);
  const during = await sending;
  await runtime.startNeo4j();
  const after = await sendAll(deliveries.slice(2 * third), () => serve.url);
  const stats = await drained(serve.url).catch((error: Error) =>
    Promise.reject(new Error(`${error.message}\n${worker.log().slice(-4_000)}`)),
  );
  expect(statusesOf(before, during, after)).toEqual([200, 202]);
  expect([...during.values()].reduce((sum, n) => sum + n)).toBe(third);
  expect(stats.states['failed']).toBe(0);
  expect(worker.log()).toContain('"msg":"graph.lost"');
  expect(worker.log()).toContain('"msg":"graph.found"');
  await expectReference(deliveries);
});
