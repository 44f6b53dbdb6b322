import { afterAll, beforeAll, expect, test } from 'vitest';

import { applySchema } from '../../../src/graph/schema.ts';
import { readGraph } from '../../../src/graph/snapshot.ts';
import { createGraphStore } from '../../../src/graph/store.ts';
import type { Model } from '../../../src/model/model.ts';
import { secretOf } from '../../../src/secret.ts';
import { facts } from '../../../src/sources/facts.ts';
import { GUIDE_SOURCE, printGraph, readGuide, type GuideEvent } from '../../support/guide.ts';
import { bodyOf, openGraph, type TestGraph } from '../../support/graph.ts';

type Arrange = (events: readonly GuideEvent[]) => GuideEvent[][];

/** The unit test goes through every order; here two that differ most. */
const ARRIVALS: Readonly<Record<string, Arrange>> = {
  'backwards, each twice': (events) => events.toReversed().flatMap((event) => [[event], [event]]),
  'all at once': (events) => [[...events]],
};

/** Each telling has a source of its own, so that all those of one model can live side by side. */
const tellings = (await readGuide()).flatMap((story, i) =>
  Object.entries(ARRIVALS).map(([how, arrange], j) => ({ ...story, how, arrange, source: `${GUIDE_SOURCE}-${i}-${j}` })),
);
const models = new Set(tellings.map(({ model }) => model));

/** What a query sees when all stories of a model are told. */
const seen = new Map<Model, readonly string[]>();
let graph: TestGraph;

beforeAll(async () => {
  graph = await openGraph();
  for (const model of models) {
    await graph.wipe();
    await applySchema(graph.bolt, model);
    seen.set(model, await tellAll(model));
  }
});
afterAll(() => graph.close());

/** Step by step, the same step of all tellings in one batch. */
async function tellAll(model: Model): Promise<readonly string[]> {
  const mine = tellings.filter((telling) => telling.model === model);
  const secrets = [secretOf('hmac', Buffer.from('a secret of the guide'))];
  const sources = new Map(mine.map(({ source: name }) => [name, facts()({ name, secrets, model })]));
  const store = createGraphStore(graph.bolt, model);
  const ways = mine.map(({ source, events, arrange }) =>
    arrange(events).map((batch) => batch.map(({ body, id }) => bodyOf(body, { id, source }))),
  );
  for (let step = 0; step < Math.max(...ways.map((way) => way.length)); step++) {
    const outcomes = await graph.tell(
      ways.flatMap((way) => way[step] ?? []),
      { store, sources },
    );
    expect(outcomes).not.toContain('failed');
  }
  return printGraph(await readGraph(graph.bolt, model));
}

test.each(tellings)('$name ($how)', ({ model, source, graph: printed }) => {
  const isMine = (line: string): boolean => line.includes(`/${source}/`) || line.startsWith(`parked ${source}:`);
  // An e-mail address belongs to no source.
  const isShared = (line: string): boolean => !line.includes(`${GUIDE_SOURCE}-`) && printed.includes(line);
  const mine = (seen.get(model) ?? [])
    .filter((line) => isMine(line) || isShared(line))
    .map((line) => line.replaceAll(source, GUIDE_SOURCE));
  expect(mine.toSorted()).toEqual(printed);
});
