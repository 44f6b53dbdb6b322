import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { release } from '../../../src/apply.ts';
import { createFactsOf } from '../../../src/facts-of.ts';
import { createEventReader, type EventReader } from '../../../src/graph/events.ts';
import type { EventFilter } from '../../../src/graph/event-filter.ts';
import type { Event } from '../../../src/event.ts';
import { eventOf, openGraph, RECEIVED_MS, type TestGraph } from '../../support/graph.ts';

const MINUTE = 60_000;
let graph: TestGraph;
let reader: EventReader;

const order = (id: string, status: string) => ({ upsert: { node: 'Order', key: { id }, set: { status } } }) as const;
const paid = eventOf({ id: 'paid', type: 'order.paid', occurrenceId: 'occ_1', facts: [order('1', 'paid')] });

/** Seven batches, a minute apart: every state that applying leads to, a conflict, a parked edge. */
const BATCHES: readonly (readonly Event[])[] = [
  [eventOf({ id: 'old', at: '2026-11-21T08:00:00Z', facts: [order('1', 'pending')] }), paid],
  [eventOf({ id: 'late', type: 'order.created', at: '2026-11-21T07:00:00Z', facts: [order('1', 'pending')] })],
  [eventOf({ id: 'nothing', type: 'ping', facts: [] }), eventOf({ id: 'other', source: 'other', facts: [order('2', 'paid')] })],
  [eventOf({ id: 'future', at: '2027-01-01T00:00:00Z', facts: [order('3', 'paid')] })],
  [
    {
      ...eventOf({ id: 'broken', facts: [] }),
      body: '{"id":"broken","type":"t","occurredAt":"2026-11-21T09:00:00Z","facts":[{"upsert":{"node":"Nobody","key":{"id":"1"}}}]}',
    },
  ],
  [eventOf({ id: 'paid', type: 'order.paid', at: '2026-11-21T09:30:00Z', facts: [order('1', 'fulfilled')] })],
  [
    eventOf({
      id: 'refund',
      receivedAtMs: RECEIVED_MS + 5 * MINUTE,
      facts: [
        { link: { relationship: 'REFUNDS', from: { id: 'r1' }, to: { id: '404' } } },
        { upsert: { node: 'Refund', key: { id: 'r1' } } },
      ],
    }),
  ],
];

async function keys(filter: EventFilter): Promise<string[]> {
  return (await reader.list(filter)).events.map((event) => event.key);
}

beforeAll(async () => {
  let clock = RECEIVED_MS;
  graph = await openGraph({ now: () => (clock += 1_000) });
  reader = createEventReader(graph.bolt);
  for (const batch of BATCHES) await graph.tell(batch);
});
afterAll(() => graph.close());

describe('the list of events', () => {
  test('is newest first, with every public name and neither body nor headers', async () => {
    const { events, next } = await reader.list({});
    expect(events.map((event) => event.id)).toEqual(['refund', 'paid', 'broken', 'future', 'other', 'nothing', 'late', 'paid', 'old']);
    expect(next).toBeNull();
    expect(events[7]).toEqual({
      key: 'shop:paid',
      source: 'shop',
      id: 'paid',
      occurrenceId: 'occ_1',
      type: 'order.paid',
      subject: 'Order/shop/1',
      entities: ['Order/shop/1'],
      state: 'applied',
      occurredAt: '2026-11-21T09:00:00Z',
      receivedAt: '2026-11-21T10:00:00Z',
      appliedAt: '2026-11-21T10:00:02Z',
      bodyHash: paid.bodyHash,
      conflict: false,
      mapping: 'facts@1',
      error: null,
      attempts: 1,
      parked: false,
    });
  });

  test.each<[string, EventFilter, string[]]>([
    ['applied', { state: 'applied' }, ['refund', 'paid', 'other', 'paid', 'old']],
    ['superseded', { state: 'superseded' }, ['late']],
    ['ignored', { state: 'ignored' }, ['nothing']],
    ['quarantined', { state: 'quarantined' }, ['future']],
    ['failed', { state: 'failed' }, ['broken']],
    ['parked', { state: 'parked' }, ['refund']],
    ['acknowledged', { state: 'acknowledged' }, []],
    ['by source', { source: 'other' }, ['other']],
    ['by type', { type: 'order.paid' }, ['paid', 'paid']],
    ['received since', { since: RECEIVED_MS + 1 }, ['refund']],
    ['received until, itself excluded', { until: RECEIVED_MS + 5 * MINUTE, state: 'superseded' }, ['late']],
    ['by entity', { entity: 'Order/shop/1' }, ['paid', 'late', 'paid', 'old']],
    ['by an entity that is not the subject', { entity: 'Order/shop/404' }, ['refund']],
    [
      'by all at once',
      { state: 'applied', source: 'shop', type: 'order.paid', entity: 'Order/shop/1', since: RECEIVED_MS, until: RECEIVED_MS + 1 },
      ['paid', 'paid'],
    ],
    ['parked of another source', { state: 'parked', source: 'other' }, []],
    ['failed before it was received', { state: 'failed', until: RECEIVED_MS }, []],
  ])('%s', async (_, filter, ids) => {
    expect((await reader.list(filter)).events.map((event) => event.id)).toEqual(ids);
    expect(await reader.count(filter)).toBe(ids.length);
  });

  test('shows a second body under one id as a conflict with a suffix', async () => {
    const [second, first] = (await reader.list({ type: 'order.paid' })).events;
    expect([first?.conflict, second?.conflict]).toEqual([false, true]);
    expect(second?.key).toBe(`shop:paid~${second?.bodyHash.slice(0, 16)}`);
  });

  test('tells why an event failed or waits', async () => {
    const [broken] = (await reader.list({ state: 'failed' })).events;
    expect(broken?.error).toEqual({
      code: 'BAD_VALUE',
      message: 'facts[0].upsert.node: no label "Nobody" in the model',
      path: 'facts[0].upsert.node',
    });
    const [future] = (await reader.list({ state: 'quarantined' })).events;
    expect(future?.error?.code).toBe('FUTURE_STAMP');
    const [refund] = (await reader.list({ state: 'parked' })).events;
    expect([refund?.state, refund?.parked]).toEqual(['applied', true]);
  });

  test('is cut into pages that join without a gap or a repetition, whatever the filter', async () => {
    for (const filter of [{}, { state: 'applied' }, { source: 'shop' }, { entity: 'Order/shop/1' }] satisfies EventFilter[]) {
      const paged: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await reader.list(filter, { limit: 2, cursor });
        expect(page.events.length).toBeLessThanOrEqual(2);
        paged.push(...page.events.map((event) => event.key));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      expect(paged).toEqual(await keys(filter));
    }
  });

  test('refuses a cursor that no page gave', async () => {
    for (const cursor of ['', 'x', Buffer.from("'; MATCH").toString('base64url')]) {
      await expect(reader.list({}, { cursor })).rejects.toMatchObject({ code: 'BAD_REQUEST', context: { path: 'cursor' } });
    }
  });
});

describe('one event', () => {
  test('comes with its exact body, its headers and what today’s mapping says', async () => {
    const event = await reader.get('shop:paid', createFactsOf(graph.sources));
    expect(event).toMatchObject({ key: 'shop:paid', body: paid.body, headers: { 'webhook-id': 'msg_paid' }, facts: [order('1', 'paid')] });
  });

  test('of a second body under one id is found by its suffixed key', async () => {
    const [second] = (await reader.list({ type: 'order.paid' })).events;
    const event = await reader.get(second?.key ?? '', createFactsOf(graph.sources));
    expect(event?.facts).toEqual([order('1', 'fulfilled')]);
  });

  test('that failed has a body and no facts', async () => {
    const event = await reader.get('shop:broken', createFactsOf(graph.sources));
    expect(event?.body).toContain('Nobody');
    expect(event?.state).toBe('failed');
  });

  test('that nobody told of is undefined', async () => {
    expect(await reader.get('shop:nobody', () => [])).toBeUndefined();
  });
});

describe('what the ledger counts', () => {
  test('adds up: every event that was told is in exactly one state, or was late', async () => {
    await graph.tell([paid, paid]);
    const stats = await reader.stats();
    expect(stats).toEqual({
      duplicateLate: 2,
      parked: 1,
      states: { applied: 5, superseded: 1, ignored: 1, quarantined: 1, failed: 1, acknowledged: 0, erased: 0 },
    });
    const told = BATCHES.flat().length + 2;
    expect(Object.values(stats.states).reduce((a, b) => a + b) + stats.duplicateLate).toBe(told);
    expect(await reader.count({})).toBe(BATCHES.flat().length);
  });
});

describe('a quarantined event that was released', () => {
  test('is listed by the state it came to, and by no other', async () => {
    const [future] = (await graph.ledger()).filter((entry) => entry.state === 'quarantined');
    if (future === undefined) throw new Error('nothing is quarantined');
    const intake = { job: 'release', index: 0, of: 1, event: future.event, ledgerKey: future.key, attempts: future.attempts };
    expect(await release([intake], graph.store, { sources: graph.sources, maxFutureMs: 600_000, asOfMs: Date.UTC(2027, 0, 1) })).toEqual([
      'applied',
    ]);
    expect(await keys({ state: 'quarantined' })).toEqual([]);
    const [released] = (await reader.list({ state: 'applied', entity: 'Order/shop/3' })).events;
    expect([released?.key, released?.state, released?.error]).toEqual(['shop:future', 'applied', null]);
    expect(await reader.count({ state: 'applied' })).toBe(6);
    expect(await reader.count({ state: 'applied', source: 'shop', type: 'told' })).toBe(3);
    expect((await reader.stats()).states).toMatchObject({ applied: 6, quarantined: 0 });
  });
});

describe('while events come in', () => {
  test('a page that was begun goes on where it was: none is shown twice and none is left out', async () => {
    const first = await reader.list({}, { limit: 4 });
    await graph.tell([eventOf({ id: 'meanwhile', facts: [order('9', 'paid')] })]);
    const rest = await reader.list({}, { cursor: first.next ?? undefined });
    expect([...first.events, ...rest.events].map((event) => event.id)).toEqual([
      'refund',
      'paid',
      'broken',
      'future',
      'other',
      'nothing',
      'late',
      'paid',
      'old',
    ]);
  });

  test('a parked event is no longer parked once its other end is there', async () => {
    await graph.tell([eventOf({ id: 'end', facts: [order('404', 'paid')] })]);
    expect(await keys({ state: 'parked' })).toEqual([]);
    expect((await reader.list({ entity: 'Refund/shop/r1' })).events[0]?.parked).toBe(false);
    expect((await reader.stats()).parked).toBe(0);
  });
});
