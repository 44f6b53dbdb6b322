import fc from 'fast-check';
import { expect, test } from 'vitest';

import { conflictKey, eventKey, SOURCE_NAME, STATES } from '../../../src/event.ts';
import { cutSegments, MAX_SEGMENT_EVENTS, packSegment, packStates, unpackSegment, type LedgerEntry } from '../../../src/graph/segment.ts';

const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });
const text = fc.string({ unit: 'binary' }).filter((said) => said.isWellFormed());
const nanos = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n });

const hash = fc.stringMatching(/^[0-9a-f]{64}$/);

const drawn = fc.record({
  event: fc.record(
    {
      source: fc.stringMatching(SOURCE_NAME),
      id: text,
      body: text,
      bodyHash: hash,
      headers: fc.dictionary(fc.stringMatching(/^[a-z-]{1,9}$/), text),
      receivedAtMs: fc.nat(),
      fetched: fc.record({ body: text, bodyHash: text, status: fc.nat(), at: fc.nat() }),
    },
    { requiredKeys: ['source', 'id', 'body', 'bodyHash', 'headers', 'receivedAtMs'] },
  ),
  state: fc.constantFrom(...STATES),
  conflict: fc.boolean(),
  type: optional(text),
  occurrenceId: optional(text),
  occurredAt: optional(nanos),
  subject: optional(fc.nat()),
  entities: fc.uniqueArray(text),
  mapping: text,
  error: optional(fc.record({ code: fc.constant('BAD_VALUE' as const), message: text, path: text })),
  attempts: fc.nat(),
  latest: optional(nanos),
});
/** As they are in the ledger: the key names source and id, the subject is one of the entities. */
const entry: fc.Arbitrary<LedgerEntry> = drawn.map(({ subject, ...one }) => {
  const key = eventKey(one.event.source, one.event.id);
  return {
    ...one,
    key: one.conflict ? conflictKey(key, one.event.bodyHash) : key,
    subject: subject === undefined || one.entities.length === 0 ? undefined : one.entities[subject % one.entities.length],
    latest: subject === 0 ? one.occurredAt : one.latest,
  };
});
const plain = (entries: readonly LedgerEntry[]): unknown =>
  JSON.parse(JSON.stringify(entries, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)));

test('a segment gives back what was put in, whatever the bodies hold', () => {
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 8 }), (entries) => {
      const { meta, bodies } = packSegment('s', 0, entries);
      const { states } = packStates(entries.map(({ state }) => state));
      expect(plain(unpackSegment(meta, bodies, states))).toEqual(plain(entries));
    }),
  );
});

test('a segment sums up its entries, so that a list can pass it by', () => {
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 8 }), (entries) => {
      const segment = packSegment('s', 7, entries);
      const counts = packStates(entries.map(({ state }) => state));
      const received = entries.map(({ event }) => event.receivedAtMs);
      expect([segment.receivedFrom, segment.receivedTo]).toEqual([BigInt(Math.min(...received)), BigInt(Math.max(...received))]);
      for (const { event, type } of entries)
        expect([segment.sources.includes(event.source), segment.types.includes(type ?? '')]).toEqual([true, true]);
      for (const state of ['applied', 'superseded', 'ignored'] as const)
        expect(counts[state]).toBe(BigInt(entries.filter((one) => one.state === state).length));
    }),
  );
});

test('a batch is cut in order into segments that are neither too many events nor too much text', () => {
  const [one] = fc.sample(entry, 1);
  if (one === undefined) throw new Error('no sample');
  const sized = (length: number): LedgerEntry => ({ ...one, event: { ...one.event, body: 'x'.repeat(length) } });
  expect(cutSegments([])).toEqual([]);
  expect(cutSegments(Array.from({ length: 2 * MAX_SEGMENT_EVENTS + 1 }, () => sized(1))).map((part) => part.length)).toEqual([
    MAX_SEGMENT_EVENTS,
    MAX_SEGMENT_EVENTS,
    1,
  ]);
  expect(cutSegments([sized(600_000), sized(600_000), sized(10), sized(3_000_000), sized(1)]).map((part) => part.length)).toEqual([
    1, 2, 1, 1,
  ]);
  const entries = Array.from({ length: 600 }, (_, i) => sized(i * 20));
  expect(cutSegments(entries).flat()).toEqual(entries);
});
