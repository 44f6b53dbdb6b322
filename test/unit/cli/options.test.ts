import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { collectPair, parseCount, parseProbability } from '../../../src/cli/options.ts';

test.each([
  [parseCount, '20', 20],
  [parseProbability, '0.15', 0.15],
  [parseProbability, '1', 1],
])('%o reads %s', (parse, text, value) => {
  expect(parse(text)).toBe(value);
});

test.each([
  [parseCount, ['0', '-1', '1.5', '1e3', '', 'ten']],
  [parseProbability, ['', ' ', '-0.1', '1.1', 'NaN', 'half']],
  [collectPair, ['', 'name', '=value']],
])('%o refuses what it is not for', (parse, texts) => {
  for (const text of texts) expect(() => parse(text), text).toThrow(InvalidArgumentError);
});

test('pairs add up, and only the first = divides', () => {
  expect(collectPair('b=x=y', collectPair('a='))).toEqual({ a: '', b: 'x=y' });
});
