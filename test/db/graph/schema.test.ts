import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { applySchema, checkSchema, requireSchema, schemaOf } from '../../../src/graph/schema.ts';
import type { AnyFact } from '../../../src/model/facts.ts';
import { MAX_ID_LENGTH } from '../../../src/model/resolve.ts';
import { law } from '../../../src/verify/law-model.ts';
import { eventOf, openGraph, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
beforeAll(async () => {
  graph = await openGraph({ model: law });
});
afterAll(() => graph.close());

const indexes = () =>
  graph.run(
    "SHOW INDEXES YIELD name, type, labelsOrTypes, properties WHERE type <> 'LOOKUP' RETURN name, labelsOrTypes, properties ORDER BY name",
  );

describe('the schema', () => {
  afterEach(() => applySchema(graph.bolt, law));

  test('is what the model asks for, and applying it again changes nothing', async () => {
    const before = await indexes();
    expect(before).toHaveLength(schemaOf(law).length);
    await applySchema(graph.bolt, law);
    expect(await indexes()).toEqual(before);
    expect(await checkSchema(graph.bolt, law)).toEqual([]);
    await requireSchema(graph.bolt, law);
  });

  test.each([
    ['CONSTRAINT', 'eventgraft_A_source_id', 'unique constraint on A(source, id)'],
    ['CONSTRAINT', 'eventgraft_Hub_name_since', 'unique constraint on Hub(name, since)'],
    ['CONSTRAINT', 'eventgraft__Event_key', 'unique constraint on _Event(key)'],
    ['CONSTRAINT', 'eventgraft__Job_id', 'unique constraint on _Job(id)'],
    ['INDEX', 'eventgraft__Edge_to', 'index on _Edge(to)'],
    ['INDEX', 'eventgraft__Event_state', 'index on _Event(state)'],
  ])('without the %s %s is drift that names it, and is whole again once applied', async (kind, name, what) => {
    await graph.run(`DROP ${kind} ${name}`);
    expect(await checkSchema(graph.bolt, law)).toEqual([`missing: ${what}`]);
    await expect(requireSchema(graph.bolt, law)).rejects.toMatchObject({ code: 'SCHEMA_DRIFT', message: expect.stringContaining(what) });
    await applySchema(graph.bolt, law);
    expect(await checkSchema(graph.bolt, law)).toEqual([]);
  });

  test('is not satisfied by a plain index where a constraint belongs', async () => {
    await graph.run('DROP CONSTRAINT eventgraft_A_source_id');
    await graph.run('CREATE INDEX plain FOR (n:A) ON (n.source, n.id)');
    expect(await checkSchema(graph.bolt, law)).toEqual(['missing: unique constraint on A(source, id)']);
    await graph.run('DROP INDEX plain');
  });

  test('that existing data stands in the way of is refused by name', async () => {
    await graph.run('DROP CONSTRAINT eventgraft_A_source_id');
    await graph.run("CREATE (:A {source: 's', id: '1'}), (:A {source: 's', id: '1'})");
    await expect(applySchema(graph.bolt, law)).rejects.toMatchObject({
      code: 'SCHEMA_DRIFT',
      message: expect.stringContaining('eventgraft_A_source_id'),
    });
    await graph.wipe();
  });
});

describe('keys as long as they may be', () => {
  afterEach(() => graph.wipe());

  const tooLong = async (facts: readonly AnyFact[], path: string): Promise<void> => {
    expect(await graph.tell([eventOf({ id: 'long', facts })])).toEqual(['failed']);
    expect((await graph.ledger())[0]?.error).toMatchObject({ code: 'BAD_VALUE', path });
  };
  const at = (second: number): string => `2026-11-21T09:00:0${second}Z`;
  /** As long as the id of the node leaves room for. */
  const ofOnePart = (letter: string, more = 0): { id: string } => ({ id: letter.repeat(MAX_ID_LENGTH - 'B/'.length + more) });
  const ofTwoParts = (more = 0): { source: string; id: string } => ({
    source: 's'.repeat(4_000),
    id: 'i'.repeat(MAX_ID_LENGTH - 'A//'.length - 4_000 + more),
  });

  test.each([
    ['of one part', { node: 'B', key: ofOnePart('x') }, { node: 'B', key: ofOnePart('x', 1) }],
    ['of two parts', { node: 'A', key: ofTwoParts() }, { node: 'A', key: ofTwoParts(1) }],
    [
      'of two parts, all of it in one',
      { node: 'A', key: { source: 's', id: 'i'.repeat(MAX_ID_LENGTH - 'A/s/'.length) } },
      { node: 'A', key: { source: 's', id: 'i'.repeat(MAX_ID_LENGTH - 'A/s/'.length + 1) } },
    ],
    ['in letters of two bytes', { node: 'B', key: { id: 'é'.repeat(1_333) } }, { node: 'B', key: { id: 'é'.repeat(1_334) } }],
    ['in letters of four bytes', { node: 'B', key: { id: '😀'.repeat(666) } }, { node: 'B', key: { id: '😀'.repeat(667) } }],
  ])(
    '%s fit every index while the node lives, is removed and lives again; one character more is refused with its path',
    async (_, node, longer) => {
      const events = [
        eventOf({ id: 'e1', at: at(1), facts: [{ upsert: { ...node, set: { x: 1 } } }] }),
        eventOf({ id: 'e2', at: at(3), facts: [{ remove: node }] }),
        eventOf({ id: 'e3', at: at(2), facts: [{ upsert: { ...node, set: { y: 'late' } } }] }),
      ];
      for (const event of events) expect(await graph.tell([event])).toEqual([event === events[2] ? 'superseded' : 'applied']);
      expect((await graph.graph()).nodes.size).toBe(0);
      await graph.tell([eventOf({ id: 'e4', at: at(4), facts: [{ upsert: node }] })]);
      expect([...(await graph.graph()).nodes.values()]).toEqual([{}]);
      await graph.wipe();
      await tooLong([{ upsert: longer }], 'facts[0].upsert.key');
    },
  );

  test('of both ends of an edge fit its hidden row, and it wakes; one character more is refused with its path', async () => {
    const half = (letter: string, more = 0): { id: string } => ({
      id: letter.repeat(Math.floor((MAX_ID_LENGTH - 'A/shop/-[REFUNDS]->B/'.length) / 2) + more),
    });
    const link = (from: { id: string }, to: { id: string }): AnyFact => ({ link: { relationship: 'REFUNDS', from, to } });
    expect(await graph.tell([eventOf({ id: 'e1', facts: [link(half('a'), half('b'))] })])).toEqual(['applied']);
    expect((await graph.graph()).parked.size).toBe(1);
    await graph.tell([
      eventOf({ id: 'e2', facts: [{ upsert: { node: 'A', key: half('a') } }] }),
      eventOf({ id: 'e3', facts: [{ upsert: { node: 'B', key: half('b') } }] }),
    ]);
    const { edges, parked } = await graph.graph();
    expect([edges.size, parked.size]).toEqual([1, 0]);
    await graph.wipe();
    await tooLong([link(half('a', 1), half('b', 1))], 'facts[0].link');
  });

  test('that begin alike for a thousand letters stay apart, hidden or not', async () => {
    const twins = ['x', 'y'].map((end) => ({ node: 'B', key: { id: `${'k'.repeat(5_000)}${end}` } }));
    await graph.tell(twins.map((node, i) => eventOf({ id: `e${i}`, at: at(1), facts: [{ upsert: { ...node, set: { x: i } } }] })));
    await graph.tell([eventOf({ id: 'gone', at: at(5), facts: [{ remove: twins[0] ?? { node: 'B', key: { id: '' } } }] })]);
    await graph.tell(twins.map((node, i) => eventOf({ id: `late${i}`, at: at(3), facts: [{ upsert: { ...node, set: { y: 'late' } } }] })));
    expect([...(await graph.graph()).nodes.values()]).toEqual([{ x: 1n, y: 'late' }]);
  });
});
