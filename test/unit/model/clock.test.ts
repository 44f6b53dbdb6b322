import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { compareClocks, compareUtf8, isNewer, later, REMOVE_RANK, type Clock } from '../../../src/model/clock.ts';

const base: Clock = { time: 5n, sequence: 1n, rank: 1, key: 's:m', bodyHash: 'b' };

const anyClock: fc.Arbitrary<Clock> = fc.record({
  time: fc.bigInt({ min: -2n, max: 2n }),
  sequence: fc.bigInt({ min: 0n, max: 2n }),
  rank: fc.constantFrom(0, 1, 2, REMOVE_RANK),
  key: fc.constantFrom('s:a', 's:b', 's:\uffff', 's:😀'),
  bodyHash: fc.constantFrom('0', '1'),
});

describe('the clock', () => {
  test.each<[string, Partial<Clock>]>([
    ['time, before the epoch too', { time: -5n, sequence: 9n, rank: 9, key: 's:z', bodyHash: 'z' }],
    ['then sequence', { sequence: 0n, rank: 9, key: 's:z', bodyHash: 'z' }],
    ['then rank', { rank: 0, key: 's:z', bodyHash: 'z' }],
    ['then the event key', { key: 's:a', bodyHash: 'z' }],
    ['then the body hash', { bodyHash: 'a' }],
  ])('is ordered by %s', (_, older) => {
    expect(compareClocks({ ...base, ...older }, base)).toBeLessThan(0);
    expect(compareClocks(base, { ...base, ...older })).toBeGreaterThan(0);
  });

  test('ties only with itself', () => {
    expect(compareClocks(base, { ...base })).toBe(0);
  });

  test('compares times beyond 2^53 exactly', () => {
    expect(compareClocks({ ...base, time: 1_795_000_000_000_000_001n }, { ...base, time: 1_795_000_000_000_000_000n })).toBeGreaterThan(0);
  });

  test('is a total order', () => {
    fc.assert(
      fc.property(anyClock, anyClock, anyClock, (a, b, c) => {
        expect(Math.sign(compareClocks(a, b))).toBe(0 - Math.sign(compareClocks(b, a)));
        const [x, y, z] = [a, b, c].toSorted(compareClocks) as [Clock, Clock, Clock];
        expect(compareClocks(x, y)).toBeLessThanOrEqual(0);
        expect(compareClocks(y, z)).toBeLessThanOrEqual(0);
        expect(compareClocks(x, z)).toBeLessThanOrEqual(0);
        if (compareClocks(a, b) === 0) expect(a).toEqual(b);
      }),
    );
  });

  test('no clock is older than every clock', () => {
    expect(isNewer(undefined, undefined)).toBe(false);
    expect(isNewer(base, undefined)).toBe(true);
    expect(isNewer(undefined, base)).toBe(false);
    expect(isNewer(base, base)).toBe(false);
    expect(later(undefined, base)).toBe(base);
    expect(later(base, undefined)).toBe(base);
    expect(later(base, { ...base, time: 6n })).toEqual({ ...base, time: 6n });
    expect(later(undefined, undefined)).toBeUndefined();
  });
});

test('text is ordered as its UTF-8 bytes are, where UTF-16 units would differ', () => {
  expect(compareUtf8('\uffff', '😀')).toBeLessThan(0);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (start, a, b) => {
      expect(Math.sign(compareUtf8(start + a, start + b))).toBe(Buffer.compare(Buffer.from(start + a), Buffer.from(start + b)));
    }),
  );
});
