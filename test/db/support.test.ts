import { beforeEach, expect, test } from 'vitest';
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
