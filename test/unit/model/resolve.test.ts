import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { REMOVE_RANK } from '../../../src/model/clock.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Fact, Mapped, MappedOf } from '../../../src/model/facts.ts';
import { defineModel, type Model } from '../../../src/model/model.ts';
import { joinValues, MAX_ID_LENGTH, resolve, type AtomicFact, type Resolved } from '../../../src/model/resolve.ts';
import { first, integer, max, min, ranked, text, time, union } from '../../../src/model/values.ts';

const AT = '1970-01-01T00:00:05Z';
const LATER = '1970-01-01T00:00:07Z';
const event = { source: 'shop', id: 'e1', bodyHash: 'h' };

const accumulating = defineModel({
  nodes: {
    N: {
      key: { id: text },
      properties: {
        last: text,
        first: first(text),
        min: min(integer),
        max: max(time),
        union: union(text),
        ranked: ranked(['low', 'mid', 'high']),
      },
    },
  },
  relationships: {},
});

function say(facts: MappedOf<typeof commerce>['facts'], rest: Partial<Mapped> = {}): Resolved {
  return resolve(commerce, event, { type: 't', occurredAt: AT, facts, ...rest });
}

/** As an envelope may have it: checked for shape alone, not against the model. */
function sayAnything(facts: readonly unknown[], rest: Partial<Mapped> = {}, model: Model = commerce): Resolved {
  return resolve(model, event, { type: 't', occurredAt: AT, facts: facts as readonly Fact[], ...rest });
}

const accumulate = (...sets: readonly Record<string, unknown>[]): AtomicFact[] => [
  ...sayAnything(
    sets.map((set) => ({ upsert: { node: 'N', key: { id: '1' }, set } })),
    {},
    accumulating,
  ).facts,
];

/** One line a fact: what the fold will see. */
function lines(resolved: Resolved): string[] {
  return resolved.facts.map((fact) => {
    const set = 'set' in fact && fact.set.size > 0 ? ` ${[...fact.set].map(([name, value]) => `${name}=${String(value)}`).join(' ')}` : '';
    const what = 'node' in fact ? fact.node.id : 'edge' in fact ? fact.edge.id : `${fact.shape.type} of ${fact.owner.id}`;
    return `${fact.kind}${fact.kind === 'link' && fact.takesSlot ? '!' : ''} ${what}${set} @${fact.clock.time / 1_000_000_000n}`;
  });
}

const customer = (id: string) => ({ upsert: { node: 'Customer' as const, key: { id } } });
const order = (status: string | null, more: object = {}) => ({
  upsert: { node: 'Order' as const, key: { id: '1' }, set: { status }, ...more },
});
const placed = (from: string, more: object = {}) => ({
  link: { relationship: 'PLACED' as const, from: { id: from }, to: { id: '1' }, ...more },
});
const noCustomer = { clear: { relationship: 'PLACED' as const, owner: { id: '1' } } };
const line = (id: string, set: { quantity?: number; sku?: string | null } = {}) => ({ to: { id: `p${id}` }, key: { line: id }, set });

describe('what a fact becomes', () => {
  test('the key part source is the event’s unless given', () => {
    expect(lines(say([customer('c'), { upsert: { node: 'Customer', key: { source: 'other', id: 'c' } } }]))).toEqual([
      'upsert Customer/shop/c @5',
      'upsert Customer/other/c @5',
    ]);
  });

  test('the clock is the fact’s own time, sequence, rank, event and body', () => {
    const [fact] = say([order('paid', { at: LATER })], { sequence: 3 }).facts;
    expect(fact?.clock).toEqual({ time: 7_000_000_000n, sequence: 3n, rank: 2, key: 'shop:e1', bodyHash: 'h' });
  });

  test('without a declared status the rank is 0, and a removal outranks every status', () => {
    expect(say([order('odd')]).facts[0]?.clock.rank).toBe(0);
    expect(say([order(null)]).facts[0]?.clock.rank).toBe(0);
    expect(say([{ remove: { node: 'Order', key: { id: '1' } } }]).facts[0]?.clock.rank).toBe(REMOVE_RANK);
  });

  test('values are canonical, null clears, absent and undefined keep', () => {
    const [fact] = say([
      {
        upsert: { node: 'Order', key: { id: '1' }, set: { totalMinor: 4200, createdAt: AT, name: null, status: undefined, currency: '' } },
      },
    ]).facts;
    expect(fact !== undefined && 'set' in fact && [...fact.set]).toEqual([
      ['totalMinor', 4200n],
      ['createdAt', 5_000_000_000n],
      ['name', null],
      ['currency', ''],
    ]);
  });

  test('a key part of type time is equal by instant', () => {
    const view = (timestamp: string) => ({ upsert: { node: 'PageView' as const, key: { sessionId: 's', url: '/', timestamp } } });
    expect(lines(say([view('1970-01-01T01:00:05.500+01:00'), view('1970-01-01T00:00:05.5Z')]))).toEqual([
      'upsert PageView/shop/s/%2F/1970-01-01T00%3A00%3A05.5Z @5',
    ]);
  });

  test('a replace is its set and its members, an unlink and a clear are themselves', () => {
    const facts: MappedOf<typeof commerce>['facts'] = [
      { replace: { relationship: 'CONTAINS', from: { id: '1' }, links: [line('1', { quantity: 2 })] } },
      { unlink: { relationship: 'CONTAINS', from: { id: '1' }, to: { id: 'p2' }, key: { line: '2' } } },
      noCustomer,
    ];
    expect(lines(say(facts)).toSorted()).toEqual([
      'clear PLACED of Order/shop/1 @5',
      'link Order/shop/1-[CONTAINS/1]->Product/shop/p1 quantity=2 @5',
      'replace CONTAINS of Order/shop/1 @5',
      'unlink Order/shop/1-[CONTAINS/2]->Product/shop/p2 @5',
    ]);
  });

  test('no facts become none', () => {
    expect(say([])).toMatchObject({ facts: [], subject: undefined, entities: [], latest: 5_000_000_000n });
  });
});

describe('facts of one event at one time collapse, in list order', () => {
  test('upserts of one node become one: the last value of each property, the rank of the status left', () => {
    const resolved = say([order('cancelled'), { upsert: { node: 'Order', key: { id: '1' }, set: { name: '#1' } } }, order('paid')]);
    expect(lines(resolved)).toEqual(['upsert Order/shop/1 status=paid name=#1 @5']);
    expect(resolved.facts[0]?.clock.rank).toBe(2);
    expect(say([order('paid'), order(null)]).facts[0]?.clock.rank).toBe(0);
  });

  test('the same edge told twice is one link, by property', () => {
    const links = [line('1', { quantity: 1, sku: 'a' }), line('1', { quantity: 2 })];
    expect(lines(say([{ replace: { relationship: 'CONTAINS', from: { id: '1' }, links } }]))).toContain(
      'link Order/shop/1-[CONTAINS/1]->Product/shop/p1 quantity=2 sku=a @5',
    );
  });

  test('the last link of a to-one relationship takes the slot, the others only assert', () => {
    expect(lines(say([placed('c1'), placed('c2')]))).toEqual([
      'link Customer/shop/c1-[PLACED]->Order/shop/1 @5',
      'link! Customer/shop/c2-[PLACED]->Order/shop/1 @5',
    ]);
  });

  test('a clear after a link empties the slot, a clear before it is not heard', () => {
    expect(lines(say([placed('c1'), noCustomer]))).toEqual([
      'clear PLACED of Order/shop/1 @5',
      'link Customer/shop/c1-[PLACED]->Order/shop/1 @5',
    ]);
    expect(lines(say([noCustomer, placed('c1')]))).toEqual(['link! Customer/shop/c1-[PLACED]->Order/shop/1 @5']);
  });

  test('the same time written in two ways is one time', () => {
    expect(lines(say([order('paid'), order('refunded', { at: '1970-01-01T01:00:05.0+01:00' })]))).toEqual([
      'upsert Order/shop/1 status=refunded @5',
    ]);
  });

  test('different times never collapse', () => {
    expect(lines(say([order('paid', { at: LATER }), order('pending'), placed('c1', { at: LATER }), placed('c2')]))).toEqual([
      'upsert Order/shop/1 status=paid @7',
      'link! Customer/shop/c1-[PLACED]->Order/shop/1 @7',
      'upsert Order/shop/1 status=pending @5',
      'link! Customer/shop/c2-[PLACED]->Order/shop/1 @5',
    ]);
  });

  test('an upsert and a removal, a link and an unlink of one thing both stand', () => {
    expect(say([customer('c'), { remove: { node: 'Customer', key: { id: 'c' } } }]).facts.map((fact) => fact.kind)).toEqual([
      'upsert',
      'remove',
    ]);
    expect(
      say([placed('c'), { unlink: { relationship: 'PLACED', from: { id: 'c' }, to: { id: '1' } } }]).facts.map((fact) => fact.kind),
    ).toEqual(['unlink', 'link']);
  });

  test('accumulating properties join by their rule', () => {
    const [fact] = accumulate(
      { last: 'a', first: 'a', min: 5, max: '1970-01-01T00:00:01Z', union: 'b', ranked: 'mid' },
      { last: 'b', first: 'b', min: 3, max: '1970-01-01T00:00:02Z', union: ['a', 'b'], ranked: 'low' },
      { min: 4, max: AT, ranked: 'high' },
    );
    expect(fact !== undefined && 'set' in fact && Object.fromEntries(fact.set)).toEqual({
      last: 'b',
      first: 'a',
      min: 3n,
      max: 5_000_000_000n,
      union: ['a', 'b'],
      ranked: 'high',
    });
  });

  test('min, max, union and ranked join the same in any order', () => {
    const { properties } = accumulating.declaration.nodes.N;
    const members = fc.array(fc.string()).map((all) => [...new Set(all)]);
    const rank = fc.constantFrom('low', 'mid', 'high');
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(), members, members, rank, rank, (a, b, some, others, low, high) => {
        expect(joinValues(properties.min, a, b)).toBe(joinValues(properties.min, b, a));
        expect(joinValues(properties.max, a, b)).toBe(joinValues(properties.max, b, a));
        expect(joinValues(properties.union, some, others)).toEqual(joinValues(properties.union, others, some));
        expect(joinValues(properties.ranked, low, high)).toBe(joinValues(properties.ranked, high, low));
      }),
    );
  });
});

describe('subject and entities', () => {
  test.each<[string, string, MappedOf<typeof commerce>['facts'][number]]>([
    ['the node of an upsert', 'Customer/shop/c', customer('c')],
    ['the node of a removal', 'Refund/shop/r', { remove: { node: 'Refund', key: { id: 'r' } } }],
    ['the owner of the slot that a link takes', 'Order/shop/1', placed('c')],
    [
      'the owner of the slot, on the other side',
      'Refund/shop/r',
      { link: { relationship: 'REFUNDS', from: { id: 'r' }, to: { id: '1' } } },
    ],
    [
      'from, where there is no slot',
      'Order/shop/1',
      { link: { relationship: 'CONTAINS', from: { id: '1' }, to: { id: 'p' }, key: { line: '1' } } },
    ],
    [
      'the owner of the slot that an unlink names',
      'Order/shop/1',
      { unlink: { relationship: 'PLACED', from: { id: 'c' }, to: { id: '1' } } },
    ],
    ['the owner of a set', 'Order/shop/1', { replace: { relationship: 'CONTAINS', from: { id: '1' }, links: [line('1')] } }],
    ['the owner of a cleared slot', 'Order/shop/1', noCustomer],
  ])('the subject is %s: %s', (_, subject, fact) => {
    expect(say([fact, customer('later')]).subject).toBe(subject);
  });

  test('a subject that is given wins, and is an entity', () => {
    expect(say([customer('c')], { subject: { node: 'Order', key: { id: '9' } } })).toMatchObject({
      subject: 'Order/shop/9',
      entities: ['Customer/shop/c', 'Order/shop/9'],
    });
  });

  test('entities are all nodes mentioned, each once', () => {
    const resolved = say([
      placed('c'),
      { replace: { relationship: 'CONTAINS', from: { id: '1' }, links: [line('1'), line('2'), line('1')] } },
      customer('c'),
    ]);
    expect(resolved.entities.toSorted()).toEqual(['Customer/shop/c', 'Order/shop/1', 'Product/shop/p1', 'Product/shop/p2']);
  });
});

test('the latest time is that of any fact, or the event’s own', () => {
  expect(say([order('paid', { at: LATER }), customer('c')]).latest).toBe(7_000_000_000n);
  expect(say([order('paid', { at: '1970-01-01T00:00:01Z' })]).latest).toBe(5_000_000_000n);
});

describe('what is wrong is refused with its path', () => {
  const link = (more: object) => ({ link: { relationship: 'CONTAINS', from: { id: '1' }, to: { id: 'p' }, key: { line: '1' }, ...more } });
  const upsert = (more: object) => ({ upsert: { node: 'Order', key: { id: '1' }, ...more } });

  test.each<[string, string, unknown]>([
    ['no fact', 'facts[0]', {}],
    ['two facts in one', 'facts[0]', { ...customer('c'), remove: { node: 'Customer', key: { id: 'd' } } }],
    ['an unknown fact', 'facts[0].merge', { merge: {} }],
    ['an unknown label', 'facts[0].upsert.node', upsert({ node: 'Ordr' })],
    ['a label of Object’s own', 'facts[0].upsert.node', upsert({ node: 'constructor' })],
    ['an unknown relationship', 'facts[0].link.relationship', link({ relationship: 'HAS' })],
    ['a missing key part', 'facts[0].upsert.key.id', upsert({ key: {} })],
    ['an empty key part', 'facts[0].upsert.key.id', upsert({ key: { id: '' } })],
    ['a key part that is a number', 'facts[0].upsert.key.id', upsert({ key: { id: 1 } })],
    ['a key part with a lone surrogate', 'facts[0].upsert.key.id', upsert({ key: { id: '\ud800' } })],
    [
      'a key part that is no time',
      'facts[0].upsert.key.timestamp',
      upsert({ node: 'PageView', key: { sessionId: 's', url: 'u', timestamp: 'now' } }),
    ],
    ['an unknown key part', 'facts[0].upsert.key.idd', upsert({ key: { id: '1', idd: '2' } })],
    ['__proto__ as key part', 'facts[0].upsert.key.__proto__', upsert({ key: { id: '1', ['__proto__']: '2' } })],
    ['a key that no index takes', 'facts[0].upsert.key', upsert({ key: { id: 'x'.repeat(MAX_ID_LENGTH) } })],
    ['a key that no index takes once it is encoded', 'facts[0].upsert.key', upsert({ key: { id: 'é'.repeat(MAX_ID_LENGTH / 6) } })],
    [
      'two ends that no index takes together',
      'facts[0].link',
      link({ from: { id: 'x'.repeat(MAX_ID_LENGTH / 2) }, to: { id: 'x'.repeat(MAX_ID_LENGTH / 2) } }),
    ],
    ['an unknown property', 'facts[0].upsert.set.stats', upsert({ set: { stats: 'x' } })],
    ['__proto__ as property', 'facts[0].upsert.set.__proto__', upsert({ set: { ['__proto__']: 'x' } })],
    ['a value of the wrong type', 'facts[0].upsert.set.totalMinor', upsert({ set: { totalMinor: '42' } })],
    ['a time that is none', 'facts[0].upsert.set.createdAt', upsert({ set: { createdAt: '2024-02-30T00:00:00Z' } })],
    ['an end without id', 'facts[0].link.from.id', link({ from: {} })],
    ['an end with an unknown part', 'facts[0].link.to.x', link({ to: { id: 'p', x: 'y' } })],
    ['a missing edge key', 'facts[0].link.key.line', link({ key: undefined })],
    [
      'an edge key where none is declared',
      'facts[0].link.key.line',
      { link: { relationship: 'PLACED', from: { id: 'c' }, to: { id: '1' }, key: { line: '1' } } },
    ],
    ['an unknown edge property', 'facts[0].link.set.price', link({ set: { price: 1 } })],
    ['an edge value of the wrong type', 'facts[0].link.set.quantity', link({ set: { quantity: 'two' } })],
    [
      'an unlink without edge key',
      'facts[0].unlink.key.line',
      { unlink: { relationship: 'CONTAINS', from: { id: '1' }, to: { id: 'p' } } },
    ],
    [
      'a member without edge key',
      'facts[0].replace.links[1].key.line',
      { replace: { relationship: 'CONTAINS', from: { id: '1' }, links: [line('1'), { to: { id: 'p' } }] } },
    ],
    ['a replace of what is no set', 'facts[0].replace.relationship', { replace: { relationship: 'PLACED', from: { id: 'c' }, links: [] } }],
    ['a clear of what is no slot', 'facts[0].clear.relationship', { clear: { relationship: 'CONTAINS', owner: { id: '1' } } }],
    ['a clear without owner', 'facts[0].clear.owner.id', { clear: { relationship: 'PLACED', owner: {} } }],
    ['a removal of what stays', 'facts[0].remove.node', { remove: { node: 'Product', key: { id: 'p' } } }],
  ])('%s', (_, path, fact) => {
    expect(() => sayAnything([fact])).toThrow(expect.objectContaining({ code: 'BAD_VALUE', context: { path } }));
  });

  test('a set given twice in one event, at whatever times', () => {
    const set = (at: string) => ({ replace: { relationship: 'CONTAINS', from: { id: '1' }, links: [], at } });
    expect(() => sayAnything([set(AT), set(LATER)])).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', context: { path: 'facts[1].replace' } }),
    );
  });

  test('null for a property that accumulates', () => {
    expect(() => accumulate({ union: 'a' }, { union: null })).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', context: { path: 'facts[1].upsert.set.union' } }),
    );
  });

  test.each(['yesterday', '2024-02-30T00:00:00Z', ''])('a time that is none: %j', (at) => {
    expect(() => sayAnything([customer('c')], { occurredAt: at })).toThrow(
      expect.objectContaining({ code: 'NO_CLOCK', context: { path: 'occurredAt' } }),
    );
    expect(() => sayAnything([order('paid', { at })])).toThrow(
      expect.objectContaining({ code: 'NO_CLOCK', context: { path: 'facts[0].upsert.at' } }),
    );
  });

  test.each([-1, 1.5, -1n, 2 ** 53, Number.NaN])('the sequence %s', (sequence) => {
    expect(() => say([customer('c')], { sequence })).toThrow(expect.objectContaining({ code: 'BAD_VALUE', context: { path: 'sequence' } }));
  });

  test('a subject that the model does not have', () => {
    expect(() => say([], { subject: { node: 'X', key: { id: '1' } } })).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', context: { path: 'subject.node' } }),
    );
    expect(() => say([], { subject: { node: 'Order', key: {} } })).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', context: { path: 'subject.key.id' } }),
    );
  });
});
