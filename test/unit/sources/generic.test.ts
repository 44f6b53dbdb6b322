import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import type { Delivery, Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { genericFile } from '../../../src/load-config.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { defineModel } from '../../../src/model/model.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { boolean, float, ranked, text } from '../../../src/model/values.ts';
import { receive } from '../../../src/receive.ts';
import { generic, type GenericOptions } from '../../../src/sources/generic.ts';
import { isIgnored } from '../../../src/sources/source.ts';
import { hmacDelivery, NO_DOCUMENTS, NOW_MS, secret, SECRET_TEXT, sourceOf, withHeader } from '../../support/deliveries.ts';

const HASH = 'f'.repeat(64);
const AT = '2026-11-21T09:00:00Z';
type Facts = GenericOptions['events'][number]['facts'];

const description = (over: Partial<GenericOptions> = {}): GenericOptions => ({
  auth: { hmac: { header: 'x-signature' } },
  identity: { body: 'id' },
  type: 'type',
  time: 'at',
  events: [],
  ...over,
});
const withFacts = (...facts: Facts) => description({ events: [{ facts }] });
const upsert = (id = 'id'): Facts[number] => ({ upsert: { node: 'Order', key: { id } } });

function map(options: GenericOptions, body: string | object, headers: Readonly<Record<string, string>> = {}) {
  const bytes = typeof body === 'string' ? body : JSON.stringify({ id: 'e-1', type: 't', at: AT, ...body });
  const event: Event = { source: 'acme', id: 'e-1', body: bytes, bodyHash: HASH, receivedAtMs: NOW_MS, headers };
  const said = sourceOf(generic(options)).map(event, parseJson(bytes));
  if (!isIgnored(said)) resolve(commerce, event, said);
  return said;
}
/** A body whose numbers are written as they are. */
const bodyOf = (fields: string) => `{"id":"e-1","type":"t","at":"${AT}",${fields}}`;
const facts = (body: object | string, ...rows: Facts) => {
  const said = map(withFacts(...rows), body);
  return 'facts' in said ? said.facts : [];
};
const problem = (options: unknown): string => {
  try {
    sourceOf(generic(options as GenericOptions));
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_CONFIG' });
    return (error as Error).message;
  }
  return 'accepted';
};

describe('identity', () => {
  const identify = (identity: GenericOptions['identity'], body = '{}', headers: Readonly<Record<string, string>> = {}) => {
    const delivery: Delivery = { ...hmacDelivery({ body }, 'x-signature'), headers };
    return sourceOf(generic(description({ identity }))).identify(delivery, parseJson(body), HASH).id;
  };

  it('is a header', () => expect(identify({ header: 'X-Radar-Event-Id' }, '{}', { 'x-radar-event-id': 'e-1' })).toBe('e-1'));
  it('is a path in the body, digit by digit', () => {
    expect(identify({ body: 'event.id' }, '{"event":{"id":"e/1"}}')).toBe('e/1');
    expect(identify({ body: 'id' }, '{"id":9007199254740993}')).toBe('9007199254740993');
  });
  it('is fields that only together are unique, and cannot be mistaken for others', () => {
    expect(identify({ fields: ['object_id', 'action'] }, '{"object_id":7,"action":"paid"}')).toBe('7/paid');
    expect(identify({ fields: ['a', 'b'] }, '{"a":"x/y","b":"z"}')).not.toBe(identify({ fields: ['a', 'b'] }, '{"a":"x","b":"y/z"}'));
  });
  it('is the hash of the body, after fields of choice', () => {
    expect(identify({ hash: [] })).toBe(HASH);
    expect(identify({ hash: ['type'] }, '{"type":"order paid"}')).toBe(`order%20paid/${HASH}`);
  });
  it('is a hash of the sender with its time to the minute', () => {
    const id = (at: string) => identify({ fields: ['content_hash', 'floor(at / `60`)'] }, `{"content_hash":"ab","at":${at}}`);
    expect(id('1795251600')).toBe('ab/29920860');
    expect(id('1795251659.9')).toBe(id('1795251600'));
    expect(id('1795251660')).not.toBe(id('1795251600'));
  });
  it('of a header asks nothing of the body; what is signed and no JSON is refused all the same', async () => {
    const source = sourceOf(generic(description({ identity: { header: 'x-id' } })));
    const sign = (body: string) => withHeader(hmacDelivery({ body }, 'x-signature'), 'x-id', 'e-1');
    const stored: Event[] = [];
    const inbox = { add: (event: Event) => Promise.resolve<'accepted'>((stored.push(event), 'accepted')) };
    const take = (body: string) => receive(sign(body), { sources: new Map([['acme', source]]), inbox, documents: NO_DOCUMENTS });
    for (const body of ['7', '[]', '{"id":"other"}']) expect((await take(body)).key).toBe('acme:e-1');
    for (const body of ['', 'id=1', '{"id":1']) await expect(take(body)).rejects.toMatchObject({ code: 'BAD_JSON', status: 400 });
    expect(stored).toHaveLength(3);
  });
  it.each<GenericOptions['identity']>([{ hash: [] }, { fields: ['id'] }, { body: 'id' }])(
    '%j tells one body under two types apart',
    (identity) => {
      const source = sourceOf(generic(description({ identity, type: { header: 'X-Event' } })));
      const id = (headers: Readonly<Record<string, string>>) =>
        source.identify({ ...hmacDelivery({ body: '' }, 'x-signature'), headers }, parseJson('{"id":7}'), HASH).id;
      const rest = 'hash' in identity ? HASH : '7';
      expect(id({ 'x-event': 'customer/deleted' })).toBe(`customer%2Fdeleted/${rest}`);
      expect(id({ 'x-event': 'order.deleted' })).toBe(`order.deleted/${rest}`);
      expect(id({})).toBe(`unknown/${rest}`);
    },
  );
  it('is a header of the sender as it stands, whatever the type', () => {
    const source = sourceOf(generic(description({ identity: { header: 'x-id' }, type: { header: 'x-event' } })));
    const headers = { 'x-id': 'e-1', 'x-event': 'paid' };
    expect(source.identify({ ...hmacDelivery({ body: '' }, 'x-signature'), headers }, {}, HASH).id).toBe('e-1');
  });
  it.each<[string, GenericOptions['identity'], string]>([
    ['a missing header', { header: 'x-id' }, '{}'],
    ['an absent field', { body: 'id' }, '{}'],
    ['an empty one', { body: 'id' }, '{"id":""}'],
    ['null', { body: 'id' }, '{"id":null}'],
    ['an object', { body: 'id' }, '{"id":{"a":1}}'],
    ['a decimal', { body: 'id' }, '{"id":1.5}'],
    ['one of two', { fields: ['a', 'b'] }, '{"a":1}'],
    ['a field before the hash', { hash: ['a'] }, '{}'],
    ['too long a one', { body: 'id' }, JSON.stringify({ id: 'x'.repeat(513) })],
    ['too long a list', { fields: ['a', 'a'] }, JSON.stringify({ a: 'x'.repeat(300) })],
    ['a body that is no object', { body: 'id' }, '[1]'],
    ['what cannot be evaluated', { body: 'length(id)' }, '{"id":1}'],
  ])('is refused for %s', (_what, identity, body) =>
    expect(() => identify(identity, body)).toThrow(expect.objectContaining({ code: 'NO_IDENTITY' })),
  );
  it.each(['a, b', 'a b', '\u00e9', 'a'.repeat(513)])('is refused for the header %j', (value) =>
    expect(() => identify({ header: 'x-id' }, '{}', { 'x-id': value })).toThrow(expect.objectContaining({ code: 'BAD_HEADER' })),
  );
});

describe('a description that is wrong does not start, and says where', () => {
  it.each<[string, unknown, RegExp]>([
    ['an expression', description({ time: 'at.(' }), /^acme\.time: at\.\( is no JMESPath expression/],
    ['an expression of a fact', withFacts(upsert('a[')), /^acme\.events\[0\]\.facts\[0\]\.upsert\.key\.id: a\[ is no/],
    ['a condition', description({ events: [{ when: '==', facts: [upsert()] }] }), /^acme\.events\[0\]\.when: == is no/],
    ['a function that is none', description({ type: 'concat(a, b)' }), /^acme\.type: concat\(a, b\) calls concat\(\)/],
    ['a function within', description({ identity: { fields: ['a', 'join(`","`, b[].nope(@))'] } }), /nope\(\), which does not exist/],
    ['a function that every object has', description({ type: 'toString(a)' }), /toString\(\), which does not exist/],
    ['too few arguments', description({ time: 'money(at)' }), /^acme\.time: money\(at\) calls money\(\) with 1 arguments, and it takes 2/],
    ['too many, within', description({ time: "join('', [type(a, b)])" }), /calls type\(\) with 2 arguments, and it takes 1/],
    ['none of many', description({ time: 'not_null()' }), /calls not_null\(\) with 0 arguments, and it takes 1 or more/],
    ['a literal that is rounded', description({ events: [{ when: 'n == `9007199254740993`', facts: [upsert()] }] }), /beyond 2\^53/],
    ['a label', withFacts({ upsert: { node: 'Ordr', key: { id: 'id' } } }), /facts\[0\]: .*no label "Ordr"/],
    ['a property', withFacts({ upsert: { node: 'Order', key: { id: 'id' }, set: { totl: 'a' } } }), /set\.totl: no such property/],
    ['a key part', withFacts({ upsert: { node: 'Order', key: { id: 'id', n: 'n' } } }), /key\.n: no such key part/],
    ['a key part that is missing', withFacts({ upsert: { node: 'Page', key: {} } }), /key .*at least one part/],
    ['a relationship', withFacts({ link: { relationship: 'BOUGHT', from: { id: 'a' }, to: { id: 'b' } } }), /no relationship "BOUGHT"/],
    ['an end', withFacts({ link: { relationship: 'PAYS', from: { id: 'a' } } }), /link\.to is required/],
    ['a key of an edge', withFacts({ link: { relationship: 'CONTAINS', from: { id: 'a' }, to: { id: 'b' } } }), /key\.line: .*required/],
    ['what cannot be removed', withFacts({ remove: { node: 'Product', key: { id: 'a' } } }), /not removable/],
    [
      'what has no set',
      withFacts({ replace: { relationship: 'PAYS', from: { id: 'a' }, links: { each: 'x', to: { id: 'b' } } } }),
      /replace/,
    ],
    ['two facts in one', withFacts({ ...upsert(), remove: { node: 'Order', key: { id: 'id' } } }), /exactly one/],
    ['no fact', withFacts({ when: 'a' }), /exactly one/],
    ['a field of another fact', withFacts({ remove: { node: 'Order', key: { id: 'id' }, set: { status: 'a' } } }), /set is no field/],
    ['an unknown field', { ...description(), tpye: 'x' }, /^acme: .*tpye/],
    ['nothing that proves', { ...description(), auth: {} }, /^acme\.auth: must be standard, or one of hmac, token and basic/],
    ['no identity', { ...description(), identity: {} }, /^acme\.identity: must be one of header, body, fields and hash/],
    ['an identity of no fields', { ...description(), identity: { fields: [] } }, /^acme\.identity\.fields: must name at least one/],
    ['a name that is a secret', description({ identity: { header: 'Authorization' } }), /Authorization can name nothing/],
    ['a name that is a key', description({ identity: { header: 'X-Api-Key' } }), /X-Api-Key can name nothing/],
    ['a type that is a password', description({ type: { header: 'x-password' } }), /x-password can name nothing/],
    [
      'a name that is the proof',
      description({ auth: { hmac: { header: 'X-Proof' } }, identity: { header: 'x-proof' } }),
      /x-proof can name nothing, since it is never kept/,
    ],
    [
      'a type that is the token',
      description({ auth: { token: { header: 'x-pass' } }, type: { header: 'X-Pass' } }),
      /X-Pass can name nothing/,
    ],
    ['edits without what orders them', description({ sameId: 'edit' }), /^acme\.sameId: .*observedAt/],
    ['nothing at all', null, /^acme: /],
  ])('%s', (_what, options, message) => expect(problem(options)).toMatch(message));

  it('but properties of every type are known', () => {
    const model = defineModel({
      nodes: { Thing: { key: { id: text }, properties: { on: boolean, size: float, grade: ranked(['low', 'high']) } } },
      relationships: {},
    });
    const options = withFacts({ upsert: { node: 'Thing', key: { id: 'id' }, set: { on: 'a', size: 'b', grade: 'c' } } });
    expect(() => generic(options)({ name: 'acme', model, secrets: [secret(SECRET_TEXT)] })).not.toThrow();
  });
});

describe('facts', () => {
  it('take what expressions give: long integers, exact money, times, literals', () => {
    const body = '{"id":"e-1","at":"2026-11-21T09:00:00Z","o":{"n":9007199254740993,"sum":42.10,"cur":"EUR","s":1700000000.5}}';
    const set = {
      status: "'paid'",
      totalMinor: 'money(o.sum, o.cur)',
      currency: 'o.cur',
      createdAt: 'unix_seconds(o.s)',
      name: 'text(o.n)',
    };
    expect(map(withFacts({ upsert: { node: 'Order', key: { id: 'o.n' }, set } }), body)).toMatchObject({
      type: 'unknown',
      occurredAt: AT,
      facts: [
        {
          upsert: {
            key: { id: '9007199254740993' },
            set: { status: 'paid', totalMinor: 4210n, createdAt: '2023-11-14T22:13:20.5Z', name: '9007199254740993' },
          },
        },
      ],
    });
  });
  it('read clocks in milliseconds', () =>
    expect(facts({ ms: 1700000000123 }, { upsert: { node: 'Order', key: { id: 'id' }, at: 'unix_ms(ms)' } })).toMatchObject([
      { upsert: { at: '2023-11-14T22:13:20.123Z' } },
    ]));
  it('are not told of what is not there, unless that is to clear it', () => {
    const set = { name: 'a', status: 'b', currency: { value: 'c', absent: 'clear' as const }, totalMinor: 'money(d, e)' };
    expect(facts({ b: '' }, { upsert: { node: 'Order', key: { id: 'id' }, set } })).toEqual([
      { upsert: { node: 'Order', key: { id: 'e-1' }, set: { status: '', currency: null } } },
    ]);
  });
  it('are said where their condition holds', () => {
    const row = { when: 'yes', ...upsert() };
    for (const yes of [true, 0, 'x', { a: 1 }, [0]]) expect(facts({ yes }, row)).toHaveLength(1);
    for (const yes of [false, null, '', {}, [], undefined]) expect(facts({ yes }, row)).toHaveLength(0);
  });
  it('are said of each item, which sees the whole body too', () => {
    const row = { each: 'paid', when: 'item.ok', link: { relationship: 'PAYS', from: { id: 'item.id' }, to: { id: 'body.id' } } };
    const paid = [
      { id: 1, ok: true },
      { id: 2, ok: false },
      { id: 3, ok: true },
    ];
    expect(facts({ paid }, row)).toEqual([
      { link: { relationship: 'PAYS', from: { id: '1' }, to: { id: 'e-1' } } },
      { link: { relationship: 'PAYS', from: { id: '3' }, to: { id: 'e-1' } } },
    ]);
    expect(facts({}, row)).toEqual([]);
  });
  it('replace a whole list, an empty one too, and say nothing of one that is absent', () => {
    const links = { each: 'lines', to: { id: 'item.p' }, key: { line: 'item.n' }, set: { quantity: 'item.q' } };
    const row: Facts[number] = { replace: { relationship: 'CONTAINS', from: { id: 'id' }, links } };
    expect(facts({ lines: [{ p: 'p1', n: 1, q: 2 }] }, row)).toEqual([
      {
        replace: {
          relationship: 'CONTAINS',
          from: { id: 'e-1' },
          links: [{ to: { id: 'p1' }, key: { line: '1' }, set: { quantity: 2 } }],
        },
      },
    ]);
    expect(facts({ lines: [] }, row)).toMatchObject([{ replace: { links: [] } }]);
    expect(facts({}, row)).toEqual([]);
  });
  it.each(['42', '42.0', '42.50', '4e1', '9007199254740993'])('are said where a number of the body, %s, is compared', (total) => {
    const heard = (when: string) => facts(bodyOf(`"total":${total}`), { when, ...upsert() }).length;
    for (const when of ['total > `0`', 'total >= `40`', '`1.5` < total', 'total != `7`', 'total == total', "type(total) == 'number'"])
      expect(`${when}: ${heard(when)}`).toBe(`${when}: 1`);
    for (const when of ['total < `0`', 'total <= `39`', 'total == `7`', 'total > nope', "total > '1'"])
      expect(`${when}: ${heard(when)}`).toBe(`${when}: 0`);
  });
  it('are said of every item that a filter holds for, decimals too', () => {
    const each = 'lines[?price > `0` && price < `10`]';
    const lines = '"lines":[{"n":1,"price":5},{"n":2,"price":5.50},{"n":3,"price":12.95},{"n":4,"price":0.00}]';
    const row: Facts[number] = { each, upsert: { node: 'Order', key: { id: 'item.n' } } };
    expect(facts(bodyOf(lines), row)).toHaveLength(2);
  });
  it.each([
    ['to_string(d)', '1.50'],
    ['to_string(@.o)', '{"a":[1.50,9007199254740993,null,"\\""]}'],
    ['to_string(big)', '9007199254740993'],
    ["text(to_number('9007199254740993'))", '9007199254740993'],
    ["to_string(to_number('12 '))", 'null'],
    ['text(d)', '1.50'],
    ['text(d * `2`)', '3'],
    ['text(-d)', '-1.5'],
    ['text(sum([d, `1`]))', '2.5'],
    ['text(floor(d))', '1'],
    ['to_string(contains([d], `1.5`))', 'true'],
    ['to_string(sort([`10`, `9`, d, big]))', '[1.50,9,10,9007199254740993]'],
    ['text(max([big, big1, d]))', '9007199254740994'],
    ['text(min([big, d]))', '1.50'],
    ["to_string(sort(['b', 'a']))", '["a","b"]'],
    ['to_string(max(`[]`))', 'null'],
    ['to_string(max_by(l, &p).n)', '2'],
    ['to_string(min_by(l, &p).n)', '1'],
    ['to_string(sort_by(l, &p)[].n)', '[1,4,3,2]'],
    ['to_string(big == big1)', 'false'],
    ['to_string(l[0].p == l[3].p)', 'true'],
  ])('have of %s the text %s', (expression, said) => {
    const body = '"d":1.50,"big":9007199254740993,"big1":9007199254740994,"o":{"a":[1.50,9007199254740993,null,"\\""]},';
    const l = '"l":[{"n":1,"p":0.5},{"n":2,"p":9.5},{"n":3,"p":2},{"n":4,"p":0.50}]';
    expect(facts(bodyOf(`${body}${l}`), { upsert: { node: 'Order', key: { id: 'id' }, set: { name: expression } } })).toMatchObject([
      { upsert: { set: { name: said } } },
    ]);
  });
  it.each(['big + `1`', 'sum([big, `1`])', 'text(`9007199254740991` + `2`)', "sort([d, 'a'])", 'max([d, null])'])(
    'are none where %s would be wrong',
    (name) =>
      expect(() =>
        facts(bodyOf('"d":1.5,"big":9007199254740993'), { upsert: { node: 'Order', key: { id: 'id' }, set: { name } } }),
      ).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED' })),
  );
  it('unlink, clear and remove', () =>
    expect(
      facts(
        {},
        { unlink: { relationship: 'PAYS', from: { id: 'id' }, to: { id: "'o'" } } },
        { clear: { relationship: 'HAS_EMAIL', owner: { id: 'id' } } },
        { remove: { node: 'Customer', key: { id: 'id', source: "'other'" } } },
      ),
    ).toEqual([
      { unlink: { relationship: 'PAYS', from: { id: 'e-1' }, to: { id: 'o' } } },
      { clear: { relationship: 'HAS_EMAIL', owner: { id: 'e-1' } } },
      { remove: { node: 'Customer', key: { id: 'e-1', source: 'other' } } },
    ]));

  it.each<[string, Facts[number], object, string, string]>([
    ['a key that is not there', upsert('nope'), {}, 'MAPPING_FAILED', 'acme.events[0].facts[0].upsert.key.id'],
    ['a key that is a list', upsert('l'), { l: [] }, 'MAPPING_FAILED', 'acme.events[0].facts[0].upsert.key.id'],
    ['no list where one is said', { each: 'l', ...upsert() }, { l: 5 }, 'MAPPING_FAILED', 'acme.events[0].facts[0].each'],
    [
      'a function of the wrong thing',
      { when: 'length(id) && keys(id)', ...upsert() },
      {},
      'MAPPING_FAILED',
      'acme.events[0].facts[0].when',
    ],
    [
      'money too fine',
      { upsert: { node: 'Order', key: { id: 'id' }, set: { totalMinor: "money('1.001', 'EUR')" } } },
      {},
      'BAD_VALUE',
      'acme.events[0].facts[0].upsert.set.totalMinor',
    ],
    [
      'money of a list',
      { upsert: { node: 'Order', key: { id: 'id' }, set: { totalMinor: "money(l, 'EUR')" } } },
      { l: [] },
      'MAPPING_FAILED',
      'acme.events[0].facts[0].upsert.set.totalMinor',
    ],
  ])('fail with the place in the description for %s', (_what, row, body, code, path) =>
    expect(() => facts(body, row)).toThrow(expect.objectContaining({ code, context: { path } })),
  );
});

describe('events', () => {
  const options = description({
    type: { header: 'X-Event' },
    observedAt: 'seen',
    sequence: 'n',
    occurrenceId: 'occ',
    version: 4,
    events: [
      { type: 'a', facts: [upsert("'1'")] },
      { type: ['a', 'b'], when: 'yes', facts: [upsert("'2'")] },
    ],
  });
  const ids = (type: string, body: object) => {
    const said = map(options, body, { 'x-event': type });
    return 'facts' in said ? said.facts.map((fact) => ('upsert' in fact ? fact.upsert.key['id'] : undefined)) : [];
  };

  it('are heard by every row whose type and condition hold', () => {
    expect(ids('a', { yes: true })).toEqual(['1', '2']);
    expect(ids('a', {})).toEqual(['1']);
    expect(ids('b', { yes: true })).toEqual(['2']);
  });
  it('that no row hears are ignored under their type, without a time', () =>
    expect(map(options, { at: undefined }, { 'x-event': 'c' })).toEqual({ type: 'c' }));
  it('have a clock of their own and what orders them', () =>
    expect(map(options, { seen: '2026-11-21T09:00:01Z', n: 3, occ: 17 }, { 'x-event': 'a' })).toMatchObject({
      occurredAt: AT,
      observedAt: '2026-11-21T09:00:01Z',
      sequence: 3,
      occurrenceId: '17',
    }));
  it('have no clock without a time', () =>
    expect(() => map(options, { at: null }, { 'x-event': 'a' })).toThrow(expect.objectContaining({ code: 'NO_CLOCK' })));
  it('are of a version that says when the description changed', () => expect(sourceOf(generic(options)).version).toBe('generic@4'));
  it('may be edited under their id, where that is said', () => {
    expect(sourceOf(generic(options)).sameId).toBe('conflict');
    expect(sourceOf(generic({ ...options, sameId: 'edit' })).sameId).toBe('edit');
  });
  it('keep the headers that mean something, each once', () => {
    const source = sourceOf(generic(options));
    expect(source.keepHeaders).toEqual(['x-event', 'content-type', 'user-agent']);
    const twice = withHeader(hmacDelivery({ body: '{"id":1}' }, 'x-signature'), 'x-event', 'a, b');
    expect(() => source.identify(twice, parseJson('{"id":1}'), HASH)).toThrow(expect.objectContaining({ code: 'BAD_HEADER' }));
  });
});

describe('a description in a file', () => {
  const load = (yaml: string) => {
    const folder = mkdtempSync(join(tmpdir(), 'eventgraft-generic-'));
    try {
      writeFileSync(join(folder, 'x.yaml'), yaml);
      return sourceOf(genericFile(join(folder, 'x.yaml')));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  const yaml = 'auth: { token: {} }\nidentity: { body: id }\ntype: type\ntime: at\nevents: []\n';

  it('is the same description', () => expect(load(yaml).version).toBe('generic@1'));
  it.each([
    ['is no YAML', 'auth: [', /x\.yaml cannot be read/],
    ['has a key twice', `${yaml}type: other\n`, /x\.yaml cannot be read: .*unique/],
    ['is wrong', `${yaml}extra: 1\n`, /^acme: .*extra/],
    ['is empty', '', /^acme: /],
  ])('does not start where it %s', (_what, text, message) =>
    expect(() => load(text)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG', message: expect.stringMatching(message) })),
  );
  it('does not start where it is not there', () =>
    expect(() => genericFile('/nowhere/x.yaml')).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' })));
});

it('a body cannot reach what is behind objects', () => {
  for (const path of ['constructor', '__proto__', 'a.constructor.name', 'toString', 'a.__proto__'])
    expect(facts({ a: {} }, { when: path, ...upsert() })).toEqual([]);
});
