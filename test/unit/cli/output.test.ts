import { afterEach, expect, test, vi } from 'vitest';
import { cellText, sayError, table, toJson } from '../../../src/cli/output.ts';
import { IngestError } from '../../../src/errors.ts';

afterEach(() => vi.restoreAllMocks());

function saidOf(error: unknown): string {
  let said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  sayError(error);
  return said;
}

test('a table is as wide as its widest cells, with numbers to the right', () => {
  expect(
    table(
      ['name', 'n'],
      [
        ['a', 1],
        ['long name', 1_000],
      ],
    ),
  ).toBe('name          n\n─────────  ────\na             1\nlong name  1000');
  expect(table(['name', 'n'], [])).toBe('name  n\n────  ─');
});

test('a cell is text as it is, nothing for null, JSON for what has parts', () => {
  expect([null, undefined, 'a "b"', 1n, 2.5, true, [1, 'x'], { a: 1n }].map(cellText)).toEqual([
    '',
    '',
    'a "b"',
    '1',
    '2.5',
    'true',
    '[1,"x"]',
    '{"a":1}',
  ]);
});

test('an integer that JSON readers would round is written as text', () => {
  expect(toJson({ small: 1n, large: 2n ** 53n + 1n })).toBe('{"small":1,"large":"9007199254740993"}');
});

test('a known error says what happened and what to do, without a stack', () => {
  const said = saidOf(new IngestError('SCHEMA_DRIFT', 'an index is missing'));
  expect(said).toBe('eventgraft: an index is missing\n  SCHEMA_DRIFT: Run `eventgraft schema apply`.\n');
  expect(saidOf(new IngestError('BAD_CONFIG', 'PORT must be at most 65535'))).toBe(
    'eventgraft: PORT must be at most 65535\n  BAD_CONFIG\n',
  );
});

test('a connection that is refused is told by its last words', () => {
  const driver =
    'Neo4j is not available: Failed to connect to server. Please ensure that … settings. Caused by: connect ECONNREFUSED 127.0.0.1:1';
  expect(saidOf(new IngestError('GRAPH_UNAVAILABLE', driver))).toMatch(
    /^eventgraft: Neo4j is not available: connect ECONNREFUSED 127\.0\.0\.1:1\n {2}GRAPH_UNAVAILABLE: Check NEO4J_URI/,
  );
});

test('a fault of our own keeps its stack', () => {
  expect(saidOf(new Error('oops'))).toMatch(/a fault of its own: Error: oops\n\s+at /);
});
