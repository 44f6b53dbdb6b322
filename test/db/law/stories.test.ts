import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { applySchema } from '../../../src/graph/schema.ts';
import { readGraph } from '../../../src/graph/snapshot.ts';
import { createGraphStore } from '../../../src/graph/store.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { diffGraphs, type PublicGraph } from '../../../src/model/graph.ts';
import { createRandom } from '../../../src/verify/random.ts';
import { schedulesOf } from '../../../src/verify/schedule.ts';
import { stories, tellStories, type Story } from '../../../src/verify/stories.ts';
import { sourcesOf } from '../../../src/verify/teller.ts';
import { law } from '../../../src/verify/law-model.ts';
import { showSchedule } from '../../../src/verify/show.ts';
import type { Schedule } from '../../../src/verify/told.ts';
import { openGraph, toldEvent, type TestGraph } from '../../support/graph.ts';

/** Every order of up to three events, and so many random ones of more; then random batches with redeliveries. */
const ORDERS = 10;
/** Fewer than there are connections. */
const SIDE_BY_SIDE = 8;

let graph: TestGraph;

beforeAll(async () => {
  graph = await openGraph({ model: law });
  await applySchema(graph.bolt, commerce);
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

interface Telling {
  readonly story: Story;
  readonly schedule: Schedule;
}

/** The same story under keys of its own for each schedule, so that all of them can be told side by side. */
function tellingsOf(index: number): Telling[] {
  const size = stories[index]?.events.length ?? 0;
  const all = Array.from({ length: size }, (_, event) => event);
  const schedules = [
    { batches: [all] },
    { batches: [all.toReversed()] },
    { batches: [all, all] },
    ...schedulesOf(createRandom(`stories/${index}`), size, ORDERS),
  ];
  return schedules.flatMap((schedule, telling) => {
    const story = tellStories(`t${telling}-`)[index];
    return story === undefined ? [] : [{ story, schedule }];
  });
}

for (const [index, { name, model }] of stories.entries())
  test(name, async () => {
    const tellings = tellingsOf(index);
    const store = createGraphStore(graph.bolt, model);
    const sources = sourcesOf(
      model,
      tellings.flatMap(({ story }) => story.events),
    );
    const waiting = [...tellings];
    const tell = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const { story, schedule } = next;
        for (const batch of schedule.batches) {
          const outcomes = await graph.tell(batch.flatMap((event) => story.events[event] ?? []).map(toldEvent), { store, sources });
          expect(outcomes).not.toContain('failed');
        }
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, tell));

    const seen = await readGraph(graph.bolt, model);
    for (const [telling, { story, schedule }] of tellings.entries()) {
      expect(diffGraphs(story.expect, onlyOf(seen, `t${telling}-`)), showSchedule(story.events, schedule)).toEqual([]);
    }
    expect(seen.nodes.size + seen.edges.size).toBe(
      tellings.reduce((sum, { story }) => sum + story.expect.nodes.size + story.expect.edges.size, 0),
    );
  });

function onlyOf({ nodes, edges, parked }: PublicGraph, prefix: string): PublicGraph {
  const mine = (name: string): boolean => new RegExp(`[/:]${prefix}`).test(name);
  return {
    nodes: new Map([...nodes].filter(([id]) => mine(id))),
    edges: new Map([...edges].filter(([id]) => mine(id))),
    parked: new Set([...parked].filter(mine)),
  };
}
