/** Thin hooks: the object is asked for by the worker, kept beside its notification, and no change of it is missed. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { IngestError } from '../../src/errors.ts';
import { createEventReader } from '../../src/graph/events.ts';
import type { GraphStore } from '../../src/graph/store.ts';
import { createFactsOf } from '../../src/facts-of.ts';
import { countLedger, openGraph, type TestGraph } from '../support/graph.ts';
import { useRedis } from '../support/redis-server.ts';
import { hook, openShop, openShopfloor, thinSource, type Shop, type Shopfloor } from '../support/shop.ts';

const own = useRedis();
let graph: TestGraph;
let shop: Shop;
let floor: Shopfloor;

beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(async () => {
  await graph.wipe();
  shop = await openShop();
  floor = openShopfloor(own, graph, [thinSource('shop', shop.origin)]);
});
afterEach(async () => {
  await floor.close();
  await shop.close();
});
afterAll(() => graph.close());

/** Order → total as a query sees it. */
async function totals(): Promise<Record<string, number>> {
  const rows = await graph.run('MATCH (o:Order) WHERE o._gone IS NULL RETURN o.id AS id, o.totalMinor AS total');
  return Object.fromEntries(rows.map((row) => [String(row['id']), Number(row['total'])]));
}

const until = async (holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> => {
  for (const end = Date.now() + withinMs; !(await holds()); await sleep(10))
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${holds.toString()}`);
};
const hydrating = async (): Promise<number> => (await floor.inbox.counts()).hydrating;
const idsOf = (n: number): string[] => Array.from({ length: n }, (_, i) => `o${i}`);

describe('two hooks for one order within a microsecond, whose answer takes a second', () => {
  it('200 times: one node, the newest content, one request or two, never none', async () => {
    shop.tookMs = 1_000;
    const orders = idsOf(200);
    floor.work({ wide: 200 });
    const accepted = orders.map((order) => {
      shop.orders.set(order, 1);
      const first = floor.inbox.add(hook(order, 1));
      shop.orders.set(order, 2);
      return Promise.all([first, floor.inbox.add(hook(order, 2))]);
    });
    await Promise.all(accepted);
    await floor.drained();
    expect(await totals()).toEqual(Object.fromEntries(orders.map((order) => [order, 2])));
    expect([...shop.asked.values()].filter((n) => n !== 1 && n !== 2)).toEqual([]);
    expect(shop.asked.size).toBe(200);
  });

  it('200 times, the second while the first is being answered with the old content: asked again, and the newest wins', async () => {
    shop.tookMs = 1_000;
    const orders = idsOf(200);
    floor.work({ wide: 200 });
    for (const order of orders) shop.orders.set(order, 1);
    await floor.inbox.addAll(orders.map((order) => hook(order, 1)));
    // The order is read half-way through the answer: what changes afterwards is in the next one only.
    await until(() => shop.asked.size === 200);
    await sleep(700);
    for (const order of orders) shop.orders.set(order, 2);
    await floor.inbox.addAll(orders.map((order) => hook(order, 2)));
    await floor.drained();
    expect(await totals()).toEqual(Object.fromEntries(orders.map((order) => [order, 2])));
    expect(new Set(shop.asked.values())).toEqual(new Set([2]));
  });

  it('fifty hooks for one order during one answer cost a few more, and not fifty', async () => {
    shop.tookMs = 500;
    shop.orders.set('o', 1);
    floor.work();
    await floor.inbox.add(hook('o', 0));
    await until(() => shop.asked.get('o') === 1);
    shop.orders.set('o', 9);
    await floor.inbox.addAll(Array.from({ length: 50 }, (_, i) => hook('o', i + 1)));
    await floor.drained();
    expect(await totals()).toEqual({ o: 9 });
    // One, where all fifty are there before it begins; on a busy machine some come later, and share another.
    expect(shop.asked.get('o')).toBeGreaterThanOrEqual(2);
    expect(shop.asked.get('o')).toBeLessThanOrEqual(5);
  });
});

describe('the copy', () => {
  it('is kept beside the notification, whose hash and identity stay its own', async () => {
    shop.orders.set('o', 5);
    floor.work();
    await floor.inbox.add(hook('o', 1));
    await floor.drained();
    const [entry] = await graph.ledger();
    expect(entry?.event).toEqual({ ...hook('o', 1), fetched: expect.objectContaining({ body: '{"id":"o","version":5}', status: 200 }) });
    const sources = new Map([['shop', thinSource('shop', shop.origin)]]);
    const shown = await createEventReader(graph.bolt).get('shop:o/1', createFactsOf(sources));
    expect(shown).toMatchObject({
      body: '{"order":"o"}',
      bodyHash: hook('o', 1).bodyHash,
      fetched: { status: 200, body: '{"id":"o","version":5}', bodyHash: entry?.event.fetched?.bodyHash, at: expect.stringMatching(/Z$/) },
      facts: [{ upsert: { node: 'Order', key: { id: 'o' }, set: { totalMinor: 5 } } }],
    });
  });

  it('is durable before it is mapped: a worker that dies between asking and applying leaves it, and nobody is asked again', async () => {
    shop.orders.set('o', 5);
    // Both halves of a worker; the second never applies what the first has put back.
    const setting = floor.work({ asking: false });
    await floor.inbox.add(hook('o', 1));
    await until(async () => (await hydrating()) === 1);
    await setting.close();
    const asking = floor.work({ applying: false, lockMs: 1_000 });
    await until(async () => (await hydrating()) === 0);
    asking.kill();
    expect(await floor.inbox.counts()).toEqual({ accepted: 1, duplicate: 0, queued: 1, hydrating: 0 });
    await shop.close();
    floor.work();
    await floor.drained();
    expect([shop.asked.get('o'), await totals()]).toEqual([1, { o: 5 }]);
  });

  it('of an order that is gone is an answer: it removes', async () => {
    shop.orders.set('o', 5);
    floor.work();
    await floor.inbox.add(hook('o', 1));
    await floor.drained();
    shop.orders.delete('o');
    await floor.inbox.add(hook('o', 2, 'shop', Date.now()));
    await floor.drained();
    expect((await graph.graph()).nodes.size).toBe(0);
    expect((await graph.ledger()).map(({ event }) => event.fetched?.status)).toEqual([200, 404]);
  });
});

describe('the account', () => {
  it('has every event in exactly one place of Redis at every moment, whoever holds it', async () => {
    const orders = idsOf(150);
    for (const order of orders) shop.orders.set(order, 1);
    shop.tookMs = 20;
    const away: GraphStore = {
      ...graph.store,
      transaction: () => Promise.reject(new IngestError('GRAPH_UNAVAILABLE', 'away for this test')),
    };
    const work = floor.work({ store: away, wide: 20 });
    // A third says everything itself: those jobs stay in hand while their other events come and go.
    const events = orders.flatMap((order) => [hook(order, 1), hook(order, 2), { ...hook(order, 3), body: '{}' }]);
    await floor.inbox.addAll(events);
    const seen = new Set<number>();
    let most = 0;
    for (; ; await sleep(1)) {
      const counts = await floor.inbox.counts();
      seen.add(counts.queued);
      most = Math.max(most, await own.redis.llen(`${own.prefix}:hydrate:active`));
      if (shop.asked.size === orders.length && (await asideNow()) === 0) break;
    }
    expect(seen).toEqual(new Set([450]));
    expect(most).toBeGreaterThan(0);
    await work.close();
    floor.work();
    await floor.drained();
    expect((await countLedger(graph)).states).toMatchObject({ ignored: 150, failed: 0 });
  });
});

/** Jobs of the second queue, whether they are counted there or not. */
async function asideNow(): Promise<number> {
  const of = (part: string): string => `${own.prefix}:hydrate:${part}`;
  const [wait, active, delayed] = await Promise.all([
    own.redis.llen(of('wait')),
    own.redis.llen(of('active')),
    own.redis.zcard(of('delayed')),
  ]);
  return wait + active + delayed;
}

describe('when a worker dies', () => {
  it('while it asks, another asks in its place', async () => {
    shop.orders.set('o', 5);
    shop.tookMs = 1_000;
    const first = floor.work({ lockMs: 1_000 });
    await floor.inbox.add(hook('o', 1));
    await until(() => shop.asked.get('o') === 1);
    first.kill();
    floor.work({ lockMs: 1_000 });
    await floor.drained();
    expect([shop.asked.get('o'), await totals()]).toEqual([2, { o: 5 }]);
  });

  it('again and again, at any moment, nothing is lost, counted twice or told too old', async () => {
    const orders = idsOf(150);
    shop.tookMs = 60;
    for (let version = 1; version <= 4; version++) {
      for (const order of orders) shop.orders.set(order, version);
      await floor.inbox.addAll(orders.map((order) => hook(order, version)));
      for (let death = 0; death < 2; death++) {
        const work = floor.work({ wide: 20, lockMs: 1_000 });
        await sleep(80 + Math.random() * 250);
        work.kill();
      }
    }
    floor.work({ wide: 20, lockMs: 1_000 });
    await floor.drained(60_000);
    expect(await totals()).toEqual(Object.fromEntries(orders.map((order) => [order, 4])));
    expect((await countLedger(graph)).late).toBe(0);
    expect(await graph.ledger()).toHaveLength(600);
  });

  it('and when it is Redis that dies, and comes back from its disk', async () => {
    const orders = idsOf(100);
    for (const order of orders) shop.orders.set(order, 1);
    shop.tookMs = 200;
    floor.work({ wide: 5, lockMs: 1_000 });
    await floor.inbox.addAll(orders.map((order) => hook(order, 1)));
    for (let death = 0; death < 2; death++) {
      await sleep(300);
      await own.server.kill();
      await own.server.restart();
    }
    await until(async () => (await floor.inbox.counts().catch(() => undefined)) !== undefined);
    await floor.drained(60_000);
    expect(await totals()).toEqual(Object.fromEntries(orders.map((order) => [order, 1])));
    expect((await countLedger(graph)).late).toBe(0);
  });

  it('after it set events aside and before its job was done, each is counted once', async () => {
    const orders = idsOf(20);
    for (const order of orders) shop.orders.set(order, 1);
    await floor.inbox.addAll(orders.map((order) => hook(order, 1)));
    // The same jobs are handled once more after everything that came of them is over.
    const waiting = await own.redis.lrange(`${own.prefix}:inbox:wait`, 0, -1);
    const kept = await Promise.all(waiting.map((id) => own.redis.hgetall(`${own.prefix}:inbox:${id}`)));
    floor.work();
    await floor.drained();
    const asked = [...shop.asked.values()].reduce((a, b) => a + b);
    for (const [i, id] of waiting.entries()) {
      await own.redis.hset(`${own.prefix}:inbox:${id}`, kept[i] ?? {});
      await own.redis.lpush(`${own.prefix}:inbox:wait`, id);
      await own.redis.zadd(`${own.prefix}:inbox:marker`, 0, '0');
    }
    await until(() => [...shop.asked.values()].reduce((a, b) => a + b) === 2 * asked);
    await floor.drained();
    expect((await countLedger(graph)).late).toBe(0);
    expect(await graph.ledger()).toHaveLength(20);
  });
});

describe('when the shop is away', () => {
  it('events wait and are counted, the others go on, and all is well when it is back', async () => {
    const other = await openShop();
    floor = openShopfloor(own, graph, [thinSource('shop', shop.origin), thinSource('other', other.origin)]);
    const work = floor.work();
    const orders = idsOf(100);
    for (const order of orders) shop.orders.set(order, 1);
    shop.answer = (request) => request.socket.destroy();
    await floor.inbox.addAll(orders.map((order) => hook(order, 1)));
    await until(() => work.lost.length > 0);
    other.orders.set('x', 7);
    await floor.inbox.add(hook('x', 1, 'other'));
    await until(async () => (await totals())['x'] === 7);
    for (let i = 0; i < 50; i++) {
      const { accepted, queued } = await floor.inbox.counts();
      expect([accepted, queued]).toEqual([101, 100]);
      await sleep(10);
    }
    expect((await countLedger(graph)).states.failed).toBe(0);
    shop.answer = undefined;
    await floor.drained();
    expect(await totals()).toEqual({ x: 7, ...Object.fromEntries(orders.map((order) => [order, 1])) });
    expect([work.lost, work.found]).toEqual([['shop'], ['shop']]);
    expect(await own.redis.zcard(`${own.prefix}:hydrate:failed`)).toBe(0);
    await other.close();
  });

  it.each([
    ['500', (): [number, string] => [500, 'oops']],
    ['a login page', (): [number, string] => [200, '<html>']],
    ['a redirect', (): [number, string] => [302, '']],
    ['that the key is wrong', (): [number, string] => [401, '{}']],
  ])('and answers %s, nothing fails and it is asked again', async (_what, said) => {
    shop.orders.set('o', 1);
    shop.answer = (_request, response) => {
      const [status, body] = said();
      response.writeHead(status, { location: 'https://evil.example/' }).end(body);
    };
    floor.work();
    await floor.inbox.add(hook('o', 1));
    await until(() => (shop.asked.get('o') ?? 0) >= 3);
    shop.answer = undefined;
    await floor.drained();
    expect(await totals()).toEqual({ o: 1 });
  });

  it('and says for how long (429 with Retry-After), nobody asks it before', async () => {
    const orders = idsOf(30);
    for (const order of orders) shop.orders.set(order, 1);
    let refusedMs = 0;
    const askedMs: number[] = [];
    shop.answer = (_request, response) => {
      if (refusedMs > 0) {
        askedMs.push(performance.now());
        response.end('{"version":1}');
      } else {
        refusedMs = performance.now();
        response.writeHead(429, { 'retry-after': '2' }).end();
      }
    };
    floor.work({ wide: 1 });
    await floor.inbox.addAll(orders.map((order) => hook(order, 1)));
    await floor.drained();
    expect(Object.keys(await totals())).toHaveLength(30);
    expect(Math.min(...askedMs) - refusedMs).toBeGreaterThan(1_900);
  });

  it('no key is in the ledger, in Redis or in what is reported', async () => {
    shop.orders.set('o', 1);
    let asked = 0;
    shop.answer = (request, response) => {
      expect(request.headers.authorization).toBe('Bearer canary-token');
      if ((asked += 1) < 3) response.writeHead(500).end();
      else response.end('{"version":1}');
    };
    const work = floor.work();
    await floor.inbox.add(hook('o', 1));
    await until(() => work.errors.length > 0);
    const jobs = await own.redis.keys(`${own.prefix}:hydrate:j*`);
    const queued = await Promise.all(jobs.filter((key) => !key.endsWith(':lock')).map((key) => own.redis.hgetall(key)));
    await floor.drained();
    const kept = JSON.stringify([queued, await graph.ledger(), work.errors], (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    expect(kept).not.toContain('canary');
  });
});
