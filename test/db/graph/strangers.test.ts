import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { IngestError } from '../../../src/errors.ts';
import { createGraphStore } from '../../../src/graph/store.ts';
import { commerce } from '../../../src/model/commerce.ts';
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

describe('a customer of whom somebody has taken the id', () => {
  const lasting: IngestError[] = [];
  const placed = (id: string, customer: string, order: string, second: string) =>
    eventOf({
      id,
      at: `2026-11-21T09:00:${second}Z`,
      facts: [{ link: { relationship: 'PLACED', from: { id: customer }, to: { id: order } } }],
    });
  const remove = eventOf({ id: 'r', at: '2026-11-21T09:01:00Z', facts: [{ remove: { node: 'Order', key: { id: 'o' } } }] });

  beforeEach(async () => {
    lasting.length = 0;
    await graph.tell([placed('e1', 'c', 'o', '01')]);
    await graph.run("MATCH (c:Customer {id: 'c'}) REMOVE c.id SET c.was = 'c'");
  });

  test.each([
    ['points elsewhere', () => placed('e2', 'd', 'o', '02'), ['Customer/shop/d-[PLACED]->Order/shop/o']],
    ['is removed', () => remove, []],
  ])('holds up no event but those of an order of his that %s, which come again and say what to mend', async (_, event, edges) => {
    const store = createGraphStore(graph.bolt, commerce, { onLasting: (error) => lasting.push(error) });
    const batch = [event(), placed('e3', 'd', 'other', '03')];
    expect(await graph.tell(batch, { store, job: 'j-2' })).toEqual(['slow', 'applied']);
    expect(new Set(lasting.map(({ code, message }) => `${code}: ${message}`))).toEqual(
      new Set([
        'GRAPH_CONFLICT: Order/shop/o -PLACED- a Customer without its `id`, which somebody has removed or changed: put it back, or that node cannot be told from others',
      ]),
    );
    await graph.run('MATCH (c:Customer) WHERE c.was IS NOT NULL SET c.id = c.was REMOVE c.was');
    expect(await graph.tell(batch, { store, job: 'j-2' })).toEqual(['applied', 'repeated']);
    expect([...(await graph.graph()).edges.keys()].toSorted()).toEqual([...edges, 'Customer/shop/d-[PLACED]->Order/shop/other']);
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
