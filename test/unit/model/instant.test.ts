import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';

import { formatInstant, fromMs, parseInstant, toMs } from '../../../src/model/instant.ts';

const FIRST = parseInstant('0000-01-01T00:00:00Z') ?? 0n;
const LAST = parseInstant('9999-12-31T23:59:59.999999999Z') ?? 0n;

const two = (n: number): string => String(n).padStart(2, '0');
const rfc3339 = fc
  .record({
    year: fc.oneof(fc.integer({ min: 1, max: 9998 }), fc.constantFrom(1, 1600, 1900, 1969, 1970, 2000, 2024, 2100, 9998)),
    month: fc.integer({ min: 1, max: 12 }),
    day: fc.integer({ min: 1, max: 31 }),
    time: fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 59 })),
    fraction: fc.stringMatching(/^(\.[0-9]{1,9})?$/),
    zone: fc.oneof(
      fc.constant('Z'),
      fc
        .tuple(fc.constantFrom('+', '-'), fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
        .map(([sign, h, m]) => `${sign}${two(h)}:${two(m)}`),
    ),
  })
  .map(
    ({ year, month, day, time, fraction, zone }) =>
      `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${time.map(two).join(':')}${fraction}${zone}`,
  );

function byTemporal(text: string): bigint | undefined {
  try {
    return Temporal.Instant.from(text).epochNanoseconds;
  } catch {
    return undefined;
  }
}

describe('parseInstant', () => {
  test('agrees with Temporal, to the nanosecond, about what is an instant and which', () => {
    fc.assert(
      fc.property(rfc3339, (text) => {
        expect(parseInstant(text)).toBe(byTemporal(text));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['1970-01-01T00:00:00Z', 0n],
    ['1969-12-31T23:59:59.999999999Z', -1n],
    ['2026-11-21T09:00:00.123456789+05:30', 1_795_231_800_123_456_789n],
    ['2000-02-29T00:00:00z', 951_782_400_000_000_000n],
    ['2000-02-29t00:00:00-00:00', 951_782_400_000_000_000n],
    ['0000-01-01T00:00:00Z', -62_167_219_200_000_000_000n],
    ['9999-12-31T23:59:59.999999999Z', 253_402_300_799_999_999_999n],
  ])('%s is %s', (text, nanos) => {
    expect(parseInstant(text)).toBe(nanos);
  });

  test.each([
    ['a day that the month lacks', '2024-02-30T00:00:00Z'],
    ['a leap day of a common year', '2023-02-29T00:00:00Z'],
    ['a leap day of 1900', '1900-02-29T00:00:00Z'],
    ['month 13', '2024-13-01T00:00:00Z'],
    ['month 0', '2024-00-01T00:00:00Z'],
    ['day 0', '2024-01-00T00:00:00Z'],
    ['hour 24', '2024-01-01T24:00:00Z'],
    ['minute 60', '2024-01-01T00:60:00Z'],
    ['a leap second', '2016-12-31T23:59:60Z'],
    ['ten digits of fraction', '2024-01-01T00:00:00.1234567891Z'],
    ['no digit of fraction', '2024-01-01T00:00:00.Z'],
    ['a comma for the point', '2024-01-01T00:00:00,5Z'],
    ['no zone', '2024-01-01T00:00:00'],
    ['a zone without colon', '2024-01-01T00:00:00+0100'],
    ['a zone of 24 hours', '2024-01-01T00:00:00+24:00'],
    ['a zone name', '2024-01-01T00:00:00+01:00[Europe/Berlin]'],
    ['a space for the T', '2024-01-01 00:00:00Z'],
    ['no seconds', '2024-01-01T00:00Z'],
    ['a date alone', '2024-01-01'],
    ['a year of six digits', '+002024-01-01T00:00:00Z'],
    ['space around it', ' 2024-01-01T00:00:00Z '],
    ['a line after it', '2024-01-01T00:00:00Z\n'],
    ['other digits', '２024-01-01T00:00:00Z'],
    ['what is before year 0 in UTC', '0000-01-01T00:00:00+00:01'],
    ['what is after year 9999 in UTC', '9999-12-31T23:59:59-00:01'],
    ['epoch seconds', '1700000000'],
    ['nothing', ''],
  ])('refuses %s', (_, text) => {
    expect(parseInstant(text)).toBeUndefined();
  });
});

describe('formatInstant', () => {
  test('is the inverse of parseInstant', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: FIRST, max: LAST }), (nanos) => {
        expect(parseInstant(formatInstant(nanos))).toBe(nanos);
      }),
    );
    expect(formatInstant(FIRST)).toBe('0000-01-01T00:00:00Z');
    expect(formatInstant(LAST)).toBe('9999-12-31T23:59:59.999999999Z');
  });

  test('writes the shortest fraction, before the epoch too', () => {
    expect([0n, 500_000_000n, 1n, -1n, -500_000_000n, -1_000_000_000n].map(formatInstant)).toEqual([
      '1970-01-01T00:00:00Z',
      '1970-01-01T00:00:00.5Z',
      '1970-01-01T00:00:00.000000001Z',
      '1969-12-31T23:59:59.999999999Z',
      '1969-12-31T23:59:59.5Z',
      '1969-12-31T23:59:59Z',
    ]);
  });
});

test('milliseconds and nanoseconds: rounded down, never towards zero', () => {
  expect([fromMs(1), fromMs(-1), fromMs(0.9)]).toEqual([1_000_000n, -1_000_000n, 0n]);
  expect([1_999_999n, 0n, -1n, -1_000_000n, -1_000_001n].map(toMs)).toEqual([1, 0, -1, -1, -2]);
});
