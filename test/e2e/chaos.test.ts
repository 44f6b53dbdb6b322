/** The whole way, with real processes killed on it: nothing lost, nothing twice, the graph of the reference. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { conserve } from '../../src/demo/check.ts';
import { createBolt } from '../../src/graph/driver.ts';
import { applySchema } from '../../src/graph/schema.ts';
import { readGraph } from '../../src/graph/snapshot.ts';
import { commerce } from '../../src/model/commerce.ts';
import { diffGraphs } from '../../src/model/graph.ts';
import { startRuntime, type Runtime } from '../../src/runtime/runtime.ts';
import { generate } from '../../src/verify/generate.ts';
import { createRandom } from '../../src/verify/random.ts';
import { reference } from '../../src/verify/reference.ts';
import type { Told } from '../../src/verify/told.ts';
import { freshDatabase, freshPrefix, neo4j, redis } from '../support/runtime.ts';
import { createSender, drained, newSecret, startService, type Service, type Where } from '../support/service.ts';

const LONG = process.env['EVENTGRAFT_LONG'] === '1';
const running: Service[] = [];
let where: Where;

beforeEach(async () => {
  await freshDatabase();
  where = { neo4j: neo4j(), redisUrl: redis(), prefix: freshPrefix(), secret: newSecret() };
  await withBolt(where, (bolt) => applySchema(bolt, commerce));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.kill('SIGKILL')));
});

async function start(role: 'serve' | 'work', at: Where): Promise<Service> {
  const service = await startService(role, at);
  running.push(service);
  return service;
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

async function sendAll(deliveries: readonly Delivery[], urlOf: () => string, lanes = 16): Promise<Map<number, number>> {
  const sender = createSender(where.secret, urlOf, lanes);
  const statuses = new Map<number, number>();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let mine = next++; mine < deliveries.length; mine = next++) {
      const { status } = await sender.deliver(`msg_${mine}`, deliveries[mine]?.body ?? '');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  sender.close();
  return statuses;
}

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
  const sending = sendAll(deliveries, () => serve.url, 8);
  for (let kill = 0; kill < 20; kill++) {
    const worker = await start('work', where);
    await sleep(20 + kill * 20);
    await worker.kill('SIGKILL');
  }
  const statuses = await sending;
  const worker = await start('work', where);
  const stats = await drained(serve.url);
  await worker.kill();
  expect([...statuses.keys()].toSorted((a, b) => a - b)).toEqual([200, 202]);
  expect(conserve(stats), JSON.stringify(stats)).toMatchObject({ holds: true });
  expect(stats.states['failed']).toBe(0);
  expect(stats.duplicateLate).toBe(0);
  await expectReference(deliveries);
});

test('a receiver that is killed under load loses nothing that it had acknowledged', async () => {
  const deliveries = storm('killed-receiver', 300);
  let serve = await start('serve', where);
  const worker = await start('work', where);
  let sent = false;
  const sending = sendAll(deliveries, () => serve.url).finally(() => (sent = true));
  for (let kill = 0; kill < 5 && !sent; kill++) {
    await sleep(400);
    await serve.kill('SIGKILL');
    serve = await start('serve', where);
  }
  const statuses = await sending;
  const stats = await drained(serve.url);
  await worker.kill();
  expect([...statuses.keys()].filter((status) => status !== 200 && status !== 202)).toEqual([]);
  expect(conserve(stats), JSON.stringify(stats)).toMatchObject({ holds: true });
  await expectReference(deliveries);
});

test('while Neo4j is away every webhook is acknowledged, and when it is back all of it drains and nothing has failed', async () => {
  const outageMs = LONG ? 60_000 : 15_000;
  const runtime: Runtime = await startRuntime({ redisUrl: redis(), heapMb: 512, brief: true });
  try {
    where = { ...where, neo4j: runtime.neo4j };
    await withBolt(where, (bolt) => applySchema(bolt, commerce));
    const deliveries = storm('neo4j-away', 300);
    const serve = await start('serve', where);
    const worker = await start('work', where);
    const third = Math.floor(deliveries.length / 3);
    const before = await sendAll(deliveries.slice(0, third), () => serve.url);
    await runtime.stopNeo4j();
    const stopped = Date.now();
    const during = await sendAll(deliveries.slice(third, 2 * third), () => serve.url);
    const ready = await fetch(`${serve.url}/health/ready`);
    expect(ready.status).toBe(200);
    expect(((await ready.json()) as { graph: { reachable: boolean } }).graph.reachable).toBe(false);
    await sleep(Math.max(0, outageMs - (Date.now() - stopped)));
    await runtime.startNeo4j();
    const after = await sendAll(deliveries.slice(2 * third), () => serve.url);
    const stats = await drained(serve.url).catch((error: Error) =>
      Promise.reject(new Error(`${error.message}\n${worker.log().slice(-4_000)}`)),
    );
    for (const statuses of [before, during, after])
      expect([...statuses.keys()].filter((status) => status !== 200 && status !== 202)).toEqual([]);
    expect(conserve(stats), JSON.stringify(stats)).toMatchObject({ holds: true });
    expect(stats.states['failed']).toBe(0);
    expect(worker.log()).toContain('"msg":"graph.lost"');
    expect(worker.log()).toContain('"msg":"graph.found"');
    await expectReference(deliveries);
  } finally {
    await Promise.all(running.splice(0).map((service) => service.kill('SIGKILL')));
    await runtime.close();
  }
});
