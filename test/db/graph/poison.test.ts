import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Outcome } from '../../../src/apply.ts';
import type { Event } from '../../../src/event.ts';
import { explainFailure } from '../../../src/graph/driver.ts';
import type { GraphStore } from '../../../src/graph/store.ts';
import { createWorker } from '../../../src/worker.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Mapped } from '../../../src/model/facts.ts';
import type { Source } from '../../../src/sources/source.ts';
import { altered, assertConserved, bodyOf, eventOf, MAX_FUTURE_MS, openGraph, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

const named = (id: string, name: string): Event => eventOf({ id, facts: [{ upsert: { node: 'Order', key: { id }, set: { name } } }] });

/** The same store, and how many transactions were asked of it. */
function counting(store: GraphStore): { store: GraphStore; transactions: () => number } {
  let count = 0;
  const transaction: GraphStore['transaction'] = (work) => {
    count += 1;
    return store.transaction(work);
  };
  return { store: { ...store, transaction }, transactions: () => count };
}

describe('an event that the database refuses', () => {
  const SIZE = 1_000;

  beforeEach(() => graph.run('CREATE CONSTRAINT poison IF NOT EXISTS FOR (o:Order) REQUIRE o.name IS UNIQUE'));
  afterEach(() => graph.run('DROP CONSTRAINT poison IF EXISTS'));

  test.each([0, 617, SIZE - 1])(
    'in place %i of a thousand fails alone, with its reason and body, after about 2·log2(n) more transactions',
    async (place) => {
      await graph.tell([named('before', 'taken')]);
      const batch = Array.from({ length: SIZE }, (_, i) => named(`o${i}`, i === place ? 'taken' : `name ${i}`));
      const { store, transactions } = counting(graph.store);
      const outcomes = await graph.tell(batch, { store });

      expect(outcomes).toEqual(Array.from({ length: SIZE }, (_, i) => (i === place ? 'failed' : 'applied')));
      expect(transactions() - 1).toBeLessThanOrEqual(2 * Math.log2(SIZE) + 3);
      const failed = (await graph.ledger()).filter(({ state }) => state === 'failed');
      expect(failed).toHaveLength(1);
      expect(failed[0]).toMatchObject({ key: `shop:o${place}`, event: batch[place], error: { code: 'WRITE_REFUSED' } });
      expect(failed[0]?.error?.message).toContain('already exists with label `Order` and property `name`');
      const { nodes } = await graph.graph();
      expect([nodes.size, nodes.has(`Order/shop/o${place}`)]).toEqual([SIZE, false]);
    },
  );

  test('stays failed when it is delivered again after the cause is gone: only a replay tries it again', async () => {
    await graph.tell([named('before', 'taken')]);
    const poison = named('poison', 'taken');
    expect(await graph.tell([poison])).toEqual(['failed']);
    await graph.run('DROP CONSTRAINT poison');
    expect(await graph.tell([poison])).toEqual(['late']);
    expect((await graph.graph()).nodes.size).toBe(1);
    expect((await assertConserved(graph, 3)).states).toMatchObject({ applied: 1, failed: 1 });
  });

  test('does not take the events with it that depend on it', async () => {
    await graph.tell([named('before', 'taken')]);
    const refund = (id: string): Event =>
      eventOf({
        id,
        facts: [{ upsert: { node: 'Refund', key: { id } } }, { link: { relationship: 'REFUNDS', from: { id }, to: { id: 'poison' } } }],
      });
    expect(await graph.tell([refund('r1'), named('poison', 'taken'), refund('r2')])).toEqual(['applied', 'failed', 'applied']);
    expect((await graph.graph()).parked.size).toBe(2);
  });

  test('two of them in one batch both fail, and nobody else', async () => {
    const batch = Array.from({ length: 64 }, (_, i) => named(`o${i}`, i === 7 || i === 40 ? 'taken' : `name ${i}`));
    await graph.tell([named('before', 'taken')]);
    const outcomes = await graph.tell(batch);
    expect(outcomes.flatMap((outcome, i) => (outcome === 'failed' ? [i] : []))).toEqual([7, 40]);
  });
});

describe('a fault that is not an event’s', () => {
  const broken = (): GraphStore => altered(graph.store, () => ({ lockAndRead: () => Promise.reject(new TypeError('x is undefined')) }));

  test('of our own, for every event of more than eight, is thrown and tried again; nothing is kept as failed', async () => {
    const batch = Array.from({ length: 9 }, (_, i) => named(`o${i}`, `name ${i}`));
    await expect(graph.tell(batch, { job: 'j-9', store: broken() })).rejects.toMatchObject({
      code: 'GRAPH_REFUSED',
      message: expect.stringContaining('x is undefined'),
    });
    expect(await graph.ledger()).toEqual([]);
    expect(new Set(await graph.tell(batch, { job: 'j-9' }))).toEqual(new Set(['applied']));
  });

  test('but of a statement that Neo4j does not take is thrown, too, after one transaction', async () => {
    const { store, transactions } = counting(graph.store);
    const misspelt = altered(store, (tx) => ({ record: (fresh) => tx.record(fresh).then(() => syntaxError()) }));
    await expect(graph.tell([named('a', 'x')], { job: 'j-1', store: misspelt })).rejects.toMatchObject({
      code: 'GRAPH_REFUSED',
      message: expect.stringContaining("Invalid input 'MATSCH'"),
    });
    expect([transactions(), await graph.ledger()]).toEqual([1, []]);
    expect(await graph.tell([named('a', 'x')], { job: 'j-1' })).toEqual(['applied']);
  });

  async function syntaxError(): Promise<void> {
    await graph.run('MATSCH (n) RETURN n').catch((error: unknown) => {
      throw explainFailure(error);
    });
  }
});

describe('an event that cannot be mapped', () => {
  const good = (id: string): Event => eventOf({ id, facts: [{ upsert: { node: 'Order', key: { id }, set: { status: 'paid' } } }] });
  const raw = (id: string, body: string): Event => bodyOf(body, { id });
  const envelope = (id: string, fact: string, occurredAt = '2026-11-21T09:00:00Z'): string =>
    `{"id":"${id}","type":"t","occurredAt":"${occurredAt}","facts":[${fact}]}`;

  test.each<[string, string, string, string | undefined]>([
    [
      'names a label that the model lacks',
      envelope('bad', '{"upsert":{"node":"Nobody","key":{"id":"1"}}}'),
      'BAD_VALUE',
      'facts[0].upsert.node',
    ],
    [
      'holds a number beyond 64 bits',
      envelope('bad', '{"upsert":{"node":"Order","key":{"id":"1"},"set":{"totalMinor":9223372036854775808}}}'),
      'BAD_JSON',
      undefined,
    ],
    [
      'holds a fraction for an integer',
      envelope('bad', '{"upsert":{"node":"Order","key":{"id":"1"},"set":{"totalMinor":42.00}}}'),
      'BAD_VALUE',
      'facts[0].upsert.set.totalMinor',
    ],
    [
      'has a key that is too long',
      envelope('bad', `{"upsert":{"node":"Order","key":{"id":"${'x'.repeat(8_000)}"}}}`),
      'BAD_VALUE',
      'facts[0].upsert.key',
    ],
    ['is no envelope', '{"id":"bad"}', 'BAD_ENVELOPE', 'type'],
    ['is not JSON', '{"id":', 'BAD_JSON', undefined],
  ])('because it %s is kept as failed with its reason, and its neighbours are applied', async (_, body, code, path) => {
    const bad = raw('bad', body);
    expect(await graph.tell([good('a'), bad, good('b')])).toEqual(['applied', 'failed', 'applied']);
    const [row] = (await graph.ledger()).filter(({ state }) => state === 'failed');
    expect(row).toMatchObject({ event: bad, error: { code } });
    if (path !== undefined) expect(row?.error?.path).toBe(path);
  });

  const odd = (map: () => Mapped): ReadonlyMap<string, Source> =>
    new Map([
      ...graph.sources,
      ['other', { name: 'other', model: commerce, version: 'odd', keepHeaders: [], verify: () => '', identify: () => ({ id: '' }), map }],
    ]);

  test('because it has no usable time is kept as NO_CLOCK', async () => {
    const sources = odd(() => ({ type: 't', occurredAt: 'yesterday', facts: [{ upsert: { node: 'Order', key: { id: '1' } } }] }));
    expect(await graph.tell([good('a'), eventOf({ id: 'x', source: 'other', facts: [] })], { sources })).toEqual(['applied', 'failed']);
    expect((await graph.ledger())[1]?.error).toMatchObject({ code: 'NO_CLOCK', path: 'occurredAt' });
  });

  test.each<[string, () => Mapped, string]>([
    [
      'throws a TypeError',
      () => {
        throw new TypeError('x is undefined');
      },
      'MAPPING_FAILED',
    ],
    [
      'gives text with a lone surrogate',
      () => ({
        type: 't',
        occurredAt: '2026-11-21T09:00:00Z',
        facts: [{ upsert: { node: 'Order', key: { id: '1' }, set: { name: '\ud800' } } }],
      }),
      'BAD_VALUE',
    ],
    [
      'gives a number that is none',
      () => ({
        type: 't',
        occurredAt: '2026-11-21T09:00:00Z',
        facts: [{ upsert: { node: 'Order', key: { id: '1' }, set: { totalMinor: NaN } } }],
      }),
      'BAD_VALUE',
    ],
  ])('because its mapping %s stops nobody else', async (_, map, code) => {
    const outcomes = await graph.tell([good('a'), eventOf({ id: 'x', source: 'other', facts: [] }), good('b')], { sources: odd(map) });
    expect(outcomes).toEqual(['applied', 'failed', 'applied']);
    expect((await graph.ledger()).find(({ state }) => state === 'failed')?.error?.code).toBe(code);
  });

  test('a row of the queue that is no event is kept with its exact text, once', async () => {
    const outcomes: Outcome[] = [];
    const worker = graph.counting(
      createWorker(graph.store, {
        sources: graph.sources,
        maxFutureMs: MAX_FUTURE_MS,
        report: { applied: (batch) => void outcomes.push(...batch.outcomes) },
      }),
    );
    const job = { id: 'j1-3', events: [good('a'), { unreadable: 'source: is no source name', raw: '{"source":"!"}' }, good('b')] };
    await worker.handle([job]);
    await worker.handle([job]);
    worker.close();
    expect(outcomes).toEqual(['applied', 'failed', 'applied', 'repeated', 'repeated', 'repeated']);
    const [row] = (await graph.ledger()).filter(({ state }) => state === 'failed');
    expect(row).toMatchObject({ event: { source: 'queue', body: '{"source":"!"}' }, error: { code: 'BAD_VALUE' } });
    expect(row?.error?.message).toContain('is no source name');
  });
});
