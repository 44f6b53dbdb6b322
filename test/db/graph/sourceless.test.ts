/** A worker that does not know a source: its events wait in the queue for one that does, and nobody waits for them. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { countLedger, eventOf, openGraph, type TestGraph } from '../../support/graph.ts';
import { useRedis } from '../../support/redis-server.ts';
import { openShopfloor, type Shopfloor, type Work } from '../../support/shop.ts';
import type { Source } from '../../../src/sources/source.ts';

const own = useRedis();
let graph: TestGraph;
let floor: Shopfloor;

beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(async () => {
  await graph.wipe();
  floor = openShopfloor(own, graph, [...graph.sources.values()]);
});
afterEach(() => floor.close());
afterAll(() => graph.close());

const from = (source: string, id: string) =>
  eventOf({ id, source, facts: [{ upsert: { node: 'Order', key: { id }, set: { status: 'paid' } } }] });
const shopOnly = (): Source[] => [...graph.sources.values()].filter(({ name }) => name === 'shop');
const paidOrders = async (): Promise<string[]> =>
  (await graph.run('MATCH (o:Order) RETURN o.id AS id ORDER BY id')).map(({ id }) => String(id));
const putOff = ({ log }: Work): Record<string, unknown>[] => log.filter(({ msg }) => msg === 'event.sourceless');
const until = async (holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> => {
  for (const end = Date.now() + withinMs; !(await holds()); await sleep(10))
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${holds.toString()}`);
};

test('its events are put off and said so, never failed; the rest of their job goes on, and a worker that knows it applies them', async () => {
  const ignorant = floor.work({ known: shopOnly() });
  await floor.inbox.addAll([from('other', 'x'), from('shop', 'a'), from('other', 'y')]);
  await until(() => putOff(ignorant).length >= 2);
  expect(await paidOrders()).toEqual(['a']);
  expect(putOff(ignorant)[0]).toMatchObject({ level: 'warn', key: 'other:x', events: 2, comesAgainAt: expect.stringMatching(/Z$/) });
  expect([...ignorant.sourceless.keys()]).toEqual(['other']);
  expect(ignorant.sourceless.get('other')).toBeGreaterThanOrEqual(4);
  expect(await floor.inbox.counts()).toMatchObject({ accepted: 3, queued: 3 });

  await ignorant.close();
  floor.work();
  await floor.drained();
  expect(await paidOrders()).toEqual(['a', 'x', 'y']);
  expect(await countLedger(graph)).toMatchObject({ states: { applied: 3, failed: 0 }, late: 0 });
});
