import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Fact, Mapped } from '../../../src/model/facts.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { shopify } from '../../../src/sources/shopify.ts';
import { isIgnored, type Ignored } from '../../../src/sources/source.ts';
import { testData, unless } from '../../support/data.ts';
import { NOW_MS, shopifyDelivery, sourceOf, withHeader } from '../../support/deliveries.ts';

const source = sourceOf(shopify());
const HASH = 'f'.repeat(64);

function identify(delivery = shopifyDelivery({ body: '{}' })): string {
  return source.identify(delivery, parseJson('{}'), HASH).id;
}

function map(topic: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Mapped | Ignored {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const event: Event = {
    source: 'acme',
    id: `acme.myshopify.com/${topic}/ev-1`,
    body: text,
    bodyHash: HASH,
    receivedAtMs: NOW_MS,
    headers: {
      'x-shopify-topic': topic,
      'x-shopify-event-id': 'ev-1',
      'x-shopify-triggered-at': '2026-11-21T08:59:59.123456789Z',
      ...headers,
    },
  };
  const said = source.map(event, parseJson(text));
  if (isIgnored(said)) return said;
  resolve(commerce, event, said);
  return said;
}

const facts = (topic: string, body: unknown): readonly Fact[] => {
  const said = map(topic, body);
  return 'facts' in said ? said.facts : [];
};

const order = (over: object = {}) => ({
  id: 820982911,
  name: '#9',
  currency: 'USD',
  financial_status: 'paid',
  fulfillment_status: null,
  cancelled_at: null,
  total_price: '409.94',
  created_at: '2026-11-20T10:00:00-05:00',
  updated_at: '2026-11-21T10:00:00-05:00',
  customer: { id: 7 },
  line_items: [],
  ...over,
});

describe('identity', () => {
  it('is shop, topic and Event-Id', () => expect(identify()).toBe('acme.myshopify.com/orders/create/ev-1'));
  it('takes the Webhook-Id where there is no Event-Id', () =>
    expect(identify(withHeader(shopifyDelivery({ body: '{}' }), 'x-shopify-event-id', undefined))).toBe(
      'acme.myshopify.com/orders/create/wh-1',
    ));
  it('takes the body hash where there is neither', () => {
    const bare = withHeader(withHeader(shopifyDelivery({ body: '{}' }), 'x-shopify-event-id', ''), 'x-shopify-webhook-id', undefined);
    expect(identify(bare)).toBe(`acme.myshopify.com/orders/create/${HASH}`);
  });
  it.each(['x-shopify-topic', 'x-shopify-shop-domain'])('is refused without %s', (name) => {
    expect(() => identify(withHeader(shopifyDelivery({ body: '{}' }), name, undefined))).toThrow(
      expect.objectContaining({ code: 'NO_IDENTITY' }),
    );
  });
  it.each([
    ['x-shopify-topic', 'orders/create, orders/delete'],
    ['x-shopify-topic', '../x'],
    ['x-shopify-shop-domain', 'a b'],
    ['x-shopify-shop-domain', 'a.com, b.com'],
    ['x-shopify-event-id', 'a b'],
    ['x-shopify-event-id', 'a'.repeat(129)],
    ['x-shopify-event-id', '\u00e9'],
  ])('is refused for %s: %s', (name, value) => {
    expect(() => identify(withHeader(shopifyDelivery({ body: '{}' }), name, value))).toThrow(
      expect.objectContaining({ code: 'BAD_HEADER' }),
    );
  });
  it.each(['yesterday', '1795251540', '2026-11-21T08:59:59', '2026-11-21T08:59:59Z, 2026-11-21T08:59:59Z', '2026-11-21 08:59:59Z'])(
    'is refused with the Triggered-At %j, which is repeated or no time',
    (time) => {
      const delivery = shopifyDelivery({ body: '{}' }, 'orders/delete', { 'x-shopify-triggered-at': time });
      expect(() => source.identify(delivery, null, HASH)).toThrow(expect.objectContaining({ code: 'BAD_HEADER' }));
    },
  );
  it('is refused for another shop than the one pinned', () => {
    const pinned = sourceOf(shopify({ shop: 'Acme.myshopify.com' }));
    expect(pinned.identify(shopifyDelivery({ body: '{}' }), null, HASH).id).toContain('acme.myshopify.com/');
    const other = withHeader(shopifyDelivery({ body: '{}' }), 'x-shopify-shop-domain', 'other.myshopify.com');
    expect(() => pinned.identify(other, null, HASH)).toThrow(expect.objectContaining({ code: 'BAD_HEADER' }));
  });
});

describe('orders', () => {
  it('say the order, its buyer and its whole set of lines, by updated_at', () => {
    const said = map(
      'orders/updated',
      order({
        line_items: [
          {
            id: 11,
            product_id: 9007199254740993n.toString(),
            price: '10.00',
            quantity: 3,
            title: 'T',
            sku: '',
            discount_allocations: [{ amount: '0.50' }],
          },
        ],
      }),
    );
    expect(said).toMatchObject({
      type: 'orders/updated',
      occurredAt: '2026-11-21T10:00:00-05:00',
      occurrenceId: 'ev-1',
      facts: [
        { upsert: { node: 'Order', set: { name: '#9', status: 'paid', totalMinor: 40994n, fulfillmentStatus: null, cancelledAt: null } } },
        { link: { relationship: 'PLACED', from: { id: '7' } } },
        {
          replace: {
            relationship: 'CONTAINS',
            links: [
              {
                to: { id: '9007199254740993' },
                key: { line: '11' },
                set: { quantity: 3, unitPriceMinor: 1000n, totalMinor: 2950n, title: 'T', sku: '' },
              },
            ],
          },
        },
      ],
    });
  });

  it('keep every digit of an id', () => {
    const text = JSON.stringify(order()).replace(/"id":\d+/, '"id":9007199254740993');
    expect(map('orders/create', text)).toMatchObject({ facts: [{ upsert: { key: { id: '9007199254740993' } } }, {}, {}] });
  });

  it.each([
    ['pending', { financial_status: 'pending' }],
    ['pending', { financial_status: 'authorized' }],
    ['pending', { financial_status: 'partially_paid' }],
    ['pending', { financial_status: null }],
    ['paid', {}],
    ['paid', { financial_status: 'partially_refunded' }],
    ['paid', { fulfillment_status: 'partial' }],
    ['fulfilled', { fulfillment_status: 'fulfilled' }],
    ['fulfilled', { fulfillment_status: 'fulfilled', financial_status: 'pending' }],
    ['cancelled', { cancelled_at: '2026-11-21T09:00:00Z', fulfillment_status: 'fulfilled' }],
    ['cancelled', { financial_status: 'voided' }],
    ['refunded', { financial_status: 'refunded', cancelled_at: '2026-11-21T09:00:00Z' }],
    [undefined, { financial_status: undefined }],
  ])('have status %s for %j', (status, over) => {
    const [first] = facts('orders/updated', order(over));
    expect(first).toHaveProperty('upsert.set');
    expect((first as { upsert: { set: { status?: string } } }).upsert.set.status).toBe(status);
  });

  it('clear the buyer on null, and say nothing of one that is absent', () => {
    expect(facts('orders/create', order({ customer: null }))).toContainEqual({
      clear: { relationship: 'PLACED', owner: { id: '820982911' } },
    });
    expect(JSON.stringify(facts('orders/create', order({ customer: undefined })).slice(1))).not.toContain('PLACED');
  });

  it('say nothing of fields that a subscription leaves out', () => {
    expect(facts('orders/updated', { id: 1, updated_at: '2026-11-21T10:00:00Z' })).toEqual([
      { upsert: { node: 'Order', key: { id: '1' }, set: { updatedAt: '2026-11-21T10:00:00Z' } } },
    ]);
  });

  it('keep the money of a line without a product', () => {
    expect(
      facts('orders/create', order({ line_items: [{ id: 5, product_id: null, price: '1.00', quantity: 1, total_discount: '0.25' }] })).at(
        -1,
      ),
    ).toMatchObject({
      replace: { links: [{ to: { id: 'line-5' }, set: { totalMinor: 75n } }] },
    });
  });

  it('use the exponent of the currency', () => {
    expect(facts('orders/create', order({ currency: 'JPY', total_price: '410.00' }))[0]).toMatchObject({
      upsert: { set: { totalMinor: 410n } },
    });
  });

  it.each([
    ['no time', { updated_at: undefined }, 'NO_CLOCK'],
    ['no id', { id: null }, 'MAPPING_FAILED'],
    ['money without currency', { currency: undefined }, 'MAPPING_FAILED'],
    ['finer money', { total_price: '1.001' }, 'BAD_VALUE'],
    ['lines of another shape', { line_items: {} }, 'MAPPING_FAILED'],
    ['a name of another type', { name: 5 }, 'MAPPING_FAILED'],
    ['a time of another shape', { created_at: 'yesterday' }, 'BAD_VALUE'],
    ['a quantity with a fraction', { line_items: [{ id: 1, price: '1', quantity: 1.5 }] }, 'MAPPING_FAILED'],
  ])('fail with a reason for %s', (_what, over, code) => {
    expect(() => map('orders/create', order(over))).toThrow(expect.objectContaining({ code }));
  });

  it('are removed at Triggered-At, to the nanosecond', () => {
    expect(map('orders/delete', { id: 1 })).toMatchObject({
      occurredAt: '2026-11-21T08:59:59.123456789Z',
      facts: [{ remove: { node: 'Order', key: { id: '1' } } }],
    });
    expect(() => map('orders/delete', { id: 1 }, { 'x-shopify-triggered-at': '' })).toThrow(expect.objectContaining({ code: 'NO_CLOCK' }));
  });
});

describe('a forged topic', () => {
  it('cannot make a deletion of a captured update', () =>
    expect(() => map('orders/delete', order())).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED' })));
  it('cannot make a customer of an order that names itself', () => {
    expect(() => map('customers/update', order({ admin_graphql_api_id: 'gid://shopify/Order/1' }))).toThrow(
      expect.objectContaining({ code: 'MAPPING_FAILED' }),
    );
  });
});

describe('customers', () => {
  const customer = {
    id: 7,
    email: 'Bob@Example.com',
    first_name: 'Bob',
    updated_at: '2026-11-21T10:00:00Z',
    default_address: { country_code: 'US' },
  };
  it('have an address of their own', () => {
    expect(facts('customers/update', customer)).toEqual([
      {
        upsert: {
          node: 'Customer',
          key: { id: '7' },
          set: { email: 'Bob@Example.com', firstName: 'Bob', country: 'US', updatedAt: '2026-11-21T10:00:00Z' },
        },
      },
      { link: { relationship: 'HAS_EMAIL', from: { id: '7' }, to: { address: 'Bob@Example.com' } } },
    ]);
  });
  it.each([null, '', ' '])('lose it for %j', (email) =>
    expect(facts('customers/update', { ...customer, email })).toContainEqual({ clear: { relationship: 'HAS_EMAIL', owner: { id: '7' } } }),
  );
  it('keep it where it is not told', () =>
    expect(facts('customers/update', { id: 7, updated_at: '2026-11-21T10:00:00Z' })).toHaveLength(1));
  it('are removed', () =>
    expect(facts('customers/delete', { id: 7, admin_graphql_api_id: 'gid://shopify/Customer/7' })).toEqual([
      { remove: { node: 'Customer', key: { id: '7' } } },
    ]));
});

it('a product that is deleted gets a status, since products are not removable', () => {
  expect(facts('products/delete', { id: 5 })).toEqual([{ upsert: { node: 'Product', key: { id: '5' }, set: { status: 'deleted' } } }]);
});

it('only a single variant speaks for its product', () => {
  const product = { id: 5, updated_at: '2026-11-21T10:00:00Z', title: 'T' };
  expect(facts('products/update', { ...product, variants: [{ sku: 'a' }] })[0]).toMatchObject({ upsert: { set: { sku: 'a' } } });
  expect(facts('products/update', { ...product, variants: [{ sku: 'a' }, { sku: 'b' }] })[0]).toMatchObject({
    upsert: { set: { sku: null } },
  });
});

it('a refund in two currencies is an error, not a sum', () => {
  const t = { kind: 'refund', status: 'success', amount: '1.00' };
  const body = {
    id: 1,
    order_id: 2,
    created_at: '2026-11-21T10:00:00Z',
    transactions: [
      { ...t, currency: 'USD' },
      { ...t, currency: 'EUR' },
    ],
  };
  expect(() => map('refunds/create', body)).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED' }));
});

describe('checkouts', () => {
  const checkout = {
    id: 450789469,
    token: '2a1ace52255252df566af0faaedfbfa7',
    created_at: '2026-11-21T09:00:00+01:00',
    updated_at: '2026-11-21T10:00:00+01:00',
    customer: { id: 7 },
  };
  const key = { id: checkout.token };
  it('are visits of their customer, by the token that every version has', () => {
    for (const body of [checkout, { ...checkout, id: undefined, admin_graphql_api_id: 'gid://shopify/Checkout/2a1a?key=b' }])
      expect(map('checkouts/update', body)).toMatchObject({
        occurredAt: checkout.updated_at,
        facts: [
          { upsert: { node: 'Session', key, set: { startedAt: checkout.created_at } } },
          { link: { relationship: 'HAS_SESSION', from: { id: '7' }, to: key } },
        ],
      });
  });
  it('of guests are nobody’s: null clears, absent says nothing', () => {
    expect(facts('checkouts/create', { ...checkout, customer: undefined })).toHaveLength(1);
    expect(facts('checkouts/create', { ...checkout, customer: null })[1]).toEqual({ clear: { relationship: 'HAS_SESSION', owner: key } });
  });
  it('that are deleted were visits all the same', () => expect(isIgnored(map('checkouts/delete', { id: 450789469 }))).toBe(true));
  it.each([
    ['an order', { ...order(), token: 't', admin_graphql_api_id: 'gid://shopify/Order/1' }, 'admin_graphql_api_id'],
    ['no token', { ...checkout, token: undefined }, 'token'],
  ])('are not %s', (_what, body, path) =>
    expect(() => map('checkouts/create', body)).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED', context: { path } })),
  );
});

describe('notices', () => {
  const shop = { shop_id: 954889, shop_domain: 'acme.myshopify.com' };
  const customer = { id: 191167, email: 'john@example.com', phone: '555-625-1199' };
  const bodies: Readonly<Record<string, object>> = {
    'app/uninstalled': { id: 954889, name: 'Acme', domain: 'acme.example', myshopify_domain: 'acme.myshopify.com' },
    'customers/data_request': { ...shop, customer, orders_requested: [1], data_request: { id: 9999 } },
    'customers/redact': { ...shop, customer, orders_to_redact: [299938, 280263] },
    'shop/redact': shop,
  };
  it.each(Object.entries(bodies))('of %s are kept under their own type, and change nothing', (topic, body) =>
    expect(map(topic, body)).toEqual({ type: topic }),
  );
  it('are not made of other bodies: somebody would act on them', () => {
    const others = [order(), { id: 1 }, [], ...Object.values(bodies)];
    for (const [topic, own] of Object.entries(bodies))
      for (const body of others)
        if (body !== own) expect(() => map(topic, body)).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED' }));
  });
});

it.each(['carts/update', 'orders/edited', 'constructor', '__proto__'])('%s is ignored', (topic) =>
  expect(isIgnored(map(topic, { id: 1 }))).toBe(true),
);

const FIXTURES = testData('shopify', 'fixtures');
describe.skipIf(FIXTURES === undefined)(`real bodies${unless(FIXTURES)}`, () => {
  const body = (name: string, key: string): unknown =>
    (JSON.parse(readFileSync(`${FIXTURES}/${name}.json`, 'utf8')) as Record<string, unknown>)[key];
  it('of a checkout', () => {
    const [checkout] = body('checkouts', 'checkouts') as object[];
    expect(facts('checkouts/create', checkout)).toMatchObject([
      { upsert: { node: 'Session', key: { id: '2a1ace52255252df566af0faaedfbfa7' }, set: { startedAt: '2012-10-12T07:05:27-04:00' } } },
      { link: { relationship: 'HAS_SESSION', from: { id: '207119551' } } },
    ]);
  });
  it('of an order', () => {
    expect(facts('orders/create', body('order', 'order'))).toMatchObject([
      { upsert: { key: { id: '450789469' }, set: { name: '#1001', status: 'pending', totalMinor: 40994n } } },
      { link: { from: { id: '207119551' } } },
      {
        replace: {
          links: [
            { key: { line: '466157049' }, set: { totalMinor: 19900n } },
            { key: { line: '518995019' } },
            { key: { line: '703073504' } },
          ],
        },
      },
    ]);
  });
  it('of a customer', () =>
    expect(facts('customers/create', body('customer', 'customer'))).toMatchObject([
      { upsert: { key: { id: '207119551' }, set: { country: 'US' } } },
      { link: {} },
    ]));
  it('of a product', () =>
    expect(facts('products/create', body('product', 'product'))).toMatchObject([
      { upsert: { key: { id: '632910392' }, set: { title: 'IPod Nano - 8GB', sku: null } } },
    ]));
  it('of a refund', () => {
    expect(facts('refunds/create', body('refund', 'refund'))).toMatchObject([
      { upsert: { key: { id: '509562969' }, set: { amountMinor: 20900n, currency: 'USD', reason: 'it broke during shipping' } } },
      { link: { relationship: 'REFUNDS', to: { id: '450789469' } } },
    ]);
  });
  it('of a fulfillment', () => {
    expect(facts('fulfillments/create', body('fulfillment', 'fulfillment'))).toMatchObject([
      { upsert: { key: { id: '255858046' }, set: { status: 'pending', trackingNumber: '1Z2345' } } },
      { link: { relationship: 'FULFILLS', to: { id: '450789469' } } },
    ]);
  });
});
