import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { exponentOf, money, type Amount } from '../../../src/model/money.ts';
import { Decimal } from '../../../src/model/values.ts';

describe('money', () => {
  test.each<[Amount, string, bigint]>([
    ['42.00', 'USD', 4200n],
    ['42', 'usd', 4200n],
    ['-0.05', 'EUR', -5n],
    ['-0', 'EUR', 0n],
    ['0.00000', 'EUR', 0n],
    ['1050', 'JPY', 1050n],
    ['1050.00', 'JPY', 1050n],
    ['1.234', 'KWD', 1234n],
    ['1.2345', 'CLF', 12345n],
    ['19.990000', 'GBP', 1999n],
    [5, 'USD', 500n],
    [9007199254740993n, 'JPY', 9007199254740993n],
    [new Decimal('10.10'), 'USD', 1010n],
    [new Decimal('1e3'), 'USD', 100_000n],
    [new Decimal('1.5e-1'), 'USD', 15n],
    [new Decimal('0e99999999999'), 'USD', 0n],
    ['92233720368547758.07', 'USD', 9223372036854775807n],
    ['-92233720368547758.08', 'USD', -9223372036854775808n],
  ])('%s %s is %s minor units', (amount, currency, minor) => {
    expect(money(amount, currency)).toBe(minor);
  });

  test.each<[Amount, string, string]>([
    ['0.001', 'USD', 'finer'],
    ['0.5', 'JPY', 'finer'],
    [new Decimal('1e-99999999999'), 'USD', 'finer'],
    ['92233720368547758.08', 'USD', '64 bits'],
    [new Decimal('1e308'), 'USD', '64 bits'],
    ['', 'USD', 'no amount'],
    ['1,50', 'USD', 'no amount'],
    ['$1', 'USD', 'no amount'],
    [' 1', 'USD', 'no amount'],
    ['.5', 'USD', 'no amount'],
    ['NaN', 'USD', 'no amount'],
    ['0'.repeat(1_000_000), 'USD', 'no amount'],
    [0.1, 'USD', 'float'],
    [Number.NaN, 'USD', 'float'],
    ['1', '', 'currency'],
    ['1', 'US', 'currency'],
    ['1', '€', 'currency'],
  ])('%s %s is refused', (amount, currency, problem) => {
    expect(() => money(amount, currency)).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', message: expect.stringContaining(problem) }),
    );
  });

  test('a scale overrules ISO 4217', () => {
    expect(money('0.000012', 'USD', { scale: 6 })).toBe(12n);
  });

  test('no double is on the way: every integer of cents comes back', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.constantFrom('USD', 'JPY', 'KWD', 'CLF'),
        fc.nat(5),
        (minor, currency, zeros) => {
          const digits = exponentOf(currency);
          const text = String(minor < 0n ? -minor : minor).padStart(digits + 1, '0');
          const point = text.length - digits;
          expect(
            money(
              `${minor < 0n ? '-' : ''}${text.slice(0, point)}.${text.slice(point)}${'0'.repeat(zeros + (digits === 0 ? 1 : 0))}`,
              currency,
            ),
          ).toBe(minor);
        },
      ),
    );
  });
});
