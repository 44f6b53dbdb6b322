import { expect, test } from 'vitest';

import { decodeCursor, encodeCursor, isBefore, NEWEST } from '../../../src/graph/event-filter.ts';
import { packSegment, packStates, unpackSegment, type LedgerEntry } from '../../../src/graph/segment.ts';
import { rowStart, unpackRow } from '../../../src/graph/segment-row.ts';

const place = { segment: '01795255200000-000001-0123456789ab', position: 17 };

test('a cursor comes back as the place it was made of', () => {
  expect(decodeCursor(encodeCursor(place))).toEqual(place);
});

test('what is no cursor is undefined', () => {
  for (const text of [
    '',
    'x',
    encodeCursor(place).slice(1),
    Buffer.from(`${place.segment} -1`).toString('base64url'),
    Buffer.from(`${place.segment}' 1`).toString('base64url'),
  ]) {
    expect(decodeCursor(text)).toBeUndefined();
  }
});

test('places are ordered by segment, then by position; everything is before the newest', () => {
  expect(isBefore(place, NEWEST)).toBe(true);
  expect(isBefore({ ...place, position: 16 }, place)).toBe(true);
  expect(isBefore(place, place)).toBe(false);
});

const nasty: LedgerEntry = {
  key: 'shop:a"],["b\\',
  event: { source: 'shop', id: 'a"],["b\\', body: 'x', bodyHash: 'ab'.repeat(32), headers: { x: '],["shop:c",' }, receivedAtMs: 1 },
  state: 'failed',
  conflict: false,
  type: 'foo],[',
  occurrenceId: undefined,
  occurredAt: 5n,
  subject: 'Order/shop/1',
  entities: ['Order/shop/1'],
  mapping: 'm',
  error: { code: 'BAD_VALUE', message: '}]"', path: 'facts[0]' },
  attempts: 2,
  latest: undefined,
};

test('one row is cut out of a segment whatever brackets and quotes its texts hold', () => {
  const entries = [nasty, { ...nasty, key: 'shop:c' }, { ...nasty, key: 'shop:d' }];
  const { meta } = packSegment('s', 1, entries);
  const { states } = packStates(entries.map((entry) => entry.state));
  const whole = unpackSegment(meta, '', states);
  entries.forEach((entry, i) => {
    const parts = meta.split(rowStart(entry.key));
    expect(parts).toHaveLength(2);
    expect(unpackRow(entry.key, parts[1] ?? '', states[i] ?? '')).toEqual(whole[i]);
    expect(unpackRow(entry.key, (parts[1] ?? '').slice(0, 60), states[i] ?? '')).toBeUndefined();
  });
});
