import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { applySchema } from '../../../src/graph/schema.ts';
import { readGraph } from '../../../src/graph/snapshot.ts';
import { createGraphStore } from '../../../src/graph/store.ts';
import { secretOf } from '../../../src/secret.ts';
import { facts } from '../../../src/sources/facts.ts';
import { GUIDE_SOURCE, printGraph, readGuide, type GuideEvent } from '../../support/guide.ts';
import { assertConserved, bodyOf, openGraph, type TestGraph } from '../../support/graph.ts';

const guide = await readGuide();

let graph: TestGraph;

beforeAll(async () => {
  graph = await openGraph();
  for (const model of new Set(guide.map((story) => story.model))) await applySchema(graph.bolt, model);
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

type Arrange = (events: readonly GuideEvent[]) => GuideEvent[][];

/** The unit test goes through every order; here two that differ most. */
const ARRIVALS: Readonly<Record<string, Arrange>> = {
  'backwards, each twice': (events) => events.toReversed().flatMap((event) => [[event], [event]]),
  'all at once': (events) => [[...events]],
};

test.each(guide.flatMap((story) => Object.entries(ARRIVALS).map(([how, arrange]) => ({ ...story, how, arrange }))))(
  '$name ($how)',
  async ({ model, events, graph: printed, arrange }) => {
    const secrets = [secretOf('hmac', Buffer.from('a secret of the guide'))];
    const sources = new Map([[GUIDE_SOURCE, facts()({ name: GUIDE_SOURCE, secrets, model })]]);
    const store = createGraphStore(graph.bolt, model);
    let told = 0;
    for (const batch of arrange(events)) {
      told += (
        await graph.tell(
          batch.map(({ body, id, source }) => bodyOf(body, { id, source })),
          { store, sources },
        )
      ).length;
    }
    expect(printGraph(await readGraph(graph.bolt, model))).toEqual(printed);
    await assertConserved(graph, told);
  },
);
