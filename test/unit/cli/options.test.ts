import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { collectPair, parseCount, parseNames, parseProbability, parseRate, parseTime } from '../../../src/cli/options.ts';

test.each([
  [parseCount, '20', 20],
  [parseProbability, '0.15', 0.15],
  [parseProbability, '1', 1],
  [parseRate, '0.5', 0.5],
  [parseTime, '2026-11-01T01:00:00.5+01:00', 1_793_491_200_500_000_000n],
])('%o reads %s', (parse, text, value) => {
  expect(parse(text)).toBe(value);
});

test.each([
  [parseCount, ['0', '-1', '1.5', '1e3', '', 'ten']],
  [parseProbability, ['', ' ', '-0.1', '1.1', 'NaN', 'half']],
  [parseRate, ['', '0', '-1', '1001', 'fast']],
  [parseTime, ['', '2026-11-01', '2026-11-01T00:00:00', 'yesterday', '2026-02-30T00:00:00Z']],
  [collectPair, ['', 'name', '=value']],
])('%o refuses what it is not for', (parse, texts) => {
  for (const text of texts) expect(() => parse(text), text).toThrow(InvalidArgumentError);
});

test('pairs add up, and only the first = divides', () => {
  expect(collectPair('b=x=y', collectPair('a='))).toEqual({ a: '', b: 'x=y' });
});

test('names are parted by commas, with or without spaces', () => {
  expect(parseNames('orders, customers')).toEqual(['orders', 'customers']);
});
