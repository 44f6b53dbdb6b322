import fc from 'fast-check';
import { isDateTime } from 'neo4j-driver';
import { expect, test } from 'vitest';

import { fromBolt, scalarFromBolt, scalarToBolt, toBolt } from '../../../src/graph/values.ts';
import { parseInstant } from '../../../src/model/instant.ts';
import { integer, text, time, union } from '../../../src/model/values.ts';

/** 0000-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z: all that RFC 3339 can write. */
const instant = fc.bigInt({ min: parseInstant('0000-01-01T00:00:00Z') ?? 0n, max: parseInstant('9999-12-31T23:59:59.999999999Z') ?? 0n });

test('every instant survives as a date-time in UTC, to the nanosecond, before 1970 and before the year 100 too', () => {
  fc.assert(
    fc.property(instant, (nanos) => {
      const stored = scalarToBolt('time', nanos);
      expect(isDateTime(stored as object)).toBe(true);
      expect(scalarFromBolt('time', stored)).toBe(nanos);
    }),
  );
});

test('an integer never goes as a JavaScript number, which the driver packs as FLOAT, and neither is read as the other', () => {
  expect(typeof toBolt(integer, 5n)).not.toBe('number');
  expect(String(toBolt(integer, 2n ** 63n - 1n))).toBe('9223372036854775807');
  expect(fromBolt(integer, 5)).toBeUndefined();
  expect(scalarFromBolt('float', 5n)).toBeUndefined();
});

test('lists keep their members, instants among them', () => {
  fc.assert(
    fc.property(fc.array(instant), (list) => {
      expect(fromBolt(union(time), toBolt(union(time), list))).toEqual(list);
    }),
  );
  expect(fromBolt(union(text), toBolt(union(text), ['a', 'b']))).toEqual(['a', 'b']);
});

test('what somebody else wrote in another type is not read at all', () => {
  for (const [type, stored] of [
    ['text', 1n],
    ['integer', '1'],
    ['boolean', 'true'],
    ['time', '2026-01-01T00:00:00Z'],
    ['float', '1.5'],
  ] as const) {
    expect(scalarFromBolt(type, stored)).toBeUndefined();
  }
});
