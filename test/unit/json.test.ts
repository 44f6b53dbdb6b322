import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { IngestError } from '../../src/errors.ts';
import { decodeUtf8, formatPath, isJsonObject, parseJson, type Json } from '../../src/json.ts';
import { Decimal } from '../../src/model/values.ts';
import { testData, unless } from '../support/data.ts';

function refusal(text: string, ...rest: [Parameters<typeof parseJson>[1]?]): IngestError {
  try {
    parseJson(text, ...rest);
  } catch (error) {
    if (error instanceof IngestError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text.slice(0, 100)}`);
}

/** As `native` has it. */
function plain(json: Json): unknown {
  if (json instanceof Decimal) return unsigned(Number(json.text));
  if (typeof json === 'bigint') return Number(json);
  if (Array.isArray(json)) return json.map(plain);
  return isJsonObject(json) ? Object.fromEntries(Object.entries(json).map(([key, value]) => [key, plain(value)])) : json;
}

function native(text: string): unknown {
  return JSON.parse(text, (_, value: unknown) => unsigned(value));
}

/** Ours has no -0. */
function unsigned(value: unknown): unknown {
  return value === 0 ? 0 : value;
}

/** Which `JSON.stringify` writes as an integer, up to 1e21. */
function beyondInt64(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) >= 2 ** 63 && Math.abs(value) < 1e21;
}

describe('numbers', () => {
  test.each<[string, Json]>([
    ['0', 0],
    ['-0', 0],
    ['-1', -1],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['9007199254740993', 9007199254740993n],
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
  ])('the integer %s is lossless', (text, value) => {
    expect(parseJson(text)).toBe(value);
  });

  test.each(['2100.0', '1e3', '1E+3', '-0.0', '0e99999999999', '1e-400', '0.1'])('%s is a Decimal that keeps its text', (text) => {
    expect(parseJson(text)).toStrictEqual(new Decimal(text));
  });

  test.each(['9223372036854775808', '-9223372036854775809', '1'.repeat(500)])('the integer %s is beyond 64 bits', (text) => {
    expect(refusal(text).message).toContain('beyond 64 bits');
  });

  test('a number that overflows a double is refused', () => {
    expect(refusal('[1e400]')).toMatchObject({ code: 'BAD_JSON', context: { position: 1, path: '[0]' } });
  });

  test.each(['01', '-', '+1', '1.', '.5', '1e', '1e+', '0x1', 'NaN', 'Infinity', '-01', '1_000'])('%s is no number', (text) => {
    expect(refusal(text).code).toBe('BAD_JSON');
  });
});

describe('strings', () => {
  test('escapes and raw text mean the same', () => {
    expect(parseJson(String.raw`["\u00e9\n\/\ud83d\ude00\"\\"]`)).toEqual(['é\n/😀"\\']);
  });

  test.each([
    ['an escaped high surrogate', String.raw`"\ud83d"`],
    ['an escaped low surrogate', String.raw`"\ude00"`],
    ['an inverted pair', String.raw`"\ude00\ud83d"`],
    ['half a pair escaped, half raw', '"\\ud83d\ude00"'],
    ['a raw one', '"\ud83d"'],
    ['one in a key', String.raw`{"\ud83d":1}`],
  ])('a lone surrogate is refused: %s', (_, text) => {
    expect(refusal(text)).toMatchObject({ code: 'BAD_JSON', message: expect.stringContaining('surrogate') });
  });

  test.each(['"\n"', '"\\x41"', '"\\u12g4"', '"a', '"a\\', '"\\"', "'a'", '"\\\n"'])('%j is no string', (text) => {
    expect(refusal(text).code).toBe('BAD_JSON');
  });
});

describe('objects', () => {
  test('a key given twice is refused with its path, also when only the escapes differ', () => {
    expect(refusal(String.raw`{"a":[{"b":1,"\u0062":1}]}`)).toMatchObject({ code: 'BAD_JSON', context: { position: 13, path: 'a[0].b' } });
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', ''])('%j is an ordinary own key', (name) => {
    const json = parseJson(`{${JSON.stringify(name)}:{"polluted":true},"b":1}`);
    if (!isJsonObject(json)) throw new Error('no object');
    expect(Object.keys(json).toSorted()).toEqual([name, 'b'].toSorted());
    expect(Object.entries(json).find(([key]) => key === name)?.[1]).toEqual({ polluted: true });
    expect(Object.hasOwn(json, name)).toBe(true);
    expect(Object.getOwnPropertyNames({})).toEqual([]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('what is not there is undefined, whatever its name', () => {
    const json = parseJson('{}');
    if (!isJsonObject(json)) throw new Error('no object');
    for (const name of ['__proto__', 'constructor', 'toString', 'valueOf', 'hasOwnProperty']) expect(json[name]).toBeUndefined();
  });

  test('the prototype of objects cannot be given anything', () => {
    const prototype: unknown = Object.getPrototypeOf(parseJson('{}'));
    expect(Object.getPrototypeOf(prototype)).toBeNull();
    expect(Reflect.ownKeys(prototype as object)).toEqual([]);
    expect(Object.isFrozen(prototype)).toBe(true);
  });

  test('objects are told from lists, Decimals and null', () => {
    expect(['{}', '[]', '1.5', 'null', '"a"'].map((text) => isJsonObject(parseJson(text)))).toEqual([true, false, false, false, false]);
  });
});

describe('limits', () => {
  test('64 levels pass, 65 are too deep', () => {
    expect(() => parseJson('['.repeat(64) + ']'.repeat(64))).not.toThrow();
    expect(refusal('['.repeat(65) + ']'.repeat(65))).toMatchObject({ code: 'TOO_DEEP', context: { position: 64 } });
  });

  test('100,000 open brackets cost nothing', () => {
    const startedAt = performance.now();
    expect(refusal('['.repeat(100_000)).code).toBe('TOO_DEEP');
    expect(refusal('[{"":'.repeat(50_000)).code).toBe('TOO_DEEP');
    expect(performance.now() - startedAt).toBeLessThan(100);
  });

  test('an object has at most so many keys', () => {
    expect(refusal('{"a":1,"b":2,"c":3}', { keys: 2 }).message).toContain('more than 2 keys');
    expect(() => parseJson('{"a":1,"b":2}', { keys: 2 })).not.toThrow();
  });

  test('a text has at most so many values and keys', () => {
    expect(refusal('[1,{"a":2}]', { tokens: 4 }).message).toContain('more than 4');
    expect(() => parseJson('[1,{"a":2}]', { tokens: 5 })).not.toThrow();
  });
});

describe('bytes', () => {
  test('UTF-8 is decoded and anything else refused', () => {
    expect(decodeUtf8(Buffer.from('"é😀"'))).toBe('"é😀"');
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf4, 0x90, 0x80, 0x80]]) {
      expect(() => decodeUtf8(Buffer.from(bytes))).toThrow(IngestError);
    }
  });

  test('a byte order mark is not eaten, and no JSON', () => {
    const text = decodeUtf8(Buffer.from('\ufeff{}'));
    expect(text).toBe('\ufeff{}');
    expect(refusal(text)).toMatchObject({ code: 'BAD_JSON', context: { position: 0 } });
  });
});

test('a path reads as one would write it', () => {
  expect(formatPath(['facts', 2, 'upsert', 'set', 'a.b', '', 'é'])).toBe('facts[2].upsert.set["a.b"][""]["é"]');
});

describe('any JSON', () => {
  test('parses to what was stringified', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, (_, v: unknown) => (beyondInt64(v) ? 0 : v), indent);
        expect(plain(parseJson(text))).toEqual(native(text));
      }),
    );
  });

  test('broken at random, is accepted exactly when JSON.parse accepts it, but for the stricter rules', () => {
    const stricter = /same key twice|lone surrogate|beyond 64 bits|not finite|nested more/;
    const piece = fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '1',
      '-',
      '.',
      'e',
      'E',
      '+',
      'n',
      'null',
      'true',
      ' ',
      '\n',
      '\t',
      '\u0000',
      '\u00a0',
      '\\u0041',
      '\\ud800',
      '\ud800',
      '"a":1',
      '9'.repeat(20),
    );
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.array(fc.tuple(fc.nat(), fc.nat(2), piece), { maxLength: 3 }), (value, edits) => {
        let text = JSON.stringify(value);
        for (const [place, drop, insert] of edits)
          text = text.slice(0, place % (text.length + 1)) + insert + text.slice((place % (text.length + 1)) + drop);
        const theirs = attempt(() => native(text));
        const ours = attempt(() => plain(parseJson(text)));
        if ('value' in ours) expect(theirs).toEqual(ours);
        else if ('value' in theirs) expect(String(ours.error)).toMatch(stricter);
        else expect(ours.error).toBeInstanceOf(IngestError);
      }),
      { numRuns: 2_000 },
    );
  });
});

function attempt(run: () => unknown): { value: unknown } | { error: unknown } {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

/**
 * `y_` must pass and `n_` must not. `i_` is free; ours: what a double or int64 cannot hold, what is not UTF-8, a lone
 * surrogate, a BOM and 500 levels are refused; what merely underflows to 0 passes, since its text is kept.
 */
describe('JSONTestSuite', () => {
  const folder = testData('json-suite', 'test_parsing');
  const STRICTER = new Set(['y_object_duplicated_key.json', 'y_object_duplicated_key_and_value.json']);
  const UNDERFLOWS = new Set(['i_number_double_huge_neg_exp.json', 'i_number_real_underflow.json']);

  test.skipIf(folder === undefined)(`every file as RFC 8259 and our policy say${unless(folder)}`, () => {
    const files = readdirSync(folder ?? '');
    expect(files.length).toBe(318);
    for (const file of files) {
      const expected = (file.startsWith('y_') && !STRICTER.has(file)) || UNDERFLOWS.has(file);
      const outcome = attempt(() => parseJson(decodeUtf8(readFileSync(join(folder ?? '', file)))));
      expect('value' in outcome, file).toBe(expected);
      if ('error' in outcome) expect(outcome.error, file).toBeInstanceOf(IngestError);
    }
  });
});

describe('naughty strings', () => {
  const file = testData('json-suite', 'blns.json');
  test.skipIf(file === undefined)(`come through as they are${unless(file)}`, () => {
    const text = readFileSync(file ?? '', 'utf8');
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });
});
