/** A node that a batch only refers to is there, but nobody has read what it remembers: the fold must not take that for nothing. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { readGraph } from '../../../src/graph/snapshot.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { eventOf, openGraph, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

const at = (second: number): string => `2026-11-21T09:00:0${second}Z`;
const session = { link: { relationship: 'HAS_SESSION', from: { id: 'c' }, to: { id: 's' } } };
const gone = { remove: { node: 'Customer', key: { id: 'c' } } };
const view = { link: { relationship: 'VIEWED', from: { id: 's' }, to: { sessionId: 's', url: '/', timestamp: at(6) } } };

test('an edge newer than a late removal stays, also when the same batch refers to the owner of its slot', async () => {
  await graph.tell([eventOf({ id: 'e5', at: at(5), facts: [session] })]);
  await graph.tell([eventOf({ id: 'e3', at: at(3), facts: [gone] }), eventOf({ id: 'e6', at: at(6), facts: [view] })]);
  const { edges } = await readGraph(graph.bolt, commerce);
  expect([...edges.keys()].filter((id) => id.includes('HAS_SESSION'))).toEqual(['Customer/shop/c-[HAS_SESSION]->Session/shop/s']);
});
