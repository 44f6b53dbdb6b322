/** The Neo4j and Redis of this test file's lane, for tests of the projects `db`, `e2e` and `contract`. */

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import neo4jDriver, { type Driver } from 'neo4j-driver';
import { inject } from 'vitest';
import type { Neo4jAccess, Runtime } from '../../src/runtime/runtime.ts';
import { claimLane } from './lanes.ts';

export interface RuntimeInfo {
  readonly kind: Runtime['kind'];
  readonly neo4j: Neo4jAccess;
  readonly redisUrl: string;
}

/** What a test file is told of its run. */
export interface RunInfo {
  readonly lanes: readonly RuntimeInfo[];
  /** Where it is kept who has which lane. */
  readonly locks: string;
  /** A directory of this run, removed after it. */
  readonly scratch: string;
}

let claimed: RuntimeInfo | undefined;

function lane(): RuntimeInfo {
  const { lanes, locks } = inject('runtime');
  return (claimed ??= lanes[claimLane(locks, lanes.length)] as RuntimeInfo);
}

/** How to reach the Neo4j of this lane. One test file at a time has it to itself. */
export function neo4j(): Neo4jAccess {
  return lane().neo4j;
}

/** The URL of the Redis of this lane. Shared with earlier files: use `freshPrefix()` for whatever is written. */
export function redis(): string {
  return lane().redisUrl;
}

/** A queue prefix that nobody else uses. */
export function freshPrefix(): string {
  return `test-${randomUUID()}`;
}

/** A path below the run's own directory that does not exist yet; removed after the run. */
export function scratchPath(name: string): string {
  return join(inject('runtime').scratch, `${randomUUID().slice(0, 8)}-${name}`);
}

/** Runs `use` with a plain driver, for what a test has to do or see behind the product's back. */
export async function withDriver<T>(use: (driver: Driver, database: string) => Promise<T>): Promise<T> {
  const { uri, username, password, database } = neo4j();
  const driver = neo4jDriver.driver(uri, neo4jDriver.auth.basic(username, password), { disableLosslessIntegers: false });
  try {
    return await use(driver, database);
  } finally {
    await driver.close();
  }
}

/** Empties the graph: all nodes and relationships, and with `schema: true` (the default) all constraints and indexes but those to `keep`, by name. */
export async function freshDatabase({
  schema = true,
  keep = new Set(),
}: { schema?: boolean; keep?: ReadonlySet<string> } = {}): Promise<void> {
  await withDriver(async (driver, database) => {
    const session = driver.session({ database });
    try {
      await session.run('MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS');
      if (!schema) return;
      for (const kind of ['CONSTRAINTS', 'INDEXES']) {
        const { records } = await session.run(
          kind === 'CONSTRAINTS' ? 'SHOW CONSTRAINTS YIELD name' : "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name",
        );
        for (const record of records) {
          if (keep.has(String(record.get('name')))) continue;
          const name = String(record.get('name')).replaceAll('`', '``');
          await session.run(`DROP ${kind === 'CONSTRAINTS' ? 'CONSTRAINT' : 'INDEX'} \`${name}\` IF EXISTS`);
        }
      }
    } finally {
      await session.close();
    }
  });
}
