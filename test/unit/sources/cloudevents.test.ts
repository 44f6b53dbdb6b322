import { describe, expect, it } from 'vitest';

import type { Delivery, Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { cloudevents } from '../../../src/sources/cloudevents.ts';
import { cloudeventDelivery, NOW_MS, secret, SECRET_TEXT, sourceOf, standardDelivery, withHeader } from '../../support/deliveries.ts';

const HASH = 'f'.repeat(64);
const fact = { upsert: { node: 'Order', key: { id: '1' } } };
const event = (over: object = {}) =>
  JSON.stringify({ specversion: '1.0', id: 'e-1', source: '/shop', type: 'order.paid', time: '2026-11-21T09:00:00Z', ...over });
const failing = (code: string, path?: string) => expect.objectContaining(path === undefined ? { code } : { code, context: { path } });

describe('structured mode', () => {
  const source = sourceOf(cloudevents());
  const identify = (body: string) => source.identify(cloudeventDelivery({ body }), parseJson(body), HASH).id;
  const map = (body: string) => {
    const headers = { 'content-type': 'application/cloudevents+json' };
    const taken: Event = { source: 'acme', id: '/shop|e-1', body, bodyHash: HASH, headers, receivedAtMs: NOW_MS };
    return source.map(taken, parseJson(body));
  };

  it('is identified by source and id, whatever carried it', () => {
    expect(identify(event())).toBe('/shop|e-1');
    expect(identify(event({ source: 'https://a.example/x?y#z', id: 'a|b c é' }))).toBe('https://a.example/x?y#z|a|b c é');
  });
  it('tells two apart that only differ in where source ends and id begins', () =>
    expect(identify(event({ source: '/a', id: 'b' }))).not.toBe(identify(event({ source: '/', id: 'ab' }))));
  it.each([
    ['no id', { id: undefined }],
    ['an empty id', { id: '' }],
    ['an id that is a number', { id: 5 }],
    ['a control character', { id: 'a\u0000b' }],
    ['no source', { source: null }],
    ['a source that is no reference', { source: 'a b' }],
    ['a source with a bar', { source: 'a|b' }],
    ['too much of both', { id: 'a'.repeat(400), source: `/${'b'.repeat(200)}` }],
  ])('is refused with %s', (_what, over) => expect(() => identify(event(over))).toThrow(failing('NO_IDENTITY')));
  it.each([
    ['another version', { specversion: '0.3' }, 'specversion'],
    ['no version', { specversion: undefined }, 'specversion'],
    ['no type', { type: undefined }, 'type'],
  ])('is refused with %s', (_what, over, path) => expect(() => identify(event(over))).toThrow(failing('BAD_ENVELOPE', path)));
  it('is refused for what is no object', () => expect(() => identify('[]')).toThrow(failing('NO_IDENTITY')));

  it('maps data.facts by time', () =>
    expect(map(event({ data: { facts: [fact], mine: 1 } }))).toEqual({
      id: '/shop|e-1',
      type: 'order.paid',
      occurredAt: '2026-11-21T09:00:00Z',
      facts: [fact],
    }));
  it('prefers data.occurredAt', () =>
    expect(map(event({ data: { facts: [fact], occurredAt: '2026-11-20T09:00:00Z', sequence: 2 } }))).toMatchObject({
      occurredAt: '2026-11-20T09:00:00Z',
      sequence: 2,
    }));
  it.each([{ data: undefined }, { data: 'x' }, { data: {} }, { data_base64: 'e30=' }])('ignores %j under its type', (over) => {
    expect(map(event(over))).toEqual({ type: 'order.paid' });
  });
  it('has no clock without a time', () =>
    expect(() => map(event({ time: null, data: { facts: [fact] } }))).toThrow(failing('NO_CLOCK', 'time')));
  it('says where the facts are wrong', () =>
    expect(() => map(event({ data: { facts: [{ upsert: { node: 'Order' } }] } }))).toThrow(failing('BAD_ENVELOPE', 'facts[0].upsert.key')));

  it('is not found out from headers: those that say the same thing again have no meaning', () => {
    const forged = withHeader(withHeader(cloudeventDelivery({ body: event() }), 'ce-specversion', '1.0'), 'ce-id', 'forged');
    expect(source.identify(forged, parseJson(event()), HASH).id).toBe('/shop|e-1');
  });
  it.each([
    'application/cloudevents-batch+json',
    'application/cloudevents-batch+json; charset=utf-8',
    'application/cloudevents+avro',
    'application/cloudevents+jsonx',
    'application/json',
    'text/plain',
    '',
  ])('is the only media type: %j is 415, once the signature holds', (type) => {
    const delivery = withHeader(cloudeventDelivery({ body: event() }), 'content-type', type);
    expect(() => source.verify(delivery)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE', status: 415 }));
    expect(() => source.verify(withHeader(delivery, 'webhook-signature', 'v1,x'))).toThrow(failing('BAD_SIGNATURE'));
  });
  it('tells the sender of a batch where it belongs', () => {
    try {
      source.verify(withHeader(cloudeventDelivery({ body: '[]' }), 'content-type', 'application/cloudevents-batch+json'));
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ advice: expect.stringContaining('POST /events') });
    }
  });
});

describe('binary mode, where it is asked for', () => {
  const source = sourceOf(cloudevents({ binary: true }));
  const body = JSON.stringify({ facts: [fact] });
  const attributes = {
    'ce-specversion': '1.0',
    'ce-id': 'e-1',
    'ce-source': '/shop',
    'ce-type': 'order.paid',
    'ce-time': '2026-11-21T09:00:00Z',
    'content-type': 'application/json',
  };
  const delivery = (over: Readonly<Record<string, string>> = {}): Delivery => {
    const signed = standardDelivery({ body });
    return { ...signed, headers: { ...signed.headers, ...attributes, ...over } };
  };
  const identify = (over?: Readonly<Record<string, string>>) => source.identify(delivery(over), parseJson(body), HASH).id;

  it('takes attributes from headers and data from the body', () => {
    const { headers } = delivery();
    expect(source.verify(delivery())).toBe(secret().id);
    expect(identify()).toBe('/shop|e-1');
    expect(source.map({ source: 'acme', id: 'x', body, bodyHash: HASH, headers, receivedAtMs: NOW_MS }, parseJson(body))).toEqual({
      id: 'x',
      type: 'order.paid',
      occurredAt: '2026-11-21T09:00:00Z',
      facts: [fact],
    });
  });
  it('has the same identity as the same event in structured mode', () => {
    const structured = cloudeventDelivery({ body: event() });
    expect(source.verify(structured)).toBe(secret().id);
    expect(source.identify(structured, parseJson(event()), HASH).id).toBe(identify());
  });
  it('decodes what the binding encodes', () => {
    expect(identify({ 'ce-id': 'Euro%20%E2%82%AC%20%F0%9F%98%80' })).toBe('/shop|Euro € 😀');
    expect(identify({ 'ce-id': String.raw`"a \"b\" c"` })).toBe('/shop|a "b" c');
  });
  it.each(['%C0%A0', '100%', 'a, b', '"a", "b"', 'a b', '\u00e9', '%ED%A0%80'])('refuses the header %j', (id) =>
    expect(() => identify({ 'ce-id': id })).toThrow(failing('BAD_HEADER')),
  );
  it.each(['ce-id', 'ce-source', 'ce-specversion'])('is refused without %s', (name) =>
    expect(() => identify({ [name]: '' })).toThrow(failing(name === 'ce-specversion' ? 'BAD_ENVELOPE' : 'NO_IDENTITY')),
  );
  it('takes JSON of any kind, and still no batch', () => {
    expect(source.verify(delivery({ 'content-type': 'application/vnd.acme+json' }))).toBe(secret().id);
    for (const type of ['application/cloudevents-batch+json', 'application/xml'])
      expect(() => source.verify(delivery({ 'content-type': type }))).toThrow(failing('UNSUPPORTED_MEDIA_TYPE'));
  });
  it('is refused where it is not asked for', () =>
    expect(() => sourceOf(cloudevents()).verify(delivery())).toThrow(failing('UNSUPPORTED_MEDIA_TYPE')));
});

it('takes a bearer token, where that is declared', () => {
  const source = sourceOf(cloudevents({ auth: { token: {} } }));
  const plain = withHeader(cloudeventDelivery({ body: event() }), 'webhook-signature', undefined);
  expect(source.verify(withHeader(plain, 'authorization', `Bearer ${SECRET_TEXT}`))).toBe(secret().id);
  expect(() => source.verify(plain)).toThrow(failing('BAD_SIGNATURE'));
});

it('may be edited under its id, where that is said', () => {
  expect(sourceOf(cloudevents()).sameId).toBe('conflict');
  expect(sourceOf(cloudevents({ sameId: 'edit' })).sameId).toBe('edit');
});

it('keeps what an event needs to be mapped again', () => {
  const { keepHeaders } = sourceOf(cloudevents({ binary: true }));
  expect(keepHeaders).toEqual(expect.arrayContaining(['content-type', 'ce-specversion', 'ce-id', 'ce-source', 'ce-type', 'ce-time']));
});
