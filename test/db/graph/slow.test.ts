/** Events that are slower than the deadline, here since somebody else holds the lock of their node: they wait in the queue, and nobody waits for them. */
import { setTimeout as sleep } from 'node:timers/promises';

import fc from 'fast-check';
import { Neo4jError } from 'neo4j-driver';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Event } from '../../../src/event.ts';
import { createBolt, explainFailure } from '../../../src/graph/driver.ts';
import { createGraphStore, type GraphStore } from '../../../src/graph/store.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { facts } from '../../../src/sources/facts.ts';
import { acknowledging } from '../../../src/sources/gateway.ts';
import type { Source } from '../../../src/sources/source.ts';
import { createWorker } from '../../../src/worker.ts';
import { secret } from '../../support/deliveries.ts';
import { openGateway } from '../../support/gateway.ts';
import { altered, countLedger, eventOf, MAX_FUTURE_MS, openGraph, type TestGraph } from '../../support/graph.ts';
import { useRedis } from '../../support/redis-server.ts';
import { neo4j } from '../../support/runtime.ts';
import { hook, openShop, openShopfloor, thinSource, type Shopfloor, type Work } from '../../support/shop.ts';
import { startBoltProxy } from './bolt-proxy.ts';

const DEADLINE_MS = 1_000;

const own = useRedis();
let graph: TestGraph;
let store: GraphStore;
let floor: Shopfloor;
let held: (() => Promise<void>)[] = [];

beforeAll(async () => {
  graph = await openGraph();
  store = createGraphStore(graph.bolt, commerce, { deadlineMs: DEADLINE_MS });
});
beforeEach(async () => {
  await graph.wipe();
  floor = openShopfloor(own, graph, [...graph.sources.values()]);
});
afterEach(async () => {
  await letGo();
  await floor.close();
});
afterAll(() => graph.close());

const paid = (order: string): Event =>
  eventOf({ id: `${order}-paid`, facts: [{ upsert: { node: 'Order', key: { id: order }, set: { status: 'paid' } } }] });
const paidAll = (...orders: string[]): Event[] => orders.map(paid);

/** Pending orders whose locks a foreign transaction holds until they are let go. */
async function hold(...orders: string[]): Promise<void> {
  const at = '2026-11-21T08:00:00Z';
  await graph.tell(
    orders.map((id) => eventOf({ id, at, facts: [{ upsert: { node: 'Order', key: { id }, set: { status: 'pending' } } }] })),
  );
  const session = graph.bolt.driver.session({ database: graph.bolt.database });
  const foreign = session.beginTransaction();
  await foreign.run('MATCH (o:Order) WHERE o.id IN $orders SET o.touched = true', { orders });
  held.push(async () => {
    await foreign.rollback();
    await session.close();
  });
}

async function letGo(): Promise<void> {
  await Promise.all(held.map((release) => release()));
  held = [];
}

async function paidOrders(): Promise<string[]> {
  return (await graph.run("MATCH (o:Order {status: 'paid'}) RETURN o.id AS id ORDER BY id")).map(({ id }) => String(id));
}

async function blocked(): Promise<number> {
  return (await graph.run("SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked' RETURN status")).length;
}

const until = async (holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> => {
  for (const end = Date.now() + withinMs; !(await holds()); await sleep(10))
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${holds.toString()}`);
};
const delayed = (): Promise<number> => own.redis.zcard(`${own.prefix}:inbox:delayed`);
const speaking = (url: string): Source => acknowledging(facts(), { url })({ name: 'shop', secrets: [secret()], model: commerce });
const slowOf = ({ log }: Work): Record<string, unknown>[] => log.filter(({ msg }) => msg === 'event.slow');
const slowKeys = (work: Work): string[] => [...new Set(slowOf(work).map(({ key }) => String(key)))].toSorted();

test('two that hold both lanes are put off, those behind them go on while they come again and again, and all is applied once', async () => {
  await hold('s1', 's2');
  await blocked(); // Asked for the first time it takes long, and both are to be seen within one deadline.
  const work = floor.work({ store: createGraphStore(graph.bolt, commerce, { deadlineMs: 2 * DEADLINE_MS }) });
  await floor.inbox.add(paid('s1'));
  await until(async () => (await blocked()) === 1);
  await floor.inbox.add(paid('s2'));
  await until(async () => (await blocked()) === 2);
  await floor.inbox.addAll(paidAll('a', 'b', 'c'));
  await until(async () => (await paidOrders()).join() === 'a,b,c', 10_000);

  const times = slowOf(work).length;
  await until(() => slowOf(work).length >= times + 3);
  await floor.inbox.addAll(paidAll('d', 'e'));
  await until(async () => (await paidOrders()).join() === 'a,b,c,d,e', 10_000);
  expect(slowKeys(work)).toEqual(['shop:s1-paid', 'shop:s2-paid']);
  expect(slowOf(work)[0]).toMatchObject({ level: 'warn', events: 1, delays: 1, comesAgainAt: expect.stringMatching(/Z$/) });
  expect(await floor.inbox.counts()).toMatchObject({ accepted: 7, queued: 2 });

  await letGo();
  await floor.drained();
  expect(await paidOrders()).toEqual(['a', 'b', 'c', 'd', 'e', 's1', 's2']);
  expect(await countLedger(graph)).toMatchObject({ states: { applied: 9 }, late: 0 });
});

test('one among others of its job leaves them be, and they count once when the job comes again', async () => {
  await hold('s1');
  const work = floor.work({ store, maxDelayMs: 60_000 });
  await floor.inbox.addAll(paidAll('a', 'b', 's1', 'c', 'd'));
  await until(() => slowOf(work).length === 1);
  expect(await paidOrders()).toEqual(['a', 'b', 'c', 'd']);
  expect(slowOf(work)[0]).toMatchObject({ key: 'shop:s1-paid', events: 1 });
  expect(await floor.inbox.counts()).toMatchObject({ accepted: 5, queued: 5 });

  await letGo();
  await floor.drained();
  expect(await paidOrders()).toEqual(['a', 'b', 'c', 'd', 's1']);
  expect(await countLedger(graph)).toMatchObject({ states: { applied: 6 }, late: 0 });
});

test('a thin event of its job is asked about once, however often the job comes again, and counts once', async () => {
  const shop = await openShop();
  shop.orders.set('t', 7);
  await floor.close();
  floor = openShopfloor(own, graph, [...graph.sources.values(), thinSource('thin', shop.origin)]);
  await hold('s1');
  const work = floor.work({ store });
  await floor.inbox.addAll([hook('t', 1, 'thin'), paid('s1'), paid('a')]);
  await until(() => slowOf(work).length >= 3);
  await letGo();
  await floor.drained();
  expect(await paidOrders()).toEqual(['a', 's1']);
  expect(shop.asked.get('t')).toBe(1);
  expect(await countLedger(graph)).toMatchObject({ states: { applied: 4 }, late: 0 });
  await shop.close();
});

test('a gateway hears of the others of its job once, however often the job comes again, and of the slow one when it is done', async () => {
  const gateway = await openGateway();
  await floor.close();
  floor = openShopfloor(own, graph, [speaking(gateway.url)]);
  await hold('s1');
  const work = floor.work({ store });
  await floor.inbox.addAll(paidAll('a', 'b', 's1', 'c', 'd'));
  await until(() => slowOf(work).length >= 4);
  const heard = (): string[] => gateway.asked.map(({ id }) => id).toSorted();
  expect(heard()).toEqual(['a-paid', 'b-paid', 'c-paid', 'd-paid']);
  await letGo();
  await floor.drained();
  await until(() => gateway.asked.length === 5);
  expect(heard()).toEqual(['a-paid', 'b-paid', 'c-paid', 'd-paid', 's1-paid']);
  await gateway.close();
});

test('a part of the deadline is given where a part is asked for, but never less than the least', async () => {
  const timed = createGraphStore(graph.bolt, commerce, { deadlineMs: 800, minDeadlineMs: 200 });
  const never = (share?: number): Promise<unknown> => timed.transaction(() => new Promise(() => {}), share).catch(String);
  const said = await Promise.all([never(), never(0.5), never(0.01)]);
  expect(said.map((message) => /within (\d+) ms/.exec(String(message))?.[1])).toEqual(['800', '400', '200']);
});

test('halves are given less time, and commit as they pass; a job that comes again has the whole deadline for what is left, and nothing else', async () => {
  const shares: number[] = [];
  const watched: GraphStore = {
    ...store,
    transaction(run, share = 1) {
      shares.push(share);
      return store.transaction(run, share);
    },
  };
  const worker = graph.counting(createWorker(watched, { sources: graph.sources, maxFutureMs: MAX_FUTURE_MS }));
  const orders = Array.from({ length: 8 }, (_, i) => `o${i}`);
  await hold('o1', 'o6');
  const job = { id: 'j-8', events: paidAll(...orders) };
  const slow = { id: 'j-8', why: 'slow', left: [1, 6], key: 'shop:o1-paid' };
  try {
    let handled = false;
    const commits = new Set([worker.lastCommitMs()]);
    const first = worker.handle([job]).finally(() => (handled = true));
    await until(() => (commits.add(worker.lastCommitMs()), handled), 40_000);
    expect(await first).toEqual([slow]);
    expect(commits.size).toBeGreaterThan(2);
    expect(new Set(shares)).toEqual(new Set([1, 1 / 2, 1 / 4, 1 / 8]));
    expect((await paidOrders()).length).toBe(6);

    const committedMs = worker.lastCommitMs();
    shares.length = 0;
    expect(await worker.handle([{ ...job, left: [1, 6] }])).toEqual([slow]);
    expect(new Set(shares)).toEqual(new Set([1]));
    expect(await worker.handle([{ ...job, left: [2] }])).toEqual([]);
    expect(worker.lastCommitMs()).toBe(committedMs);

    await letGo();
    expect(await worker.handle([{ ...job, left: [1, 6] }])).toEqual([]);
    expect((await paidOrders()).length).toBe(8);
    expect(await countLedger(graph)).toMatchObject({ states: { applied: 10 }, late: 0 });
  } finally {
    worker.close();
  }
});

test('several for the same node, and nothing else in their batch, are put off as well', async () => {
  await hold('s1');
  const work = floor.work({ store });
  const twice = [paid('s1'), eventOf({ id: 'again', facts: [{ upsert: { node: 'Order', key: { id: 's1' }, set: { name: '#1' } } }] })];
  await floor.inbox.addAll(twice);
  await until(() => slowOf(work).length >= 1);
  expect(slowOf(work)[0]).toMatchObject({ events: 2 });
  await letGo();
  await floor.drained();
  expect(await countLedger(graph)).toMatchObject({ states: { applied: 3 }, late: 0 });
});

test('a database that has stopped answering is waited for: nothing is put off, and all goes on when it answers', async () => {
  const proxy = await startBoltProxy(neo4j().uri);
  const bolt = createBolt({ ...neo4j(), uri: proxy.uri });
  const failures: unknown[] = [];
  const behind = createGraphStore(bolt, commerce, { deadlineMs: DEADLINE_MS });
  const watched: GraphStore = {
    ...behind,
    transaction: (work, share) =>
      behind.transaction(work, share).catch((error: unknown) => {
        failures.push(error);
        throw error;
      }),
  };
  try {
    const work = floor.work({ store: watched });
    await floor.inbox.add(paid('first'));
    await floor.drained();
    proxy.freeze();
    await floor.inbox.add(paid('a'));
    await floor.inbox.addAll(paidAll('b', 'c', 'd', 'e'));
    await until(() => failures.length >= 8, 40_000);
    expect([slowOf(work), await delayed(), (await floor.inbox.counts()).queued]).toEqual([[], 0, 5]);
    proxy.thaw();
    await floor.drained();
    expect(slowOf(work)).toEqual([]);
    expect(await countLedger(graph)).toMatchObject({ states: { applied: 6 }, late: 0 });
  } finally {
    await floor.close();
    await bolt.close();
    await proxy.close();
  }
});

test('memory that others have taken is an outage, however fast Neo4j says so: nothing is put off, and all goes on when there is some', async () => {
  let refusals = 0;
  let full = true;
  const crowded = altered(store, (tx) => ({
    write(state, changes) {
      if (!full || changes.nodes.size === 0) return tx.write(state, changes);
      refusals += 1;
      throw explainFailure(new Neo4jError('too much', 'Neo.TransientError.General.MemoryPoolOutOfMemoryError', '50N42', 'general'));
    },
  }));
  const work = floor.work({ store: crowded });
  for (let job = 0; job < 20; job++) await floor.inbox.addAll(paidAll(`a${job}`, `b${job}`));
  await until(() => refusals >= 12);
  expect([slowOf(work), await delayed(), (await floor.inbox.counts()).queued]).toEqual([[], 0, 40]);
  full = false;
  await floor.drained();
  expect(slowOf(work)).toEqual([]);
  expect(await countLedger(graph)).toMatchObject({ states: { applied: 40 }, late: 0 });
});

test('one that is too large for Neo4j’s memory comes again, alone or with its like, until there is more; those beside and behind it go on', async () => {
  let little = true;
  const small = altered(store, (tx) => ({
    lockAndRead(facts) {
      if (!little || !facts.some((fact) => 'node' in fact && String(fact.node.key[1]).startsWith('large'))) return tx.lockAndRead(facts);
      throw explainFailure(new Neo4jError('too much', 'Neo.TransientError.General.MemoryPoolOutOfMemoryError', '50N42', 'general'));
    },
  }));
  const work = floor.work({ store: small });
  await floor.inbox.addAll(paidAll('large1', 'large2', 'a', 'b'));
  await floor.inbox.add(paid('large3'));
  await until(() => slowKeys(work).length === 2);
  await floor.inbox.addAll(paidAll('c', 'd'));
  await until(async () => (await paidOrders()).join() === 'a,b,c,d');
  const times = slowOf(work).length;
  await until(() => slowOf(work).length >= times + 3);
  expect(slowKeys(work)).toEqual(['shop:large1-paid', 'shop:large3-paid']);

  little = false;
  await floor.drained();
  expect(await paidOrders()).toEqual(['a', 'b', 'c', 'd', 'large1', 'large2', 'large3']);
  expect(await countLedger(graph)).toMatchObject({ states: { applied: 7 }, late: 0 });
});

test('any of several jobs may be slow, and workers may be killed meanwhile: each is applied once, and its gateway hears of each', async () => {
  const gateway = await openGateway();
  const JOBS = 4;
  const WIDTH = 8;
  const places = fc.uniqueArray(fc.nat(JOBS * WIDTH - 1), { minLength: 2, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(places, fc.array(fc.nat(4_000), { minLength: 2, maxLength: 2 }), async (slow, livesMs) => {
      await floor.close();
      await graph.wipe();
      floor = openShopfloor({ ...own, prefix: `${own.prefix}-${slow.join('-')}` }, graph, [speaking(gateway.url)]);
      gateway.asked.length = 0;
      const orders = Array.from({ length: JOBS * WIDTH }, (_, i) => `o${i}`);
      await hold(...slow.map((place) => `o${place}`));
      for (let job = 0; job < JOBS; job++) await floor.inbox.addAll(paidAll(...orders.slice(job * WIDTH, (job + 1) * WIDTH)));
      for (const lifeMs of livesMs) {
        const victim = floor.work({ store, lockMs: 600 });
        await sleep(lifeMs);
        victim.kill();
      }
      const work = floor.work({ store, lockMs: 600 });
      await until(async () => (await paidOrders()).length === orders.length - slow.length, 40_000);
      await until(() => slowOf(work).length > 0);
      await letGo();
      await floor.drained();
      expect((await paidOrders()).toSorted()).toEqual(orders.toSorted());
      const told = orders.map((order) => `${order}-paid`).toSorted();
      const heard = (): string[] => [...new Set(gateway.asked.map(({ id }) => id))].toSorted();
      await until(() => heard().length === told.length);
      expect(heard()).toEqual(told);
      expect(await countLedger(graph)).toMatchObject({ states: { applied: orders.length + slow.length }, late: 0 });
    }),
    { numRuns: 1 },
  );
  await gateway.close();
}, 180_000);
