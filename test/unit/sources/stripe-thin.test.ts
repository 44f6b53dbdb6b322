import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';

import type { Event, Fetched } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Fact, Mapped } from '../../../src/model/facts.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { createWorld } from '../../../src/model/world.ts';
import { isIgnored, type Ignored } from '../../../src/sources/source.ts';
import { stripe } from '../../../src/sources/stripe.ts';
import { NOW_MS, SECRET_TEXT, sourceOf, stripeDelivery } from '../../support/deliveries.ts';

const API = 'https://api.stripe.com';
const source = sourceOf(stripe({ thin: true }));
const HASH = 'f'.repeat(64);
const CREATED = '2026-11-21T08:59:00.123Z';

const thin = (type: string, id: string, over: object = {}): string =>
  JSON.stringify({
    id: 'evt_65R9Ijk8dKEYZcXeRWn16R9A7j1FSQ3w3TGDPLLGSM4CW0',
    object: 'v2.core.event',
    type,
    livemode: false,
    created: CREATED,
    context: null,
    related_object: { id, type: 'whatever', url: 'https://evil.example/v1/x' },
    ...over,
  });
const eventOf = (body: string, fetched?: Fetched): Event => ({
  source: 'acme',
  id: 'evt_1',
  body,
  bodyHash: HASH,
  headers: {},
  receivedAtMs: NOW_MS,
  ...(fetched === undefined ? {} : { fetched }),
});
const copy = (object: object, status = 200): Fetched => ({ body: JSON.stringify(object), bodyHash: HASH, status, at: NOW_MS + 5_000 });
const wanted = (body: string, by = source) => by.hydrate?.wants(eventOf(body), () => parseJson(body));

function map(body: string, fetched?: Fetched, by = source): Mapped | Ignored {
  const said = by.map(eventOf(body, fetched), parseJson(body));
  if (!isIgnored(said)) resolve(commerce, eventOf(body), said);
  return said;
}
const factsOf = (said: Mapped | Ignored): readonly Fact[] => ('facts' in said ? said.facts : []);

describe('what is asked for', () => {
  it.each([
    ['v1.customer.updated', 'cus_1', '/v1/customers/cus_1'],
    ['v1.product.created', 'prod_1', '/v1/products/prod_1'],
    ['v1.checkout.session.completed', 'cs_test_a1', '/v1/checkout/sessions/cs_test_a1?expand%5B0%5D=line_items'],
    ['v1.payment_intent.succeeded', 'pi_1', '/v1/payment_intents/pi_1'],
    ['v1.charge.refunded', 'ch_1', '/v1/charges/ch_1?expand%5B0%5D=refunds'],
    ['v1.charge.dispute.closed', 'dp_1', '/v1/disputes/dp_1'],
    ['v1.charge.refund.updated', 're_1', '/v1/refunds/re_1'],
    ['v1.refund.failed', 're_1', '/v1/refunds/re_1'],
    ['v2.core.account.updated', 'acct_1', '/v2/core/accounts/acct_1?include%5B0%5D=identity'],
    ['v2.core.account[configuration.customer].updated', 'acct_1', '/v2/core/accounts/acct_1?include%5B0%5D=identity'],
  ])('of %s %s is %s, whatever URL the event has', (type, id, path) => {
    expect(wanted(thin(type, id))?.url).toBe(`${API}${path}`);
    expect(new URL(wanted(thin(type, id))?.url ?? '').origin).toBe(source.hydrate?.origin);
  });

  it.each([
    ['a deletion', thin('v1.customer.deleted', 'cus_1')],
    ['a closed account', thin('v2.core.account.closed', 'acct_1')],
    ['a type that means nothing here', thin('v1.billing.meter.error_report_triggered', 'mtr_1')],
    ['a type of the platform', thin('v2.core.event_destination.ping', 'ed_1')],
    ['a type without its version', thin('customer.updated', 'cus_1')],
    ['an object of a connected account', thin('v1.customer.updated', 'cus_1', { context: 'acct_2' })],
    ['an id that is a path', thin('v1.customer.updated', 'cus_1/../../v1/balance')],
    ['an id with a query', thin('v1.customer.updated', 'cus_1?expand[]=x')],
    ['no id', thin('v1.customer.updated', '')],
    ['nothing', thin('v1.customer.updated', 'cus_1', { related_object: null })],
    ['a snapshot event', JSON.stringify({ id: 'evt_1', object: 'event', type: 'customer.updated', data: { object: { id: 'cus_1' } } })],
    ['no event at all', '[]'],
  ])('for %s is nothing', (_what, body) => {
    let asked: unknown;
    try {
      asked = wanted(body);
    } catch {
      asked = undefined; // A throw counts as that.
    }
    expect(asked).toBeUndefined();
  });

  it('is nothing where nobody said so', () => {
    expect(sourceOf(stripe()).hydrate).toBeUndefined();
    expect(isIgnored(map(thin('v1.customer.updated', 'cus_1'), undefined, sourceOf(stripe())))).toBe(true);
  });

  it('is asked for with a bearer token and a version of our own', () =>
    expect(source.hydrate?.headers('rk_test_1')).toEqual({
      authorization: 'Bearer rk_test_1',
      'stripe-version': expect.stringMatching(/^\d{4}-\d\d-\d\d\.\w+$/),
    }));

  it('is of the version that the official library speaks', () =>
    expect(source.hydrate?.headers('x')['stripe-version']).toBe(Stripe.API_VERSION));

  it.each([
    [200, { id: 'cus_1' }, true],
    [200, { data: [] }, false],
    [404, { error: { code: 'resource_missing' } }, true],
    [404, { error: { code: 'not_found' } }, true],
    [404, { message: 'no such page' }, false],
    [410, undefined, false],
  ])('is answered by %s %j: %s', (status, body, is) =>
    expect(source.hydrate?.accepts?.(status, body === undefined ? undefined : parseJson(JSON.stringify(body)))).toBe(is),
  );

  it.each(['http//x', 'https://api.stripe.com', 'https://user@api.stripe.com/v1', 'https://api.stripe.com/v1?x=1'])(
    'is not built for the API %s',
    (api) => expect(() => stripe({ api, thin: true })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' })),
  );

  it('may be behind a gateway', () =>
    expect(
      wanted(thin('v2.core.account.updated', 'acct_1'), sourceOf(stripe({ api: 'https://gateway.example/stripe/v1/', thin: true })))?.url,
    ).toBe('https://gateway.example/stripe/v2/core/accounts/acct_1?include%5B0%5D=identity'));
});

describe('what is said', () => {
  it('is what a snapshot event would say, at the time of the thin one', () => {
    const said = map(
      thin('v1.customer.updated', 'cus_1'),
      copy({ id: 'cus_1', object: 'customer', email: 'ada@example.com', created: 1_795_251_540 }),
    );
    expect(said).toMatchObject({
      type: 'v1.customer.updated',
      occurredAt: CREATED,
      sequence: 1,
      facts: [
        {
          upsert: {
            node: 'Customer',
            key: { id: 'cus_1' },
            set: { email: 'ada@example.com', createdAt: '2026-11-21T08:59:00Z', updatedAt: CREATED },
          },
        },
        { link: { relationship: 'HAS_EMAIL' } },
      ],
    });
  });

  it('has the lines that a snapshot lacks', () => {
    const line = {
      id: 'li_1',
      quantity: 2,
      amount_total: 300,
      currency: 'eur',
      price: { product: 'prod_1', unit_amount: 150, currency: 'eur' },
    };
    const session = {
      id: 'cs_1',
      mode: 'payment',
      payment_status: 'paid',
      currency: 'eur',
      customer_account: 'acct_1',
      line_items: { data: [line], has_more: false },
    };
    const facts = factsOf(map(thin('v1.checkout.session.completed', 'cs_1'), copy(session)));
    expect(facts).toContainEqual({ link: { relationship: 'PLACED', from: { id: 'acct_1' }, to: { id: 'cs_1' } } });
    expect(facts.find((fact) => 'replace' in fact)).toMatchObject({
      replace: { links: [{ to: { id: 'prod_1' }, key: { line: 'li_1' } }] },
    });
  });

  it('of an attempt that failed is so, though the intent went on meanwhile', () =>
    expect(
      factsOf(
        map(thin('v1.payment_intent.payment_failed', 'pi_1'), copy({ id: 'pi_1', status: 'succeeded', amount: 100, currency: 'eur' })),
      )[0],
    ).toMatchObject({
      upsert: { set: { status: 'failed' } },
    }));

  it('of deletions needs no copy, and no API', () => {
    for (const by of [source, sourceOf(stripe())]) {
      expect(factsOf(map(thin('v1.customer.deleted', 'cus_1'), undefined, by))).toEqual([
        { remove: { node: 'Customer', key: { id: 'cus_1' } } },
      ]);
      expect(factsOf(map(thin('v2.core.account.closed', 'acct_1'), undefined, by))).toEqual([
        { remove: { node: 'Customer', key: { id: 'acct_1' } } },
      ]);
      expect(factsOf(map(thin('v1.product.deleted', 'prod_1'), undefined, by))).toEqual([
        { upsert: { node: 'Product', key: { id: 'prod_1' }, set: { status: 'deleted' } } },
      ]);
    }
  });

  it('of accounts is who buys', () => {
    const account = {
      id: 'acct_1',
      object: 'v2.core.account',
      applied_configurations: ['customer'],
      contact_email: 'ada@example.com',
      contact_phone: null,
      identity: { country: 'de', individual: { given_name: 'Ada', surname: 'Berg' } },
      created: '2026-11-01T00:00:00.000Z',
    };
    expect(factsOf(map(thin('v2.core.account[identity].updated', 'acct_1'), copy(account)))).toEqual([
      {
        upsert: {
          node: 'Customer',
          key: { id: 'acct_1' },
          set: {
            email: 'ada@example.com',
            firstName: 'Ada',
            lastName: 'Berg',
            phone: null,
            country: 'DE',
            createdAt: '2026-11-01T00:00:00.000Z',
            updatedAt: CREATED,
          },
        },
      },
      { link: { relationship: 'HAS_EMAIL', from: { id: 'acct_1' }, to: { address: 'ada@example.com' } } },
    ]);
    expect(isIgnored(map(thin('v2.core.account.updated', 'acct_1'), copy({ ...account, applied_configurations: ['merchant'] })))).toBe(
      true,
    );
  });

  it.each([
    ['is gone', copy({ error: { code: 'resource_missing' } }, 404)],
    ['is said to be deleted', copy({ id: 'cus_1', object: 'customer', deleted: true })],
    ['was not asked for', undefined],
  ])('of an object that %s is nothing, under its own type', (_what, fetched) =>
    expect(map(thin('v1.customer.updated', 'cus_1'), fetched)).toEqual({ type: 'v1.customer.updated' }),
  );

  it('without a time fails', () =>
    expect(() => map(thin('v1.customer.deleted', 'cus_1', { created: undefined }))).toThrow(expect.objectContaining({ code: 'NO_CLOCK' })));

  it('is the newest copy in any order, however old the copy of an earlier event is', () => {
    const events = [
      ['2026-11-21T08:59:00.100Z', 'a@example.com'],
      ['2026-11-21T08:59:00.200Z', 'b@example.com'],
      ['2026-11-21T08:59:00.300Z', 'b@example.com'],
    ].map(([created, email], n) => {
      const body = thin('v1.customer.updated', 'cus_1', { created });
      const said = map(body, copy({ id: 'cus_1', email }));
      return isIgnored(said) ? [] : resolve(commerce, { source: 'acme', id: `evt_${n}`, bodyHash: HASH }, said).facts;
    });
    for (const order of [events, events.toReversed()]) {
      const world = createWorld(commerce);
      for (const facts of order) world.apply(facts);
      expect(world.graph().nodes.get('Customer/acme/cus_1')).toMatchObject({ email: 'b@example.com' });
    }
  });
});

it('the official library reads what we sign and map', () => {
  const body = thin('v1.customer.updated', 'cus_1');
  const { headers } = stripeDelivery({ body });
  const client = new Stripe('sk_test_x');
  const read = client.parseEventNotification(body, headers['stripe-signature'] ?? '', SECRET_TEXT, undefined, undefined, NOW_MS);
  expect([read.id, read.type]).toEqual([source.identify(stripeDelivery({ body }), parseJson(body), HASH).id, 'v1.customer.updated']);
});
