import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Outcome } from '../../../src/apply.ts';
import { IngestError } from '../../../src/errors.ts';
import { conflictKey, type Event } from '../../../src/event.ts';
import { createGraphStore, type GraphStore } from '../../../src/graph/store.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { fromMs } from '../../../src/model/instant.ts';
import { secretOf } from '../../../src/secret.ts';
import { facts } from '../../../src/sources/facts.ts';
import { permutations } from '../../../src/verify/schedule.ts';
import { createWorker, type Worker } from '../../../src/worker.ts';
import { assertConserved, bodyOf, eventOf, MAX_FUTURE_MS, openGraph, RECEIVED_MS, type Said, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

const order = (set: Record<string, unknown>, id = '1') => ({ upsert: { node: 'Order', key: { id }, set } });

describe('one id, several bodies', () => {
  const [first, second, third] = [
    eventOf({ id: 'e', facts: [order({ name: 'first', status: 'paid' })] }),
    eventOf({ id: 'e', facts: [order({ name: 'second', currency: 'EUR' })] }),
    eventOf({ id: 'e', facts: [order({ name: 'third', totalMinor: 3 })] }),
  ] as const;
  const KEY = 'shop:e';

  test('both apply; the second has a row of its own, marked as a conflict', async () => {
    expect(await graph.tell([first])).toEqual(['applied']);
    await graph.tell([second]);
    expect((await graph.ledger()).map(({ key, conflict, event }) => [key, conflict, event.bodyHash])).toEqual([
      [KEY, false, first.bodyHash],
      [`${KEY}~${second.bodyHash.slice(0, 16)}`, true, second.bodyHash],
    ]);
    expect(await graph.run('MATCH (e:_Event {conflict: true}) RETURN e.key AS key')).toEqual([{ key: conflictKey(KEY, second.bodyHash) }]);
  });

  test('three bodies have three rows and one graph, in every order and in one batch; each redelivery is late', async () => {
    const graphs = new Set<string>();
    const orders = [...permutations([first, second, third])];
    for (const batches of [...orders.map((events) => events.map((event) => [event])), ...orders.map((events) => [events])]) {
      await graph.wipe();
      for (const batch of batches) await graph.tell(batch);
      const arrived = batches.flat();
      expect((await graph.ledger()).map(({ key }) => key).sort()).toEqual(
        [KEY, ...arrived.slice(1).map(({ bodyHash }) => conflictKey(KEY, bodyHash))].sort(),
      );
      graphs.add(JSON.stringify([...(await graph.graph()).nodes], (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)));
      for (const event of arrived) expect(await graph.tell([event])).toEqual(['late']);
      expect(await graph.tell(arrived.toReversed())).toEqual(['late', 'late', 'late']);
      expect((await assertConserved(graph, 9)).late).toBe(6);
    }
    expect(graphs.size).toBe(1);
  });

  test('the same two bodies many times in one batch are two rows and otherwise late', async () => {
    const outcomes = await graph.tell([first, second, first, second, second]);
    expect(outcomes.slice(2)).toEqual(['late', 'late', 'late']);
    expect((await graph.ledger()).length).toBe(2);
    expect((await assertConserved(graph, 5)).late).toBe(3);
  });

  test('two workers that bring the two bodies at once end with two rows', async () => {
    for (let i = 0; i < 20; i++) {
      const [a, b] = [
        eventOf({ id: `r${i}`, facts: [order({ name: 'a' }, `r${i}`)] }),
        eventOf({ id: `r${i}`, facts: [order({ currency: 'EUR' }, `q${i}`)] }),
      ];
      await Promise.all([graph.tell([a]), graph.tell([b], { store: createGraphStore(graph.bolt, commerce) })]);
    }
    const rows = await graph.ledger();
    expect([rows.length, rows.filter(({ conflict }) => conflict).length]).toEqual([40, 20]);
  });

  test('an id as long and as odd as it may be has its rows, too', async () => {
    // 512 characters by the envelope, each of four bytes, or of three once escaped
    const events = ['😀', '%', '~', '\uffee']
      .map((part) => part.repeat(part.length === 2 ? 256 : 512))
      .flatMap((id) => ['a', 'b'].map((name) => eventOf({ id, facts: [order({ name })] })));
    expect(await graph.tell(events)).not.toContain('failed');
    expect(new Set((await graph.ledger()).map(({ key }) => key)).size).toBe(8);
  });
});

describe('one id, several bodies, from a source whose senders edit', () => {
  const secrets = [secretOf('hmac', Buffer.from('a secret for tests'))];
  const sources = new Map([['shop', facts({ sameId: 'edit' })({ name: 'shop', secrets, model: commerce })]]);
  const seen = (observedAt: string | undefined, set: Record<string, unknown>): Event =>
    bodyOf(JSON.stringify({ id: 'e', type: 'told', occurredAt: '2026-11-21T09:00:00Z', observedAt, facts: [order(set)] }), { id: 'e' });
  const first = seen('2026-11-21T09:30:00Z', { name: 'first', currency: 'EUR' });
  const second = seen('2026-11-21T09:40:00Z', { name: 'second' });

  test.each([[[first, second]], [[second, first]]])(
    'the newest observation wins in either order, and nothing is flagged',
    async (events) => {
      for (const event of events) await graph.tell([event], { sources });
      expect([...(await graph.graph()).nodes.values()]).toEqual([{ name: 'second', currency: 'EUR' }]);
      expect((await graph.ledger()).map(({ conflict }) => conflict)).toEqual([false, false]);
      expect(await graph.tell([second, first], { sources })).toEqual(['late', 'late']);
    },
  );

  test('an edit that does not say when it was observed has no place in the order', async () => {
    expect(await graph.tell([seen(undefined, { name: 'x' })], { sources })).toEqual(['failed']);
    expect((await graph.ledger())[0]?.error).toMatchObject({ code: 'NO_CLOCK', path: 'observedAt' });
  });

  test('an observation too far ahead is quarantined like any time', async () => {
    expect(await graph.tell([seen('2026-11-21T11:00:00Z', { name: 'x' })], { sources })).toEqual(['quarantined']);
  });
});

describe('events that are taken in twice', () => {
  const event = eventOf({ id: 'e', facts: [order({ name: '#1' })] });

  test('are late once for each further job, and a job that is done again is not counted again', async () => {
    expect(await graph.tell([event], { job: 'j1-1' })).toEqual(['applied']);
    expect(await graph.tell([event], { job: 'j2-1' })).toEqual(['late']);
    expect(await graph.tell([event], { job: 'j2-1' })).toEqual(['repeated']);
    expect(await graph.tell([event], { job: 'j1-1' })).toEqual(['repeated']);
    expect(await graph.tell([event, event], { job: 'j3-2' })).toEqual(['late', 'late']);
    expect(await graph.tell([event, event], { job: 'j3-2' })).toEqual(['repeated', 'repeated']);
    expect((await assertConserved(graph, 4)).late).toBe(3);
  });

  test('by two workers at once are one row and one late', async () => {
    for (let i = 0; i < 20; i++) {
      const twin = eventOf({ id: `t${i}`, facts: [order({ name: 'x' }, `t${i}`)] });
      const outcomes = await Promise.all([graph.tell([twin]), graph.tell([twin], { store: createGraphStore(graph.bolt, commerce) })]);
      expect(outcomes.flat().sort()).toEqual(['applied', 'late']);
    }
  });

  test('because a stalled job went to a second worker are repeated for one of them, and nothing is late', async () => {
    for (let i = 0; i < 20; i++) {
      const events = ['a', 'b', 'c'].map((id) => eventOf({ id: `${id}${i}`, facts: [order({ name: id }, `${id}${i}`)] }));
      const outcomes = await Promise.all(
        [graph.store, createGraphStore(graph.bolt, commerce)].map((store) => graph.tell(events, { job: `j${i}-3`, store })),
      );
      expect(outcomes.flat().sort()).toEqual(['applied', 'applied', 'applied', 'repeated', 'repeated', 'repeated']);
    }
    expect((await assertConserved(graph, 60)).late).toBe(0);
  });

  test('because a stalled job came twice into one batch are repeated the second time', async () => {
    const events = ['a', 'b'].map((id) => eventOf({ id, facts: [order({ name: id }, id)] }));
    const worker = graph.counting(createWorker(graph.store, { sources: graph.sources, maxFutureMs: MAX_FUTURE_MS }));
    await worker.handle([
      { id: 'j1-2', events },
      { id: 'j1-2', events },
    ]);
    expect((await assertConserved(graph, 2)).late).toBe(0);
    await worker.handle([{ id: 'j1-2', events }]);
    expect((await assertConserved(graph, 2)).late).toBe(0);
  });

  test('by a worker that lost its network, whose job another finished meanwhile, are repeated and not counted', async () => {
    await graph.tell([event], { job: 'j1-1' });
    await graph.tell([event], { job: 'j2-1' });
    await graph.store.forgetOldJobs();
    expect(await graph.tell([event], { job: 'j2-1' })).toEqual(['repeated']);
    expect((await assertConserved(graph, 2)).late).toBe(1);
  });

  test('stay counted when the marks of their jobs are so old that they are forgotten', async () => {
    let days = 0;
    const store = createGraphStore(graph.bolt, commerce, { now: () => RECEIVED_MS + days * 86_400_000 });
    const marks = async (): Promise<unknown[]> => (await graph.run('MATCH (j:_Job) RETURN j.id AS id ORDER BY id')).map(({ id }) => id);
    await graph.tell([event], { job: 'j1-1', store });
    await graph.tell([event, event], { job: 'j2-2', store });
    days = 6;
    await graph.tell([event], { job: 'j3-1', store });
    await store.forgetOldJobs();
    expect(await marks()).toEqual(['j1-1', 'j2-2', 'j3-1']);
    days = 8;
    // Two workers at once: no mark is counted twice.
    await Promise.all([
      store.forgetOldJobs(),
      createGraphStore(graph.bolt, commerce, { now: () => RECEIVED_MS + 8 * 86_400_000 }).forgetOldJobs(),
    ]);
    expect(await marks()).toEqual(['j3-1']);
    expect((await assertConserved(graph, 4)).late).toBe(3);
    days = 14;
    await store.forgetOldJobs();
    expect(await marks()).toEqual([]);
    expect((await assertConserved(graph, 4)).late).toBe(3);
  });

  test.each([
    ['all', 'NULL'],
    ['a part', '[0]'],
  ])('or never, though a mark says so of %s of their job, are taken in: the ledger has the last word', async (_, done) => {
    await graph.run(`CREATE (:_Job {id: 'j1-2', done: ${done}, settledAt: timestamp()})`);
    const pair = [event, eventOf({ id: 'f', facts: [order({ name: '#2' }, 'f')] })];
    expect(await graph.tell(pair, { job: 'j1-2' })).toEqual(['applied', 'applied']);
    expect(await graph.tell(pair, { job: 'j1-2' })).toEqual(['repeated', 'repeated']);
    expect((await assertConserved(graph, 2)).late).toBe(0);
  });

  test('in a job whose id is longer than an index takes are known all the same', async () => {
    const job = `${'j'.repeat(9_000)}-1`;
    expect(await graph.tell([event], { job })).toEqual(['applied']);
    expect(await graph.tell([event], { job })).toEqual(['repeated']);
  });
});

describe('a batch that is cut off while it is being halved', () => {
  beforeEach(() => graph.run('CREATE CONSTRAINT poison IF NOT EXISTS FOR (o:Order) REQUIRE o.name IS UNIQUE'));
  afterEach(() => graph.run('DROP CONSTRAINT poison IF EXISTS'));

  test.each([2, 3, 5, 8, 11])('by an outage at its transaction %i is done again, and what was committed is repeated', async (place) => {
    const known = eventOf({ id: 'known', facts: [order({ name: 'taken' }, 'known')] });
    await graph.tell([known]);
    const events = Array.from({ length: 32 }, (_, i) =>
      i === 5 ? known : eventOf({ id: `e${i}`, facts: [order({ name: i === 13 ? 'taken' : `${i}` }, `${i}`)] }),
    );
    const job = 'j-32';
    await expect(graph.tell(events, { job, store: failingAt(place) })).rejects.toMatchObject({ code: 'GRAPH_UNAVAILABLE' });
    const done = (await graph.ledger()).length - 1;
    const outcomes = await graph.tell(events, { job });
    const repeated = outcomes.filter((outcome) => outcome === 'repeated').length;
    expect(repeated).toBeGreaterThanOrEqual(done);
    const { states, late } = await assertConserved(graph, 33);
    expect([states.applied, states.failed, late]).toEqual([31, 1, 1]);
    expect(await graph.tell(events, { job })).toEqual(events.map(() => 'repeated'));
  });

  function failingAt(place: number): GraphStore {
    let count = 0;
    return {
      ...graph.store,
      transaction: async (work) => {
        if ((count += 1) === place) throw new IngestError('GRAPH_UNAVAILABLE', 'gone');
        return graph.store.transaction(work);
      },
    };
  }
});

describe('a quarantined event', () => {
  let nowMs = RECEIVED_MS;
  let workers: Worker[] = [];
  let released: Outcome[] = [];
  let looks = 0;
  beforeEach(() => {
    nowMs = RECEIVED_MS;
    released = [];
    looks = 0;
  });
  afterEach(() => {
    for (const worker of workers) worker.close();
    workers = [];
  });

  /** Workers that look for quarantined events at every turn, by a clock that the test turns. */
  function start(count: number, sources = graph.sources): void {
    const store = createGraphStore(graph.bolt, commerce);
    const looking: GraphStore = {
      ...store,
      quarantined: (...which) => {
        looks += 1;
        return store.quarantined(...which);
      },
    };
    const more = Array.from({ length: count }, () =>
      createWorker(looking, {
        sources,
        maxFutureMs: MAX_FUTURE_MS,
        releaseEveryMs: 5,
        now: () => nowMs,
        report: { released: (outcomes) => void released.push(...outcomes) },
      }),
    );
    for (const worker of more) worker.start();
    workers.push(...more);
  }

  async function until(met: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await met())) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  const told = (id: string, minutes: number, set: Record<string, unknown> = { status: 'paid' }): Said => ({
    id,
    at: new Date(RECEIVED_MS + minutes * 60_000).toISOString(),
    facts: [order(set, id)],
  });
  const ahead = (...which: Parameters<typeof told>): Event => eventOf(told(...which));
  const statesOf = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await graph.ledger()).map(({ key, state }) => [key, state]));

  test('is held back whole for one fact whose own time is too far ahead', async () => {
    const event = eventOf({
      id: 'e',
      facts: [order({ name: '#1' }), { upsert: { ...order({ name: '#2' }, '2').upsert, at: '2026-11-21T10:10:00.000000001Z' } }],
    });
    expect(await graph.tell([event])).toEqual(['quarantined']);
    expect((await graph.graph()).nodes.size).toBe(0);
    expect((await graph.ledger())[0]).toMatchObject({ state: 'quarantined', event: { body: event.body }, error: { code: 'FUTURE_STAMP' } });
    expect(await graph.tell([event])).toEqual(['late']);
  });

  test('is one only beyond the tolerance, not at it', async () => {
    expect(await graph.tell([ahead('at', 10), ahead('beyond', 10.001)])).toEqual(['applied', 'quarantined']);
  });

  test('is released once its times are within tolerance, and not before', async () => {
    await graph.tell([ahead('soon', 20), ahead('later', 30), eventOf({ id: 'now', facts: [order({ status: 'pending' }, 'soon')] })]);
    nowMs = RECEIVED_MS + 10 * 60_000 - 1;
    start(1);
    await until(() => looks >= 3);
    expect(released).toEqual([]);
    nowMs += 1;
    await until(() => released.length > 0);
    expect(released).toEqual(['applied']);
    expect(await statesOf()).toEqual({ 'shop:soon': 'applied', 'shop:later': 'quarantined', 'shop:now': 'applied' });
    expect([...(await graph.graph()).nodes]).toEqual([['Order/shop/soon', { status: 'paid' }]]);
  });

  test('is released once by two workers that find it at the same time', async () => {
    const events = Array.from({ length: 60 }, (_, i) => ahead(`e${i}`, 20 + (i % 3)));
    await graph.tell(events);
    nowMs += 60 * 60_000;
    start(2);
    await until(async () => Object.values(await statesOf()).every((state) => state === 'applied'));
    await until(() => released.filter((outcome) => outcome === 'applied').length >= 60);
    expect(released.filter((outcome) => outcome === 'applied')).toHaveLength(60);
    expect(released.filter((outcome) => outcome !== 'applied' && outcome !== 'repeated')).toEqual([]);
    expect((await graph.graph()).nodes.size).toBe(60);
    expect(await graph.tell(events)).toEqual(events.map(() => 'late'));
    expect((await assertConserved(graph, 120)).late).toBe(60);
  });

  test('may be of a year that no 64-bit count of nanoseconds reaches', async () => {
    expect(await graph.tell([eventOf({ id: 'far', at: '9999-12-31T23:59:59Z', facts: [order({ name: '#1' })] })])).toEqual(['quarantined']);
    expect(await statesOf()).toEqual({ 'shop:far': 'quarantined' });
  });

  test('is one of many in many segments: few are read at once, and all are released', async () => {
    const many = Array.from({ length: 20 }, (_, i) => `e${i}`);
    for (const id of many) await graph.tell([ahead(id, 20)]);
    nowMs += 60 * 60_000;
    const store = createGraphStore(graph.bolt, commerce);
    const due = { until: fromMs(nowMs + MAX_FUTURE_MS), sources: ['shop'], except: ['shop:e0'] };
    const some = (await store.quarantined(due)).map(({ key }) => key);
    expect(some).toHaveLength(8);
    expect(some).not.toContain('shop:e0');
    start(1);
    await until(() => released.length === many.length);
    expect(looks).toBeGreaterThanOrEqual(4);
    expect(new Set(Object.values(await statesOf()))).toEqual(new Set(['applied']));
  });

  test('waits for a worker that knows its source, and holds up no other', async () => {
    await graph.tell([eventOf({ ...told('foreign', 20), source: 'other' })]);
    await graph.tell([ahead('own', 20)]);
    nowMs += 60 * 60_000;
    start(1, new Map([...graph.sources].filter(([name]) => name !== 'other')));
    await until(() => released.length > 0 && looks > 4);
    expect(await statesOf()).toEqual({ 'other:foreign': 'quarantined', 'shop:own': 'applied' });
    start(1);
    await until(() => released.length === 2);
    expect(await statesOf()).toEqual({ 'other:foreign': 'applied', 'shop:own': 'applied' });
  });

  test('is looked for again whatever goes wrong, which is said: an outage once, all else each time', async () => {
    const failures: (Error | undefined)[] = [
      ...Array.from({ length: 3 }, () => new IngestError('GRAPH_UNAVAILABLE', 'gone')),
      new Error('a fault'),
      new Error('a fault'),
      undefined,
      new IngestError('GRAPH_UNAVAILABLE', 'gone again'),
    ];
    const said: unknown[] = [];
    const failing: GraphStore = {
      ...graph.store,
      async quarantined() {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        return [];
      },
      forgetOldJobs: () => Promise.reject(new Error('no marks')),
    };
    const worker = createWorker(failing, {
      sources: graph.sources,
      maxFutureMs: MAX_FUTURE_MS,
      releaseEveryMs: 5,
      report: { choreFailed: (chore, error) => void said.push([chore, error instanceof Error && error.message]) },
    });
    workers = [worker];
    worker.start();
    await until(() => failures.length === 0 && said.length >= 5);
    expect(said).toHaveLength(5);
    expect(said).toContainEqual(['forget', 'no marks']);
    expect(said.filter((one) => Array.isArray(one) && one[0] === 'release').map((one) => Array.isArray(one) && one[1])).toEqual([
      'gone',
      'a fault',
      'a fault',
      'gone again',
    ]);
  });

  test('that loses when its time has come is superseded', async () => {
    await graph.tell([
      ahead('old', 20),
      eventOf({
        id: 'new',
        receivedAtMs: RECEIVED_MS + 30 * 60_000,
        at: new Date(RECEIVED_MS + 31 * 60_000).toISOString(),
        facts: [order({ status: 'fulfilled' }, 'old')],
      }),
    ]);
    nowMs += 60 * 60_000;
    start(1);
    await until(() => released.length > 0);
    expect(await statesOf()).toMatchObject({ 'shop:old': 'superseded' });
    expect([...(await graph.graph()).nodes.values()]).toEqual([{ status: 'fulfilled' }]);
  });

  test('that is the second body of an id is released under its own row', async () => {
    await graph.tell([eventOf({ id: 'e', facts: [order({ name: '#1' }, 'e')] })]);
    const second = ahead('e', 20);
    await graph.tell([second]);
    nowMs += 60 * 60_000;
    start(1);
    await until(() => released.length > 0);
    expect(await statesOf()).toEqual({ 'shop:e': 'applied', [conflictKey('shop:e', second.bodyHash)]: 'applied' });
    expect([...(await graph.graph()).nodes.values()]).toEqual([{ name: '#1', status: 'paid' }]);
  });

  test('that the database refuses when its time has come fails alone', async () => {
    await graph.run('CREATE CONSTRAINT poison IF NOT EXISTS FOR (o:Order) REQUIRE o.name IS UNIQUE');
    try {
      await graph.tell([
        ahead('taken', 20, { name: 'x' }),
        ahead('good', 20, { name: 'y' }),
        eventOf({ id: 'now', facts: [order({ name: 'x' }, 'other')] }),
      ]);
      nowMs += 60 * 60_000;
      start(1);
      await until(() => released.length >= 2);
      expect(await statesOf()).toEqual({ 'shop:taken': 'failed', 'shop:good': 'applied', 'shop:now': 'applied' });
      expect(await graph.run("MATCH (e:_Event {key: 'shop:taken'}) RETURN e.error AS error")).toEqual([{ error: 'WRITE_REFUSED' }]);
    } finally {
      await graph.run('DROP CONSTRAINT poison IF EXISTS');
    }
  });
});
