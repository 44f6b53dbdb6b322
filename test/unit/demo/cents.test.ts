import { expect, test } from 'vitest';
import { cents } from '../../../src/demo/cents.ts';

test.each([
  ['0', 0],
  ['0.0', 0],
  ['0.5', 50],
  ['1.43', 143],
  ['12', 1200],
  ['0.9900000000000001', 99],
  ['2.675', 268],
  ['1.005', 101],
  ['0.004', 0],
  ['0.995', 100],
  ['-0.005', -1],
  ['-0.001', 0],
  ['-1.25', -125],
])('%s dollars are %i cents: half a cent goes up, away from zero', (dollars, expected) => {
  expect(cents(dollars)).toBe(expected);
});

test.each(['', '1e-5', '1,50', '.5', '5.', 'NaN', ' 1'])('%j is no amount and is refused', (text) => {
  expect(() => cents(text)).toThrow('is no decimal number');
});
