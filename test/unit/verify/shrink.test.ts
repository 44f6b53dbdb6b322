import { expect, test } from 'vitest';
import { law } from '../../../src/verify/law-model.ts';
import { permutations, schedulesOf } from '../../../src/verify/schedule.ts';
import { createRandom } from '../../../src/verify/random.ts';
import { showHistory, showSchedule } from '../../../src/verify/show.ts';
import { shrink } from '../../../src/verify/shrink.ts';
import { createTeller } from '../../../src/verify/story-teller.ts';
import { factsOf, type Told } from '../../../src/verify/told.ts';

const { node, told, upsert, remove, replace, clear, unlink } = createTeller('');
const [a, b] = [node('A', 'a'), node('B', 'b')];
const history = [
  told('e1', 1, upsert(a, { x: 1, y: 'y' }), remove(b)),
  told(
    'e2#b',
    2,
    replace('CONTAINS', a, [
      [b, { q: 1, note: 'n' }, '1'],
      [b, {}, '2'],
    ]),
  ),
  told('e3', 3, clear('BOUGHT', a), unlink('TAGS', a, b)),
];

test('shrinking drops all that the failure does not need', () => {
  const speaksOfNote = (events: readonly Told[]): boolean => events.some(({ mapped }) => JSON.stringify(factsOf(mapped)).includes('note'));
  expect(showHistory(law, shrink(history, speaksOfNote))).toEqual([
    'acme:e2#bbbb @ 2026-01-01T00:00:02Z: replace CONTAINS(A/acme/a -> [B/b :1 {note: "n"}])',
  ]);
});

test('a history reads as one line an event', () => {
  expect(showHistory(law, history)).toEqual([
    'acme:e1#aaaa @ 2026-01-01T00:00:01Z: upsert A/acme/a {x: 1, y: "y"}; remove B/b',
    'acme:e2#bbbb @ 2026-01-01T00:00:02Z: replace CONTAINS(A/acme/a -> [B/b :1 {q: 1, note: "n"}, B/b :2 {}])',
    'acme:e3#aaaa @ 2026-01-01T00:00:03Z: clear BOUGHT(A/acme/a); unlink TAGS(A/acme/a -> B/b)',
  ]);
  expect(showSchedule(history, { batches: [[2], [0, 1]] })).toBe('acme:e3#aaaa, acme:e1#aaaa + acme:e2#bbbb');
});

test('a schedule brings every event at least once', () => {
  const random = createRandom('schedule');
  for (const size of [1, 3, 6, 8]) {
    for (const { batches } of schedulesOf(random, size)) expect(new Set(batches.flat()).size).toBe(size);
  }
});

test('there are n! orders, each once', () => {
  const orders = [...permutations([1, 2, 3, 4])].map((order) => order.join(''));
  expect(new Set(orders).size).toBe(24);
  expect(orders).toHaveLength(24);
});
