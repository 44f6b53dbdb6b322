/** Gateways hear what became of each of their events: at least once, never something wrong, and whatever happens to them or us. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { loadConfig } from '../../src/config.ts';
import { createWhatBecame } from '../../src/graph/became.ts';
import type { Event } from '../../src/event.ts';
import type { GraphStore } from '../../src/graph/store.ts';
import { createLog } from '../../src/log.ts';
import { startService } from '../../src/main.ts';
import { commerce } from '../../src/model/commerce.ts';
import type { AnyFact } from '../../src/model/facts.ts';
import { keysOf } from '../../src/queue/keys.ts';
import { countReports } from '../../src/queue/reports.ts';
import { facts } from '../../src/sources/facts.ts';
import { acknowledging } from '../../src/sources/gateway.ts';
import type { Source } from '../../src/sources/source.ts';
import { openGateway, type Gateway } from '../support/gateway.ts';
import { secret } from '../support/deliveries.ts';
import { bodyOf, eventOf, MAX_FUTURE_MS, openGraph, type TestGraph } from '../support/graph.ts';
import { useRedis } from '../support/redis-server.ts';
import { neo4j } from '../support/runtime.ts';
import { openShopfloor, type Shopfloor } from '../support/shop.ts';

const own = useRedis();
let graph: TestGraph;
let gateway: Gateway;
let floor: Shopfloor;

const speaking = (name: string, url: string): Source => acknowledging(facts(), { url })({ name, secrets: [secret()], model: commerce });
const silent = (name: string): Source => facts()({ name, secrets: [secret()], model: commerce });

beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(async () => {
  await graph.wipe();
  gateway = await openGateway();
  floor = openShopfloor(own, graph, [speaking('shop', gateway.url), silent('other')]);
});
afterEach(async () => {
  await floor.close();
  await gateway.close();
});
afterAll(() => graph.close());

const idsOf = (n: number): string[] => Array.from({ length: n }, (_, i) => `e${i}`);
const set = (id: string, totalMinor: number): AnyFact => ({ upsert: { node: 'Order', key: { id }, set: { totalMinor } } });
const order = (id: string, source = 'shop', total = 1): Event => eventOf({ id, source, facts: [set(`o-${id}`, total)] });
/** Its order has no such property. */
const wrong = (id: string): Event =>
  bodyOf(
    JSON.stringify({
      id,
      type: 't',
      occurredAt: '2026-11-21T09:00:00Z',
      facts: [{ upsert: { node: 'Order', key: { id }, set: { colour: 'red' } } }],
    }),
    { id },
  );
const waiting = (source = 'shop'): Promise<number> => countReports(own.redis, own.prefix, [source]);
const until = async (holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> => {
  for (const end = Date.now() + withinMs; !(await holds()); await sleep(10))
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${holds.toString()}`);
};
/** Nothing queued, and nothing left to tell. */
async function settled(withinMs = 30_000): Promise<void> {
  await floor.drained(withinMs);
  await until(async () => (await waiting()) === 0, withinMs);
}
const isReleased = async (): Promise<boolean> => (await graph.run("MATCH (e:_Event {state: 'applied'}) RETURN e.key")).length > 0;
const acked = (ids: readonly string[]): Record<string, string> => Object.fromEntries(ids.map((id) => [id, 'POST ack']));

describe('after the commit a gateway hears', () => {
  it('ack of what is applied, superseded or ignored, fail with the reason of what failed, and nothing of another source', async () => {
    floor.work();
    await floor.inbox.addAll([
      order('new'),
      eventOf({ id: 'old', at: '2026-11-20T09:00:00Z', facts: [set('o-new', 7)] }),
      eventOf({ id: 'nothing', facts: [] }),
      wrong('bad'),
      order('x', 'other'),
    ]);
    await settled();
    expect((await graph.ledger()).map(({ event, state }) => `${event.id} ${state}`).sort()).toEqual(
      ['bad failed', 'new applied', 'nothing ignored', 'old superseded', 'x applied'].sort(),
    );
    expect(gateway.verdicts()).toEqual({ ...acked(['new', 'old', 'nothing']), bad: 'POST fail' });
    const told = Object.fromEntries(gateway.heard.map(({ id, body }) => [id, body]));
    expect(told).toMatchObject({ new: {}, bad: { error: expect.stringMatching(/^BAD_VALUE: .*colour/) } });
    expect(new Set(gateway.heard.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer canary-token']));
    expect(await waiting('other')).toBe(0);
  });

  it('of each id as it was given, whatever is in it', async () => {
    const ids = ['a/b', 'ü~%25', '../x', 'a b?c#d', '…'];
    floor.work();
    await floor.inbox.addAll(ids.map((id) => order(id)));
    await settled();
    expect(gateway.verdicts()).toEqual(acked(ids));
  });

  it('nothing of an event in quarantine, and ack when that is released', async () => {
    const ahead = (id: string, ms: number): Event =>
      eventOf({ id, at: new Date(Date.now() + MAX_FUTURE_MS + ms).toISOString(), receivedAtMs: Date.now(), facts: [set(`o-${id}`, 1)] });
    floor.work();
    await floor.inbox.addAll([ahead('early', 1_500), ahead('far', 3_600_000)]);
    await until(() => gateway.heard.length > 0);
    await settled();
    expect(Object.fromEntries((await graph.ledger()).map(({ event, state }) => [event.id, state]))).toEqual({
      early: 'applied',
      far: 'quarantined',
    });
    expect([gateway.verdicts(), gateway.asked.length]).toEqual([acked(['early']), 1]);
  });

  it('of two bodies under one id what became of each', async () => {
    floor.work();
    await floor.inbox.addAll([order('e'), wrong('e')]);
    await settled();
    expect(gateway.verdicts()).toEqual({ e: 'POST ack, POST fail' });
  });

  it('again of an event that comes again after its mark is gone: what the ledger says of it', async () => {
    floor.work();
    const events = [order('good'), wrong('bad')];
    await floor.inbox.addAll(events);
    await settled();
    expect(await floor.inbox.addAll(events)).toEqual(['duplicate', 'duplicate']);
    await own.redis.del(events.map(({ source, id, bodyHash }) => keysOf(own.prefix).mark(source, id, bodyHash)));
    expect(await floor.inbox.addAll(events)).toEqual(['accepted', 'accepted']);
    await settled();
    expect(gateway.heard.map(({ id, verdict }) => `${id} ${verdict}`).sort()).toEqual(
      ['good POST ack', 'good POST ack', 'bad POST fail', 'bad POST fail'].sort(),
    );
  });
});

describe('when a worker dies', () => {
  it('between its commit and the report, the next one finds in the ledger what is to be told', async () => {
    const dying: { kill(): void } = { kill: () => {} };
    const store: GraphStore = {
      ...graph.store,
      transaction: async (work) => {
        const result = await graph.store.transaction(work);
        dying.kill();
        return result;
      },
    };
    const first = floor.work({ store, lockMs: 1_000 });
    dying.kill = () => first.kill();
    const ids = idsOf(20);
    await floor.inbox.addAll([...ids.map((id) => order(id)), wrong('bad')]);
    await until(async () => (await graph.run('MATCH (e:_Event) RETURN e.key')).length === 21);
    expect([await waiting(), gateway.asked]).toEqual([0, []]);
    floor.work({ lockMs: 1_000 });
    await settled();
    expect(gateway.verdicts()).toEqual({ ...acked(ids), bad: 'POST fail' });
  });

  it('between the release of a quarantined event and its report, it is told all the same', async () => {
    const at = new Date(Date.now() + MAX_FUTURE_MS + 1_500).toISOString();
    const dying: { kill(): void } = { kill: () => {} };
    const store: GraphStore = {
      ...graph.store,
      transaction: async (work) => {
        const result = await graph.store.transaction(work);
        if (await isReleased()) dying.kill();
        return result;
      },
    };
    const first = floor.work({ store, telling: false });
    dying.kill = () => first.kill();
    await floor.inbox.add(eventOf({ id: 'early', at, receivedAtMs: Date.now(), facts: [set('o', 1)] }));
    await until(isReleased);
    expect([await waiting(), gateway.asked]).toEqual([1, []]);
    floor.work();
    await settled();
    expect(gateway.verdicts()).toEqual(acked(['early']));
  });

  it('while the gateway answers, another tells it again', async () => {
    gateway.answer = () => false;
    const first = floor.work({ lockMs: 1_000 });
    await floor.inbox.add(order('e'));
    await until(() => gateway.asked.length === 1);
    await floor.drained();
    first.kill();
    gateway.answer = undefined;
    floor.work({ lockMs: 1_000 });
    await settled();
    expect(gateway.verdicts()).toEqual(acked(['e']));
  });

  it('again and again, at any moment, beside a gateway that fails half of the time: each is told once at least, and nothing wrong', async () => {
    gateway.answer = (told, response) => {
      const dice = Math.random();
      if (dice < 0.5) return 204;
      if (dice < 0.7) return 500;
      if (dice < 0.8) return 503;
      if (dice < 0.9) gateway.heard.push(told); // Heard, and its answer lost on the way.
      response.destroy();
      return false;
    };
    const ids = idsOf(180);
    for (let round = 0; round < 3; round++) {
      const batch = ids.slice(round * 60, (round + 1) * 60);
      await floor.inbox.addAll([...batch.map((id) => order(id)), ...batch.slice(0, 10).map((id) => wrong(`bad-${id}`))]);
      for (let death = 0; death < 2; death++) {
        const work = floor.work({ wide: 8, lockMs: 1_000, maxDelayMs: 50 });
        await sleep(60 + Math.random() * 250);
        work.kill();
      }
    }
    floor.work({ wide: 8, lockMs: 1_000, maxDelayMs: 50 });
    await settled(60_000);
    const bad = [0, 60, 120].flatMap((first) => ids.slice(first, first + 10)).map((id) => [`bad-${id}`, 'POST fail']);
    expect(gateway.verdicts()).toEqual({ ...acked(ids), ...Object.fromEntries(bad) });
  });

  it('and when it is Redis that dies, and comes back from its disk', async () => {
    gateway.answer = () => (Math.random() < 0.5 ? 204 : 500);
    const ids = idsOf(200);
    floor.work({ wide: 2, lockMs: 1_000, maxDelayMs: 50 });
    await floor.inbox.addAll(ids.map((id) => order(id)));
    for (let death = 0; death < 2; death++) {
      await sleep(300);
      await own.server.kill();
      await own.server.restart();
    }
    await until(async () => (await floor.inbox.counts().catch(() => undefined)) !== undefined);
    await settled(60_000);
    expect(gateway.verdicts()).toEqual(acked(ids));
  });
});

describe('when a gateway is away', () => {
  it('the graph goes on, other gateways hear, few requests are made, and all is told when it is back', async () => {
    const near = await openGateway();
    floor = openShopfloor(own, graph, [speaking('shop', gateway.url), speaking('near', near.url)]);
    gateway.answer = (_heard, response) => {
      response.destroy();
      return false;
    };
    const work = floor.work({ maxDelayMs: 2_000 });
    const ids = idsOf(2_000);
    await floor.inbox.addAll(ids.map((id) => order(id)));
    await floor.inbox.add(order('n', 'near'));
    await floor.drained();
    await until(() => near.heard.length === 1);
    expect(await waiting()).toBe(2_000);
    expect(gateway.asked.length).toBeLessThan(40);
    const memory = await own.redis.memory('USAGE', keysOf(own.prefix).reports('shop'), 'SAMPLES', 0);
    expect(Number(memory) / 2_000).toBeLessThan(150);
    gateway.answer = undefined;
    await settled();
    expect(gateway.verdicts()).toEqual(acked(ids));
    expect([work.lost, work.found]).toEqual([['shop'], ['shop']]);
    await near.close();
  });

  it('and says for how long (429 with Retry-After), it is told nothing before', async () => {
    let refusedMs = 0;
    gateway.answer = ({ atMs }, response) => {
      if (refusedMs > 0) return 204;
      refusedMs = atMs;
      response.writeHead(429, { 'retry-after': '2' }).end();
      return false;
    };
    floor.work({ wide: 1 });
    await floor.inbox.addAll(idsOf(30).map((id) => order(id)));
    await settled();
    expect(gateway.verdicts()).toEqual(acked(idsOf(30)));
    expect(Math.min(...gateway.heard.map(({ atMs }) => atMs)) - refusedMs).toBeGreaterThan(1_900);
  });

  it.each([401, 403, 301, 400, 500])('and answers %s, it is told again until it takes it', async (status) => {
    gateway.answer = () => status;
    const work = floor.work({ maxDelayMs: 200 });
    await floor.inbox.add(order('e'));
    await until(() => gateway.asked.length >= 3);
    gateway.answer = undefined;
    await settled();
    expect(gateway.verdicts()).toEqual(acked(['e']));
    const kept = JSON.stringify([work.errors, await graph.ledger()], (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    expect(kept).not.toContain('canary');
  });

  it('one event that it always fails at holds up no other', async () => {
    gateway.answer = ({ id }) => (id === 'e3' ? 500 : 204);
    const work = floor.work();
    const ids = idsOf(50);
    await floor.inbox.addAll(ids.map((id) => order(id)));
    await floor.drained();
    await until(async () => (await waiting()) === 1);
    await until(() => gateway.asked.filter(({ id }) => id === 'e3').length > 2);
    expect([gateway.verdicts(), work.lost]).toEqual([acked(ids.filter((id) => id !== 'e3')), []]);
    gateway.answer = undefined;
    await settled();
  });

  it.each([404, 409, 410])('what it answers %s to is not said again', async (status) => {
    gateway.answer = () => status;
    floor.work();
    await floor.inbox.addAll(idsOf(5).map((id) => order(id)));
    await settled();
    await sleep(200);
    expect(gateway.asked.map(({ id }) => id).sort()).toEqual(idsOf(5));
  });

  it('two dots, which no path can hold, are told of to nobody else', async () => {
    const work = floor.work();
    await floor.inbox.addAll([order('..'), order('e')]);
    await settled();
    expect(gateway.asked.map(({ id }) => id)).toEqual(['e']);
    expect(work.errors).toEqual([expect.stringContaining('no URL can hold the id')]);
  });
});

it('a source that tells a gateway does not start without a token', async () => {
  const start = startService({
    config: loadConfig({ PORT: '0', EVENTGRAFT_QUEUE_PREFIX: own.prefix }),
    setup: { model: commerce, sources: new Map([['shop', speaking('shop', gateway.url)]]), file: undefined },
    roles: ['work'],
    redisUrl: own.server.url,
    neo4j: neo4j(),
    log: createLog({ level: 'silent' }),
  });
  await expect(start).rejects.toMatchObject({ code: 'BAD_CONFIG', message: expect.stringContaining('set ACKNOWLEDGE_TOKEN_SHOP') });
});

it('the ledger tells of each body by its own hash, and of strangers nothing', async () => {
  const whatBecame = createWhatBecame(graph.bolt);
  await graph.tell([order('e'), wrong('e'), eventOf({ id: 'nothing', facts: [] })]);
  expect(await whatBecame(order('e'))).toEqual({ state: 'applied' });
  expect(await whatBecame(wrong('e'))).toEqual({ state: 'failed', error: expect.stringMatching(/^BAD_VALUE: facts\[0\]\S+colour: .+/) });
  expect(await whatBecame(eventOf({ id: 'nothing', facts: [] }))).toEqual({ state: 'ignored' });
  expect(await whatBecame(order('e', 'shop', 2))).toBeUndefined();
  expect(await whatBecame(order('stranger'))).toBeUndefined();
});
