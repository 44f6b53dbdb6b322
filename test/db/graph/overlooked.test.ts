/** Found by readers: each once ended in a wrong graph, a wrong account, or a worker that stood still. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Tried } from '../../../src/apply.ts';
import type { Event } from '../../../src/event.ts';
import { applySchema } from '../../../src/graph/schema.ts';
import { readGraph } from '../../../src/graph/snapshot.ts';
import { createGraphStore, type GraphStore } from '../../../src/graph/store.ts';
import type { AnyFact, Mapped } from '../../../src/model/facts.ts';
import type { PublicGraph } from '../../../src/model/graph.ts';
import { defineModel, type Model } from '../../../src/model/model.ts';
import { text } from '../../../src/model/values.ts';
import { secretOf } from '../../../src/secret.ts';
import { facts } from '../../../src/sources/facts.ts';
import type { Source } from '../../../src/sources/source.ts';
import { law } from '../../../src/verify/law-model.ts';
import { countLedger, eventOf, openGraph, pausing, untilBlocked, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
let other: GraphStore;
let third: GraphStore;
beforeAll(async () => {
  graph = await openGraph({ model: law });
  other = createGraphStore(graph.bolt, law);
  third = createGraphStore(graph.bolt, law);
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

const say = (id: string, second: number, ...said: readonly AnyFact[]): Event =>
  eventOf({ id, at: `2026-11-21T09:00:${String(second).padStart(2, '0')}Z`, facts: said });
const a = (id: string): AnyFact => ({ upsert: { node: 'A', key: { id } } });
const b = (id: string): AnyFact => ({ upsert: { node: 'B', key: { id } } });
const link = (relationship: string, from: string, to: string, set: Record<string, unknown> = {}): AnyFact => ({
  link: { relationship, from: { id: from }, to: { id: to }, set },
});

test('an edge that is hidden while a removal of its other end waits for a lock does not come back', async () => {
  const setUp = [
    say('e1', 1, a('a'), b('b'), a('o'), a('h1'), a('h2'), link('BOSS', 'o', 'h1')),
    say('e2', 5, link('REFUNDS', 'a', 'b')),
    // So many edges that Neo4j does not lock the node itself with each of them.
    say('e3', 1, ...Array.from({ length: 80 }, (_, i) => link('TAGS', `t${i}`, 'b'))),
  ];
  for (const event of setUp) await graph.tell([event]);
  const slow = pausing(graph.store);
  const holder = graph.tell([say('e4', 0, { remove: { node: 'A', key: { id: 'h1' } } })], { store: slow.store });
  await slow.looked;
  let over = false;
  const waiter = graph
    .tell([say('e5', 6, { remove: { node: 'B', key: { id: 'b' } } }, link('BOSS', 'o', 'h2'))], { store: other })
    .finally(() => (over = true));
  expect(await untilBlocked(graph, () => over)).toBe(true);
  await graph.tell([say('e6', 2, { remove: { node: 'A', key: { id: 'a' } } })], { store: third });
  slow.go();
  await Promise.all([holder, waiter]);
  await graph.tell([say('e7', 8, a('a'), b('b'))]);
  expect([...(await graph.graph()).edges.keys()].filter((id) => id.includes('REFUNDS'))).toEqual([]);
});

describe('an edge that somebody else made', () => {
  beforeEach(() => graph.tell([say('e1', 1, a('a'), a('c'), b('b'))]));

  test('from a node without our key holds nobody up', async () => {
    await graph.run("MATCH (b:B {id: 'b'}) CREATE (:Person {name: 'x'})-[:PLACED]->(b)");
    expect(await graph.tell([say('e2', 2, link('PLACED', 'a', 'b')), say('e3', 2, a('innocent'))])).toEqual(['applied', 'applied']);
  });

  test.each([
    ['TAGS', "MATCH (a:A {id: 'a'}), (b:B {id: 'b'}) CREATE (a)-[:TAGS {q: 99}]->(b)"],
    ['PLACED', "MATCH (c:A {id: 'c'}), (b:B {id: 'b'}) CREATE (c)-[:PLACED]->(b)"],
  ])('is not taken for one of ours: %s', async (type, cypher) => {
    await graph.run(cypher);
    await graph.tell([say('e2', 2, link(type, 'a', 'b', type === 'TAGS' ? { note: 'n' } : {}))]);
    expect([...(await graph.graph()).edges]).toEqual([[`A/shop/a-[${type}]->B/b`, type === 'TAGS' ? { note: 'n' } : {}]]);
  });
});

test.each<[string, object]>([
  ['an occurrence that is a number', { occurrenceId: 12_345_678_901_234_567_890n }],
  ['a type that is an object', { type: { a: 1 } }],
  ['a type that is a number', { type: 5 }],
])('a mapping that says %s fails for that event alone', async (_, extra) => {
  const map = (): Mapped => ({ type: 't', occurredAt: '2026-11-21T09:00:00Z', facts: [a('x')], ...extra }) as unknown as Mapped;
  const odd: Source = { name: 'other', model: law, version: 'odd', keepHeaders: [], verify: () => '', identify: () => ({ id: '' }), map };
  const events = [say('l', 1, a('left')), eventOf({ id: 'x', source: 'other', facts: [] }), say('r', 1, a('right'))];
  expect(await graph.tell(events, { sources: new Map([...graph.sources, ['other', odd]]) })).toEqual(['applied', 'failed', 'applied']);
});

describe('an event that is late counts once', () => {
  const known = (): Event[] => [say('x', 1, a('x')), say('y', 1, a('y'))];
  const half = (store: GraphStore): Promise<Tried[]> =>
    graph.apply([{ job: 'j1-2', index: 0, of: 2, event: say('x', 1, a('x')) }], { store });
  const whole = (store: GraphStore): Promise<Tried[]> => graph.tell(known(), { job: 'j1-2', store });

  test.each([
    ['in part as well', half, 1],
    ['as a whole', whole, 2],
  ] as const)('though two workers have its job, one in part and the other %s', async (_, second, late) => {
    await graph.tell(known(), { job: 'j0-2' });
    const slow = pausing(graph.store);
    const first = half(slow.store);
    await slow.looked;
    await second(other);
    slow.go();
    expect(await first).toEqual(['repeated']);
    expect((await countLedger(graph)).late).toBe(late);
  });
});

describe('with a model of its own', () => {
  async function use(model: Model): Promise<{ tell: (events: readonly Event[]) => Promise<Tried[]>; graph: () => Promise<PublicGraph> }> {
    await applySchema(graph.bolt, model);
    const sources = new Map([['shop', facts()({ name: 'shop', secrets: [secretOf('hmac', Buffer.from('a secret for tests'))], model })]]);
    const store = createGraphStore(graph.bolt, model);
    return { tell: (events) => graph.tell(events, { store, sources }), graph: () => readGraph(graph.bolt, model) };
  }

  test('an edge that waits for a key which the model hashes finds its node', async () => {
    const hashed = { ...text, normalise: (mail: string) => createHash('sha256').update(mail).digest('hex') };
    const { tell, graph: read } = await use(
      defineModel({
        nodes: { Person: { key: { mail: hashed } }, Ticket: { key: { id: text } } },
        relationships: { OPENED: { from: 'Person', to: 'Ticket', missing: 'park' } },
      }) as unknown as Model,
    );
    const opened = { link: { relationship: 'OPENED', from: { mail: 'ada@x' }, to: { id: '1' } } };
    await tell([say('l', 1, opened)]);
    await tell([say('n', 2, { upsert: { node: 'Person', key: { mail: 'ada@x' } } }, { upsert: { node: 'Ticket', key: { id: '1' } } })]);
    expect((await read()).edges.size).toBe(1);
  });

  test('an edge may wait with more events than an index entry holds', async () => {
    const properties = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`p${i}`, text]));
    const { tell, graph: read } = await use(
      defineModel({
        nodes: { Person: { key: { id: text } }, Ticket: { key: { id: text } } },
        relationships: { OPENED: { from: 'Person', to: 'Ticket', missing: 'park', properties } },
      }) as unknown as Model,
    );
    for (let i = 0; i < 20; i++) {
      const opened = { link: { relationship: 'OPENED', from: { id: 'a' }, to: { id: '1' }, set: { [`p${i}`]: 'v' } } };
      expect(await tell([say(`${i}-${'x'.repeat(500)}`, i, opened)])).toEqual(['applied']);
    }
    expect((await read()).parked.size).toBe(20);
  });
});
