import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Bolt } from '../../../src/graph/driver.ts';
import { loadNamedQueries } from '../../../src/graph/named-queries.ts';
import { createQueryBolt, runQuery } from '../../../src/graph/query.ts';
import { checkPlan, type PlanNode } from '../../../src/graph/query-guard.ts';
import type { commerce } from '../../../src/model/commerce.ts';
import type { FactOf } from '../../../src/model/facts.ts';
import { eventOf, openGraph, type TestGraph } from '../../support/graph.ts';
import { neo4j } from '../../support/runtime.ts';

type F = FactOf<typeof commerce>;
let graph: TestGraph;
let bolt: Bolt;
const queries = loadNamedQueries();

interface Line {
  readonly product: string;
  readonly quantity: number;
}

function order(
  id: string,
  customer: string,
  createdAt: string,
  status: string,
  totalMinor: number,
  currency: string,
  lines: readonly Line[],
): F[] {
  return [
    { upsert: { node: 'Order', key: { id }, set: { status, totalMinor, currency, createdAt, name: `#${id}` } } },
    { link: { relationship: 'PLACED', from: { id: customer }, to: { id } } },
    {
      replace: {
        relationship: 'CONTAINS',
        from: { id },
        links: lines.map(({ product, quantity }, i) => ({ to: { id: product }, key: { line: String(i) }, set: { quantity } })),
      },
    },
  ];
}

const person = (id: string, email: string): F[] => [
  { upsert: { node: 'Customer', key: { id }, set: { email } } },
  { link: { relationship: 'HAS_EMAIL', from: { id }, to: { address: email } } },
];
const product = (id: string, title: string, status = 'active'): F => ({ upsert: { node: 'Product', key: { id }, set: { title, status } } });

const SHOP: readonly F[] = [
  ...person('c1', 'ann@example.com'),
  ...person('c2', 'bob@example.com'),
  product('p1', 'Tea'),
  product('p2', 'Cup'),
  product('p3', 'Pot'),
  product('p4', 'Tray'),
  product('p5', 'Old tray', 'deleted'),
  ...order('o1', 'c1', '2026-11-01T10:00:00Z', 'paid', 5000, 'USD', [
    { product: 'p1', quantity: 2 },
    { product: 'p2', quantity: 1 },
  ]),
  ...order('o2', 'c1', '2026-11-02T10:00:00Z', 'fulfilled', 3000, 'USD', [
    { product: 'p1', quantity: 1 },
    { product: 'p2', quantity: 1 },
  ]),
  ...order('o3', 'c2', '2026-11-02T12:00:00+02:00', 'refunded', 2000, 'EUR', [
    { product: 'p2', quantity: 1 },
    { product: 'p3', quantity: 1 },
  ]),
  ...order('o4', 'c2', '2026-12-01T00:00:00Z', 'pending', 1000, 'USD', [{ product: 'p1', quantity: 1 }]),
  ...order('o5', 'c2', '2026-11-03T00:00:00Z', 'cancelled', 9900, 'USD', [{ product: 'p3', quantity: 9 }]),
  {
    upsert: {
      node: 'Payment',
      key: { id: 'y1' },
      set: { status: 'captured', amountMinor: 5000, currency: 'USD', method: 'card', createdAt: '2026-11-01T10:05:00.5Z' },
    },
  },
  { link: { relationship: 'PAYS', from: { id: 'y1' }, to: { id: 'o1' } } },
  { upsert: { node: 'Fulfillment', key: { id: 'f1' }, set: { status: 'shipped', carrier: 'DHL', createdAt: '2026-11-03T10:00:00Z' } } },
  { link: { relationship: 'FULFILLS', from: { id: 'f1' }, to: { id: 'o2' } } },
  {
    upsert: {
      node: 'Refund',
      key: { id: 'r1' },
      set: { amountMinor: 2000, currency: 'EUR', reason: 'broken', createdAt: '2026-11-04T10:00:00Z' },
    },
  },
  { link: { relationship: 'REFUNDS', from: { id: 'r1' }, to: { id: 'o3' } } },
  // In another currency than its order: no part of its dollars.
  { upsert: { node: 'Refund', key: { id: 'r2' }, set: { amountMinor: 100, currency: 'EUR', createdAt: '2026-12-01T01:00:00Z' } } },
  { link: { relationship: 'REFUNDS', from: { id: 'r2' }, to: { id: 'o4' } } },
  // Earlier than the one that was shipped, and never sent.
  { upsert: { node: 'Fulfillment', key: { id: 'f0' }, set: { status: 'cancelled', createdAt: '2026-11-02T11:00:00Z' } } },
  { link: { relationship: 'FULFILLS', from: { id: 'f0' }, to: { id: 'o2' } } },
  { upsert: { node: 'Session', key: { id: 's1' }, set: { startedAt: '2026-11-01T09:50:00Z' } } },
  { link: { relationship: 'HAS_SESSION', from: { id: 'c1' }, to: { id: 's1' } } },
  {
    link: {
      relationship: 'VIEWED',
      from: { id: 's1' },
      to: { sessionId: 's1', url: 'https://shop.example/tea', timestamp: '2026-11-01T09:51:00Z' },
    },
  },
];
const OTHER: readonly F[] = [...person('x9', 'Ann@Example.com'), ...order('a1', 'x9', '2026-11-05T00:00:00Z', 'paid', 700, 'USD', [])];

beforeAll(async () => {
  graph = await openGraph();
  bolt = createQueryBolt(neo4j());
  const at = '2026-12-01T00:00:00Z';
  await graph.tell([
    eventOf({ id: 'all', at, receivedAtMs: Date.parse(at), facts: SHOP }),
    eventOf({ id: 'other', source: 'other', at, receivedAtMs: Date.parse(at), facts: OTHER }),
    // An edge that waits, so that every kind of private storage is there.
    eventOf({
      id: 'waits',
      at,
      receivedAtMs: Date.parse(at),
      facts: [{ link: { relationship: 'PAYS', from: { id: 'y2' }, to: { id: 'o1' } } }],
    }),
  ]);
});
afterAll(async () => {
  await bolt.close();
  await graph.close();
});

const ANSWERS: readonly [name: string, params: Record<string, unknown>, rows: unknown[][]][] = [
  [
    'best-customers',
    {},
    [
      ['shop', 'c2', 'bob@example.com', 'EUR', 1, 2000],
      ['shop', 'c1', 'ann@example.com', 'USD', 2, 8000],
      ['shop', 'c2', 'bob@example.com', 'USD', 1, 1000],
      ['other', 'x9', 'Ann@Example.com', 'USD', 1, 700],
    ],
  ],
  [
    'best-customers',
    { limit: '1' },
    [
      ['shop', 'c2', 'bob@example.com', 'EUR', 1, 2000],
      ['shop', 'c1', 'ann@example.com', 'USD', 2, 8000],
    ],
  ],
  ['best-customers', { currency: 'USD', source: 'shop', limit: '1' }, [['shop', 'c1', 'ann@example.com', 'USD', 2, 8000]]],
  ['bought-together', {}, [['shop', 'p1', 'Tea', 'p2', 'Cup', 2]]],
  [
    'bought-together',
    { product: 'p2', minOrders: 1 },
    [
      ['shop', 'p2', 'Cup', 'p1', 'Tea', 2],
      ['shop', 'p2', 'Cup', 'p3', 'Pot', 1],
    ],
  ],
  [
    'customer-journey',
    { customer: 'c1' },
    [
      ['2026-11-01T09:50:00Z', 'visited', 'shop', 's1', null, null, null, '1 pages'],
      ['2026-11-01T10:00:00Z', 'ordered', 'shop', 'o1', 'paid', 5000, 'USD', '2 lines'],
      ['2026-11-01T10:05:00.5Z', 'paid', 'shop', 'y1', 'captured', 5000, 'USD', 'card'],
      ['2026-11-02T10:00:00Z', 'ordered', 'shop', 'o2', 'fulfilled', 3000, 'USD', '2 lines'],
      ['2026-11-02T11:00:00Z', 'not shipped', 'shop', 'f0', 'cancelled', null, null, null],
      ['2026-11-03T10:00:00Z', 'shipped', 'shop', 'f1', 'shipped', null, null, 'DHL'],
    ],
  ],
  [
    'repeat-purchase-rate',
    {},
    [
      ['other', 1, 0, 0, 1],
      ['shop', 2, 2, 1, 2],
    ],
  ],
  [
    'revenue-by-day',
    {},
    [
      ['2026-11-01', 'USD', 1, 5000],
      ['2026-11-02', 'EUR', 1, 2000],
      ['2026-11-02', 'USD', 1, 3000],
      ['2026-11-05', 'USD', 1, 700],
      ['2026-12-01', 'USD', 1, 1000],
    ],
  ],
  ['revenue-by-day', { since: '2026-11-02T00:00:00Z', until: '2026-11-05T00:00:00Z', currency: 'USD' }, [['2026-11-02', 'USD', 1, 3000]]],
  [
    'revenue-by-month',
    {},
    [
      ['2026-11', 'EUR', 1, 2000, 2000, 2000],
      ['2026-11', 'USD', 3, 8700, 0, 2900],
      ['2026-12', 'USD', 1, 1000, 0, 1000],
    ],
  ],
  [
    'refunds-by-product',
    {},
    [
      ['shop', 'p3', 'Pot', 2, 1, 0.5],
      ['shop', 'p1', 'Tea', 3, 1, 1 / 3],
      ['shop', 'p2', 'Cup', 3, 1, 1 / 3],
    ],
  ],
  [
    'unpaid-orders',
    { asOf: '2026-12-02T00:00:00.000000001Z' },
    [['shop', 'o4', '#o4', 'c2', '2026-12-01T00:00:00Z', 'pending', [], 'USD', 1000]],
  ],
  ['unpaid-orders', { asOf: '2026-12-02T00:00:00Z' }, []],
  ['shared-emails', {}, [['ann@example.com', ['other', 'shop'], ['other/x9', 'shop/c1'], 3]]],
  ['slow-movers', {}, [['shop', 'p4', 'Tray', 0, null]]],
  [
    'slow-movers',
    { maxSold: 1 },
    [
      ['shop', 'p4', 'Tray', 0, null],
      ['shop', 'p3', 'Pot', 1, '2026-11-02T10:00:00Z'],
    ],
  ],
  ['time-to-fulfillment', {}, [['shop', 1, 24, 24, 24]]],
];

describe('named queries', () => {
  test.each(ANSWERS)('%s %j', async (name, params, rows) => {
    const query = queries.get(name);
    if (query === undefined) throw new Error(`no query ${name}`);
    const result = await runQuery(bolt, query, params);
    expect(result.columns).toEqual(query.columns);
    expect(result.rows).toEqual(rows);
  });

  test('each has an answer that is known', () => {
    expect([...queries.keys()]).toEqual([...new Set(ANSWERS.map(([name]) => name))].sort());
    expect(queries.size).toBeGreaterThanOrEqual(10);
  });

  test('name what is missing, unknown or of another type', async () => {
    const ask = (name: string, params: Record<string, unknown>) => runQuery(bolt, queries.get(name) ?? '', params);
    await expect(ask('customer-journey', {})).rejects.toMatchObject({ code: 'BAD_REQUEST', context: { path: 'customer' } });
    await expect(ask('customer-journey', { customer: 'c1', who: 1 })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      context: { path: 'who' },
    });
    await expect(ask('best-customers', { limit: 'ten' })).rejects.toMatchObject({ code: 'BAD_REQUEST', context: { path: 'limit' } });
    await expect(ask('revenue-by-day', { since: 'yesterday' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      context: { path: 'since' },
    });
  });
});

describe('a query of one’s own', () => {
  test.each([
    ['CREATE (n:Order {source: "x", id: "1"}) RETURN n'],
    ['MATCH (o:Order) SET o.status = "paid"'],
    ['MERGE (o:Order {source: "x", id: "1"}) RETURN o'],
    ['MATCH (o:Order) DETACH DELETE o'],
    ['MATCH (o:Order) REMOVE o.status RETURN o'],
    ['FOREACH (i IN [1] | CREATE (:Order))'],
    ['CREATE INDEX FOR (o:Order) ON (o.name)'],
    ['DROP CONSTRAINT x IF EXISTS'],
    ['CALL dbms.listConfig() YIELD name RETURN name'],
    ['CALL dbms.components()'],
    ['CALL db.createLabel("X")'],
    ['CALL db.awaitIndexes(1)'],
    ['CALL tx.setMetaData({a: 1})'],
    ['MATCH (o:Order) CALL (o) { SET o.x = 1 } IN TRANSACTIONS'],
    ['MATCH (o:Order) CALL (o) { RETURN 1 AS x } IN TRANSACTIONS OF 10 ROWS RETURN x'],
    ['CALL { CALL dbms.components() YIELD name RETURN name } RETURN name'],
    ['LOAD CSV FROM "file:///etc/passwd" AS row RETURN row'],
    ['load /**/ csv FROM "http://127.0.0.1/" AS row RETURN row'],
    ['RETURN 1; RETURN 2'],
    ['MATCH (n) RETURN n; CREATE (:Order)'],
    ["RETURN '\\u0027 CREATE (n:Order) //'"],
    ['USE neo4j RETURN 1'],
    ['USE system SHOW USERS'],
    ['CALL () { USE neo4j RETURN 1 AS x } RETURN x'],
    ['SHOW USERS'],
    ['SHOW DATABASES'],
    ['SHOW TRANSACTIONS'],
    ['TERMINATE TRANSACTIONS "x"'],
    ['SHOW SETTINGS'],
    ['ALTER CURRENT USER SET PASSWORD FROM "a" TO "b"'],
    ['EXPLAIN RETURN 1'],
    ['PROFILE RETURN 1'],
    ['CYPHER runtime=slotted RETURN 1'],
    [''],
    [' // nothing'],
    ['MATCH (n RETURN n'],
    ['RETURN 1/0'],
    ['RETURN $nobody'],
    ['MATCH (e:_Event) RETURN e.key'],
    ['MATCH (e:`_Event`) RETURN e.key'],
    ['MATCH (o:Order) RETURN o._clock'],
  ])('is refused: %s', async (cypher) => {
    await expect(runQuery(bolt, cypher)).rejects.toMatchObject({ code: 'QUERY_REFUSED' });
  });

  const PLANNED = [
    'CREATE (n:Order {source: "x", id: "1"}) RETURN n',
    'MATCH (o:Order) SET o.status = "x"',
    'MERGE (o:Order {source: "x", id: "1"}) RETURN o',
    'MATCH (o:Order) DETACH DELETE o',
    'FOREACH (i IN [1] | CREATE (:Order))',
    'CALL dbms.listConfig() YIELD name RETURN name',
    'CALL dbms.components()',
    'CALL db.createLabel("X")',
    'LOAD CSV FROM "file:///etc/passwd" AS row RETURN row',
    'SHOW TRANSACTIONS',
    'SHOW INDEXES',
    'CREATE INDEX FOR (o:Order) ON (o.name)',
  ];

  test.each(PLANNED)('is refused by its plan alone, whatever its text hides: %s', async (cypher) => {
    const session = bolt.driver.session({ database: bolt.database, defaultAccessMode: 'READ' });
    try {
      const { summary } = await session.run(`EXPLAIN ${cypher}`);
      expect(() => checkPlan(summary.queryType, summary.plan as PlanNode | false)).toThrow(
        expect.objectContaining({ code: 'QUERY_REFUSED' }),
      );
    } finally {
      await session.close();
    }
  });

  test('could not write even if neither look saw it: the server holds the transaction to reading', async () => {
    const session = bolt.driver.session({ database: bolt.database, defaultAccessMode: 'READ' });
    try {
      await expect(session.run('CREATE (:Order {source: "x", id: "1"})')).rejects.toMatchObject({
        code: 'Neo.ClientError.Statement.AccessMode',
      });
    } finally {
      await session.close();
    }
  });

  test('that was refused has changed nothing', async () => {
    const { rows } = await runQuery(bolt, 'MATCH (o:Order) RETURN count(o), count(o.x)');
    expect(rows).toEqual([[6, 0]]);
  });

  test.each([
    ['MATCH (o:Order) WHERE o.name STARTS WITH "#" RETURN count(o)', [[6]]],
    ['MATCH p = shortestPath((a:Customer {id: "c1"})-[*..4]-(b:Product {id: "p2"})) RETURN length(p)', [[2]]],
    ['MATCH (c:Customer) WHERE NOT EXISTS { (c)-[:PLACED]->(:Order {status: "cancelled"}) } RETURN c.id ORDER BY c.id', [['c1'], ['x9']]],
    ['UNWIND $list AS x RETURN x ORDER BY x DESC LIMIT $n', [[3], [2]]],
    ['MATCH (a:Customer {id: "c1"}) ((x)-[:PLACED|CONTAINS]->(y)){1,2} (z) RETURN count(z)', [[6]]],
    ['RETURN 1 AS use // a trailing comment; with a semicolon', [[1]]],
    ['RETURN "CREATE (:_Event); LOAD CSV" AS text;', [['CREATE (:_Event); LOAD CSV']]],
    ['MATCH (c:Customer)-[:PLACED]->(o) WITH c, collect(o.id) AS ids WHERE size(ids) > 2 RETURN c.id', [['c2']]],
  ])('is run: %s', async (cypher, rows) => {
    expect((await runQuery(bolt, cypher, { list: [1, 2, 3], n: 2 })).rows).toEqual(rows);
  });

  test('answers in plain JSON, without what is private', async () => {
    const {
      rows: [row],
    } = await runQuery(
      bolt,
      `
      MATCH (p:Payment {id: 'y1'})-[r:PAYS]->(o:Order) MATCH path = (p)-->(o)
      RETURN p, r, path, 9007199254740993 AS big, 0.5 AS half, date('2026-11-21') AS day, datetime('2026-11-21T10:00:00.5+02:00') AS at, duration({hours: 1}) AS hour, duration({days: 1}) AS aDay, {a: [1, null]} AS map, properties(p) AS all`,
    );
    const payment = {
      id: 'y1',
      source: 'shop',
      status: 'captured',
      amountMinor: 5000,
      currency: 'USD',
      method: 'card',
      createdAt: '2026-11-01T10:05:00.5Z',
    };
    const node = { labels: ['Payment'], properties: payment };
    const relationship = { type: 'PAYS', properties: {} };
    expect(row?.slice(0, 2)).toEqual([node, relationship]);
    expect(row?.[2]).toMatchObject({ nodes: [node, { labels: ['Order'] }], relationships: [relationship] });
    expect(row?.slice(3)).toEqual([
      '9007199254740993',
      0.5,
      '2026-11-21',
      '2026-11-21T08:00:00.5Z',
      'PT1H',
      'P1D',
      { a: [1, null] },
      payment,
    ]);
    expect(JSON.stringify(await runQuery(bolt, 'MATCH (n) RETURN n, collect(n) AS all'))).not.toMatch(/_clock|"_/);
  });

  test('may ask what there is, and hears of nothing private', async () => {
    for (const procedure of [
      'db.labels',
      'db.relationshipTypes',
      'db.schema.visualization',
      'db.schema.nodeTypeProperties',
      'db.schema.relTypeProperties',
      'db.propertyKeys',
    ]) {
      const result = await runQuery(bolt, `CALL ${procedure}()`);
      expect(result.rows.length).toBeGreaterThan(0);
      expect(JSON.stringify(result.rows)).not.toMatch(/"[:`]*_/);
    }
    expect((await runQuery(bolt, 'CALL db.labels() YIELD label RETURN label')).rows.flat()).toContain('Order');
  });

  test('gets so many rows and no more', async () => {
    expect(await runQuery(bolt, 'UNWIND range(1, 1000000) AS i RETURN i', {}, { maxRows: 3 })).toMatchObject({
      rows: [[1], [2], [3]],
      truncated: true,
    });
    expect(await runQuery(bolt, 'UNWIND range(1, 3) AS i RETURN i', {}, { maxRows: 3 })).toMatchObject({
      rows: [[1], [2], [3]],
      truncated: false,
    });
  });

  test('gets so much time and no more', async () => {
    const started = performance.now();
    await expect(
      runQuery(bolt, 'UNWIND range(1, 1000000000) AS i WITH i WHERE i % 7 = 9 RETURN count(i)', {}, { timeoutMs: 300 }),
    ).rejects.toMatchObject({ code: 'QUERY_REFUSED', message: 'the query took longer than 300 ms' });
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
