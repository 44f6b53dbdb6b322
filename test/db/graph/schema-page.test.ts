import { afterAll, beforeAll, expect, test } from 'vitest';

import { describeSchema } from '../../../src/graph/schema-page.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { eventOf, openGraph, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph();
  await graph.tell([
    eventOf({
      id: 'e1',
      facts: [
        { upsert: { node: 'Order', key: { id: '1' }, set: { totalMinor: 4200, createdAt: '2026-11-21T09:00:00Z' } } },
        { link: { relationship: 'CONTAINS', from: { id: '1' }, to: { id: 'p1' }, key: { line: '1' }, set: { quantity: 2 } } },
      ],
    }),
  ]);
});
afterAll(() => graph.close());

test('counts what is there and shows one of each, without what is private', async () => {
  const { json, markdown } = await describeSchema(graph.bolt, commerce);
  expect(json.nodes.find((node) => node.label === 'Order')).toMatchObject({
    count: 1,
    example: { source: 'shop', id: '1', totalMinor: 4200, createdAt: '2026-11-21T09:00:00Z' },
  });
  expect(json.relationships.find((one) => one.type === 'CONTAINS')).toMatchObject({
    from: 'Order',
    to: 'Product',
    cardinality: 'many',
    count: 1,
    example: { from: { source: 'shop', id: '1' }, to: { source: 'shop', id: 'p1' }, properties: { line: '1', quantity: 2 } },
  });
  const refund = json.nodes.find((node) => node.label === 'Refund');
  expect([refund?.count, refund?.example]).toEqual([0, undefined]);
  expect(JSON.stringify(json) + markdown).not.toMatch(/_clock|_Event/);
});

test('says the model without a graph, every label and type of it', async () => {
  const { json, markdown } = await describeSchema(undefined, commerce);
  expect(json.nodes.map((node) => node.label)).toEqual([...commerce.nodes.keys()]);
  expect(json.nodes.every((node) => node.count === undefined)).toBe(true);
  for (const { type, from, to } of commerce.relationships.values()) {
    expect(markdown).toContain(`  ${from.label} -- ${type} --> ${to.label}\n`);
    expect(markdown).toContain(`### (${from.label})-[${type}]->(${to.label})`);
  }
  expect(markdown).toContain('| **id** | STRING | key |');
  expect(markdown).toContain('| createdAt | ZONED DATETIME |  |');
  expect(markdown).toContain('Each Order has at most one Customer.');
});
