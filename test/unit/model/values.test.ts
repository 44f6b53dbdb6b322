import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  boolean,
  compareScalars,
  Decimal,
  first,
  float,
  formatScalar,
  integer,
  max,
  min,
  ranked,
  readValue,
  sameValue,
  sortedSet,
  text,
  time,
  union,
  type PropertyType,
  type Value,
} from '../../../src/model/values.ts';

const NEVER: unknown[] = [null, undefined, {}, Symbol('s'), () => 0, new Date(0), Number.NaN, Number.POSITIVE_INFINITY];

describe('readValue', () => {
  test.each<[string, PropertyType, unknown, Value]>([
    ['text', text, '', ''],
    ['text', text, 'é😀', 'é😀'],
    ['an integer', integer, 7, 7n],
    ['an integer', integer, -0, 0n],
    ['an integer', integer, 9007199254740993n, 9007199254740993n],
    ['an integer', integer, -(2n ** 63n), -(2n ** 63n)],
    ['a float', float, 1.5, 1.5],
    ['a float', float, new Decimal('1e3'), 1000],
    ['a float', float, 3n, 3],
    ['a float', float, -0, 0],
    ['a float', float, new Decimal('-0.0'), 0],
    ['a boolean', boolean, false, false],
    ['a time', time, '1970-01-01T01:00:00+01:00', 0n],
    ['a ranked value', ranked(['a', 'b']), 'b', 'b'],
    ['a union of one', union(text), 'b', ['b']],
    ['a union of many', union(text), ['b', 'a', 'b'], ['a', 'b']],
    ['an empty union', union(text), [], []],
    ['a union of integers', union(integer), [10, 9n], [9n, 10n]],
    ['what first keeps', first(text), 'a', 'a'],
    ['what min keeps', min(integer), 1, 1n],
    ['what max keeps', max(time), '1970-01-01T00:00:00.000000001Z', 1n],
  ])('%s: %o %o → %o', (_, type, input, value) => {
    expect(readValue(type, input)).toStrictEqual({ value });
  });

  test.each<[PropertyType, unknown, string]>([
    [text, 5, 'expected text, got the number 5'],
    [text, '\ud800', 'lone surrogate'],
    [text, ['a'], 'expected text, got a list'],
    [integer, 1.5, 'expected an integer, got the number 1.5'],
    [integer, new Decimal('2100.0'), 'expected an integer, got the number 2100.0'],
    [integer, 2 ** 53, 'expected an integer'],
    [integer, 2n ** 63n, 'beyond 64 bits'],
    [integer, '5', 'expected an integer, got the text "5"'],
    [float, '1.5', 'expected a finite number'],
    [float, new Decimal('1e999'), 'expected a finite number'],
    [boolean, 1, 'expected true or false'],
    [boolean, 'true', 'expected true or false'],
    [time, '2024-02-30T00:00:00Z', 'RFC 3339'],
    [time, 0, 'RFC 3339'],
    [ranked(['a', 'b']), 'c', 'expected one of a, b'],
    [union(text), ['a', 5], 'expected text, got the number 5'],
    [union(text), null, 'expected text, got null'],
  ])('%o refuses %o: %s', (type, input, problem) => {
    expect(readValue(type, input)).toEqual({ problem: expect.stringContaining(problem) });
  });

  test('no type takes what is no value', () => {
    for (const type of [text, integer, float, boolean, time])
      for (const input of NEVER) expect(readValue(type, input)).toHaveProperty('problem');
  });

  test('a long text is not repeated whole', () => {
    const read = readValue(integer, 'x'.repeat(10_000));
    expect('problem' in read && read.problem.length).toBeLessThan(100);
  });

  test('a normaliser brings text into one form, or says why not', () => {
    const type: PropertyType<string> = {
      ...text,
      normalise(input) {
        if (input === '') throw new Error('nothing to normalise');
        return input.toUpperCase();
      },
    };
    expect(readValue(type, 'a')).toEqual({ value: 'A' });
    expect(readValue(type, '')).toEqual({ problem: 'nothing to normalise' });
  });
});

describe('scalars', () => {
  test('are ordered by value, text by code point', () => {
    expect(compareScalars(10n, 9n)).toBe(1);
    expect(compareScalars(false, true)).toBe(-1);
    expect(compareScalars(1.5, 1.5)).toBe(0);
    expect(compareScalars('\uffff', '😀')).toBeLessThan(0);
  });

  test('make a sorted set, whatever their order and number', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), fc.array(fc.string({ unit: 'binary' })), (a, b) => {
        expect(sortedSet([...a, ...b])).toEqual(sortedSet([...b, ...a, ...a]));
      }),
    );
  });

  test('are the same only member by member', () => {
    expect(sameValue(['a', 'b'], ['a', 'b'])).toBe(true);
    expect(sameValue(['a'], ['a', 'b'])).toBe(false);
    expect(sameValue(['a'], 'a')).toBe(false);
    expect(sameValue(null, [])).toBe(false);
    expect(sameValue(null, null)).toBe(true);
    expect(sameValue(1n, 2n)).toBe(false);
  });

  test('are written plainly, instants as RFC 3339', () => {
    expect(formatScalar('time', 0n)).toBe('1970-01-01T00:00:00Z');
    expect(formatScalar('integer', 0n)).toBe('0');
  });
});
