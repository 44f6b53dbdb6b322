import { defineConfig } from 'vitest/config';

const MINUTE_MS = 60_000;

/** Projects on real databases: their files take turns, since each has Neo4j to itself. */
const onDatabases = (name: string, testTimeout: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    globalSetup: ['test/support/start-runtime.ts'],
    fileParallelism: false,
    testTimeout,
    hookTimeout: 2 * MINUTE_MS,
    // One after the other: all of them write to the one Neo4j of the run.
    sequence: { groupOrder: ['unit', 'db', 'contract', 'e2e'].indexOf(name) },
  },
});

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000, sequence: { groupOrder: 0 } } },
      onDatabases('db', MINUTE_MS),
      onDatabases('contract', MINUTE_MS),
      onDatabases('e2e', 3 * MINUTE_MS),
    ],
  },
});
