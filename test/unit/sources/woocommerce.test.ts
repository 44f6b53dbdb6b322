import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import type { Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Fact, Mapped } from '../../../src/model/facts.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { isIgnored, type Ignored } from '../../../src/sources/source.ts';
import { woocommerce } from '../../../src/sources/woocommerce.ts';
import { NOW_MS, secret, sourceOf, withHeader, woocommerceDelivery } from '../../support/deliveries.ts';

const source = sourceOf(woocommerce());
const HASH = 'f'.repeat(64);

function identify(body = '{"id":727}', delivery = woocommerceDelivery({ body })): string {
  return source.identify(delivery, parseJson(body), HASH).id;
}

function map(topic: string, body: unknown): Mapped | Ignored {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const event: Event = {
    source: 'acme',
    id: 'x',
    body: text,
    bodyHash: HASH,
    receivedAtMs: NOW_MS,
    headers: { 'x-wc-webhook-topic': topic },
  };
  const said = source.map(event, parseJson(text));
  if (!isIgnored(said)) resolve(commerce, event, said);
  return said;
}

const facts = (topic: string, body: unknown): readonly Fact[] => {
  const said = map(topic, body);
  return 'facts' in said ? said.facts : [];
};

const linksTo = (plural: string) => ({ collection: [{ href: `https://shop.example/wp-json/wc/v3/${plural}` }] });

const order = (over: object = {}) => ({
  id: 727,
  number: '727',
  status: 'processing',
  currency: 'EUR',
  date_created: '2026-11-21T09:58:00',
  date_created_gmt: '2026-11-21T08:58:00',
  date_modified: '2026-11-21T09:59:00',
  date_modified_gmt: '2026-11-21T08:59:00',
  total: '29.35',
  customer_id: 26,
  line_items: [],
  refunds: [],
  _links: linksTo('orders'),
  ...over,
});
const line = (over: object = {}) => ({
  id: 315,
  name: 'Green tea',
  product_id: 93,
  variation_id: 0,
  quantity: 2,
  subtotal: '6.00',
  total: '5.50',
  sku: 'TEA-1',
  price: 2.75,
  ...over,
});

describe('identity', () => {
  it('is site, topic, resource and body hash', () => expect(identify()).toBe(`shop.example/order.created/727/${HASH}`));
  it('needs no id in the body', () => {
    expect(identify('{"code":"woocommerce_rest_cannot_view"}')).toBe(`shop.example/order.created/-/${HASH}`);
    expect(identify('[]')).toBe(`shop.example/order.created/-/${HASH}`);
  });
  it('tells two deliveries of one second apart, though they share their delivery id', () => {
    const of = (hash: string) => source.identify(woocommerceDelivery({ body: '{"id":1}' }), parseJson('{"id":1}'), hash).id;
    expect(of('a'.repeat(64))).not.toBe(of('b'.repeat(64)));
  });
  it.each([
    ['https://Shop.example/', 'shop.example'],
    ['http://shop.example:8080/de/', 'shop.example:8080/de'],
  ])('takes %s for the site %s', (url, site) =>
    expect(identify('{"id":1}', woocommerceDelivery({ body: '{"id":1}' }, 'order.updated', { 'x-wc-webhook-source': url }))).toBe(
      `${site}/order.updated/1/${HASH}`,
    ),
  );
  it.each(['x-wc-webhook-topic', 'x-wc-webhook-source'])('is refused without %s', (name) =>
    expect(() => identify('{}', withHeader(woocommerceDelivery({ body: '{}' }), name, undefined))).toThrow(
      expect.objectContaining({ code: 'NO_IDENTITY' }),
    ),
  );
  it.each([
    ['x-wc-webhook-topic', 'order.created, order.deleted'],
    ['x-wc-webhook-topic', 'order'],
    ['x-wc-webhook-topic', `order.${'a'.repeat(200)}`],
    ['x-wc-webhook-source', 'https://a.example/, https://b.example/'],
    ['x-wc-webhook-source', 'https://user@shop.example/'],
    ['x-wc-webhook-source', '\u00e9.example'],
  ])('is refused for %s: %s', (name, value) =>
    expect(() => identify('{}', withHeader(woocommerceDelivery({ body: '{}' }), name, value))).toThrow(
      expect.objectContaining({ code: 'BAD_HEADER' }),
    ),
  );
  it('fits, however long its parts', () => {
    const url = `https://${'a'.repeat(150)}.example/${'b'.repeat(30)}/`;
    const delivery = woocommerceDelivery({ body: '{}' }, `action.${'h'.repeat(193)}`, { 'x-wc-webhook-source': url });
    expect(source.identify(delivery, parseJson('{"id":18446744073709551}'), HASH).id.length).toBeLessThanOrEqual(512);
  });
  it('is refused for another site than the one pinned', () => {
    const delivery = woocommerceDelivery({ body: '{}' });
    for (const site of ['shop.example', 'https://Shop.example/'])
      expect(sourceOf(woocommerce({ site })).identify(delivery, null, HASH).id).toContain('shop.example/');
    expect(() => sourceOf(woocommerce({ site: 'other.example' })).identify(delivery, null, HASH)).toThrow(
      expect.objectContaining({ code: 'BAD_HEADER' }),
    );
    expect(() => woocommerce({ site: 'not a site' })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }));
  });
});

it('a secret is what WooCommerce decodes it to', () => {
  const body = '{"id":1}';
  const stored = 'a&amp;b&lt;c';
  const decoded = stored.replaceAll('&amp;', '&').replaceAll('&lt;', '<');
  const signature = createHmac('sha256', decoded).update(body).digest('base64');
  const delivery = withHeader(woocommerceDelivery({ body }), 'x-wc-webhook-signature', signature);
  expect(sourceOf(woocommerce(), 'acme', decoded).verify(delivery)).toBe(secret(decoded).id);
  expect(() => sourceOf(woocommerce(), 'acme', stored).verify(delivery)).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }));
});

describe('orders', () => {
  it('say the order, its buyer and its whole set of lines, by the time of change in UTC', () => {
    expect(map('order.updated', order({ line_items: [line()] }))).toEqual({
      type: 'order.updated',
      occurredAt: '2026-11-21T08:59:00Z',
      facts: [
        {
          upsert: {
            node: 'Order',
            key: { id: '727' },
            set: {
              name: '727',
              status: 'paid',
              financialStatus: 'processing',
              currency: 'EUR',
              totalMinor: 2935n,
              createdAt: '2026-11-21T08:58:00Z',
              updatedAt: '2026-11-21T08:59:00Z',
            },
          },
        },
        { link: { relationship: 'PLACED', from: { id: '26' }, to: { id: '727' } } },
        {
          replace: {
            relationship: 'CONTAINS',
            from: { id: '727' },
            links: [
              {
                to: { id: '93' },
                key: { line: '315' },
                set: { quantity: 2, unitPriceMinor: 300n, totalMinor: 550n, title: 'Green tea', sku: 'TEA-1' },
              },
            ],
          },
        },
      ],
    });
  });

  it.each([
    ['pending', 'pending'],
    ['on-hold', 'pending'],
    ['failed', 'pending'],
    ['checkout-draft', 'pending'],
    ['processing', 'paid'],
    ['completed', 'fulfilled'],
    ['cancelled', 'cancelled'],
    ['refunded', 'refunded'],
    ['trash', undefined],
    ['wc-of-a-plugin', undefined],
    ['constructor', undefined],
  ])('of status %s have status %s', (sent, status) => {
    const [first] = facts('order.updated', order({ status: sent }));
    expect(first).toHaveProperty('upsert.set.financialStatus', sent);
    expect(first).toHaveProperty('upsert.set.status', status);
  });

  it('of guests have no buyer', () => {
    expect(facts('order.created', order({ customer_id: 0 }))).toContainEqual({ clear: { relationship: 'PLACED', owner: { id: '727' } } });
    expect(facts('order.created', order({ customer_id: undefined, line_items: undefined }))).toHaveLength(1);
  });

  it.each([
    [{ product_id: 0 }, { to: { id: 'line-315' }, set: { totalMinor: 550n } }],
    [
      { subtotal: '10.00', quantity: 3 },
      { to: { id: '93' }, set: { unitPriceMinor: null } },
    ],
    [{ quantity: 0 }, { to: { id: '93' }, set: { unitPriceMinor: null } }],
    [{ sku: null }, { to: { id: '93' }, set: { sku: null } }],
    [{ sku: '' }, { to: { id: '93' }, set: { sku: null } }],
  ])('take a line with %j', (over, link) =>
    expect(facts('order.created', order({ line_items: [line(over)] }))).toContainEqual(
      expect.objectContaining({
        replace: expect.objectContaining({ links: [expect.objectContaining({ ...link, set: expect.objectContaining(link.set) })] }),
      }),
    ),
  );

  it('tell their refunds, as far as they know them', () => {
    const refunds = [
      { id: 726, reason: '', total: '-10.00' },
      { id: 724, reason: 'broken', total: '-1' },
    ];
    expect(facts('order.updated', order({ refunds })).slice(3)).toEqual([
      { upsert: { node: 'Refund', key: { id: '726' }, set: { amountMinor: 1000n, currency: 'EUR', reason: null } } },
      { link: { relationship: 'REFUNDS', from: { id: '726' }, to: { id: '727' } } },
      { upsert: { node: 'Refund', key: { id: '724' }, set: { amountMinor: 100n, currency: 'EUR', reason: 'broken' } } },
      { link: { relationship: 'REFUNDS', from: { id: '724' }, to: { id: '727' } } },
    ]);
  });

  it('use the digits of their currency, whatever the shop shows', () => {
    expect(facts('order.created', order({ currency: 'JPY', total: '410.00' }))[0]).toMatchObject({ upsert: { set: { totalMinor: 410n } } });
    expect(facts('order.created', order({ currency: 'EUR', total: '410' }))[0]).toMatchObject({ upsert: { set: { totalMinor: 41000n } } });
  });

  it('take the time of creation where there is none of change', () =>
    expect(map('order.created', order({ date_modified_gmt: null }))).toMatchObject({ occurredAt: '2026-11-21T08:58:00Z' }));

  it('keep a zone that a plugin wrote', () =>
    expect(map('order.created', order({ date_modified_gmt: '2026-11-21T08:59:00+00:00' }))).toMatchObject({
      occurredAt: '2026-11-21T08:59:00+00:00',
    }));

  it.each([
    ['no time', { date_modified_gmt: undefined, date_created_gmt: undefined }, 'NO_CLOCK'],
    ['an empty time', { date_modified_gmt: '', date_created_gmt: '' }, 'NO_CLOCK'],
    ['a time that is none', { date_modified_gmt: '2026-02-30T00:00:00' }, 'NO_CLOCK'],
    ['no id', { id: null }, 'MAPPING_FAILED'],
    ['money without a currency', { currency: undefined }, 'MAPPING_FAILED'],
    ['finer money', { total: '1.001' }, 'BAD_VALUE'],
    ['half a thing', { line_items: [line({ quantity: 0.5 })] }, 'MAPPING_FAILED'],
  ])('fail with a reason for %s', (_what, over, code) =>
    expect(() => map('order.created', order(over))).toThrow(expect.objectContaining({ code })),
  );
});

describe('a forged topic', () => {
  it('cannot make a customer of an order that names its collection', () =>
    expect(() => map('customer.updated', order())).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED' })));
  it.each(['https://shop.example/?rest_route=/wc/v3/orders', 'https://shop.example/index.php?rest_route=/wc/v3/orders&lang=de'])(
    'is none where %s is the collection',
    (href) => expect(facts('order.updated', order({ _links: { collection: [{ href }] } }))).toHaveLength(3),
  );
  it('is not seen where a body names none', () => expect(facts('order.updated', order({ _links: undefined }))).toHaveLength(3));
});

describe('customers', () => {
  const customer = {
    id: 26,
    email: 'Bob@Example.com',
    first_name: 'Bob',
    last_name: '',
    date_created_gmt: '2026-11-20T10:00:00',
    date_modified_gmt: null,
    billing: { phone: '', country: 'DE' },
    _links: linksTo('customers'),
  };
  it('have an address of their own, and nothing where the shop wrote nothing', () => {
    expect(map('customer.created', customer)).toEqual({
      type: 'customer.created',
      occurredAt: '2026-11-20T10:00:00Z',
      facts: [
        {
          upsert: {
            node: 'Customer',
            key: { id: '26' },
            set: {
              email: 'Bob@Example.com',
              firstName: 'Bob',
              lastName: null,
              phone: null,
              country: 'DE',
              createdAt: '2026-11-20T10:00:00Z',
              updatedAt: null,
            },
          },
        },
        { link: { relationship: 'HAS_EMAIL', from: { id: '26' }, to: { address: 'Bob@Example.com' } } },
      ],
    });
  });
  it.each([null, '', ' '])('lose it for %j', (email) =>
    expect(facts('customer.updated', { ...customer, email })).toContainEqual({ clear: { relationship: 'HAS_EMAIL', owner: { id: '26' } } }),
  );
  it('keep what is not told', () => {
    const { email: _email, billing: _billing, ...rest } = customer;
    const said = facts('customer.updated', rest);
    expect(said).toHaveLength(1);
    expect(said[0]).toHaveProperty('upsert.set.phone', undefined);
  });
});

describe('products', () => {
  const product = {
    id: 93,
    name: 'Green tea',
    type: 'simple',
    status: 'publish',
    sku: 'TEA-1',
    date_created_gmt: '2026-11-20T10:00:00',
    date_modified_gmt: '2026-11-21T08:59:00',
    _links: linksTo('products'),
  };
  it.each([
    ['publish', 'active'],
    ['draft', 'draft'],
    ['private', 'private'],
    ['trash', 'deleted'],
  ])('that are %s have status %s', (status, expected) =>
    expect(facts('product.updated', { ...product, status })).toMatchObject([
      {
        upsert: { node: 'Product', key: { id: '93' }, set: { title: 'Green tea', productType: 'simple', sku: 'TEA-1', status: expected } },
      },
    ]),
  );
  it('do not have their variations for products', () =>
    expect(isIgnored(map('product.updated', { ...product, id: 94, type: 'variation', parent_id: 93 }))).toBe(true));
});

it.each([
  'order.deleted',
  'customer.deleted',
  'product.deleted',
  'coupon.created',
  'action.woocommerce_add_to_cart',
  'constructor',
  '__proto__',
])('%s is ignored', (topic) => expect(map(topic, { id: 1 })).toEqual({ type: topic }));

it('what a shop sends instead of an object fails with a reason', () =>
  expect(() => map('order.updated', { code: 'woocommerce_rest_cannot_view', message: 'Sorry', data: { status: 401 } })).toThrow(
    expect.objectContaining({ code: 'MAPPING_FAILED' }),
  ));

describe('deletions', () => {
  const api = 'https://shop.example/wp-json/wc/v3';
  const asking = sourceOf(woocommerce({ api }));
  const AT = Date.UTC(2026, 10, 21, 9, 30);
  const event = (topic: string, fetched?: { status: number; body: object }): Event => ({
    source: 'acme',
    id: 'x',
    body: '{"id":727}',
    bodyHash: HASH,
    receivedAtMs: NOW_MS,
    headers: { 'x-wc-webhook-topic': topic },
    ...(fetched === undefined ? {} : { fetched: { status: fetched.status, body: JSON.stringify(fetched.body), bodyHash: HASH, at: AT } }),
  });
  const said = (topic: string, fetched?: { status: number; body: object }): Mapped | Ignored => {
    const mapped = asking.map(event(topic, fetched), parseJson('{"id":727}'));
    if (!isIgnored(mapped)) resolve(commerce, event(topic), mapped);
    return mapped;
  };
  const GONE = { status: 404, body: { code: 'woocommerce_rest_shop_order_invalid_id', message: 'Invalid ID.', data: { status: 404 } } };

  it.each([
    ['order.deleted', 'orders'],
    ['customer.deleted', 'customers'],
    ['product.deleted', 'products'],
  ])('%s is asked about, under the configured address', (topic, plural) => {
    expect(asking.hydrate?.wants(event(topic), () => parseJson('{"id":727}'))).toEqual({
      url: `${api}/${plural}/727`,
      object: `${plural}/727`,
    });
    expect(asking.hydrate?.origin).toBe('https://shop.example');
  });

  it('nothing else is, and nothing without an id or without an address', () => {
    for (const topic of ['order.updated', 'coupon.deleted', 'action.x'])
      expect(asking.hydrate?.wants(event(topic), () => parseJson('{"id":727}'))).toBeUndefined();
    for (const body of ['{}', '[]', '{"id":"../../users"}', '{"id":"7?x=1"}'])
      expect(asking.hydrate?.wants(event('order.deleted'), () => parseJson(body))).toBeUndefined();
    expect(source.hydrate).toBeUndefined();
    expect(said('order.deleted')).toEqual({ type: 'order.deleted' });
  });

  it('are asked about with the key of the REST API', () =>
    expect(asking.hydrate?.headers('ck_1:cs_2')).toEqual({ authorization: `Basic ${Buffer.from('ck_1:cs_2').toString('base64')}` }));

  it('an API is an address and nothing more', () => {
    for (const wrong of ['shop.example', 'https://u:p@shop.example/wp-json/wc/v3', 'https://shop.example/?rest_route=/wc/v3'])
      expect(() => woocommerce({ api: wrong })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }));
  });

  it.each([
    [200, '{"id":727}', true],
    [200, '{"maintenance":true}', false],
    [200, '[]', false],
    [404, '{"code":"woocommerce_rest_shop_order_invalid_id"}', true],
    [404, '{"code":"woocommerce_rest_product_invalid_id"}', true],
    [404, '{"code":"woocommerce_rest_invalid_id"}', true],
    [404, '{"code":"rest_no_route"}', false],
    [410, 'null', false],
  ])('of answers, %i with %s is taken: %s', (status, body, taken) =>
    expect(asking.hydrate?.accepts?.(status, parseJson(body))).toBe(taken),
  );
  it('a page of the web server is not', () => expect(asking.hydrate?.accepts?.(404, undefined)).toBe(false));

  it.each([
    ['order.deleted', { remove: { node: 'Order', key: { id: '727' } } }],
    ['customer.deleted', { remove: { node: 'Customer', key: { id: '727' } } }],
    ['product.deleted', { upsert: { node: 'Product', key: { id: '727' }, set: { status: 'deleted' } } }],
  ])('%s of what is not there any more counts from the time of the answer', (topic, fact) =>
    expect(said(topic, GONE)).toEqual({ type: topic, occurredAt: '2026-11-21T09:30:00Z', sequence: 1, facts: [fact] }),
  );

  it('of what is in the trash counts from its last change, and beats what was told within that second', () =>
    expect(said('order.deleted', { status: 200, body: order({ status: 'trash' }) })).toEqual({
      type: 'order.deleted',
      occurredAt: '2026-11-21T08:59:00Z',
      sequence: 1,
      facts: [{ remove: { node: 'Order', key: { id: '727' } } }],
    }));

  it('of what has come back tells it as it is', () => {
    const back = said('order.deleted', { status: 200, body: order() });
    expect(back).toEqual({ ...map('order.restored', order()), type: 'order.deleted' });
  });

  it('with the copy of another object fail', () =>
    expect(() => said('order.deleted', { status: 200, body: order({ id: 728 }) })).toThrow(
      expect.objectContaining({ code: 'MAPPING_FAILED' }),
    ));

  it('that come twice are two: an order may go into the trash, come back, and go again', () => {
    const of = (deliveryId: string, topic = 'order.deleted') =>
      asking.identify(
        woocommerceDelivery({ body: '{"id":727}' }, topic, { 'x-wc-webhook-delivery-id': deliveryId }),
        parseJson('{"id":727}'),
        HASH,
      ).id;
    expect(of('a'.repeat(32))).toBe(`shop.example/order.deleted/727/${HASH}/${'a'.repeat(32)}`);
    expect(of('b'.repeat(32))).not.toBe(of('a'.repeat(32)));
    expect(of('b'.repeat(32), 'order.updated')).toBe(of('a'.repeat(32), 'order.updated'));
  });
});
