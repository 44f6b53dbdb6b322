import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import type { AnyFact } from '../../../src/model/facts.ts';
import { permutations } from '../../../src/verify/schedule.ts';
import { eventOf, openGraph, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

const say = (id: string, day: number, ...facts: readonly AnyFact[]) => eventOf({ id, at: `2025-01-0${day}T00:00:00Z`, facts });
const fulfills = { relationship: 'FULFILLS', from: { id: 'f' }, to: { id: 'o' } };

// Story s230 of the seed `killed-receiver`: the slot of a fulfillment that nobody has told of was taken for an empty one.
test('an edge that waits for both of its ends goes on waiting when one of them may come to life', async () => {
  const story = [
    say('unlinked', 6, { unlink: fulfills }),
    say('linked', 8, { link: fulfills }),
    say(
      'removed',
      4,
      { remove: { node: 'Order', key: { id: 'o' } } },
      { upsert: { node: 'Order', key: { id: 'o' }, at: '2025-01-03T00:00:00Z' } },
    ),
  ];
  for (const order of permutations(story)) {
    await graph.wipe();
    for (const event of order) await graph.tell([event]);
    const { nodes, edges, parked } = await graph.graph();
    expect([nodes.size, edges.size, parked.size], order.map(({ id }) => id).join(' ')).toEqual([0, 0, 1]);
  }
});
