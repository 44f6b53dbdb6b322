/** How lists are read, without a network: what is asked for, what is found, and that nothing is passed over while a list changes. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseJson } from '../../../src/json.ts';
import { parseInstant } from '../../../src/model/instant.ts';
import { shopify } from '../../../src/sources/shopify.ts';
import { membersOf } from '../../../src/sources/pages.ts';
import type { Backfill, Found, Place, Range, Source, SourceBuilder } from '../../../src/sources/source.ts';
import { stripe } from '../../../src/sources/stripe.ts';
import { woocommerce } from '../../../src/sources/woocommerce.ts';
import { testData, unless } from '../../support/data.ts';
import { sourceOf } from '../../support/deliveries.ts';
import { speakShopify, speakStripe, speakWoocommerce, type Thing } from '../../support/lists.ts';

const FROM = Date.UTC(2026, 10, 1) / 1_000;
const RANGE: Range = { from: BigInt(FROM) * 1_000_000_000n, to: undefined };
const AT_MS = Date.UTC(2026, 10, 21);

const backfillOf = (builder: SourceBuilder): Backfill => {
  const { backfill } = sourceOf(builder);
  if (backfill === undefined) throw new Error('it has none');
  return backfill;
};
const woo = backfillOf(woocommerce({ api: 'https://shop.example/wp-json/wc/v3/' }));
const shop = backfillOf(shopify({ shop: 'Acme.myshopify.com' }));
const pay = backfillOf(stripe());

const queryOf = (backfill: Backfill, place: Partial<Place> & Pick<Place, 'stream'>): Record<string, string> => {
  const url = new URL(backfill.url({ range: RANGE, cursor: undefined, ...place }));
  return { at: url.origin + url.pathname, ...Object.fromEntries(url.searchParams) };
};

describe('what is asked for', () => {
  it('of WooCommerce: by id from an offset, changed since the day before, in UTC and without a zone', () => {
    expect(queryOf(woo, { stream: 'orders', cursor: '198/727' })).toEqual({
      at: 'https://shop.example/wp-json/wc/v3/orders',
      status: 'any',
      orderby: 'id',
      order: 'asc',
      per_page: '100',
      offset: '198',
      modified_after: '2026-10-31T00:00:00',
      dates_are_gmt: 'true',
    });
    expect(queryOf(woo, { stream: 'customers' })).toEqual({
      at: 'https://shop.example/wp-json/wc/v3/customers',
      orderby: 'id',
      order: 'asc',
      per_page: '100',
      offset: '0',
    });
    expect(queryOf(woo, { stream: 'trashed-orders' })).toMatchObject({ status: 'trash' });
    expect(woo.headers('ck_1:cs_2')).toEqual({ authorization: 'Basic Y2tfMTpjc18y' });
  });

  it('of Shopify: after an id, changed within the range, open and closed orders', () => {
    const range = { ...RANGE, to: parseInstant('2026-11-08T00:00:00.5Z') };
    expect(queryOf(shop, { stream: 'orders', range, cursor: '5001' })).toEqual({
      at: 'https://acme.myshopify.com/admin/api/2026-01/orders.json',
      limit: '250',
      since_id: '5001',
      updated_at_min: '2026-11-01T00:00:00Z',
      updated_at_max: '2026-11-08T00:00:00.5Z',
      status: 'any',
    });
    expect(queryOf(shop, { stream: 'customers' })).not.toHaveProperty('status');
    expect(shop.headers('shpat_1')).toEqual({ 'x-shopify-access-token': 'shpat_1' });
  });

  it('of Stripe: made within the range, in whole seconds, after an id', () => {
    const range = { from: RANGE.from + 1n, to: RANGE.from + 1_000_000_001n };
    expect(queryOf(pay, { stream: 'sessions', range, cursor: 'cs_1/1700000000' })).toEqual({
      at: 'https://api.stripe.com/v1/checkout/sessions',
      limit: '100',
      'created[gte]': String(FROM + 1),
      'created[lt]': String(FROM + 2),
      'expand[0]': 'data.line_items',
      starting_after: 'cs_1',
    });
    expect(pay.headers('rk_1')).toEqual({ authorization: 'Bearer rk_1', 'stripe-version': expect.stringMatching(/^20\d\d-/) });
  });

  it('of Stripe, its events only as long as it keeps them', () => {
    expect(pay.streamsFor?.(RANGE, (FROM + 30 * 86_400) * 1_000)).toEqual(['events']);
    const all = pay.streamsFor?.(RANGE, (FROM + 30 * 86_400 + 1) * 1_000) ?? [];
    expect([...all].toSorted()).toEqual([...pay.streams].toSorted());
    expect(all.at(-1)).toBe('events');
  });

  it.each([
    ['shopify', () => shopify({ api: 'https://acme.myshopify.com/admin/api/2026-01?x=1' })],
    ['stripe', () => stripe({ api: 'api.stripe.com' })],
    ['woocommerce', () => woocommerce({ api: 'https://user:word@shop.example/wp-json/wc/v3' })],
  ])('%s: an address that is none is told at the start', (pack, build) => {
    expect(build).toThrow(expect.objectContaining({ code: 'BAD_CONFIG', message: expect.stringContaining(`${pack}: api`) }));
  });

  it('shopify needs to know its shop', () => expect(sourceOf(shopify()).backfill).toBeUndefined());
});

type Speak = (lists: { things: Map<string, Thing[]> }, url: URL) => string | undefined;

/** Reads a list to its end; between two pages `meanwhile` happens. Fails where it does not end. */
function readAll(backfill: Backfill, speak: Speak, stream: string, things: Thing[], meanwhile: () => void, range = RANGE): Found[] {
  const found: Found[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 10_000; pages++) {
    const place: Place = { stream, range, cursor };
    const text = speak({ things: new Map([[stream, things]]) }, new URL(backfill.url(place)));
    if (text === undefined) {
      cursor = cursor === undefined ? undefined : backfill.recover?.(cursor);
      if (cursor === undefined) throw new Error(`it has no page for ${place.cursor}`);
      continue;
    }
    const read = backfill.read({ text, atMs: AT_MS, firstMs: AT_MS }, place);
    found.push(...read.found);
    if (read.next === undefined) return found;
    cursor = read.next;
    meanwhile();
  }
  throw new Error('it does not end');
}

/** So much may happen between two pages: some go, some change, some come. */
const happening = fc.record({ go: fc.array(fc.nat(), { maxLength: 60 }), change: fc.array(fc.nat(), { maxLength: 60 }), come: fc.nat(40) });

describe.each<[string, Backfill, Speak, string]>([
  ['WooCommerce', woo, speakWoocommerce, 'orders'],
  ['WooCommerce, a list without times', woo, speakWoocommerce, 'customers'],
  ['Shopify', shop, speakShopify, 'orders'],
])('%s, while the list changes', (_, backfill, speak, stream) => {
  it('finds all that is there all the while, once unless it changes', () => {
    fc.assert(
      fc.property(fc.nat(900), fc.array(happening, { maxLength: 12 }), (size, turns) => {
        const things = Array.from({ length: size }, (__, i): Thing => ({ id: String(i + 1), changed: FROM + i, shows: { x: 1 } }));
        const there = new Set(things.map(({ id }) => id));
        let turn = 0;
        let next = size;
        const changes: string[] = [];
        const found = readAll(backfill, speak, stream, things, () => {
          const { go = [], change = [], come = 0 } = turns[turn++] ?? {};
          for (const at of go) {
            const [gone] = things.splice(at % Math.max(1, things.length), 1);
            if (gone !== undefined) there.delete(gone.id);
          }
          for (const at of change) {
            const thing = things[at % Math.max(1, things.length)];
            if (thing === undefined) continue;
            thing.changed = FROM + 10_000 + turn;
            changes.push(thing.id);
          }
          for (let i = 0; i < come; i++) things.push({ id: String(++next), changed: FROM + 20_000 + turn, shows: { x: 1 } });
        });
        const ids = found.map(({ body }) => String((JSON.parse(body) as { id: number }).id));
        expect([...there].filter((id) => !ids.includes(id))).toEqual([]);
        const states = new Set(found.map(({ id }) => id));
        expect(states.size).toBeGreaterThanOrEqual(there.size);
        expect(ids.length - new Set(ids).size).toBeLessThanOrEqual(changes.length);
      }),
      { numRuns: 60 },
    );
  });
});

describe('Stripe, while the list changes', () => {
  it('finds all that is there all the while, and no more than a second of it twice', () => {
    fc.assert(
      fc.property(fc.nat(450), fc.array(happening, { maxLength: 5 }), fc.constantFrom(1, 30), (size, turns, perSecond) => {
        const things = Array.from({ length: size }, (__, i): Thing => ({
          id: `cus_${i}`,
          changed: FROM + Math.floor(i / perSecond),
          shows: { x: 1 },
        }));
        const there = new Set(things.map(({ id }) => id));
        let turn = 0;
        const found = readAll(pay, speakStripe, 'customers', things, () => {
          const { go = [], come = 0 } = turns[turn++] ?? {};
          for (const at of go) for (const { id } of things.splice(at % Math.max(1, things.length), 1)) there.delete(id);
          for (let i = 0; i < come; i++) things.push({ id: `cus_new_${turn}_${i}`, changed: FROM + 9_999, shows: { x: 1 } });
        });
        const ids = found.map(({ body }) => (JSON.parse(body) as { data: { object: { id: string } } }).data.object.id);
        expect([...there].filter((id) => !ids.includes(id))).toEqual([]);
        expect(ids.length - new Set(ids).size).toBeLessThanOrEqual(turns.length * perSecond);
      }),
      { numRuns: 60 },
    );
  });
});

/** What an object that was found says, by the source's own mapping. */
const said = (source: Source, found: Found) => source.map({ source: source.name, receivedAtMs: AT_MS, ...found }, parseJson(found.body));
const pageOf = (text: string) => ({ text, atMs: AT_MS, firstMs: AT_MS });

describe.each<[string, Source, string, string]>([
  ['WooCommerce', sourceOf(woocommerce({ api: 'https://shop.example/wp-json/wc/v3' })), 'orders', '[{"id":7}]'],
  ['Shopify', sourceOf(shopify({ shop: 'acme.myshopify.com' })), 'orders', '{"orders":[{"id":7,"refunds":[{"id":8}]}]}'],
  ['Stripe', sourceOf(stripe()), 'customers', '{"has_more":false,"data":[{"id":"cus_1"}]}'],
  ['Stripe, its events', sourceOf(stripe()), 'events', '{"has_more":false,"data":[{"id":"evt_1"}]}'],
])('%s: what is found', (_, source, stream, text) => {
  const { found = [] } = source.backfill?.read(pageOf(text), { stream, range: RANGE, cursor: undefined }) ?? {};

  it('is an event like those that are delivered', () => {
    expect(found.length).toBeGreaterThan(0);
    for (const { body, bodyHash, headers } of found) {
      expect(bodyHash).toBe(createHash('sha256').update(body).digest('hex'));
      expect(Object.keys(headers).filter((name) => !source.keepHeaders.includes(name))).toEqual([]);
    }
  });

  it('has an id that no delivery has', () => {
    for (const { id } of found) expect(id).toMatch(/^backfill\/.{1,300}$/);
    expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
  });
});

describe('what is found', () => {
  it('of an order in the trash is that it is gone, at the time of its last change', () => {
    const source = sourceOf(woocommerce({ api: 'https://shop.example/wp-json/wc/v3' }));
    const text = '[{"id":727,"status":"trash","date_modified_gmt":"2026-11-05T00:00:00"}]';
    const read = (atMs: number) => woo.read({ text, atMs, firstMs: atMs }, { stream: 'trashed-orders', range: RANGE, cursor: undefined });
    const [found] = read(AT_MS).found;
    if (found === undefined) throw new Error('nothing was found');
    expect(said(source, found)).toMatchObject({
      occurredAt: '2026-11-05T00:00:00Z',
      facts: [{ remove: { node: 'Order', key: { id: '727' } } }],
    });
    const [again] = read(AT_MS + 5_000).found;
    expect([again?.id, again?.bodyHash]).toEqual([found.id, found.bodyHash]);
    // It would not be asked about once more.
    expect(source.hydrate?.wants({ source: 'acme', receivedAtMs: AT_MS, ...found }, () => parseJson(found.body))).toBeDefined();
    expect(found.fetched).toMatchObject({ status: 200, body: text.slice(1, -1) });
  });

  it('of Shopify’s orders does not end with a part that cannot be named', () => {
    const text = '{"orders":[{"id":1,"refunds":[{"note":"x"},{"id":2}],"fulfillments":null},{"id":3,"refunds":{}}]}';
    const { found, next } = shop.read(pageOf(text), { stream: 'orders', range: RANGE, cursor: undefined });
    expect(found.map(({ id }) => id.split('/').slice(1, 4).join(' '))).toEqual([
      'orders updated 1',
      'refunds create 2',
      'orders updated 3',
    ]);
    expect(next).toBe('3');
  });

  it.each([woo, shop, pay])('of a list that this release does not have is nothing: it is said, and not asked again', (backfill) => {
    const place = { stream: 'coupons', range: RANGE, cursor: undefined };
    const ask = () => backfill.read(pageOf('{"coupons":[],"data":[]}'), (backfill.url(place), place));
    expect(ask).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  it('of a WooCommerce range ends where it ends, here', () => {
    const range = { from: RANGE.from, to: RANGE.from + 10_000_000_000n };
    const times = ['2026-10-31T23:59:59', '2026-11-01T00:00:00', '2026-11-01T00:00:09', '2026-11-01T00:00:10'];
    const text = `[${times.map((time, i) => `{"id":${i + 1},"date_modified_gmt":"${time}"}`).join(',')},{"id":5,"date_modified_gmt":null}]`;
    const { found } = woo.read(pageOf(text), { stream: 'orders', range, cursor: undefined });
    expect(found.map(({ id }) => id.split('/')[2])).toEqual(['2', '3', '5']);
  });

  it.each([
    ['intents', { status: 'succeeded' }, 'payment_intent.succeeded'],
    ['intents', { status: 'canceled' }, 'payment_intent.canceled'],
    ['intents', { status: 'processing' }, 'payment_intent.processing'],
    ['intents', { status: 'requires_action' }, 'payment_intent.requires_action'],
    ['intents', { status: 'requires_capture' }, 'payment_intent.amount_capturable_updated'],
    ['intents', { status: 'requires_payment_method', last_payment_error: null }, 'payment_intent.created'],
    ['intents', { status: 'requires_payment_method', last_payment_error: { code: 'declined' } }, 'payment_intent.payment_failed'],
    ['charges', { status: 'pending' }, 'charge.pending'],
    ['charges', { status: 'failed' }, 'charge.failed'],
    ['charges', { status: 'succeeded', captured: true, amount_refunded: 0 }, 'charge.captured'],
    ['charges', { status: 'succeeded', captured: false, amount_refunded: 0 }, 'charge.succeeded'],
    ['charges', { status: 'succeeded', captured: true, amount_refunded: 5 }, 'charge.refunded'],
    ['refunds', { status: 'succeeded' }, 'refund.updated'],
    ['refunds', { status: 'failed' }, 'refund.failed'],
    ['disputes', { status: 'needs_response' }, 'charge.dispute.updated'],
    ['disputes', { status: 'lost' }, 'charge.dispute.closed'],
    ['sessions', { status: 'complete' }, 'checkout.session.completed'],
    ['sessions', { status: 'expired' }, 'checkout.session.expired'],
    ['sessions', { status: 'open' }, undefined],
    ['customers', {}, 'customer.updated'],
    ['products', {}, 'product.updated'],
  ])('of Stripe’s %s %j is told as %s', (stream, shows, type) => {
    const text = `{"object":"list","has_more":false,"data":[${JSON.stringify({ id: 'x_1', ...shows })}]}`;
    const { found } = pay.read(pageOf(text), { stream, range: RANGE, cursor: undefined });
    expect(found.map(({ body }) => parseJson(body))).toEqual(
      type === undefined
        ? []
        : [parseJson(JSON.stringify({ object: 'event', type, created: AT_MS / 1_000, data: { object: { id: 'x_1', ...shows } } }))],
    );
  });

  it.each<[string, Backfill, string, string, string | undefined]>([
    ['a page of Shopify that was asked for before', shop, 'orders', '{"orders":[{"id":5},{"id":6}]}', '5'],
    ['a page of Stripe that was asked for before', pay, 'events', '{"has_more":true,"data":[{"id":"evt_2"},{"id":"evt_1"}]}', 'evt_1/5'],
    ['a page of another list', shop, 'orders', '{"products":[]}', undefined],
    ['an error with 200', woo, 'orders', '{"code":"rest_no_route"}', undefined],
    ['an error with 200', pay, 'events', '{"error":{}}', undefined],
  ])('%s is no page', (_, backfill, stream, text, cursor) => {
    expect(() => backfill.read(pageOf(text), { stream, range: RANGE, cursor })).toThrow(
      expect.objectContaining({ code: 'SENDER_UNAVAILABLE' }),
    );
  });
});

const FIXTURES = testData('shopify', 'fixtures');

describe.skipIf(FIXTURES === undefined)(`Shopify's own examples of its answers${unless(FIXTURES)}`, () => {
  const read = (name: string): string => readFileSync(join(FIXTURES ?? '', name), 'utf8');

  it.each([
    ['orders.json', 'orders', 'orders/updated'],
    ['customers_search.json', 'customers', 'customers/update'],
  ])('%s says what its webhooks say', (name, stream, topic) => {
    const source = sourceOf(shopify({ shop: 'acme.myshopify.com' }));
    const { found } = shop.read(pageOf(read(name)), { stream, range: RANGE, cursor: undefined });
    const objects = Object.values(JSON.parse(read(name)) as Record<string, { id: number }[]>).flat();
    const listed = found.filter(({ id }) => id.startsWith(`backfill/${topic}/`));
    expect(listed.map(({ body }) => JSON.parse(body) as unknown)).toEqual(objects);
    for (const one of found) {
      const webhook = { ...one, id: 'acme.myshopify.com/x/1', headers: { 'x-shopify-topic': one.headers['x-shopify-topic'] ?? '' } };
      expect(said(source, one)).toEqual(said(source, webhook));
      expect(said(source, one)).toHaveProperty('facts');
    }
  });
});

describe.skipIf(FIXTURES === undefined)(`Shopify's own example of an order${unless(FIXTURES)}`, () => {
  it('brings its fulfillment along', () => {
    const order = membersOf(readFileSync(join(FIXTURES ?? '', 'order.json'), 'utf8'))?.get('order') ?? '';
    const { found } = shop.read(pageOf(`{"orders":[${order}]}`), { stream: 'orders', range: RANGE, cursor: undefined });
    expect(found.map(({ id }) => id.split('/').slice(1, 3).join('/'))).toEqual(['orders/updated', 'fulfillments/update']);
    expect(order).toContain(found[1]?.body);
  });
});

const EVENTS = testData('stripe', 'webhook_fixtures');

describe.skipIf(EVENTS === undefined)(`Stripe's own examples of its events${unless(EVENTS)}`, () => {
  it('are found as they are', () => {
    const files = readdirSync(EVENTS ?? '').filter((name) => name.endsWith('.json'));
    const texts = files.map((name) => readFileSync(join(EVENTS ?? '', name), 'utf8').trim()).filter((text) => text.includes('"evt_'));
    expect(texts.length).toBeGreaterThan(10);
    const page = `{"object":"list","has_more":false,"data":[${texts.join(', ')}]}`;
    const { found } = pay.read(pageOf(page), { stream: 'events', range: RANGE, cursor: undefined });
    expect(found.map(({ body }) => body)).toEqual(texts);
  });
});
