import type { Session } from 'neo4j-driver';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Event } from '../../../src/event.ts';
import { createStatements } from '../../../src/graph/statements.ts';
import { createGraphStore, type GraphStore } from '../../../src/graph/store.ts';
import type { AnyFact } from '../../../src/model/facts.ts';
import { law } from '../../../src/verify/law-model.ts';
import { eventOf, openGraph, overtake, untilBlocked, type TestGraph } from '../../support/graph.ts';

let graph: TestGraph;
let other: GraphStore;
beforeAll(async () => {
  graph = await openGraph({ model: law });
  other = createGraphStore(graph.bolt, law);
});
beforeEach(() => graph.wipe());
afterAll(() => graph.close());

describe('between two open transactions', () => {
  const lock = createStatements(law).nodes.get('A')?.lock ?? '';
  const keys = [['shop', 'a']];

  test('MERGE … SET n += {} blocks the second writer of a node that is there', async () => {
    await graph.run("CREATE (:A {source: 'shop', id: 'a', _clock: 'x'})");
    expect(await secondOf(lock, { keys })).toBe('blocked');
  });

  test('MERGE … SET n += {} blocks the second writer of a node that the first is creating', async () => {
    expect(await secondOf(lock, { keys })).toBe('blocked');
  });

  test('MERGE alone blocks nobody on a node that is there', async () => {
    await graph.run("CREATE (:A {source: 'shop', id: 'a', _clock: 'x'})");
    expect(await secondOf(lock.replace('SET n += {}', ''), { keys })).toBe('went on');
  });

  test('REMOVE of a property that the database has never heard of blocks nobody; of one that it knows, it does', async () => {
    const [unknown, known] = [`_lock${randomUUID().slice(0, 8)}`, `_lock${randomUUID().slice(0, 8)}`];
    await graph.run(`CREATE (:A {source: 'shop', id: 'a'}), (:Elsewhere {${known}: 1})`);
    const remove = (token: string): string => `MATCH (n:A {source: 'shop', id: 'a'}) REMOVE n.${token} RETURN 1`;
    expect(await secondOf(remove(unknown))).toBe('went on');
    expect(await secondOf(remove(known))).toBe('blocked');
  });

  test('edges lock the same way', async () => {
    await graph.run('CREATE (:A)-[:TAGS]->(:B)');
    expect(await secondOf('MATCH ()-[e:TAGS]->() SET e += {}')).toBe('blocked');
  });

  test('a node that is only referred to and can never go is shared', async () => {
    const touch = createStatements(law).nodes.get('Hub')?.touch ?? '';
    await graph.run("CREATE (:Hub {name: 'h', since: datetime('2026-01-01T00:00:00Z')})");
    const [row] = await graph.run('MATCH (h:Hub) RETURN h.since AS since');
    expect(await secondOf(touch, { keys: [['h', row?.['since']]] })).toBe('went on');
  });
});

describe('what is read after the lock is current', () => {
  const sayA = (id: string, at: number, ...facts: readonly AnyFact[]): Event => eventOf({ id, at: `2026-11-21T09:00:0${at}Z`, facts });

  test('a removal that commits while an older upsert waits for the node is seen by it', async () => {
    await graph.tell([sayA('e1', 1, upsert('a'))]);
    const outcomes = await overtaken(sayA('e2', 5, { remove: { node: 'A', key: { id: 'a' } } }), sayA('e3', 3, upsert('a', { x: 3 })));
    expect(outcomes).toEqual(['applied', 'superseded']);
    expect((await graph.graph()).nodes.size).toBe(0);
  });

  test('the same for a node that nobody has told of before', async () => {
    expect(await overtaken(sayA('e2', 5, { remove: { node: 'A', key: { id: 'a' } } }), sayA('e3', 3, upsert('a', { x: 3 })))).toEqual([
      'applied',
      'superseded',
    ]);
    expect((await graph.graph()).nodes.size).toBe(0);
  });

  test('an edge that begins to wait while its end is on the way appears with it', async () => {
    await graph.tell([sayA('e1', 1, upsert('a'))]);
    await overtaken(sayA('e2', 2, waits('a', 'a2')), sayA('e3', 3, upsert('a2')));
    const { edges, parked } = await graph.graph();
    expect([[...edges.keys()], [...parked]]).toEqual([['A/shop/a-[REFERS_PARK]->A/shop/a2'], []]);
  });

  test('an unlink of an edge nobody has told of holds against the older link that waits for its ends', async () => {
    await graph.tell([sayA('e1', 1, upsert('a'), upsert('a2'))]);
    await overtaken(
      sayA('e2', 5, { unlink: { relationship: 'REFERS', from: { id: 'a' }, to: { id: 'a2' } } }),
      sayA('e3', 3, { link: { relationship: 'REFERS', from: { id: 'a' }, to: { id: 'a2' } } }),
    );
    expect((await graph.graph()).edges.size).toBe(0);
  });

  test('an older removal that waits for a newer one does not take its place', async () => {
    await graph.tell([sayA('e1', 1, upsert('a'))]);
    expect(
      await overtaken(
        sayA('e2', 5, { remove: { node: 'A', key: { id: 'a' } } }),
        sayA('e3', 3, { remove: { node: 'A', key: { id: 'a' } } }),
      ),
    ).toEqual(['applied', 'superseded']);
    await graph.tell([sayA('e4', 4, upsert('a'))]);
    expect((await graph.graph()).nodes.size).toBe(0);
  });

  test('an older link that waits for the removal of its owner does not take the slot that outlives it', async () => {
    const boss = (id: string, at: number, to: string): Event =>
      sayA(id, at, { link: { relationship: 'BOSS_PARK', from: { id: 'a' }, to: { id: to } } });
    await graph.tell([sayA('e1', 1, upsert('a'), upsert('old'), upsert('new')), boss('e2', 7, 'new')]);
    await overtaken(sayA('e3', 3, { remove: { node: 'A', key: { id: 'a' } } }), boss('e4', 5, 'old'));
    await graph.tell([sayA('e5', 8, upsert('a'))]);
    expect([...(await graph.graph()).edges.keys()]).toEqual(['A/shop/a-[BOSS_PARK]->A/shop/new']);
  });

  /** The first holds its locks until the second waits for one of them. */
  async function overtaken(first: Event, second: Event): Promise<readonly string[]> {
    const { waited, outcomes } = await overtake(graph, first, second);
    expect(waited, 'the second did not wait for the first').toBe(true);
    return outcomes;
  }
});

describe('two workers at once, again and again', () => {
  test("two events that each need the other's node always end visible", async () => {
    await rounds(100, (i) => [
      [eventOf({ id: `l${i}`, facts: [upsert(`l${i}`), waits(`l${i}`, `r${i}`)] })],
      [eventOf({ id: `r${i}`, facts: [upsert(`r${i}`), waits(`r${i}`, `l${i}`)] })],
    ]);
    const { nodes, edges, parked } = await graph.graph();
    expect([nodes.size, edges.size, parked.size]).toEqual([200, 200, 0]);
    expect(await hiddenRows()).toBe(0);
  });

  test('both ends of an edge removed at once leave neither edge nor a row that waits', async () => {
    await rounds(40, (i) => [[eventOf({ id: `link${i}`, at: at(1), facts: [tag(i)] })]]);
    expect((await graph.graph()).edges.size).toBe(40);
    await rounds(40, (i) => [
      [eventOf({ id: `a${i}`, at: at(2), facts: [{ remove: { node: 'A', key: { id: `a${i}` } } }] })],
      [eventOf({ id: `b${i}`, at: at(2), facts: [{ remove: { node: 'B', key: { id: `b${i}` } } }] })],
    ]);
    const { nodes, edges, parked } = await graph.graph();
    expect([nodes.size, edges.size, parked.size]).toEqual([0, 0, 0]);
    await rounds(40, (i) => [
      [eventOf({ id: `back${i}`, at: at(3), facts: [upsert(`a${i}`), { upsert: { node: 'B', key: { id: `b${i}` } } }] })],
    ]);
    expect((await graph.graph()).edges.size).toBe(0);
  });

  test('a waiting edge whose two ends come to be at once appears once', async () => {
    await rounds(40, (i) => [[eventOf({ id: `link${i}`, at: at(5), facts: [waits(`l${i}`, `r${i}`, { q: i })] })]]);
    expect((await graph.graph()).parked.size).toBe(40);
    await rounds(40, (i) => [
      [eventOf({ id: `l${i}`, at: at(1), facts: [upsert(`l${i}`)] })],
      [eventOf({ id: `r${i}`, at: at(1), facts: [upsert(`r${i}`)] })],
    ]);
    const { edges, parked } = await graph.graph();
    expect([edges.size, parked.size, await hiddenRows()]).toEqual([40, 0, 0]);
    expect(new Set([...edges.values()].map(({ q }) => q))).toEqual(new Set(Array.from({ length: 40 }, (_, i) => BigInt(i))));
  });

  test('a removal of one end against the return of the other: the newer edge waits, then appears', async () => {
    await rounds(40, (i) => [[eventOf({ id: `link${i}`, at: at(5), facts: [upsert(`l${i}`), waits(`l${i}`, `r${i}`)] })]]);
    await rounds(40, (i) => [
      [
        eventOf({ id: `gone${i}`, at: at(6), facts: [{ remove: { node: 'A', key: { id: `l${i}` } } }] }),
        eventOf({ id: `again${i}`, at: at(7), facts: [waits(`l${i}`, `r${i}`)] }),
      ],
      [eventOf({ id: `end${i}`, at: at(1), facts: [upsert(`r${i}`)] })],
    ]);
    expect((await graph.graph()).edges.size).toBe(0);
    expect((await graph.graph()).parked.size).toBe(40);
    await rounds(40, (i) => [[eventOf({ id: `back${i}`, at: at(8), facts: [upsert(`l${i}`)] })]]);
    const { edges, parked } = await graph.graph();
    expect([edges.size, parked.size]).toEqual([40, 0]);
  });

  /** The batches of a round go to different workers at the same time. */
  async function rounds(count: number, of: (round: number) => readonly (readonly Event[])[]): Promise<void> {
    for (let round = 0; round < count; round++) {
      const outcomes = await Promise.all(of(round).map((events, i) => graph.tell(events, { store: i === 0 ? graph.store : other })));
      expect(outcomes.flat()).not.toContain('failed');
    }
  }

  const hiddenRows = async (): Promise<number> => Number((await graph.run('MATCH (h:_Edge) RETURN count(h) AS n'))[0]?.['n']);
  const at = (second: number): string => `2026-11-21T09:00:0${second}Z`;
  const tag = (i: number): AnyFact => ({ link: { relationship: 'TAGS', from: { id: `a${i}` }, to: { id: `b${i}` } } });
});

const upsert = (id: string, set: Record<string, unknown> = {}): AnyFact => ({ upsert: { node: 'A', key: { id }, set } });
const waits = (from: string, to: string, set: Record<string, unknown> = {}): AnyFact => ({
  link: { relationship: 'REFERS_PARK', from: { id: from }, to: { id: to }, set },
});

/** What becomes of the same statement in a second transaction while the first is open. */
async function secondOf(cypher: string, parameters: Record<string, unknown> = {}): Promise<'blocked' | 'went on'> {
  const open = (): Session => graph.bolt.driver.session({ database: graph.bolt.database });
  const sessions = [open(), open()] as const;
  const [first, second] = [sessions[0].beginTransaction(), sessions[1].beginTransaction()];
  try {
    await first.run(cypher, parameters);
    let done = false;
    const ran = second.run(cypher, parameters).then(() => (done = true));
    const blocked = await untilBlocked(graph, () => done);
    await first.rollback();
    await ran;
    return blocked ? 'blocked' : 'went on';
  } finally {
    await second.rollback();
    await Promise.all(sessions.map((session) => session.close()));
  }
}
