import { expect, test } from 'vitest';
import { diffGraphs, showGraph } from '../../../src/model/graph.ts';
import { createTeller } from '../../../src/verify/story-teller.ts';

const { node, graph } = createTeller('');
const [a, b] = [node('A', 'a'), node('B', 'b')];

test('equal graphs have no differences, however they were put together', () => {
  expect(
    diffGraphs(graph([[a, { x: 1n, tags: ['x'] }], [b]], [['TAGS', a, b]]), graph([[b], [a, { tags: ['x'], x: 1n }]], [['TAGS', a, b]])),
  ).toEqual([]);
});

test('differences say what the second graph lacks, has in excess and says differently', () => {
  const differences = diffGraphs(graph([[a, { x: 1n }]], [['TAGS', a, b, { q: 1n }]], ['e1']), graph([[a, { x: 1 }], [b]], [], ['e2']));
  expect(differences).toEqual([
    '! node A/acme/a {x: 1n} became {x: 1}',
    '+ node B/b',
    `+ parked acme:e2#${'a'.repeat(64)}`,
    '- edge A/acme/a-[TAGS]->B/b {q: 1n}',
    `- parked acme:e1#${'a'.repeat(64)}`,
  ]);
});

test('values of different types differ although they print alike', () => {
  for (const [x, y] of [
    [1n, 1],
    ['1', 1n],
    ['true', true],
    [['x'], 'x'],
    [
      ['x', 'y'],
      ['y', 'x'],
    ],
  ] as const) {
    expect(diffGraphs(graph([[a, { x }]]), graph([[a, { x: y }]]))).toHaveLength(1);
  }
});

test('a graph shows as sorted lines', () => {
  expect(showGraph(graph([[b], [a, { y: 'y', x: 1n }]], [['TAGS', a, b]]))).toEqual([
    'edge A/acme/a-[TAGS]->B/b',
    'node A/acme/a {x: 1n, y: "y"}',
    'node B/b',
  ]);
});
