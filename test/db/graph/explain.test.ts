import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createExplainer, narrow, type Explanation, type PropertyStory } from '../../../src/explain/explain.ts';
import type { Event } from '../../../src/event.ts';
import { createEventReader } from '../../../src/graph/events.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { bodyOf, eventOf, openGraph, type Said, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
let order: Explanation;

const at = (hour: number): string => `2026-11-21T0${hour}:00:00Z`;
const set = (id: string, when: string, values: Record<string, unknown>, more: Partial<Said> = {}): Event =>
  eventOf({ id, at: when, ...more, facts: [{ upsert: { node: 'Order', key: { id: '1001' }, set: values } }] });
const placed = (id: string, when: string, customer: string): Event =>
  eventOf({ id, at: when, facts: [{ link: { relationship: 'PLACED', from: { id: customer }, to: { id: '1001' } } }] });

/** In the order in which they came, which is not the one in which they happened. */
const EVENTS: readonly Event[] = [
  set('paid', at(3), { status: 'paid', totalMinor: 4200 }, { type: 'order.paid' }),
  set('created', at(1), { status: 'pending', totalMinor: 4000 }, { type: 'order.created' }),
  set('cancelled', at(3), { status: 'cancelled' }),
  set('note', at(4), { totalMinor: null }),
  placed('from-anna', at(1), 'anna'),
  placed('from-bert', at(2), 'bert'),
  set('future', '2027-01-01T00:00:00Z', { status: 'fulfilled' }),
  bodyOf(
    '{"id":"broken","type":"t","occurredAt":"2026-11-21T05:00:00Z","facts":[{"upsert":{"node":"Order","key":{"id":"1001"},"set":{"status":7}}}]}',
    {
      id: 'broken',
    },
  ),
];

const explain = (id: string): Promise<Explanation> =>
  createExplainer(graph.bolt, commerce, { events: createEventReader(graph.bolt), sources: graph.sources }).explain(id);

beforeAll(async () => {
  graph = await openGraph();
  for (const event of EVENTS) await graph.tell([event]);
  order = await explain('Order/shop/1001');
});
afterAll(() => graph.close());

const property = (name: string, found = order): PropertyStory => found.properties.find((one) => one.name === name) as PropertyStory;
const said = (name: string, found = order): unknown[] =>
  property(name, found).said.map(({ by, value, because }) => [by.event, value, because]);

describe('an order', () => {
  test('is there by the newest event that tells of it', () => {
    expect(order).toMatchObject({ entity: 'Order/shop/1001', state: 'present', removedBy: null, more: false });
  });

  test('has every property by the event that won it, with type, time and mapping', () => {
    expect(property('status')).toMatchObject({
      value: 'cancelled',
      by: { event: 'shop:cancelled', at: '2026-11-21T03:00:00Z', state: 'applied' },
    });
    expect(property('status').by?.mapping).toMatch(/^facts@/);
  });

  test('says why every other event lost', () => {
    expect(said('status')).toEqual([
      ['shop:future', 'fulfilled', 'the event is quarantined'],
      ['shop:cancelled', 'cancelled', null],
      ['shop:paid', 'paid', 'of the same time as shop:cancelled, which ranks higher'],
      ['shop:created', 'pending', 'older than shop:cancelled'],
    ]);
  });

  test('tells of a value that was taken away', () => {
    expect(property('totalMinor')).toMatchObject({ value: null, by: { event: 'shop:note' } });
    expect(said('totalMinor')[0]).toEqual(['shop:note', null, null]);
  });

  test('tells why it is not this', () => {
    const { properties, relationships } = narrow(order, { about: 'status', value: 'paid' });
    expect(properties.map((one) => one.said.map(({ by }) => by.event))).toEqual([['shop:paid']]);
    expect(relationships).toEqual([]);
  });

  test('has one customer, and says why not the other', () => {
    const { relationships } = narrow(order, { about: 'PLACED' });
    expect(relationships.map(({ relationship, state, by }) => [relationship, state, by?.event])).toEqual([
      ['Customer/shop/anna-[PLACED]->Order/shop/1001', 'ended', undefined],
      ['Customer/shop/bert-[PLACED]->Order/shop/1001', 'present', 'shop:from-bert'],
    ]);
    expect(relationships[0]?.said.map(({ because }) => because)).toEqual(['older than the link to Customer/shop/bert by shop:from-bert']);
  });

  test('lists the events that mention it; one that cannot be mapped mentions nothing', () => {
    expect(order.events.map(({ event, state }) => [event, state])).toEqual([
      ['shop:future', 'quarantined'],
      ['shop:note', 'applied'],
      ['shop:cancelled', 'applied'],
      ['shop:paid', 'applied'],
      ['shop:from-bert', 'applied'],
      ['shop:from-anna', 'applied'],
      ['shop:created', 'superseded'],
    ]);
  });
});

test('a customer of whom only a reference tells', async () => {
  const found = await explain('Customer/shop/anna');
  expect(found).toMatchObject({ state: 'present', properties: [] });
  expect(found.existsBy?.event).toBe('shop:from-anna');
});

test('a node that was removed, and what lost by that', async () => {
  await graph.tell([set('late', at(2), { status: 'paid' })]);
  await graph.tell([eventOf({ id: 'gone', at: at(6), facts: [{ remove: { node: 'Order', key: { id: '1001' } } }] })]);
  const found = await explain('Order/shop/1001');
  expect(found).toMatchObject({ state: 'removed', existsBy: null, removedBy: { event: 'shop:gone' } });
  expect(said('status', found)).toContainEqual(['shop:cancelled', 'cancelled', 'older than the removal by shop:gone']);
  expect(property('status', found)).toMatchObject({ value: null, by: null });
});

test('a node whose source is gone is explained by what the graph and the ledger say', async () => {
  const events = createEventReader(graph.bolt);
  const found = await createExplainer(graph.bolt, commerce, { events, sources: new Map() }).explain('Customer/shop/bert');
  expect(found).toMatchObject({ state: 'present', existsBy: { event: 'shop:from-bert', state: 'applied' } });
  expect(found.events.map(({ event }) => event)).toEqual(['shop:from-bert']);
});

test('a node that nobody knows, and one that the model does not have', async () => {
  expect(await explain('Order/shop/nobody')).toMatchObject({ state: 'unseen', properties: [], relationships: [], events: [] });
  await expect(explain('Nobody/shop/1')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});
