import { defineConfig } from 'vitest/config';

import { LANES } from './test/support/lanes.ts';

const MINUTE_MS = 60_000;

/** Projects on real databases: the files of a lane take turns, since each has a Neo4j to itself. */
const onDatabases = (name: string, testTimeout: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    globalSetup: ['test/support/start-runtime.ts'],
    maxWorkers: LANES,
    testTimeout,
    hookTimeout: 2 * MINUTE_MS,
    sequence: { groupOrder: 1 },
  },
});

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
          // Vitest would leave a core to itself, which is half of a small machine.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      onDatabases('db', MINUTE_MS),
      onDatabases('contract', MINUTE_MS),
      onDatabases('e2e', 3 * MINUTE_MS),
    ],
  },
});
