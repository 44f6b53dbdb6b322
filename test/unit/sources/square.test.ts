import { describe, expect, it } from 'vitest';

import type { Delivery, Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Fact, Mapped } from '../../../src/model/facts.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { createWorld } from '../../../src/model/world.ts';
import { isIgnored, type Ignored } from '../../../src/sources/source.ts';
import { square } from '../../../src/sources/square.ts';
import { NOW_MS, secret, sourceOf, SQUARE_URL, squareDelivery } from '../../support/deliveries.ts';

const HASH = 'f'.repeat(64);
const source = sourceOf(square({ notificationUrl: SQUARE_URL }));

function map(type: string, object: object, over: object = {}): Mapped | Ignored {
  const text = JSON.stringify({
    merchant_id: 'M',
    type,
    event_id: 'e-1',
    created_at: '2026-11-21T09:00:05Z',
    data: { type: 'x', id: 'x', object },
    ...over,
  });
  const event: Event = { source: 'acme', id: 'e-1', body: text, bodyHash: HASH, receivedAtMs: NOW_MS, headers: {} };
  const said = source.map(event, parseJson(text));
  if (isIgnored(said)) return said;
  resolve(commerce, event, said);
  return said;
}

const facts = (type: string, object: object): readonly Fact[] => {
  const said = map(type, object);
  return 'facts' in said ? said.facts : [];
};

const payment = {
  id: 'p1',
  created_at: '2026-11-21T09:00:00.100Z',
  updated_at: '2026-11-21T09:00:01.200Z',
  amount_money: { amount: 1000, currency: 'USD' },
  total_money: { amount: 1150, currency: 'USD' },
  status: 'COMPLETED',
  source_type: 'CARD',
  order_id: 'o1',
  customer_id: 'c1',
};

describe('the signature', () => {
  it('is the one of the example in Square’s documentation', () => {
    const example: Delivery = {
      source: 'acme',
      body: Buffer.from('{"hello":"world"}'),
      headers: { 'x-square-hmacsha256-signature': '2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=' },
      receivedAtMs: NOW_MS,
    };
    const documented = sourceOf(square({ notificationUrl: 'https://example.com/webhook' }), 'acme', 'asdf1234');
    expect(documented.verify(example)).toBe(secret('asdf1234').id);
  });
  it('holds for the configured URL alone, whatever the request says of its host', () => {
    for (const url of [`${SQUARE_URL}/`, SQUARE_URL.replace('https', 'http'), 'https://evil.example/webhooks/square']) {
      const sent = squareDelivery({ body: '{}' }, url);
      const delivery = { ...sent, headers: { ...sent.headers, host: 'evil.example', 'x-forwarded-host': 'evil.example' } };
      expect(() => source.verify(delivery)).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }));
    }
  });
  it.each(['', 'shop.example/webhooks', 'ftp://shop.example/x'])('cannot be checked for the URL %j: the source is not built', (url) =>
    expect(() => sourceOf(square({ notificationUrl: url }))).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' })),
  );
});

describe('identity', () => {
  const identify = (body: string) => source.identify(squareDelivery({ body }), parseJson(body), HASH).id;
  it('is event_id', () => expect(identify('{"event_id":"e-1"}')).toBe('e-1'));
  it.each(['{}', '[]', '{"event_id":""}', '{"event_id":5}', `{"event_id":"${'a'.repeat(513)}"}`])('is refused for %s', (body) =>
    expect(() => identify(body)).toThrow(expect.objectContaining({ code: 'NO_IDENTITY' })),
  );
});

describe('payments', () => {
  it('pay their order, tip included, and name its buyer', () => {
    expect(map('payment.updated', { payment: { ...payment, version: 4 } })).toEqual({
      type: 'payment.updated',
      occurredAt: '2026-11-21T09:00:01.200Z',
      sequence: 4,
      facts: [
        {
          upsert: {
            node: 'Payment',
            key: { id: 'p1' },
            set: { status: 'completed', amountMinor: 1150, currency: 'USD', method: 'card', createdAt: '2026-11-21T09:00:00.100Z' },
          },
        },
        { link: { relationship: 'PAYS', from: { id: 'p1' }, to: { id: 'o1' } } },
        { link: { relationship: 'PLACED', from: { id: 'c1' }, to: { id: 'o1' } } },
      ],
    });
  });
  it('stand alone without an order', () =>
    expect(facts('payment.created', { payment: { ...payment, order_id: undefined, refund_ids: ['r1'] } })).toHaveLength(1));
  it('tell which refunds are of their order', () =>
    expect(facts('payment.updated', { payment: { ...payment, refund_ids: ['r1', 'r2'] } }).slice(3)).toEqual([
      { link: { relationship: 'REFUNDS', from: { id: 'r1' }, to: { id: 'o1' } } },
      { link: { relationship: 'REFUNDS', from: { id: 'r2' }, to: { id: 'o1' } } },
    ]));
  it('say what they are for where there is no total', () =>
    expect(facts('payment.created', { payment: { ...payment, total_money: undefined } })[0]).toMatchObject({
      upsert: { set: { amountMinor: 1000 } },
    }));
  it.each([
    ['no object', {}, 'data.object.payment'],
    ['no id', { payment: { ...payment, id: null } }, 'data.object.payment.id'],
    ['money that is no integer', { payment: { ...payment, total_money: { amount: '1' } } }, 'data.object.payment.total_money.amount'],
    ['refunds of another shape', { payment: { ...payment, refund_ids: [1] } }, 'data.object.payment.refund_ids'],
  ])('fail with a path for %s', (_what, object, path) => {
    expect(() => map('payment.updated', object)).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED', context: { path } }));
  });
});

describe('refunds', () => {
  const refund = {
    id: 'r1',
    created_at: '2026-11-21T09:00:02Z',
    updated_at: '2026-11-21T09:00:03Z',
    amount_money: { amount: 500, currency: 'USD' },
    status: 'COMPLETED',
    payment_id: 'p1',
    order_id: 'return-order',
    reason: 'too small',
  };
  it('count once they are completed', () => {
    expect(facts('refund.created', { refund: { ...refund, status: 'PENDING' } })).toEqual([
      { upsert: { node: 'Refund', key: { id: 'r1' }, set: { currency: 'USD', reason: 'too small', createdAt: '2026-11-21T09:00:02Z' } } },
    ]);
    expect(facts('refund.updated', { refund })[0]).toMatchObject({ upsert: { set: { amountMinor: 500 } } });
  });
  it.each(['REJECTED', 'FAILED'])('are gone when %s', (status) =>
    expect(facts('refund.updated', { refund: { ...refund, status } })).toEqual([{ remove: { node: 'Refund', key: { id: 'r1' } } }]),
  );
  it('are not linked to the order that Square opens for the return', () =>
    expect(JSON.stringify(facts('refund.updated', { refund }))).not.toContain('return-order'));
});

describe('orders', () => {
  const order = { order_id: 'o1', location_id: 'L', state: 'OPEN', created_at: '2026-11-21T08:59:00Z', version: 1 };
  it.each([
    ['DRAFT', 'pending'],
    ['OPEN', 'pending'],
    ['COMPLETED', 'paid'],
    ['CANCELED', 'cancelled'],
    ['NEW_IN_2030', undefined],
  ])('in state %s are %s', (state, status) => {
    const [first] = facts('order.updated', { order_updated: { ...order, state, updated_at: '2026-11-21T09:00:00Z' } });
    expect((first as { upsert: { set: { status?: string } } }).upsert.set.status).toBe(status);
  });
  it('begin at their own time, before anything that happens to them', () =>
    expect(map('order.created', { order_created: order })).toMatchObject({ occurredAt: '2026-11-21T08:59:00Z', sequence: 1 }));
  it('are shipped piece by piece', () => {
    const changed = {
      ...order,
      updated_at: '2026-11-21T09:00:00Z',
      fulfillment_update: [{ fulfillment_uid: 'f', old_state: 'PROPOSED', new_state: 'RESERVED' }],
    };
    expect(facts('order.fulfillment.updated', { order_fulfillment_updated: changed }).slice(1)).toEqual([
      { upsert: { node: 'Fulfillment', key: { id: 'o1/f' }, set: { status: 'reserved' } } },
      { link: { relationship: 'FULFILLS', from: { id: 'o1/f' }, to: { id: 'o1' } } },
    ]);
  });
});

describe('customers', () => {
  const customer = {
    id: 'c1',
    created_at: '2026-11-01T09:00:00Z',
    updated_at: '2026-11-21T09:00:00Z',
    given_name: 'Ada',
    email_address: 'Ada@Example.com',
    version: 2,
  };
  it('come whole: what is not there was emptied', () => {
    expect(facts('customer.updated', { customer })).toEqual([
      {
        upsert: {
          node: 'Customer',
          key: { id: 'c1' },
          set: {
            email: 'Ada@Example.com',
            firstName: 'Ada',
            lastName: null,
            phone: null,
            country: null,
            createdAt: '2026-11-01T09:00:00Z',
            updatedAt: '2026-11-21T09:00:00Z',
          },
        },
      },
      { link: { relationship: 'HAS_EMAIL', from: { id: 'c1' }, to: { address: 'Ada@Example.com' } } },
    ]);
    expect(facts('customer.updated', { customer: { ...customer, email_address: undefined } })[1]).toEqual({
      clear: { relationship: 'HAS_EMAIL', owner: { id: 'c1' } },
    });
  });
  it('are removed at the time of the event, since the profile in a deletion has none', () =>
    expect(map('customer.deleted', { customer: { ...customer, updated_at: undefined, version: 3 } })).toMatchObject({
      occurredAt: '2026-11-21T09:00:05Z',
      sequence: 3,
      facts: [{ remove: { node: 'Customer', key: { id: 'c1' } } }],
    }));
  it('have no clock without any time', () =>
    expect(() => map('customer.deleted', { customer }, { created_at: undefined })).toThrow(expect.objectContaining({ code: 'NO_CLOCK' })));
});

it('a whole sale is one graph in any order', () => {
  const said = [
    map('order.created', { order_created: { order_id: 'o1', state: 'OPEN', created_at: '2026-11-21T09:00:00Z', version: 1 } }),
    map('customer.created', { customer: { id: 'c1', updated_at: '2026-11-20T09:00:00Z' } }),
    map('payment.updated', { payment: { ...payment, refund_ids: ['r1'] } }),
    map('refund.updated', {
      refund: { id: 'r1', status: 'COMPLETED', amount_money: { amount: 500, currency: 'USD' }, updated_at: '2026-11-21T09:00:03Z' },
    }),
  ].map((mapped, index) => {
    if (isIgnored(mapped)) throw new Error('ignored');
    return resolve(commerce, { source: 'acme', id: `e-${index}`, bodyHash: HASH }, mapped).facts;
  });
  const graphs = [said, said.toReversed()].map((events) => {
    const world = createWorld(commerce);
    for (const event of events) world.apply(event);
    return world.graph();
  });
  expect(graphs[0]).toEqual(graphs[1]);
  const edges = [...(graphs[0]?.edges.keys() ?? [])];
  for (const type of ['PAYS', 'PLACED', 'REFUNDS']) expect(edges.filter((id) => id.includes(type))).toHaveLength(1);
});

it.each(['catalog.version.updated', 'inventory.count.updated', 'constructor', '__proto__', ''])('%j is ignored', (type) =>
  expect(isIgnored(map(type, {}))).toBe(true),
);
