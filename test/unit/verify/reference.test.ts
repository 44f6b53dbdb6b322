import { expect, test } from 'vitest';
import { diffGraphs } from '../../../src/model/graph.ts';
import { generate } from '../../../src/verify/generate.ts';
import { law } from '../../../src/verify/law-model.ts';
import { createRandom } from '../../../src/verify/random.ts';
import { reference } from '../../../src/verify/reference.ts';
import { createTeller } from '../../../src/verify/story-teller.ts';
import type { RawFact, Told } from '../../../src/verify/told.ts';

const { node, told, upsert, remove, link, unlink, replace, clear, graph } = createTeller('');
const [a, b, b2] = [node('A', 'a'), node('B', 'b'), node('B', 'b2')];
const at = (second: number, fact: RawFact): RawFact => ({ ...fact, said: { ...fact.said, at: `2026-01-01T00:00:0${second}Z` } });
const sequenced = (sequence: number, event: Told): Told => ({ ...event, mapped: { ...event.mapped, sequence } });

function expectGraph(events: readonly Told[], expected: ReturnType<typeof graph>): void {
  expect(diffGraphs(expected, reference(law, events))).toEqual([]);
}

test('neither the order nor the number of the events matters', () => {
  const random = createRandom('reference');
  for (let i = 0; i < 300; i++) {
    const history = generate(random, law, { events: 5 });
    const graphs = [history, random.shuffle(history), [...history, ...history]].map((events) => reference(law, events));
    expect(diffGraphs(graphs[0] ?? graph([]), graphs[1] ?? graph([]))).toEqual([]);
    expect(diffGraphs(graphs[0] ?? graph([]), graphs[2] ?? graph([]))).toEqual([]);
  }
});

test('facts of one event with their own times raise their own registers', () => {
  expectGraph(
    [told('e1', 5, upsert(a, { x: 1 }), at(2, upsert(a, { x: 2, y: 'kept' }))), told('e2', 3, remove(a))],
    graph([[a, { x: 1n }]]),
  );
  expectGraph([told('e1', 1, at(4, remove(a)), at(5, upsert(a)), upsert(a, { x: 1 }))], graph([[a]]));
  expectGraph(
    [told('e1', 9, at(2, link('BOUGHT', a, b)), at(1, clear('BOUGHT', a)), at(3, link('BOUGHT', a, b2)))],
    graph([[a], [b], [b2]], [['BOUGHT', a, b2]]),
  );
});

test('facts of one event and time collapse in list order', () => {
  expectGraph([told('e1', 1, upsert(a, { x: 1, y: 'kept' }), upsert(a, { x: null }))], graph([[a, { y: 'kept' }]]));
  expectGraph([told('e1', 1, link('BOUGHT', a, b), link('BOUGHT', a, b2))], graph([[a], [b], [b2]], [['BOUGHT', a, b2]]));
  expectGraph([told('e1', 1, link('BOUGHT', a, b), clear('BOUGHT', a))], graph([[a], [b]]));
  expectGraph([told('e1', 1, clear('BOUGHT', a), link('BOUGHT', a, b))], graph([[a], [b]], [['BOUGHT', a, b]]));
});

test('of equal times the sequence decides, then the status that the facts of the moment leave', () => {
  expectGraph(
    [sequenced(2, told('e1', 1, upsert(a, { x: 1 }))), sequenced(1, told('e2', 1, upsert(a, { x: 2, status: 'fulfilled' })))],
    graph([[a, { x: 1n, status: 'fulfilled' }]]),
  );
  expectGraph(
    [
      told('e1', 1, upsert(a, { status: 'paid', x: 1 })),
      told('e2', 1, upsert(a, { status: 'fulfilled' }), upsert(a, { status: 'pending', x: 2 })),
    ],
    graph([[a, { status: 'paid', x: 1n }]]),
  );
});

test('unlink beats a link of its own event, remove beats an upsert of its own event, a set keeps its own members', () => {
  expectGraph([told('e1', 1, unlink('TAGS', a, b), link('TAGS', a, b))], graph([[a], [b]]));
  expectGraph([told('e1', 1, remove(a), upsert(a, { status: 'fulfilled' }))], graph([]));
  expectGraph([told('e1', 1, replace('LISTS', a, [[b]]))], graph([[a], [b]], [['LISTS', a, b]]));
});

test('accumulating properties are for life: removal hides them, re-creation shows them', () => {
  const said = upsert(a, { low: 3, high: 1.5, origin: 'shop', tags: ['y', 'x'], grade: 'silver', x: 1 });
  const first = [told('e1', 1, said), told('e2', 2, remove(a))];
  expectGraph(first, graph([]));
  expectGraph(
    [...first, told('e3', 3, upsert(a, { low: 5, high: 0.5, origin: 'app', tags: 'z', grade: 'bronze' }))],
    graph([[a, { low: 3n, high: 1.5, origin: 'shop', tags: ['x', 'y', 'z'], grade: 'silver' }]]),
  );
});

test('an event is parked while it holds the link or a property, cleared or not, of an edge that lacks an end', () => {
  const waiting = [
    told('e1', 1, upsert(a), link('REFUNDS', a, b, { q: 1, note: 'old' })),
    told('e2', 2, link('REFUNDS', a, b, { note: null })),
    told('e3', 3, link('REFUNDS', a, b)),
    told('e4', 2, link('REFUNDS', a, b, { note: 'beaten' })),
  ];
  expectGraph(waiting.slice(0, 3), graph([[a]], [], ['e1', 'e2', 'e3']));
  expectGraph(waiting, graph([[a]], [], ['e1', 'e3', 'e4']));
  expectGraph([...waiting, told('e5', 4, unlink('REFUNDS', a, b))], graph([[a]]));
  expectGraph([...waiting, told('e5', 4, upsert(b))], graph([[a], [b]], [['REFUNDS', a, b, { q: 1n, note: 'beaten' }]]));
});

test('a waiting to-one link that lost its slot parks nobody', () => {
  expectGraph(
    [told('e1', 1, upsert(a), link('BOUGHT_PARK', a, b, { q: 1 })), told('e2', 2, link('BOUGHT_PARK', a, b2))],
    graph([[a]], [], ['e2']),
  );
  expectGraph([told('e1', 1, upsert(a), link('BOUGHT_PARK', a, b)), told('e2', 2, clear('BOUGHT_PARK', a))], graph([[a]]));
});
