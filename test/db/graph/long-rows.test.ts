/** Lists read the beginning of a ledger row; one that is longer than most is found by its whole segment. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createEventReader } from '../../../src/graph/events.ts';
import { eventOf, openGraph, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph();
  await graph.wipe();
});
afterAll(() => graph.close());

test('an exceptional event that mentions hundreds of entities is listed by its state', async () => {
  const facts = Array.from({ length: 400 }, (_, i) => ({ upsert: { node: 'Product', key: { id: `product-${i}` }, set: { title: 'x' } } }));
  expect(await graph.tell([eventOf({ id: 'long', at: '2099-01-01T00:00:00Z', facts })])).toEqual(['quarantined']);
  const { events } = await createEventReader(graph.bolt).list({ state: 'quarantined' });
  expect(events.map(({ key, entities }) => [key, entities.length])).toEqual([['shop:long', 400]]);
});
