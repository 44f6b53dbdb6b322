import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ascendingIn, foundAs, itemsOf, listedIn, membersOf, textOf } from '../../../src/sources/pages.ts';

/** Any JSON, written with any white space between its tokens. */
const written = fc.tuple(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom('', ' ', '\n\t', '\r\n  ')).map(([value, space]) => {
  const write = (one: unknown): string => {
    if (Array.isArray(one)) return `[${space}${one.map(write).join(`${space},${space}`)}${space}]`;
    if (typeof one === 'object' && one !== null)
      return `{${space}${Object.entries(one)
        .map(([name, inner]) => `${JSON.stringify(name)}${space}:${space}${write(inner)}`)
        .join(`${space},${space}`)}${space}}`;
    return JSON.stringify(one);
  };
  return `${space}${write(value)}${space}`;
});

describe('cutting values out of JSON', () => {
  it('gives each as it is written, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(written), (items) => {
        expect(itemsOf(`[${items.join(',')}]`)).toEqual(items.map((item) => item.trim()));
      }),
    );
  });

  it('gives the values of an object by name', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), written), (values) => {
        const text = `{${Object.entries(values)
          .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
          .join(' , ')}}`;
        const trimmed = Object.entries(values).map(([name, value]): [string, string] => [name, value.trim()]);
        expect(membersOf(text)).toEqual(new Map(trimmed));
      }),
    );
  });

  it('keeps digits that a double would lose', () => {
    expect(itemsOf('[ {"id":9007199254740993,"total":1.10} , 12345678901234567890 ]')).toEqual([
      '{"id":9007199254740993,"total":1.10}',
      '12345678901234567890',
    ]);
  });

  it.each(['{}', 'null', '"[]"', ' 1'])('a list is nothing else: %s', (text) => expect(itemsOf(text)).toBeUndefined());
  it.each(['[]', 'null', '"{}"'])('an object is nothing else: %s', (text) => expect(membersOf(text)).toBeUndefined());
});

describe('the objects of a page', () => {
  it('have their ids as text, whatever their size', () => {
    expect(listedIn('[{"id":9007199254740993},{"id":"cus_1"}]').map(({ id }) => id)).toEqual(['9007199254740993', 'cus_1']);
  });

  it.each([
    ['no list', '{"errors":"no"}'],
    ['nothing', undefined],
    ['no object', '[1]'],
    ['no id', '[{"name":"x"}]'],
    ['an empty id', '[{"id":""}]'],
  ])('are asked for again where there is %s', (_, text) => {
    expect(() => listedIn(text)).toThrow(expect.objectContaining({ code: 'SENDER_UNAVAILABLE' }));
  });

  it('by id come one after the other', () => {
    expect(ascendingIn('[{"id":2},{"id":10},{"id":9007199254740993}]').length).toBe(3);
    for (const ids of ['[{"id":10},{"id":2}]', '[{"id":2},{"id":2}]', '[{"id":"x"}]'])
      expect(() => ascendingIn(ids)).toThrow(expect.objectContaining({ code: 'SENDER_UNAVAILABLE' }));
  });

  it('are one event in one state, and another in another', () => {
    const [once, twice, changed] = ['{"id":1}', '{"id":1}', '{"id":1,"x":0}'].map((body) => foundAs('orders/updated', '1', body, {}));
    expect(twice).toEqual(once);
    expect(changed?.id).not.toBe(once?.id);
    expect(once?.id).toMatch(/^backfill\/orders\/updated\/1\/[0-9a-f]{64}$/);
  });

  it('say text and digits as they are', () => {
    expect(['"a\\u00e9"', '12', '-1.5', 'null', 'true', '{}', undefined].map(textOf)).toEqual([
      'aé',
      '12',
      '-1.5',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
