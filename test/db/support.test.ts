import { beforeEach, expect, test } from 'vitest';
import { breakAccount } from '../support/account.ts';
import { eventOf, openGraph } from '../support/graph.ts';
import { freshDatabase, withDriver } from '../support/runtime.ts';

beforeEach(() => freshDatabase());

test('a fresh database has no nodes, no constraints and no indexes but the built-in ones', async () => {
  await withDriver(async (driver, database) => {
    const run = async (text: string) => (await driver.executeQuery(text, {}, { database })).records;
    await run('CREATE CONSTRAINT c IF NOT EXISTS FOR (n:T) REQUIRE n.id IS UNIQUE');
    await run('CREATE INDEX i IF NOT EXISTS FOR (n:T) ON (n.at)');
    await run('CREATE (:T {id: 1})-[:R]->(:T {id: 2})');
    await freshDatabase();
    expect(await run('MATCH (n) RETURN n')).toEqual([]);
    expect(await run('SHOW CONSTRAINTS')).toEqual([]);
    expect(await run("SHOW INDEXES YIELD type WHERE type <> 'LOOKUP'")).toEqual([]);
  });
});

test('an event that was told and is in no ledger is noticed, by the test that says so and by every other', async () => {
  const graph = await openGraph();
  try {
    await graph.tell([eventOf({ id: 'lost', facts: [] }), eventOf({ id: 'kept', facts: [] })]);
    await graph.run('MATCH (n) WHERE n:_Event OR n:_Segment DELETE n');
    await graph.tell([eventOf({ id: 'told', facts: [] })]);
    await expect(graph.wipe()).rejects.toThrow('is not what is accounted for: {"accepted":3,"accounted":1');
    breakAccount('the rows of two events were taken away by hand');
  } finally {
    await graph.close();
  }
});
