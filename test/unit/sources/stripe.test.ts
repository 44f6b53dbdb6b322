import { readdirSync, readFileSync } from 'node:fs';

import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';

import type { Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Fact, Mapped } from '../../../src/model/facts.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { createWorld } from '../../../src/model/world.ts';
import { isIgnored, type Ignored } from '../../../src/sources/source.ts';
import { minorOf } from '../../../src/sources/stripe-money.ts';
import { stripe } from '../../../src/sources/stripe.ts';
import { testData, unless } from '../../support/data.ts';
import { NOW_MS, SECRET_TEXT, sourceOf, stripeDelivery } from '../../support/deliveries.ts';

const source = sourceOf(stripe());
const joined = sourceOf(stripe({ orderSource: 'acme-shopify' }));
const HASH = 'f'.repeat(64);
/** 2026-11-21T08:59:00Z */
const CREATED = 1_795_251_540;

interface Sent {
  readonly type: string;
  readonly object: unknown;
  readonly over?: object;
  readonly by?: typeof source;
}

const eventOf = (body: string, id = 'evt_1'): Event => ({ source: 'acme', id, body, bodyHash: HASH, headers: {}, receivedAtMs: NOW_MS });

function map({ type, object, over, by = source }: Sent): Mapped | Ignored {
  const body = JSON.stringify({ id: 'evt_1', object: 'event', created: CREATED, type, data: { object }, ...over });
  const said = by.map(eventOf(body), parseJson(body));
  if (!isIgnored(said)) resolve(commerce, eventOf(body), said);
  return said;
}

const factsOf = (said: Mapped | Ignored): readonly Fact[] => ('facts' in said ? said.facts : []);
const facts = (type: string, object: unknown, by = source): readonly Fact[] => factsOf(map({ type, object, by }));

const statusOf = (type: string, object: unknown): unknown =>
  (facts(type, object)[0] as { upsert?: { set?: { status?: string } } } | undefined)?.upsert?.set?.status;

/** What the graph holds after these events, in whatever order they come. */
function play(sent: readonly (Sent & { readonly id: string })[]) {
  const graphs = [sent, sent.toReversed()].map((order) => {
    const world = createWorld(commerce);
    for (const { id, ...event } of order) {
      const said = map(event);
      if (!isIgnored(said)) world.apply(resolve(commerce, { source: 'acme', id, bodyHash: HASH }, said).facts);
    }
    return world.graph();
  });
  expect(graphs[1]).toEqual(graphs[0]);
  return graphs[0];
}

describe('identity', () => {
  const identify = (body: string) => source.identify(stripeDelivery({ body }), parseJson(body), HASH).id;
  it('is the id of the event', () => expect(identify('{"id":"evt_1Mabc"}')).toBe('evt_1Mabc'));
  it('is that of a thin event, too', () =>
    expect(identify('{"id":"evt_test_65R9Ijk8dKEYZ","object":"v2.core.event"}')).toBe('evt_test_65R9Ijk8dKEYZ'));
  it.each(['{}', '{"id":null}', '{"id":""}', '{"id":7}', '{"id":"cus_1"}', '{"id":"evt_"}', '{"id":"evt_a b"}', '[]', 'null'])(
    'is refused in %s',
    (body) => expect(() => identify(body)).toThrow(expect.objectContaining({ code: 'NO_IDENTITY' })),
  );
});

describe('options', () => {
  it.each([{ orderSource: 'Acme Shopify' }, { orderSource: '' }, { orderField: '' }])('%j is refused', (options) =>
    expect(() => stripe(options)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' })),
  );
});

describe('money', () => {
  it.each([
    ['usd', 4200, 4200n],
    ['JPY', 500, 500n],
    ['kwd', 5120, 5120n],
    ['huf', 1045, 1045n],
    ['twd', 80_045, 80_045n],
    ['isk', 500, 5n],
    ['ugx', 50_000, 500n],
    ['mga', 500, 50_000n],
    ['eur', 9_007_199_254_740_993n, 9_007_199_254_740_993n],
    ['usd', 0, 0n],
  ])('%s %d is %d', (currency, amount, minor) => expect(minorOf(amount, currency)).toBe(minor));
  it.each([
    ['isk', 501],
    ['ugx', 5],
    ['usdc', 100],
  ])('%s %d is an error, not rounded', (currency, amount) =>
    expect(() => minorOf(amount, currency)).toThrow(expect.objectContaining({ code: 'BAD_VALUE' })),
  );
});

describe('the time of an event', () => {
  const customer = { id: 'cus_1', object: 'customer' };
  it('is created, to the second', () =>
    expect(map({ type: 'customer.created', object: customer })).toMatchObject({ occurredAt: '2026-11-21T08:59:00Z' }));
  it.each([undefined, null, '1795251540', -1, 1.5, 253_402_300_800])('is missing in %j', (created) =>
    expect(() => map({ type: 'customer.created', object: customer, over: { created } })).toThrow(
      expect.objectContaining({ code: 'NO_CLOCK' }),
    ),
  );
});

describe('customers', () => {
  const customer = {
    id: 'cus_1',
    object: 'customer',
    created: CREATED - 60,
    email: 'Bob@Example.com',
    name: 'Bob B.',
    phone: null,
    currency: 'eur',
    address: { country: 'DE', city: 'Bonn' },
  };
  it('have an address of their own', () => {
    expect(facts('customer.updated', customer)).toEqual([
      {
        upsert: {
          node: 'Customer',
          key: { id: 'cus_1' },
          set: {
            email: 'Bob@Example.com',
            phone: null,
            country: 'DE',
            currency: 'EUR',
            createdAt: '2026-11-21T08:58:00Z',
            updatedAt: '2026-11-21T08:59:00Z',
          },
        },
      },
      { link: { relationship: 'HAS_EMAIL', from: { id: 'cus_1' }, to: { address: 'Bob@Example.com' } } },
    ]);
  });
  it.each([null, '', ' '])('lose it for %j', (email) =>
    expect(facts('customer.updated', { ...customer, email })).toContainEqual({
      clear: { relationship: 'HAS_EMAIL', owner: { id: 'cus_1' } },
    }),
  );
  it('keep what is not told', () =>
    expect(facts('customer.updated', { id: 'cus_1' })).toEqual([
      { upsert: { node: 'Customer', key: { id: 'cus_1' }, set: { updatedAt: '2026-11-21T08:59:00Z' } } },
    ]));
  it('are removed, also when all of it happened within one second', () => {
    const graph = play([
      { id: 'evt_3', type: 'customer.created', object: customer },
      { id: 'evt_2', type: 'customer.updated', object: customer },
      { id: 'evt_1', type: 'customer.deleted', object: customer },
    ]);
    expect([...(graph?.nodes.keys() ?? [])].filter((id) => id.startsWith('Customer'))).toEqual([]);
  });
});

describe('products', () => {
  const product = { id: 'prod_1', object: 'product', name: 'Tea', active: true, type: 'good', created: CREATED, updated: CREATED };
  it.each([
    ['product.created', {}, 'active'],
    ['product.updated', { active: false }, 'archived'],
    ['product.updated', { active: undefined }, undefined],
    ['product.deleted', {}, 'deleted'],
  ])('of %s %j have status %s', (type, over, status) => expect(statusOf(type, { ...product, ...over })).toBe(status));
  it('have a title and a type', () =>
    expect(facts('product.created', product)).toMatchObject([{ upsert: { set: { title: 'Tea', productType: 'good' } } }]));
});

const session = (over: object = {}) => ({
  id: 'cs_1',
  object: 'checkout.session',
  mode: 'payment',
  created: CREATED - 60,
  currency: 'eur',
  amount_total: 4200,
  payment_status: 'paid',
  customer: 'cus_1',
  payment_intent: 'pi_1',
  metadata: {},
  ...over,
});

describe('checkout sessions', () => {
  it('are orders with a buyer and a payment', () => {
    expect(facts('checkout.session.completed', session())).toEqual([
      {
        upsert: {
          node: 'Order',
          key: { id: 'cs_1' },
          set: {
            status: 'paid',
            financialStatus: 'paid',
            currency: 'EUR',
            totalMinor: 4200n,
            createdAt: '2026-11-21T08:58:00Z',
            updatedAt: '2026-11-21T08:59:00Z',
          },
        },
      },
      { link: { relationship: 'PLACED', from: { id: 'cus_1' }, to: { id: 'cs_1' } } },
      { upsert: { node: 'Payment', key: { id: 'pi_1' } } },
      { link: { relationship: 'PAYS', from: { id: 'pi_1' }, to: { id: 'cs_1' } } },
    ]);
  });

  it.each([
    ['completed', 'paid', 'paid'],
    ['completed', 'no_payment_required', 'paid'],
    ['completed', 'unpaid', 'pending'],
    ['completed', undefined, undefined],
    ['async_payment_succeeded', 'paid', 'paid'],
    ['async_payment_failed', 'unpaid', 'cancelled'],
    ['expired', 'unpaid', 'cancelled'],
  ])('%s and %s have status %s', (verb, payment_status, status) => {
    expect(facts(`checkout.session.${verb}`, session({ payment_status }))[0]).toMatchObject({
      upsert: { set: { status, cancelledAt: status === 'cancelled' ? '2026-11-21T08:59:00Z' : undefined } },
    });
    expect(statusOf(`checkout.session.${verb}`, session({ payment_status }))).toBe(status);
  });

  it('of a guest clear the buyer, and without a payment tell of none', () => {
    expect(facts('checkout.session.completed', session({ customer: null, payment_intent: null })).slice(1)).toEqual([
      { clear: { relationship: 'PLACED', owner: { id: 'cs_1' } } },
    ]);
  });

  const line = {
    id: 'li_1',
    object: 'item',
    description: 'Tea',
    quantity: 3,
    currency: 'eur',
    amount_total: 1100,
    price: { id: 'price_1', currency: 'eur', product: 'prod_1', unit_amount: 400 },
  };
  const lines = (data: readonly object[], has_more = false) => ({ object: 'list', data, has_more });

  it('have lines where these were expanded', () => {
    expect(facts('checkout.session.completed', session({ line_items: lines([line]) }))).toContainEqual({
      replace: {
        relationship: 'CONTAINS',
        from: { id: 'cs_1' },
        links: [
          {
            to: { id: 'prod_1' },
            key: { line: 'li_1' },
            set: { quantity: 3, unitPriceMinor: 400n, totalMinor: 1100n, title: 'Tea' },
          },
        ],
      },
    });
  });
  it('keep their lines where only some of them came along', () =>
    expect(facts('checkout.session.completed', session({ line_items: lines([], true) })).map(brief)).not.toContain('replace'));
  it.each([
    [{ price: null }, 'line-li_1', undefined],
    [{ price: { product: { id: 'prod_2', object: 'product' }, unit_amount: null } }, 'prod_2', undefined],
    [{ quantity: null }, 'prod_1', 400],
  ])('take a line with %j', (over, id, unitPriceMinor) => {
    const [, , replaced] = facts('checkout.session.completed', session({ line_items: lines([{ ...line, ...over }]) }));
    expect(replaced).toMatchObject({ replace: { links: [{ to: { id }, set: { totalMinor: 1100n } }] } });
    const [link] = (replaced as { replace: { links: readonly { set: { unitPriceMinor?: bigint } }[] } }).replace.links;
    expect(link?.set.unitPriceMinor).toBe(unitPriceMinor === undefined ? undefined : BigInt(unitPriceMinor));
  });

  it('in setup mode sell nothing', () =>
    expect(isIgnored(map({ type: 'checkout.session.completed', object: session({ mode: 'setup', amount_total: null }) }))).toBe(true));
});

const intent = (over: object = {}) => ({
  id: 'pi_1',
  object: 'payment_intent',
  amount: 2000,
  amount_received: 0,
  currency: 'usd',
  created: CREATED - 5,
  status: 'requires_payment_method',
  metadata: {},
  ...over,
});
const charge = (over: object = {}) => ({
  id: 'ch_1',
  object: 'charge',
  amount: 2000,
  amount_captured: 2000,
  amount_refunded: 0,
  captured: true,
  refunded: false,
  disputed: false,
  currency: 'usd',
  created: CREATED - 1,
  payment_intent: 'pi_1',
  payment_method_details: { type: 'card' },
  status: 'succeeded',
  metadata: {},
  ...over,
});
const refund = (over: object = {}) => ({
  id: 're_1',
  object: 'refund',
  amount: 500,
  currency: 'usd',
  charge: 'ch_1',
  payment_intent: 'pi_1',
  reason: 'requested_by_customer',
  created: CREATED,
  status: 'succeeded',
  metadata: {},
  ...over,
});

describe('payments', () => {
  it('are keyed by the intent, for it and for its charges', () => {
    expect(facts('payment_intent.created', intent())).toEqual([
      {
        upsert: {
          node: 'Payment',
          key: { id: 'pi_1' },
          set: { status: 'pending', amountMinor: 2000n, currency: 'USD', createdAt: '2026-11-21T08:58:55Z' },
        },
      },
    ]);
    expect(facts('charge.succeeded', charge())).toEqual([
      {
        upsert: {
          node: 'Payment',
          key: { id: 'pi_1' },
          set: { status: 'captured', amountMinor: 2000n, currency: 'USD', method: 'card' },
        },
      },
    ]);
  });
  it('are keyed by the charge where there is no intent', () =>
    expect(facts('charge.succeeded', charge({ payment_intent: null }))).toMatchObject([
      { upsert: { key: { id: 'ch_1' }, set: { createdAt: '2026-11-21T08:58:59Z' } } },
    ]));
  it('take what was really captured', () => {
    expect(facts('charge.captured', charge({ amount_captured: 1500 }))).toMatchObject([{ upsert: { set: { amountMinor: 1500n } } }]);
    expect(facts('charge.succeeded', charge({ captured: false, amount_captured: 0 }))).toMatchObject([
      { upsert: { set: { amountMinor: 2000n } } },
    ]);
    expect(facts('payment_intent.succeeded', intent({ status: 'succeeded', amount_received: 1500 }))).toMatchObject([
      { upsert: { set: { amountMinor: 1500n } } },
    ]);
  });

  it.each([
    ['payment_intent.created', { status: 'requires_confirmation' }, 'pending'],
    ['payment_intent.requires_action', { status: 'requires_action' }, 'pending'],
    ['payment_intent.processing', { status: 'processing' }, 'pending'],
    ['payment_intent.payment_failed', {}, 'failed'],
    ['payment_intent.amount_capturable_updated', { status: 'requires_capture' }, 'authorized'],
    ['payment_intent.canceled', { status: 'canceled' }, 'cancelled'],
    ['payment_intent.succeeded', { status: 'succeeded' }, 'captured'],
    ['payment_intent.succeeded', { status: 'of tomorrow' }, undefined],
  ])('of %s %j have status %s', (type, over, status) => expect(statusOf(type, intent(over))).toBe(status));

  it.each([
    ['charge.pending', { status: 'pending' }, 'pending'],
    ['charge.failed', { status: 'failed' }, 'failed'],
    ['charge.succeeded', { captured: false }, 'authorized'],
    ['charge.succeeded', {}, 'captured'],
    ['charge.updated', { amount_refunded: 1 }, 'partially_refunded'],
    ['charge.refunded', { refunded: true, amount_refunded: 2000 }, 'refunded'],
    ['charge.refunded', { refunded: true, captured: false }, 'cancelled'],
    ['charge.expired', { captured: false }, 'cancelled'],
    ['charge.updated', { disputed: true }, undefined],
  ])('of %s %j have status %s', (type, over, status) => expect(statusOf(type, charge(over))).toBe(status));

  it.each([
    ['created', 'needs_response', 'disputed'],
    ['created', 'warning_needs_response', 'disputed'],
    ['updated', 'under_review', 'disputed'],
    ['funds_withdrawn', 'needs_response', 'disputed'],
    ['closed', 'won', 'dispute_ended'],
    ['closed', 'warning_closed', 'dispute_ended'],
    ['closed', 'lost', 'charged_back'],
  ])('of a dispute %s as %s have status %s', (verb, status, expected) => {
    const dispute = { id: 'dp_1', object: 'dispute', charge: 'ch_1', payment_intent: 'pi_1', created: CREATED - 60, status };
    expect(facts(`charge.dispute.${verb}`, dispute)).toEqual([
      { upsert: { node: 'Payment', key: { id: 'pi_1' }, set: { status: expected }, at: '2026-11-21T08:58:00Z' } },
    ]);
  });
  it('of a dispute without an intent are keyed by its charge', () =>
    expect(facts('charge.dispute.created', { charge: 'ch_1', status: 'needs_response' })).toMatchObject([
      { upsert: { key: { id: 'ch_1' } } },
    ]));

  it('end as they ended, though all of it bears one second and the ids say otherwise', () => {
    const graph = play([
      { id: 'evt_6', type: 'payment_intent.created', object: intent() },
      { id: 'evt_5', type: 'payment_intent.succeeded', object: intent({ status: 'succeeded', amount_received: 2000 }) },
      { id: 'evt_4', type: 'charge.succeeded', object: charge() },
      { id: 'evt_3', type: 'charge.refunded', object: charge({ refunded: true, amount_refunded: 2000 }) },
    ]);
    expect(graph?.nodes.get('Payment/acme/pi_1')).toMatchObject({ status: 'refunded', method: 'card' });
  });
});

describe('refunds', () => {
  it('are told by themselves', () => {
    expect(facts('refund.created', refund())).toEqual([
      {
        upsert: {
          node: 'Refund',
          key: { id: 're_1' },
          set: { amountMinor: 500n, currency: 'USD', reason: 'requested_by_customer', createdAt: '2026-11-21T08:59:00Z' },
        },
      },
    ]);
  });
  it('and by their charge, where it has a list of them', () => {
    const refunded = charge({ amount_refunded: 500, refunds: { object: 'list', data: [refund()], has_more: false } });
    expect(facts('charge.refunded', refunded)).toMatchObject([
      { upsert: { node: 'Payment', set: { status: 'partially_refunded' } } },
      { upsert: { node: 'Refund', key: { id: 're_1' }, set: { amountMinor: 500n } } },
    ]);
    expect(facts('charge.refunded', charge({ refunds: undefined }))).toHaveLength(1);
  });
  it.each([
    ['refund.failed', {}],
    ['refund.updated', { status: 'failed' }],
    ['charge.refund.updated', { status: 'canceled' }],
  ])('of %s %j gave nothing back', (type, over) =>
    expect(facts(type, refund(over))).toEqual([{ remove: { node: 'Refund', key: { id: 're_1' } } }]),
  );
});

describe('with the orders of another source', () => {
  const named = { metadata: { order_id: '1001' } };
  const order = { source: 'acme-shopify', id: '1001' };
  const pays = { link: { relationship: 'PAYS', from: { id: 'pi_1' }, to: order } };

  it.each([
    ['payment_intent.succeeded', intent(named)],
    ['charge.succeeded', charge(named)],
    ['checkout.session.completed', session(named)],
  ])('%s links the payment to the order that its metadata names', (type, object) =>
    expect(facts(type, object, joined)).toContainEqual(pays),
  );
  it('sessions are no orders of their own', () => {
    expect(facts('checkout.session.completed', session(named), joined).map(brief)).toEqual(['Payment', 'PAYS']);
    expect(isIgnored(map({ type: 'checkout.session.completed', object: session(), by: joined }))).toBe(true);
  });
  it('refunds are linked by their own metadata, else by the charge that lists them', () => {
    const refunds = { link: { relationship: 'REFUNDS', from: { id: 're_1' }, to: order } };
    expect(facts('refund.created', refund(named), joined)).toContainEqual(refunds);
    expect(facts('charge.refunded', charge({ ...named, refunds: { data: [refund()], has_more: false } }), joined)).toContainEqual(refunds);
    expect(facts('refund.created', refund(), joined)).toHaveLength(1);
  });
  it('the field may have another name', () => {
    const by = sourceOf(stripe({ orderSource: 'shop', orderField: 'order' }));
    expect(facts('charge.succeeded', charge({ metadata: { order: '7', order_id: '8' } }), by)).toContainEqual({
      link: { relationship: 'PAYS', from: { id: 'pi_1' }, to: { source: 'shop', id: '7' } },
    });
  });
  it('nothing is linked where nothing is named, or where no source is', () => {
    expect(facts('charge.succeeded', charge({ metadata: { order_id: '' } }), joined)).toHaveLength(1);
    expect(facts('charge.succeeded', charge(named))).toHaveLength(1);
  });
});

it.each(['invoice.paid', 'customer.source.created', 'payout.paid', 'constructor', '__proto__'])('%s is ignored', (type) =>
  expect(map({ type, object: { id: 'x_1' } })).toEqual({ type }),
);
it('a thin event is ignored under its own type', () =>
  expect(
    map({
      type: 'v1.billing.meter.no_meter_found',
      object: {},
      over: { object: 'v2.core.event', created: '2026-11-21T08:59:00.123Z', data: undefined },
    }),
  ).toEqual({ type: 'v1.billing.meter.no_meter_found' }));

it.each([
  ['no object', 'customer.created', undefined],
  ['no id', 'customer.created', {}],
  ['an amount in a text', 'payment_intent.created', intent({ amount: '2000' })],
  ['an amount without a currency', 'payment_intent.created', intent({ currency: null })],
  ['a dispute about nothing', 'charge.dispute.created', { status: 'needs_response' }],
  ['a reference to a list', 'charge.succeeded', charge({ payment_intent: [] })],
])('fails with a reason for %s', (_what, type, object) =>
  expect(() => map({ type, object })).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED' })),
);

const FIXTURES = testData('stripe', 'webhook_fixtures');
describe.skipIf(FIXTURES === undefined)(`real bodies${unless(FIXTURES)}`, () => {
  const files = FIXTURES === undefined ? [] : readdirSync(FIXTURES).filter((name) => name.endsWith('.json'));
  const { webhooks } = new Stripe('sk_test_x');
  /** Reviewed by eye. What is not here is ignored. */
  const said: Readonly<Record<string, string>> = {
    'charge.captured': 'Payment captured 100 USD',
    'charge.dispute.closed': 'Payment dispute_ended',
    'charge.dispute.created': 'Payment disputed',
    'charge.dispute.funds_reinstated': 'Payment disputed',
    'charge.dispute.funds_withdrawn': 'Payment disputed',
    'charge.dispute.updated': 'Payment disputed',
    'charge.failed': 'Payment failed 2000 USD',
    'charge.refund.updated': 'Refund 100 USD',
    'charge.refunded': 'Payment refunded 100 USD, Refund 100 USD',
    'charge.succeeded': 'Payment captured 2000 USD',
    'charge.updated': 'Payment captured 1000 USD',
    'checkout.session.completed': 'Order paid 3000 USD, PLACED, Payment, PAYS',
    'checkout.session.completed.payment_mode': 'Order paid 25000 USD, PLACED, Payment, PAYS',
    'customer.created': 'Customer, no HAS_EMAIL',
    'customer.deleted': 'no Customer',
    'customer.updated': 'Customer USD, no HAS_EMAIL',
    'payment_intent.amount_capturable_updated': 'Payment authorized 2000 USD',
    'payment_intent.canceled': 'Payment cancelled 2000 USD',
    'payment_intent.created': 'Payment pending 2000 USD',
    'payment_intent.payment_failed': 'Payment failed 2000 USD',
    'payment_intent.processing': 'Payment pending 900 EUR',
    'payment_intent.requires_action': 'Payment pending 2000 USD',
    'payment_intent.succeeded': 'Payment captured 2000 USD',
    'product.created': 'Product active',
    'product.deleted': 'Product deleted',
    'product.updated': 'Product active',
  };

  it('are all there', () => expect(files).toHaveLength(88));

  it.each(files)('%s, signed by the library, is taken in and says what it should', (file) => {
    const body = readFileSync(`${FIXTURES}/${file}`, 'utf8');
    const signature = webhooks.generateTestHeaderString({ payload: body, secret: SECRET_TEXT, timestamp: NOW_MS / 1000 });
    const delivery = { ...stripeDelivery({ body }), headers: { 'stripe-signature': signature } };
    expect(() => source.verify(delivery)).not.toThrow();
    const flipped = Buffer.from(body);
    flipped[body.length >> 1] = (flipped[body.length >> 1] ?? 0) ^ 1;
    expect(() => source.verify({ ...delivery, body: flipped })).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }));
    for (const ms of [-301_000, 301_000])
      expect(() => source.verify({ ...delivery, receivedAtMs: NOW_MS + ms })).toThrow(expect.objectContaining({ code: 'STALE_SIGNATURE' }));
    const json = parseJson(body);
    const { id } = source.identify(delivery, json, HASH);
    const mapped = source.map(eventOf(body, id), json);
    if (!isIgnored(mapped)) resolve(commerce, eventOf(body, id), mapped);
    expect(factsOf(mapped).map(brief).join(', ') || 'ignored').toBe(said[file.slice(0, -'.json'.length)] ?? 'ignored');
  });
});

/** `Payment captured 2000 USD`: a fact as one reads it. */
function brief(fact: Fact): string {
  if ('upsert' in fact) {
    const { status, amountMinor, totalMinor, currency } = (fact.upsert.set ?? {}) as Readonly<Record<string, string | bigint | null>>;
    return [fact.upsert.node, status, amountMinor ?? totalMinor, currency].filter((part) => part !== undefined && part !== null).join(' ');
  }
  if ('remove' in fact) return `no ${fact.remove.node}`;
  if ('clear' in fact) return `no ${fact.clear.relationship}`;
  return 'link' in fact ? fact.link.relationship : Object.keys(fact).join();
}
