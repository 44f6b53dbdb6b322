import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';

import type { Delivery, Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Fact, Mapped } from '../../../src/model/facts.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { createWorld } from '../../../src/model/world.ts';
import { paypal } from '../../../src/sources/paypal.ts';
import { isIgnored, type Ignored } from '../../../src/sources/source.ts';
import { tellStory } from '../../../src/cli/sample.ts';
import { makeCertificate, makeKeys } from '../../support/certificates.ts';
import { NOW_MS, secret, sourceOf, withHeader } from '../../support/deliveries.ts';
import { PAYPAL_HOST, PAYPAL_WEBHOOK, paypalAuthority, paypalBody, paypalDelivery } from '../../support/paypal.ts';

const HASH = 'f'.repeat(64);
const { document, root, issuer, keys } = paypalAuthority();
const builder = paypal({ roots: [root.pem] });
const source = sourceOf(builder, 'acme', PAYPAL_WEBHOOK);
const body = '{"id":"WH-1"}';
const good = paypalDelivery({ body });
const refused = (code: string) => expect.objectContaining({ code });

describe('the proof', () => {
  it('is refused without a certificate, and with one that does not lead to a root', () => {
    for (const text of [undefined, '', 'x', document.slice(0, document.length / 2)])
      expect(() => source.verify(good, text)).toThrow(refused('BAD_SIGNATURE'));
    expect(() => sourceOf(paypal(), 'acme', PAYPAL_WEBHOOK).verify(good, document)).toThrow(refused('BAD_SIGNATURE'));
  });

  it.each([
    ['paypal-auth-algo', 'SHA1withRSA'],
    ['paypal-auth-algo', 'SHA256withRSA, SHA256withRSA'],
    ['paypal-auth-algo', undefined],
    ['paypal-transmission-id', undefined],
    ['paypal-transmission-id', 'another'],
    ['paypal-transmission-id', 'a|b'],
    ['paypal-transmission-time', undefined],
    ['paypal-transmission-time', '2026-11-21T09:00:01.000Z'],
    ['paypal-transmission-time', 'Sat, 21 Nov 2026 09:00:00 GMT'],
    ['paypal-transmission-time', '2026-11-21T09:00:00'],
    ['paypal-cert-url', undefined],
  ])('is refused with %s %j', (name, text) =>
    expect(() => source.verify(withHeader(good, name, text), document)).toThrow(refused('BAD_SIGNATURE')),
  );

  it('cannot be shifted from one part of what is signed to the next', () => {
    const moved = withHeader(
      withHeader(good, 'paypal-transmission-id', `${good.headers['paypal-transmission-id']}|x`),
      'paypal-transmission-time',
      'x',
    );
    expect(() => source.verify(moved, document)).toThrow(refused('BAD_SIGNATURE'));
  });

  it('is for this webhook: the id that PayPal’s simulator signs for holds only where it is configured', () => {
    const mock = paypalDelivery({ body, secretText: 'WEBHOOK_ID' });
    expect(() => source.verify(mock, document)).toThrow(refused('BAD_SIGNATURE'));
    expect(sourceOf(builder, 'acme', 'WEBHOOK_ID').verify(mock, document)).toBe(secret('WEBHOOK_ID').id);
  });

  it('holds for four days, since a later try may bear the first one’s time, and from 300 s before', () => {
    const now = NOW_MS / 1_000;
    for (const atSeconds of [now - 4 * 86_400, now - 301, now, now + 300])
      expect(source.verify(paypalDelivery({ body, atSeconds }), document)).toBe(secret(PAYPAL_WEBHOOK).id);
    for (const atSeconds of [now - 4 * 86_400 - 1, now + 301])
      expect(() => source.verify(paypalDelivery({ body, atSeconds }), document)).toThrow(refused('STALE_SIGNATURE'));
  });

  it('takes no key but RSA of 2,048 bits and more', () => {
    const weak = makeKeys(1_024);
    const chain = makeCertificate({ subject: PAYPAL_HOST, keys: weak, issuer, hosts: [PAYPAL_HOST] }) + issuer.pem;
    expect(() => source.verify(good, chain)).toThrow(refused('BAD_SIGNATURE'));
  });

  it('holds no more of the body than its CRC-32: whoever has one delivery can make others, which is why they must not be captured', () => {
    const forged = Buffer.concat([Buffer.from('{"id":"WH-2","x":"'), Buffer.alloc(4), Buffer.from('"}')]);
    for (let n = 0; crc32(forged) !== crc32(good.body) && n < 3; n++) patchCrc(forged, 18, crc32(good.body));
    expect(source.verify({ ...good, body: forged }, document)).toBe(secret(PAYPAL_WEBHOOK).id);
  });

  it('sees that a chain has run out, though it was good a minute before', () => {
    const short = makeCertificate({ subject: PAYPAL_HOST, keys, issuer, hosts: [PAYPAL_HOST], to: '261121090030Z' }) + issuer.pem;
    expect(source.verify(good, short)).toBe(secret(PAYPAL_WEBHOOK).id);
    expect(() => source.verify({ ...good, receivedAtMs: NOW_MS + 60_000 }, short)).toThrow(refused('BAD_SIGNATURE'));
  });

  it('is not built with roots that are none', () =>
    expect(() => sourceOf(paypal({ roots: ['x'] }), 'acme', PAYPAL_WEBHOOK)).toThrow(refused('BAD_CONFIG')));
});

/** Sets four bytes so that the checksum becomes what it should be: CRC-32 is linear, so each bit moves it by what it moves it alone. */
function patchCrc(bytes: Buffer, at: number, wanted: number): void {
  const base = crc32(bytes);
  const rows = Array.from({ length: 32 }, (_, bit) => {
    const other = Buffer.from(bytes);
    other[at + (bit >> 3)] = (other[at + (bit >> 3)] ?? 0) ^ (1 << (bit & 7));
    return { value: (crc32(other) ^ base) >>> 0, bits: (1 << bit) >>> 0 };
  });
  let rest = (base ^ wanted) >>> 0;
  let chosen = 0;
  for (let top = 31; top >= 0; top--) {
    const index = rows.findIndex(({ value }) => value >>> top === 1);
    const row = rows[index];
    if (row === undefined) continue;
    rows.splice(index, 1);
    for (const other of rows)
      if (((other.value >>> top) & 1) === 1)
        Object.assign(other, { value: (other.value ^ row.value) >>> 0, bits: (other.bits ^ row.bits) >>> 0 });
    if (((rest >>> top) & 1) === 1) [rest, chosen] = [(rest ^ row.value) >>> 0, (chosen ^ row.bits) >>> 0];
  }
  bytes.writeUInt32LE((bytes.readUInt32LE(at) ^ chosen) >>> 0, at);
}

describe('the certificate’s URL', () => {
  const urlOf = (url: string) => source.evidence?.urlOf(withHeader(good, 'paypal-cert-url', url));
  it.each([
    'https://api.paypal.com/v1/notifications/certs/CERT-1',
    'https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77',
  ])('%s is asked for', (url) => expect(urlOf(url)).toBe(url));
  it.each([
    'http://api.paypal.com/v1/notifications/certs/CERT-1',
    'https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1',
    'https://evil.example/v1/notifications/certs/CERT-1',
    'https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1',
    'https://evil.example#https://api.paypal.com/v1/notifications/certs/CERT-1',
    'https://api.paypal.com:8443/v1/notifications/certs/CERT-1',
    'https://API.paypal.com/v1/notifications/certs/CERT-1',
    'https://apixpaypal.com/v1/notifications/certs/CERT-1',
    'https://api.evil.paypal.com/v1/notifications/certs/CERT-1',
    'https://api.paypal.com/v1/notifications/certs/../../oauth2/token',
    'https://api.paypal.com/v1/notifications/certs/CERT-1?x=1',
    'https://api.paypal.com/v1/notifications/certs/CERT-1#x',
    'https://api.paypal.com/v1/notifications/certs/CERT%2f1',
    'https://api.paypal.com/v1/notifications/certs/',
    'https://api.paypal.com/v1/notifications/certs/CERT-1\n',
    `https://api.paypal.com/v1/notifications/certs/${'a'.repeat(101)}`,
    'https://api.paypal.com/v1/notifications/certs/CERT-1, https://api.paypal.com/v1/notifications/certs/CERT-2',
    'file:///etc/passwd',
    'data:,x',
    'https://169.254.169.254/v1/notifications/certs/CERT-1',
  ])('%j is not', (url) => expect(() => urlOf(url)).toThrow(refused('BAD_SIGNATURE')));
  it('is not asked for where all the rest is bad already', () => {
    for (const [name, text] of [
      ['paypal-transmission-sig', 'AAAA'],
      ['paypal-auth-algo', 'none'],
      ['paypal-transmission-time', '2020-01-01T00:00:00Z'],
    ] as const)
      expect(() => source.evidence?.urlOf(withHeader(good, name, text))).toThrow();
  });
});

describe('identity', () => {
  const identify = (text: string) => source.identify({ ...good, body: Buffer.from(text) } satisfies Delivery, parseJson(text), HASH).id;
  it('is the event’s id', () => expect(identify('{"id":"WH-7"}')).toBe('WH-7'));
  it.each(['{}', '[]', '{"id":""}', '{"id":5}', `{"id":"${'a'.repeat(513)}"}`])('is refused for %s', (text) =>
    expect(() => identify(text)).toThrow(refused('NO_IDENTITY')),
  );
});

function map(type: string, resource: object | undefined, over: object = {}): Mapped | Ignored {
  const text = JSON.stringify({ id: 'WH-1', create_time: '2026-11-21T09:00:05.250Z', event_type: type, resource, ...over });
  const event: Event = { source: 'acme', id: 'WH-1', body: text, bodyHash: HASH, receivedAtMs: NOW_MS, headers: {} };
  const said = source.map(event, parseJson(text));
  if (isIgnored(said)) return said;
  resolve(commerce, event, said);
  return said;
}
const facts = (type: string, resource: object): readonly Fact[] => {
  const said = map(type, resource);
  return 'facts' in said ? said.facts : [];
};
const usd = (value: string) => ({ currency_code: 'USD', value });
const link = (rel: string, path: string) => ({ rel, method: 'GET', href: `https://api.paypal.com/v2/${path}` });

const capture = {
  id: 'CAP1',
  status: 'COMPLETED',
  amount: usd('23.99'),
  final_capture: true,
  supplementary_data: { related_ids: { order_id: 'ORD1' } },
  create_time: '2026-11-21T09:00:01Z',
  update_time: '2026-11-21T09:00:02Z',
};
const order = {
  id: 'ORD1',
  intent: 'CAPTURE',
  status: 'COMPLETED',
  purchase_units: [
    {
      reference_id: 'default',
      invoice_id: 'R-17',
      amount: usd('23.99'),
      items: [
        { name: 'Tea', sku: 'T-1', quantity: '2', unit_amount: usd('8.00') },
        { name: 'Cup', quantity: '1', unit_amount: usd('7.99') },
      ],
      payments: {
        captures: [{ ...capture, supplementary_data: undefined }],
        refunds: [{ id: 'REF1', status: 'COMPLETED', amount: usd('7.99') }],
      },
    },
  ],
  payer: {
    payer_id: 'PAYER1',
    email_address: 'Ada@Example.com',
    name: { given_name: 'Ada', surname: 'Berg' },
    address: { country_code: 'DE' },
  },
  payment_source: { paypal: {} },
  create_time: '2026-11-21T08:59:00Z',
  update_time: '2026-11-21T09:00:02Z',
};

describe('orders', () => {
  it('tell of their buyer, lines, payments and refunds', () => {
    expect(map('CHECKOUT.ORDER.COMPLETED', order)).toEqual({
      type: 'CHECKOUT.ORDER.COMPLETED',
      occurredAt: '2026-11-21T09:00:02Z',
      facts: [
        {
          upsert: {
            node: 'Order',
            key: { id: 'ORD1' },
            set: {
              name: 'R-17',
              status: 'paid',
              currency: 'USD',
              totalMinor: 2399n,
              createdAt: '2026-11-21T08:59:00Z',
              updatedAt: '2026-11-21T09:00:02Z',
            },
          },
        },
        {
          upsert: {
            node: 'Customer',
            key: { id: 'PAYER1' },
            set: { email: 'Ada@Example.com', firstName: 'Ada', lastName: 'Berg', country: 'DE' },
          },
        },
        { link: { relationship: 'HAS_EMAIL', from: { id: 'PAYER1' }, to: { address: 'Ada@Example.com' } } },
        { link: { relationship: 'PLACED', from: { id: 'PAYER1' }, to: { id: 'ORD1' } } },
        {
          replace: {
            relationship: 'CONTAINS',
            from: { id: 'ORD1' },
            links: [
              {
                to: { id: 'T-1' },
                key: { line: '1.1' },
                set: { quantity: 2n, unitPriceMinor: 800n, totalMinor: 1600n, title: 'Tea', sku: 'T-1' },
              },
              {
                to: { id: 'line-ORD1-1.2' },
                key: { line: '1.2' },
                set: { quantity: 1n, unitPriceMinor: 799n, totalMinor: 799n, title: 'Cup' },
              },
            ],
          },
        },
        {
          upsert: {
            node: 'Payment',
            key: { id: 'CAP1' },
            set: { status: 'completed', amountMinor: 2399n, currency: 'USD', method: 'paypal', createdAt: '2026-11-21T09:00:01Z' },
          },
        },
        { link: { relationship: 'PAYS', from: { id: 'CAP1' }, to: { id: 'ORD1' } } },
        { upsert: { node: 'Refund', key: { id: 'REF1' }, set: { amountMinor: 799n, currency: 'USD' } } },
        { link: { relationship: 'REFUNDS', from: { id: 'REF1' }, to: { id: 'ORD1' } } },
      ],
    });
  });

  it.each([
    ['APPROVED', { status: 'APPROVED' }, 'pending'],
    ['SAVED', { status: 'SAVED' }, 'pending'],
    ['COMPLETED', { intent: 'AUTHORIZE' }, 'pending'],
    ['COMPLETED', {}, 'paid'],
    ['VOIDED', { status: 'VOIDED' }, 'cancelled'],
    ['DECLINED', { status: 'PAYER_ACTION_REQUIRED' }, 'cancelled'],
    ['APPROVED', { status: undefined }, undefined],
  ])('that are %s with %j are %s', (verb, over, status) =>
    expect(facts(`CHECKOUT.ORDER.${verb}`, { ...order, ...over })[0]).toMatchObject({ upsert: { set: { status } } }),
  );

  it('are cancelled where an approval came to nothing, at the time of the event', () =>
    expect(map('CHECKOUT.PAYMENT-APPROVAL.REVERSED', { order_id: 'ORD1', purchase_units: [] })).toEqual({
      type: 'CHECKOUT.PAYMENT-APPROVAL.REVERSED',
      occurredAt: '2026-11-21T09:00:05.250Z',
      facts: [{ upsert: { node: 'Order', key: { id: 'ORD1' }, set: { status: 'cancelled' } } }],
    }));

  it('keep their lines where not every unit lists its own', () => {
    const [unit] = order.purchase_units;
    const half = { ...order, purchase_units: [unit, { ...unit, items: undefined, payments: undefined }] };
    expect(facts('CHECKOUT.ORDER.COMPLETED', half).some((fact) => 'replace' in fact)).toBe(false);
    expect(facts('CHECKOUT.ORDER.COMPLETED', half)[0]).toMatchObject({ upsert: { set: { totalMinor: 4798n } } });
  });

  it('have no buyer where PayPal knows none', () =>
    expect(
      facts('CHECKOUT.ORDER.APPROVED', { ...order, payer: { email_address: 'x@example.com' } }).some(
        (fact) => 'link' in fact && fact.link.relationship === 'PLACED',
      ),
    ).toBe(false));

  it.each([
    [
      'two currencies',
      { purchase_units: [{ amount: usd('1.00') }, { amount: { currency_code: 'EUR', value: '1.00' } }] },
      'resource.purchase_units[1].amount',
    ],
    ['a broken quantity', { purchase_units: [{ items: [{ quantity: '1.5' }] }] }, 'resource.purchase_units[0].items[0].quantity'],
    ['no id', { id: null }, 'resource.id'],
    ['no currency', { purchase_units: [{ amount: { value: '1' } }] }, 'resource.purchase_units[0].amount.currency_code'],
  ])('fail with a path for %s', (_what, over, path) =>
    expect(() => map('CHECKOUT.ORDER.COMPLETED', { ...order, ...over })).toThrow(
      expect.objectContaining({ code: 'MAPPING_FAILED', context: { path } }),
    ),
  );
});

describe('payments', () => {
  it('pay the order that they name, or that their link is about', () => {
    const [, named] = facts('PAYMENT.CAPTURE.COMPLETED', capture);
    expect(named).toEqual({ link: { relationship: 'PAYS', from: { id: 'CAP1' }, to: { id: 'ORD1' } } });
    const linked = {
      ...capture,
      supplementary_data: undefined,
      links: [link('self', 'payments/captures/CAP1'), link('up', 'checkout/orders/ORD1')],
    };
    expect(facts('PAYMENT.CAPTURE.COMPLETED', linked)[1]).toEqual(named);
  });

  it('tell what became of the authorization that they were captured from', () => {
    const from = { ...capture, links: [link('up', 'payments/authorizations/AUTH1')] };
    const authorization = (status: string) => ({ upsert: { node: 'Payment', key: { id: 'AUTH1' }, set: { status } } });
    expect(facts('PAYMENT.CAPTURE.COMPLETED', from)).toContainEqual(authorization('captured'));
    expect(facts('PAYMENT.CAPTURE.COMPLETED', { ...from, final_capture: false })).toContainEqual(authorization('partially_captured'));
    expect(facts('PAYMENT.CAPTURE.PENDING', { ...from, status: 'PENDING' })).toHaveLength(2);
  });

  it.each([
    ['PAYMENT.AUTHORIZATION.CREATED', 'CREATED'],
    ['PAYMENT.AUTHORIZATION.VOIDED', 'VOIDED'],
    ['PAYMENT.CAPTURE.DECLINED', 'DECLINED'],
    ['PAYMENT.CAPTURE.PENDING', 'PENDING'],
  ])('of %s are %s', (type, status) =>
    expect(facts(type, { ...capture, status })[0]).toMatchObject({ upsert: { node: 'Payment', set: { status: status.toLowerCase() } } }),
  );

  it('of version 1 are read as well: subscriptions still pay so', () => {
    const sale = { id: 'SALE1', state: 'completed', amount: { total: '9.90', currency: 'EUR' }, create_time: '2026-11-21T09:00:00Z' };
    expect(facts('PAYMENT.SALE.COMPLETED', sale)).toEqual([
      {
        upsert: {
          node: 'Payment',
          key: { id: 'SALE1' },
          set: { status: 'completed', amountMinor: 990n, currency: 'EUR', createdAt: '2026-11-21T09:00:00Z' },
        },
      },
    ]);
  });

  it('read money in the digits of its currency', () =>
    expect(facts('PAYMENT.CAPTURE.COMPLETED', { ...capture, amount: { currency_code: 'JPY', value: '1200' } })[0]).toMatchObject({
      upsert: { set: { amountMinor: 1200n, currency: 'JPY' } },
    }));

  it('follow no link, and read none of another host’s form', () => {
    for (const href of [
      'https://api.paypal.com/v2/checkout/orders/../x',
      'checkout/orders/ORD9',
      'https://api.paypal.com/v2/checkout/orders/ORD9?x=1',
    ])
      expect(facts('PAYMENT.CAPTURE.COMPLETED', { ...capture, supplementary_data: undefined, links: [{ rel: 'up', href }] })).toHaveLength(
        1,
      );
  });
});

describe('refunds', () => {
  const refund = {
    id: 'REF1',
    status: 'COMPLETED',
    amount: usd('7.99'),
    note_to_payer: 'broken',
    links: [link('up', 'payments/captures/CAP1')],
    create_time: '2026-11-21T09:10:00Z',
    update_time: '2026-11-21T09:10:00Z',
  };
  it('count once they are completed', () => {
    const set = { currency: 'USD', reason: 'broken', createdAt: '2026-11-21T09:10:00Z' };
    expect(facts('PAYMENT.CAPTURE.REFUNDED', refund)).toEqual([
      { upsert: { node: 'Refund', key: { id: 'REF1' }, set: { ...set, amountMinor: 799n } } },
    ]);
    expect(facts('PAYMENT.REFUND.PENDING', { ...refund, status: 'PENDING' })).toEqual([
      { upsert: { node: 'Refund', key: { id: 'REF1' }, set } },
    ]);
  });
  it.each(['FAILED', 'CANCELLED'])('are gone when %s', (status) =>
    expect(facts('PAYMENT.REFUND.FAILED', { ...refund, status })).toEqual([{ remove: { node: 'Refund', key: { id: 'REF1' } } }]),
  );
  it('that PayPal makes itself say so of the payment', () => {
    const reversed = { upsert: { node: 'Payment', key: { id: 'CAP1' }, set: { status: 'reversed' } } };
    expect(facts('PAYMENT.CAPTURE.REVERSED', refund)[1]).toEqual(reversed);
    expect(facts('PAYMENT.SALE.REVERSED', { ...refund, links: undefined, sale_id: 'CAP1' })[1]).toEqual(reversed);
  });
});

describe('disputes', () => {
  const dispute = {
    dispute_id: 'PP-D-1',
    status: 'OPEN',
    disputed_transactions: [{ seller_transaction_id: 'CAP1' }],
    update_time: '2026-11-22T09:00:00Z',
  };
  it.each([
    [undefined, 'disputed'],
    ['RESOLVED_BUYER_FAVOUR', 'charged_back'],
    ['RESOLVED_SELLER_FAVOUR', 'completed'],
    ['CANCELED_BY_BUYER', 'completed'],
    ['NONE', 'disputed'],
  ])('with the outcome %s leave the payment %s', (code, status) => {
    const over = code === undefined ? {} : { dispute_outcome: { outcome_code: code } };
    expect(facts('CUSTOMER.DISPUTE.RESOLVED', { ...dispute, ...over })).toEqual([
      { upsert: { node: 'Payment', key: { id: 'CAP1' }, set: { status } } },
    ]);
  });
  it('about nothing that was paid here say nothing', () =>
    expect(isIgnored(map('CUSTOMER.DISPUTE.CREATED', { ...dispute, disputed_transactions: [] }))).toBe(true));
});

it.each(['BILLING.SUBSCRIPTION.CREATED', 'INVOICING.INVOICE.PAID', 'VAULT.PAYMENT-TOKEN.CREATED', 'constructor', '__proto__', ''])(
  '%j is ignored',
  (type) => expect(isIgnored(map(type, {}))).toBe(true),
);
it('an event without any time has no clock', () =>
  expect(() => map('CHECKOUT.PAYMENT-APPROVAL.REVERSED', { order_id: '1' }, { create_time: undefined })).toThrow(refused('NO_CLOCK')));

it('a shop’s story is one graph in any order', () => {
  const said = tellStory('paypal', 120).flatMap((happening, index) => {
    const text = paypalBody(happening);
    const mapped = source.map(
      { source: 'acme', id: `${index}`, body: text, bodyHash: HASH, receivedAtMs: NOW_MS, headers: {} },
      parseJson(text),
    );
    return isIgnored(mapped) ? [] : [resolve(commerce, { source: 'acme', id: `${index}`, bodyHash: HASH }, mapped).facts];
  });
  const graphs = [said, said.toReversed()].map((events) => {
    const world = createWorld(commerce);
    for (const event of events) world.apply(event);
    return world.graph();
  });
  expect(graphs[0]).toEqual(graphs[1]);
  const labels = new Set([...(graphs[0]?.nodes.keys() ?? [])].map((id) => id.split('/')[0]));
  expect(labels).toEqual(new Set(['Customer', 'Email', 'Order', 'Payment', 'Product', 'Refund']));
});
