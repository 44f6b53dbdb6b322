import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { eventOf, openGraph, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

const clocks = async (label: string): Promise<unknown[]> =>
  (await graph.run(`MATCH (n:${label}) RETURN n._clock AS clock`)).map(({ clock }) => typeof clock);

const counts = async (): Promise<unknown> =>
  (await graph.run('RETURN COUNT { ()-[:PAYS]->() } AS visible, COUNT { (:_Edge) } AS waiting'))[0];

describe('a node that somebody else made is one that no event has told of', () => {
  test('what was remembered of its key still counts', async () => {
    await graph.tell([eventOf({ id: 'gone', at: '2026-11-02T00:00:00Z', facts: [{ remove: { node: 'Customer', key: { id: 'c' } } }] })]);
    await graph.run("CREATE (:Customer {source: 'shop', id: 'c', lastName: 'by hand'})");
    const said = (id: string, at: string) =>
      eventOf({ id, at, facts: [{ upsert: { node: 'Customer', key: { id: 'c' }, set: { firstName: id } } }] });
    expect(await graph.tell([said('late', '2026-11-01T00:00:00Z')])).toEqual(['superseded']);
    expect(await clocks('Customer')).toEqual(['object']);
    expect(await graph.tell([said('new', '2026-11-03T00:00:00Z')])).toEqual(['applied']);
    expect(await clocks('Customer')).toEqual(['string']);
    expect(await graph.run('MATCH (h:_Node) RETURN h.key AS key')).toEqual([]);
    expect(await graph.tell([said('later', '2026-11-01T12:00:00Z')])).toEqual(['superseded']);
  });

  test('a reference that makes nodes adopts it', async () => {
    await graph.run("CREATE (:Product {source: 'shop', id: 'p'})");
    const link = { relationship: 'CONTAINS', from: { id: 'o' }, to: { id: 'p' }, key: { line: '1' } };
    await graph.tell([eventOf({ id: 'e', facts: [{ link }] })]);
    expect(await clocks('Product')).toEqual(['string']);
    expect((await graph.graph()).edges.size).toBe(1);
  });

  test('an edge that waits for its key goes on waiting until an event tells of it', async () => {
    await graph.run("CREATE (:Payment {source: 'shop', id: 'p'})");
    await graph.tell([
      eventOf({
        id: 'link',
        facts: [
          { upsert: { node: 'Order', key: { id: 'o' }, set: { name: '#1' } } },
          { link: { relationship: 'PAYS', from: { id: 'p' }, to: { id: 'o' } } },
        ],
      }),
    ]);
    expect(await counts()).toEqual({ visible: 0n, waiting: 1n });
    await graph.tell([eventOf({ id: 'node', facts: [{ upsert: { node: 'Payment', key: { id: 'p' }, set: { status: 'paid' } } }] })]);
    expect(await counts()).toEqual({ visible: 1n, waiting: 0n });
  });
});

test('edges that wait for one node are read when it may appear, not with each further edge that waits', async () => {
  const waiting = (n: number) =>
    Array.from({ length: n }, (_, i) =>
      eventOf({ id: `w${i}`, facts: [{ link: { relationship: 'REFUNDS', from: { id: `r${i}` }, to: { id: 'o' } } }] }),
    );
  await graph.tell(waiting(300));
  const [first] = await graph.run('MATCH (h:_Edge) RETURN count(h) AS n');
  expect(first).toEqual({ n: 300n });
  await graph.tell([
    eventOf({ id: 'order', facts: [{ upsert: { node: 'Order', key: { id: 'o' }, set: { name: '#1' } } }] }),
    ...Array.from({ length: 300 }, (_, i) =>
      eventOf({ id: `r${i}`, facts: [{ upsert: { node: 'Refund', key: { id: `r${i}` }, set: { amountMinor: i, currency: 'EUR' } } }] }),
    ),
  ]);
  expect((await graph.graph()).edges.size).toBe(300);
  expect(await graph.run('MATCH (h:_Edge) RETURN h.id AS id')).toEqual([]);
});
