import { describe, expect, it } from 'vitest';

import type { Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { facts } from '../../../src/sources/facts.ts';
import { standard } from '../../../src/sources/standard.ts';
import { isIgnored } from '../../../src/sources/source.ts';
import {
  envelope,
  NOW_MS,
  OTHER_PUBLIC_KEY_TEXT,
  privateDelivery,
  PUBLIC_KEY_TEXT,
  secret,
  SECRET_TEXT,
  sourceOf,
  standardDelivery,
  withHeader,
} from '../../support/deliveries.ts';

const HASH = 'f'.repeat(64);
const event = (body: string): Event => ({ source: 'acme', id: 'msg_1', body, bodyHash: HASH, headers: {}, receivedAtMs: NOW_MS });

describe('standard', () => {
  const source = sourceOf(standard());
  const map = (body: unknown) => source.map(event(JSON.stringify(body)), parseJson(JSON.stringify(body)));
  const fact = { upsert: { node: 'Order', key: { id: '1' } } };

  it('is identified by webhook-id', () =>
    expect(source.identify(standardDelivery({ body: '{}', id: 'msg_7' }), null, HASH).id).toBe('msg_7'));
  it('requires it', () => {
    const nameless = withHeader(standardDelivery({ body: '{}' }), 'webhook-id', undefined);
    expect(() => source.verify(nameless)).toThrow(expect.objectContaining({ code: 'NO_IDENTITY' }));
  });
  it.each(['a b', 'a, a', '\u00e9', 'a'.repeat(513)])('refuses the id %j', (id) => {
    expect(() => source.verify(withHeader(standardDelivery({ body: '{}' }), 'webhook-id', id))).toThrow(
      expect.objectContaining({ code: 'BAD_HEADER' }),
    );
  });
  it('maps data.facts by the body timestamp', () => {
    expect(map({ type: 'order.paid', timestamp: '2026-11-21T09:00:00Z', data: { facts: [fact], order: {} } })).toEqual({
      id: 'msg_1',
      type: 'order.paid',
      occurredAt: '2026-11-21T09:00:00Z',
      facts: [fact],
    });
  });
  it('prefers data.occurredAt, and takes sequence, occurrence and subject beside the facts', () => {
    const data = {
      facts: [fact],
      occurredAt: '2026-11-20T09:00:00Z',
      sequence: 3,
      occurrenceId: 'o',
      subject: { node: 'Order', key: { id: '1' } },
    };
    expect(map({ type: 't', timestamp: '2026-11-21T09:00:00Z', data })).toMatchObject({
      occurredAt: '2026-11-20T09:00:00Z',
      sequence: 3,
      occurrenceId: 'o',
    });
  });
  it.each([{}, [], 'x', null, { type: 't' }, { type: 't', data: [] }, { data: { x: 1 } }])('ignores %j', (body) =>
    expect(isIgnored(map(body))).toBe(true),
  );
  it('has no clock without a time', () =>
    expect(() => map({ type: 't', data: { facts: [fact] } })).toThrow(expect.objectContaining({ code: 'NO_CLOCK' })));
  it('says where the facts are wrong', () => {
    expect(() => map({ type: 't', timestamp: '2026-11-21T09:00:00Z', data: { facts: [{ upsert: { node: 'Order' } }] } })).toThrow(
      expect.objectContaining({ code: 'BAD_ENVELOPE', context: { path: 'facts[0].upsert.key' } }),
    );
  });
});

describe('facts', () => {
  const source = sourceOf(facts());
  const identify = (body: string) => source.identify(standardDelivery({ body, id: 'delivery_1' }), parseJson(body), HASH);

  it("is identified by the body's id, not by the delivery's", () => expect(identify(envelope()).id).toBe('evt_1'));
  it.each([
    ['no id', envelope({ id: undefined }), 'id'],
    ['an empty id', envelope({ id: '' }), 'id'],
    ['an unknown label', envelope({ facts: [{ upsert: { node: 'Ordr', key: { id: '1' } } }] }), 'facts[0].upsert'],
    [
      'an unknown property',
      envelope({ facts: [{ upsert: { node: 'Order', key: { id: '1' }, set: { totl: 1 } } }] }),
      'facts[0].upsert.set.totl',
    ],
    [
      'text for an integer',
      envelope({ facts: [{ upsert: { node: 'Order', key: { id: '1' }, set: { totalMinor: '1' } } }] }),
      'facts[0].upsert.set.totalMinor',
    ],
    ['a key too long', envelope({ facts: [{ upsert: { node: 'Order', key: { id: 'x'.repeat(9_000) } } }] }), 'facts[0].upsert'],
    ['a source of its own', envelope({ source: 'acme' }), 'source'],
    ['an unknown field', envelope({ extra: 1 }), 'extra'],
  ])('is refused at the door with %s', (_what, body, path) => {
    try {
      identify(body);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ status: 400 });
      expect((error as { context: { path: string } }).context.path).toContain(path);
    }
  });
  it('maps to the envelope itself', () =>
    expect(source.map(event(envelope()), parseJson(envelope()))).toMatchObject({ id: 'evt_1', type: 'order.paid' }));
});

describe('shared secrets and public keys side by side', () => {
  const source = sourceOf(standard(), 'acme', SECRET_TEXT, PUBLIC_KEY_TEXT);
  const v1 = standardDelivery({ body: '{}' });
  const v1a = privateDelivery({ body: '{}' });
  const signedBy = (...entries: readonly (string | undefined)[]) => withHeader(v1, 'webhook-signature', entries.join(' '));
  const [shared, asymmetric] = [v1.headers['webhook-signature'], v1a.headers['webhook-signature']];
  const refused = expect.objectContaining({ code: 'BAD_SIGNATURE' });

  it('each verify what is theirs', () => {
    expect(source.verify(v1)).toBe(secret(SECRET_TEXT).id);
    expect(source.verify(v1a)).toBe(secret(PUBLIC_KEY_TEXT).id);
  });
  it('one that matches is enough, beside any that do not', () => {
    const other = privateDelivery({ body: '{}', secretText: OTHER_PUBLIC_KEY_TEXT }).headers['webhook-signature'];
    expect(source.verify(signedBy('v2,x', other, shared))).toBe(secret(SECRET_TEXT).id);
    expect(source.verify(signedBy(shared?.replace(/.{5}$/, 'AAAA='), 'v1a,x', asymmetric))).toBe(secret(PUBLIC_KEY_TEXT).id);
  });
  it('never stand in for one another', () => {
    expect(() => source.verify(signedBy(shared?.replace('v1,', 'v1a,')))).toThrow(refused);
    expect(() => source.verify(signedBy(asymmetric?.replace('v1a,', 'v1,')))).toThrow(refused);
    expect(() => sourceOf(standard(), 'acme', SECRET_TEXT).verify(v1a)).toThrow(refused);
    expect(() => sourceOf(standard(), 'acme', PUBLIC_KEY_TEXT).verify(v1)).toThrow(refused);
  });
  it('a key that the request brings is not looked at', () => {
    const stranger = privateDelivery({ body: '{}', secretText: OTHER_PUBLIC_KEY_TEXT });
    expect(() => source.verify(withHeader(stranger, 'webhook-public-key', OTHER_PUBLIC_KEY_TEXT))).toThrow(refused);
  });
});
