/** The ten classic mistakes of event handlers on a graph. Each test shows what the usual handler does, then what ours does. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Event } from '../../../src/event.ts';
import { createBolt } from '../../../src/graph/driver.ts';
import { createGraphStore } from '../../../src/graph/store.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Properties } from '../../../src/model/graph.ts';
import { permutations } from '../../../src/verify/schedule.ts';
import { assertConserved, eventOf, openGraph, overtake, type TestGraph } from '../../support/graph.ts';
import { neo4j } from '../../support/runtime.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

const ORDER = 'Order/shop/1';
type Assigned = Readonly<Record<string, string | number | null>>;
const order = (set: Assigned, id = '1') => ({ upsert: { node: 'Order', key: { id }, set } });
const customer = (set: Assigned, id = 'ada') => ({ upsert: { node: 'Customer', key: { id }, set } });
const placed = (by: string, id = '1') => ({ link: { relationship: 'PLACED', from: { id: by }, to: { id } } });
const at = (second: number): string => `2026-11-21T09:00:${String(second).padStart(2, '0')}Z`;

const propertiesOf = async (id: string): Promise<Properties | undefined> => (await graph.graph()).nodes.get(id);

/** Tells the events one by one in every order, and once as one batch; `see` must hold after each. */
async function inEveryOrder(events: readonly Event[], see: () => Promise<void>): Promise<void> {
  for (const sequence of permutations(events)) {
    await graph.wipe();
    for (const event of sequence) await graph.tell([event]);
    await see();
  }
  await graph.wipe();
  await graph.tell(events);
  await see();
}

describe('1 a look-up outside the transaction', () => {
  test('nobody else creates the node between look-up and write', async () => {
    // naive: both look first, both find nothing, both create
    const found = [await graph.run("MATCH (n:Naive {id: '1'}) RETURN n"), await graph.run("MATCH (n:Naive {id: '1'}) RETURN n")];
    for (const rows of found) if (rows.length === 0) await graph.run("CREATE (:Naive {id: '1'})");
    expect(await graph.run('MATCH (n:Naive) RETURN n')).toHaveLength(2);

    expect(await bothSurvive(), 'the second went on while the first held the node').toBe(true);
  });

  test('nobody else writes a node that is there between look-up and write', async () => {
    // naive: both look first, and each writes the whole node back with what it has found and what it was told
    await graph.run("CREATE (:Naive {id: '1'})");
    const look = async (): Promise<unknown> => (await graph.run('MATCH (n:Naive) RETURN properties(n) AS found'))[0]?.['found'];
    const [first, second] = [await look(), await look()];
    await graph.run("MATCH (n:Naive) SET n = $found SET n.status = 'paid'", { found: second });
    await graph.run("MATCH (n:Naive) SET n = $found SET n.name = '#1'", { found: first });
    expect(await graph.run('MATCH (n:Naive) RETURN properties(n) AS found')).toEqual([{ found: { id: '1', name: '#1' } }]);

    await graph.tell([eventOf({ id: 'there', at: at(0), facts: [order({ currency: 'EUR' })] })]);
    const waited = await bothSurvive({ currency: 'EUR' });
    // what the first wrote of the node's clocks did not forget the second: its status still beats an older one
    await graph.tell([eventOf({ id: 'older', at: at(1), sequence: 1, facts: [order({ status: 'pending' })] })]);
    expect(await propertiesOf(ORDER)).toEqual({ currency: 'EUR', name: '#1', status: 'paid' });
    expect(waited, 'the second went on while the first held the node').toBe(true);
  });

  /** True when the second waited for the first. */
  async function bothSurvive(before: Assigned = {}): Promise<boolean> {
    const { waited, outcomes } = await overtake(
      graph,
      eventOf({ id: 'first', at: at(1), facts: [order({ name: '#1' })] }),
      eventOf({ id: 'second', at: at(2), facts: [order({ status: 'paid' })] }),
    );
    expect(outcomes).toEqual(['applied', 'applied']);
    expect(await propertiesOf(ORDER)).toEqual({ ...before, name: '#1', status: 'paid' });
    return waited;
  }
});

test('2 two workers creating the same key at once: 64 of them make one node', async () => {
  const bolt = createBolt(neo4j(), 64);
  try {
    const stores = Array.from({ length: 64 }, () => createGraphStore(bolt, commerce));
    const outcomes = await Promise.all(
      stores.map((store, i) =>
        graph.tell(
          [eventOf({ id: `e${i}`, at: at(i % 60), sequence: i, facts: [customer({ email: `${i}@example.com` }), placed('ada')] })],
          { store },
        ),
      ),
    );
    expect(outcomes.flat().every((outcome) => outcome === 'applied' || outcome === 'superseded')).toBe(true);
  } finally {
    await bolt.close();
  }
  const seen = await graph.graph();
  expect([...seen.nodes]).toEqual([
    ['Customer/shop/ada', { email: '59@example.com' }],
    [ORDER, {}],
  ]);
  expect(seen.edges.size).toBe(1);
});

test('3 a redelivered batch changes nothing, not even a counter of events', async () => {
  const batch = Array.from({ length: 20 }, (_, i) =>
    eventOf({ id: `e${i}`, at: at(i), facts: [order({ totalMinor: i }, `${i % 3}`), placed('ada', `${i % 3}`)] }),
  );
  await graph.tell(batch);
  const before = { graph: await graph.graph(), ledger: await graph.ledger() };
  // naive: `SET c.orders = c.orders + 1` in the handler; here the number is a query, `MATCH (c)-[:PLACED]->(o) RETURN count(o)`
  expect(await graph.tell(batch)).toEqual(batch.map(() => 'late'));
  expect(await graph.tell([...batch.slice(5), ...batch.slice(0, 7)])).toEqual(Array.from({ length: 22 }, () => 'late'));
  expect({ graph: await graph.graph(), ledger: await graph.ledger() }).toEqual(before);
  expect((await assertConserved(graph, 20 + 20 + 22)).late).toBe(42);
});

describe('4 read-compare-update races on status', () => {
  test('naive: the older one writes last', async () => {
    await graph.run('CREATE (:Naive {at: 1})');
    const [older, newer] = await Promise.all([
      graph.run('MATCH (n:Naive) RETURN n.at AS at'),
      graph.run('MATCH (n:Naive) RETURN n.at AS at'),
    ]);
    if (Number(newer[0]?.['at']) < 3) await graph.run("MATCH (n:Naive) SET n.at = 3, n.status = 'fulfilled'");
    if (Number(older[0]?.['at']) < 2) await graph.run("MATCH (n:Naive) SET n.at = 2, n.status = 'paid'");
    expect(await graph.run('MATCH (n:Naive) RETURN n.status AS status')).toEqual([{ status: 'paid' }]);
  });

  const [paid, fulfilled] = [
    eventOf({ id: 'paid', at: at(2), facts: [order({ status: 'paid' })] }),
    eventOf({ id: 'fulfilled', at: at(3), facts: [order({ status: 'fulfilled' })] }),
  ];
  test.each([
    ['the older looked first and writes last', paid, fulfilled, ['applied', 'applied']],
    ['the newer looked first and writes last', fulfilled, paid, ['applied', 'superseded']],
  ] as const)('%s: the newest status stays', async (_, first, second, expected) => {
    await graph.tell([eventOf({ id: 'created', at: at(1), facts: [order({ status: 'pending' })] })]);
    const { waited, outcomes } = await overtake(graph, first, second);
    expect(await propertiesOf(ORDER)).toEqual({ status: 'fulfilled' });
    expect(outcomes).toEqual(expected);
    expect(waited, 'the second went on while the first held the node').toBe(true);
  });
});

describe('5 timestamps compared as text', () => {
  test.each([
    ['a fraction against none', '2026-11-21T09:00:00Z', '2026-11-21T09:00:00.500Z'],
    ['mixed offsets', '2026-11-21T10:30:00+02:00', '2026-11-21T09:00:00Z'],
    ['nanoseconds that a Date would drop', '2026-11-21T09:00:00.123456788Z', '2026-11-21T09:00:00.123456789Z'],
    ['an offset across midnight', '2026-11-21T01:00:00+14:00', '2026-11-20T11:30:00Z'],
  ])('%s: the later instant wins', async (what, earlier, later) => {
    // naive: strings, or milliseconds
    expect(what.startsWith('nano') ? Date.parse(earlier) === Date.parse(later) : earlier > later).toBe(true);
    await inEveryOrder(
      [
        eventOf({ id: 'a', at: later, facts: [order({ status: 'paid' })] }),
        eventOf({ id: 'b', at: earlier, facts: [order({ status: 'cancelled' })] }),
      ],
      async () => expect(await propertiesOf(ORDER)).toEqual({ status: 'paid' }),
    );
  });
});

test('6 equal timestamps with different events: both count, and the same one wins in every order', async () => {
  // naive: `WHERE event.at > n.at` loses the second event whole; `>=` lets whichever comes last win
  const events = [
    eventOf({ id: 'a', at: at(1), facts: [order({ name: '#1', currency: 'EUR' })] }),
    eventOf({ id: 'b', at: at(1), facts: [order({ totalMinor: 4200, currency: 'USD' })] }),
    eventOf({ id: 'c', at: at(1), sequence: 1, facts: [order({ financialStatus: 'paid' })] }),
    eventOf({ id: '0', at: at(1), sequence: 2, facts: [order({ financialStatus: 'refunded' })] }),
  ];
  await inEveryOrder(events, async () =>
    expect(await propertiesOf(ORDER)).toEqual({ name: '#1', totalMinor: 4200n, currency: 'USD', financialStatus: 'refunded' }),
  );
});

test('7 status updates that do not move the guard: a status alone is as good a guard as a whole order', async () => {
  // naive: the status handler sets only the status, `updatedAt` stays at 1 and lets the event of second 3 through
  const events = [
    eventOf({ id: 'created', at: at(1), facts: [order({ status: 'pending', updatedAt: at(1) })] }),
    eventOf({ id: 'paid', at: at(5), facts: [order({ status: 'paid' })] }),
    eventOf({ id: 'edited', at: at(3), facts: [order({ status: 'pending', name: '#1', updatedAt: at(3) })] }),
  ];
  await inEveryOrder(events, async () => expect(await propertiesOf(ORDER)).toMatchObject({ status: 'paid', name: '#1' }));
});

test('8 an unknown customer: the order keeps its place, and the customer is filled in when told of', async () => {
  // naive: MATCH finds no customer, the row is gone, and so is the edge; nobody notices
  await graph.run("MATCH (c:Customer {id: 'ada'}) MERGE (c)-[:PLACED]->(:Order {source: 'shop', id: 'naive'})");
  expect((await graph.graph()).nodes.size).toBe(0);

  const events = [
    eventOf({ id: 'order', at: at(3), facts: [order({ name: '#1' }), placed('ada')] }),
    eventOf({ id: 'customer', at: at(1), facts: [customer({ email: 'ada@example.com' })] }),
    eventOf({
      id: 'refund',
      at: at(2),
      facts: [{ upsert: { node: 'Refund', key: { id: 'r' } } }, { link: { relationship: 'REFUNDS', from: { id: 'r' }, to: { id: '1' } } }],
    }),
  ];
  await inEveryOrder(events, async () => {
    const { nodes, edges, parked } = await graph.graph();
    expect(nodes.get('Customer/shop/ada')).toEqual({ email: 'ada@example.com' });
    expect([...edges.keys()].sort()).toEqual([`Customer/shop/ada-[PLACED]->${ORDER}`, `Refund/shop/r-[REFUNDS]->${ORDER}`]);
    expect([...parked]).toEqual([]);
  });
});

test('9 a late event whose other fields are new: it loses only where it is older', async () => {
  // naive: one guard for the whole node drops the late event with the e-mail that nobody else ever tells
  const events = [
    eventOf({ id: 'newer', at: at(5), facts: [customer({ firstName: 'Ada', phone: null })] }),
    eventOf({ id: 'older', at: at(2), facts: [customer({ firstName: 'A.', email: 'ada@example.com', phone: '1' })] }),
  ];
  await inEveryOrder(events, async () =>
    expect(await propertiesOf('Customer/shop/ada')).toEqual({ firstName: 'Ada', email: 'ada@example.com' }),
  );
});

test('10 an order re-assigned to another customer, then the older event again: it has one customer, the newer', async () => {
  // naive: MERGE (c)-[:PLACED]->(o) adds the second edge and, with the older event, brings the first one back
  const assigned = eventOf({ id: 'assigned', at: at(1), facts: [order({ name: '#1' }), placed('ada')] });
  const moved = eventOf({ id: 'moved', at: at(4), facts: [placed('bob')] });
  const retold = eventOf({ id: 'retold', at: at(1), sequence: 7, facts: [placed('ada')] });
  await inEveryOrder([assigned, moved, retold, assigned], async () => {
    expect([...(await graph.graph()).edges.keys()]).toEqual([`Customer/shop/bob-[PLACED]->${ORDER}`]);
    expect((await assertConserved(graph, 4)).late).toBe(1);
  });
});
