import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import type { Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Fact, Mapped } from '../../../src/model/facts.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { segment, type SegmentOptions } from '../../../src/sources/segment.ts';
import { isIgnored, type Ignored } from '../../../src/sources/source.ts';
import { NOW_MS, secret, segmentDelivery, sourceOf } from '../../support/deliveries.ts';

const HASH = 'f'.repeat(64);
const AT = '2026-11-21T09:00:00.123Z';

function map(call: object, options?: SegmentOptions): Mapped | Ignored {
  const text = JSON.stringify({ messageId: 'm-1', timestamp: AT, anonymousId: 'browser', ...call });
  const event: Event = { source: 'acme', id: 'm-1', body: text, bodyHash: HASH, receivedAtMs: NOW_MS, headers: {} };
  const said = sourceOf(segment(options)).map(event, parseJson(text));
  if (isIgnored(said)) return said;
  resolve(commerce, event, said);
  return said;
}

const facts = (call: object, options?: SegmentOptions): readonly Fact[] => {
  const said = map(call, options);
  return 'facts' in said ? said.facts : [];
};

it('verifies what Segment computes: the hex SHA-1 of the body as JSON.stringify writes it', () => {
  const data = { type: 'track', messageId: 'm', properties: { name: 'Ä' } };
  const digest = createHmac('sha1', 'a shared secret').update(JSON.stringify(data), 'utf8').digest('hex');
  const delivery = { ...segmentDelivery({ body: JSON.stringify(data) }), headers: { 'x-signature': digest } };
  expect(sourceOf(segment(), 'acme', 'a shared secret').verify(delivery)).toBe(secret('a shared secret').id);
});

it('does not verify a batch, of which Segment signs the first call only', () => {
  const call = JSON.stringify({ type: 'page', messageId: 'm' });
  const batch = { ...segmentDelivery({ body: call }), body: Buffer.from(`[${call},${call}]`) };
  expect(() => sourceOf(segment()).verify(batch)).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }));
});

describe('identity', () => {
  const identify = (body: string) => sourceOf(segment()).identify(segmentDelivery({ body }), parseJson(body), HASH).id;
  it('is messageId', () => expect(identify('{"messageId":"m-1"}')).toBe('m-1'));
  it.each(['{}', '[]', '{"messageId":""}', '{"messageId":1}', `{"messageId":"${'a'.repeat(513)}"}`])('is refused for %s', (body) =>
    expect(() => identify(body)).toThrow(expect.objectContaining({ code: 'NO_IDENTITY' })),
  );
});

describe('a page', () => {
  const properties = { title: 'Shoes', url: 'https://shop.example/shoes?utm_source=mail#top', referrer: '' };
  const view = { sessionId: 'browser', url: properties.url, timestamp: AT };
  it('is seen in a visit, at its own time; query and fragment are of the view', () => {
    expect(map({ type: 'page', properties, originalTimestamp: '2001-01-01T00:00:00Z', sentAt: '2001-01-01T00:00:01Z' })).toEqual({
      type: 'page',
      occurredAt: AT,
      facts: [
        { upsert: { node: 'Session', key: { id: 'browser' }, set: {} } },
        { upsert: { node: 'PageView', key: view, set: { title: 'Shoes', referrer: '' } } },
        { upsert: { node: 'Page', key: { url: 'https://shop.example/shoes' }, set: { title: 'Shoes' } } },
        { link: { relationship: 'VIEWED', from: { id: 'browser' }, to: view } },
        { link: { relationship: 'OF', from: view, to: { url: 'https://shop.example/shoes' } } },
      ],
    });
  });
  it('takes from the context what its properties do not say', () =>
    expect(facts({ type: 'page', context: { page: properties } })[1]).toMatchObject({ upsert: { key: view, set: { title: 'Shoes' } } }));
  it('without an address is a visit and no more', () => expect(facts({ type: 'page', properties: { title: 'x' } })).toHaveLength(1));
  it('says whose visit it was', () =>
    expect(facts({ type: 'page', properties, userId: 97 })[1]).toEqual({
      link: { relationship: 'HAS_SESSION', from: { id: '97' }, to: { id: 'browser' } },
    }));
});

describe('a visit', () => {
  it('is what the sender calls a session, and starts when it says so', () =>
    expect(facts({ type: 'track', event: 'Clicked', context: { sessionId: 1662363980287, sessionStart: true } })).toEqual([
      { upsert: { node: 'Session', key: { id: '1662363980287' }, set: { startedAt: AT } } },
    ]));
  it('of a server is the user’s', () =>
    expect(facts({ type: 'track', event: 'x', anonymousId: undefined, userId: 'u1' })).toEqual([
      { upsert: { node: 'Session', key: { id: 'user:u1' }, set: {} } },
      { link: { relationship: 'HAS_SESSION', from: { id: 'u1' }, to: { id: 'user:u1' } } },
    ]));
  it('of nobody fails', () =>
    expect(() => map({ type: 'page', anonymousId: null })).toThrow(
      expect.objectContaining({ code: 'MAPPING_FAILED', context: { path: 'anonymousId' } }),
    ));
  it('has no clock without timestamp, whatever the device says', () =>
    expect(() => map({ type: 'page', timestamp: undefined, originalTimestamp: AT })).toThrow(
      expect.objectContaining({ code: 'NO_CLOCK', context: { path: 'timestamp' } }),
    ));
});

describe('identify', () => {
  const traits = { email: 'Ada@Example.com', firstName: 'Ada', plan: 'pro', address: { country: 'PT' } };
  const customer = { id: 'u1' };
  it('tells of a customer, and that the browser is theirs', () =>
    expect(facts({ type: 'identify', userId: 'u1', traits })).toEqual([
      { upsert: { node: 'Session', key: { id: 'browser' }, set: {} } },
      { link: { relationship: 'HAS_SESSION', from: customer, to: { id: 'browser' } } },
      { upsert: { node: 'Customer', key: customer, set: { email: 'Ada@Example.com', firstName: 'Ada', country: 'PT' } } },
      { link: { relationship: 'HAS_EMAIL', from: customer, to: { address: 'Ada@Example.com' } } },
    ]));
  it('clears an address on null, and says nothing of one that is absent', () => {
    expect(facts({ type: 'identify', userId: 'u1', traits: { email: null } }).at(-1)).toEqual({
      clear: { relationship: 'HAS_EMAIL', owner: customer },
    });
    expect(JSON.stringify(facts({ type: 'identify', userId: 'u1', traits: {} }))).not.toContain('HAS_EMAIL');
  });
  it('of nobody in particular is a visit', () => expect(facts({ type: 'identify', traits })).toHaveLength(1));
  it('joins the customers of another source, of whom that source tells', () =>
    expect(facts({ type: 'identify', userId: 'u1', traits }, { customerSource: 'acme-shopify' })).toEqual([
      { upsert: { node: 'Session', key: { id: 'browser' }, set: {} } },
      { link: { relationship: 'HAS_SESSION', from: { id: 'u1', source: 'acme-shopify' }, to: { id: 'browser' } } },
    ]));
  it('cannot join a source that is no name', () =>
    expect(() => sourceOf(segment({ customerSource: 'Acme Shopify' }))).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' })));
});

it('names tracked events', () => expect(map({ type: 'track', event: 'Order Completed' }).type).toBe('track.Order Completed'));
it.each(['screen', 'group', 'alias', 'delete', 'constructor', '', undefined])('%j is ignored', (type) =>
  expect(isIgnored(map({ type }))).toBe(true),
);
