import { describe, expect, test } from 'vitest';
import { diffGraphs } from '../../../src/model/graph.ts';
import { createRandom } from '../../../src/verify/random.ts';
import { reference } from '../../../src/verify/reference.ts';
import { schedulesOf } from '../../../src/verify/schedule.ts';
import { showSchedule } from '../../../src/verify/show.ts';
import { stories, tellStories } from '../../../src/verify/stories.ts';
import { createJudgedWorld } from '../../../src/verify/judge.ts';

describe.each(stories)('$name', ({ model, events, expect: graph }) => {
  test('by the law', () => {
    expect(diffGraphs(graph, reference(model, events))).toEqual([]);
  });

  test('by the fold, in every order, with redeliveries and in batches', () => {
    const random = createRandom('stories');
    for (const schedule of schedulesOf(random, events.length)) {
      const world = createJudgedWorld(model);
      for (const batch of schedule.batches)
        world.apply(
          batch.flatMap((index) => events[index] ?? []),
          random,
        );
      expect(diffGraphs(graph, world.graph()), showSchedule(events, schedule)).toEqual([]);
    }
  });
});

test('every numbered story is told', () => {
  const told = new Set(stories.map(({ name }) => Number.parseInt(name)).filter((number) => !Number.isNaN(number)));
  expect([...told].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
});

test('a prefix keeps two tellings of a story apart', () => {
  const [mine, theirs] = [tellStories('m-'), tellStories('t-')];
  for (const [index, { model, events, expect: graph }] of mine.entries()) {
    const other = theirs[index];
    if (other === undefined) throw new Error('a telling lacks a story');
    const both = reference(model, [...events, ...other.events]);
    expect(both.nodes.size).toBe(graph.nodes.size + other.expect.nodes.size);
    expect(
      diffGraphs(
        {
          nodes: new Map([...graph.nodes, ...other.expect.nodes]),
          edges: new Map([...graph.edges, ...other.expect.edges]),
          parked: new Set([...graph.parked, ...other.expect.parked]),
        },
        both,
      ),
    ).toEqual([]);
  }
});
