import { afterAll, beforeAll, expect, test } from 'vitest';

import { createExplainer, type Explanation, type PropertyStory } from '../../../src/explain/explain.ts';
import { createEventReader } from '../../../src/graph/events.ts';
import type { PublicGraph } from '../../../src/model/graph.ts';
import type { NodeRef } from '../../../src/model/refs.ts';
import { compareScalars, type PropertyType, type Scalar, type Value } from '../../../src/model/values.ts';
import { generate } from '../../../src/verify/generate.ts';
import { hear, type Heard, type Stamp } from '../../../src/verify/hear.ts';
import { law } from '../../../src/verify/law-model.ts';
import { createRandom } from '../../../src/verify/random.ts';
import { reference } from '../../../src/verify/reference.ts';
import { sourcesOf } from '../../../src/verify/teller.ts';
import type { Told } from '../../../src/verify/told.ts';
import { openGraph, toldEvent, type TestGraph } from '../../support/graph.ts';

const ENTITIES = process.env['EVENTGRAFT_LONG'] === '1' ? 1_000 : 200;
const BATCH = 40;
const SIDE_BY_SIDE = 8;

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph({ model: law });
});
afterAll(() => graph.close());

test(`${ENTITIES} random entities: every property and edge is explained by the event that the law says`, { timeout: 300_000 }, async () => {
  const seed = process.env['EVENTGRAFT_TEST_SEED'] ?? String(Date.now());
  const random = createRandom(seed);
  const histories: Told[][] = [];
  const entities = new Map<string, { ref: NodeRef; told: Told[] }>();
  for (let n = 0; entities.size < ENTITIES; n++) {
    const told = generate(random, law, { events: random.pick([3, 4, 5, 6]), prefix: `h${n}-` });
    histories.push(told);
    for (const ref of nodesOf(hear(law, told))) entities.set(ref.id, { ref, told });
  }
  const sources = sourcesOf(law, histories.flat());
  const events = random.shuffle(histories.flat());
  for (let at = 0; at < events.length; at += BATCH) await graph.tell(events.slice(at, at + BATCH).map(toldEvent), { sources });

  const names = new Map((await graph.ledger()).map(({ key, event }) => [key, `${key.split('~', 1)[0]}#${event.bodyHash}`]));
  const explainer = createExplainer(graph.bolt, law, { events: createEventReader(graph.bolt), sources });
  const check = async ({ ref, told }: { ref: NodeRef; told: Told[] }): Promise<void> => {
    const found = await explainer.explain(ref.id);
    const nameOf = (by: { readonly event: string } | null): string | null => (by === null ? null : (names.get(by.event) ?? by.event));
    expect(winners(found, nameOf), `EVENTGRAFT_TEST_SEED=${seed} ${ref.id}`).toEqual(expected(ref, hear(law, told), reference(law, told)));
    for (const story of [...found.properties, ...found.relationships.flatMap(({ properties }) => properties)]) checkStatements(story);
  };
  const left = [...entities.values()];
  await Promise.all(
    Array.from({ length: SIDE_BY_SIDE }, async () => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) await check(next);
    }),
  );
});

interface Winners {
  readonly present: boolean;
  readonly properties: Readonly<Record<string, string | null>>;
  /** Of what is visible. */
  readonly edges: Readonly<Record<string, { readonly by: string | null; readonly properties: Readonly<Record<string, string | null>> }>>;
}

/** Of every property that has a value: whose it is. */
function winners(found: Explanation, nameOf: (by: { readonly event: string } | null) => string | null): Winners {
  const of = (stories: readonly PropertyStory[]): Record<string, string | null> =>
    Object.fromEntries(stories.filter(({ value }) => value !== null).map((story) => [story.name, nameOf(story.by)]));
  const visible = found.relationships.filter(({ state }) => state === 'present');
  return {
    present: found.state === 'present',
    properties: found.state === 'present' ? of(found.properties) : {},
    edges: Object.fromEntries(visible.map((one) => [one.relationship, { by: nameOf(one.by), properties: of(one.properties) }])),
  };
}

/** By the law as the reference hears it, without the fold, its clocks or its registers. */
function expected(ref: NodeRef, heard: readonly Heard[], { nodes, edges }: PublicGraph): Winners {
  const removed = Math.max(0, ...heard.flatMap((fact) => (fact.kind === 'remove' && fact.node.id === ref.id ? [fact.stamp.place] : [])));
  const upserts = heard.flatMap((fact) => (fact.kind === 'upsert' && fact.node.id === ref.id ? [fact] : []));
  const properties = nodes.get(ref.id);
  const of = (values: Readonly<Record<string, Value>>, winner: (name: string, value: Value) => Stamp | undefined): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, winner(name, value)?.event ?? 'nobody']));
  const mine = [...edges].filter(([id]) => id.startsWith(`${ref.id}-[`) || id.endsWith(`]->${ref.id}`));
  return {
    present: properties !== undefined,
    properties: of(properties ?? {}, (name, value) => {
      const type = ref.shape.properties.get(name) as PropertyType;
      const said = upserts.flatMap((fact) => {
        const one = fact.said.get(name);
        return one === undefined || (type.rule === 'last' && fact.stamp.place <= removed) ? [] : [{ stamp: fact.stamp, value: one }];
      });
      return holder(type, said, value);
    }),
    edges: Object.fromEntries(
      mine.map(([id, values]) => {
        const links = heard.flatMap((fact) => (fact.kind === 'link' && fact.edge.id === id ? [fact] : []));
        const by = newest(links.map(({ stamp }) => stamp))?.event ?? 'nobody';
        return [
          id,
          {
            by,
            properties: of(values, (name) => newest(links.filter(({ said }) => said.has(name)).map(({ stamp }) => stamp))),
          },
        ];
      }),
    ),
  };
}

function holder(
  { rule }: PropertyType,
  said: readonly { readonly stamp: Stamp; readonly value: Value | null }[],
  value: Value,
): Stamp | undefined {
  const stamps = said.map(({ stamp }) => stamp);
  switch (rule) {
    case 'last':
    case 'union':
      return newest(stamps);
    case 'first':
      return oldest(stamps);
    case 'min':
    case 'max':
    case 'ranked':
      return oldest(said.filter((one) => compareScalars(one.value as Scalar, value as Scalar) === 0).map(({ stamp }) => stamp));
  }
}

const newest = (stamps: readonly Stamp[]): Stamp | undefined => stamps.toSorted((a, b) => b.place - a.place)[0];
const oldest = (stamps: readonly Stamp[]): Stamp | undefined => stamps.toSorted((a, b) => a.place - b.place)[0];

/** The winner says so, and everybody else is told why not. */
function checkStatements({ name, rule, by, said }: PropertyStory): void {
  for (const one of said) expect(one.because === null, `${name}: ${JSON.stringify(one)}`).toBe(one.outcome !== 'lost');
  if (by === null) return;
  const won = said.filter(({ outcome }) => outcome !== 'lost').map((one) => one.by.event);
  expect(won, name).toContain(by.event);
  if (rule !== 'union') expect(won, name).toEqual([by.event]);
}

function nodesOf(heard: readonly Heard[]): NodeRef[] {
  return heard.flatMap((fact) => {
    if ('node' in fact) return [fact.node];
    if ('edge' in fact) return [fact.edge.from, fact.edge.to];
    return [fact.owner];
  });
}
