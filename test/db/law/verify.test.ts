import { afterAll, beforeAll, expect, test } from 'vitest';

import { createBolt, type Bolt } from '../../../src/graph/driver.ts';
import { applySchema } from '../../../src/graph/schema.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { verifyOnDatabase } from '../../../src/verify/database.ts';
import { law } from '../../../src/verify/law-model.ts';
import { showDivergence } from '../../../src/verify/memory.ts';
import { loadStorageMutant, STORAGE_MUTATIONS } from './storage-mutants.ts';
import { freshDatabase, neo4j } from '../../support/runtime.ts';

const MINUTE_MS = 60_000;
let bolt: Bolt;

beforeAll(async () => {
  await freshDatabase();
  bolt = createBolt(neo4j());
  await applySchema(bolt, law);
  await applySchema(bolt, commerce);
});
afterAll(() => bolt.close());

/** Many side by side are fast; two at a time is where several writers meet at the same few nodes. */
const CROWDED = 2;

test.each([
  ['the model of the law', law, 120, 120],
  ['the commerce model', commerce, 80, 80],
  ['the model of the law in a crowd', law, 40, CROWDED],
] as const)(
  'random histories of %s end in the graph of the reference, whatever their order, writers, cuts and redeliveries',
  { timeout: 5 * MINUTE_MS },
  async (_, model, histories, sideBySide) => {
    const seed = process.env['EVENTGRAFT_TEST_SEED'] ?? String(Date.now());
    const verdict = await verifyOnDatabase({ bolt, model, histories, seed, sideBySide });
    const found = verdict.divergences.map((divergence) => showDivergence(model, divergence)).join('\n\n');
    expect(found, `EVENTGRAFT_TEST_SEED=${seed} repeats it`).toBe('');
    expect(verdict.histories).toBe(histories);
    expect(verdict.redone, 'nothing was cut off or done twice').toBeGreaterThan(0);
  },
);

for (const mutation of STORAGE_MUTATIONS) {
  test(`the checker notices a store without ${mutation.rule}`, { timeout: 3 * MINUTE_MS }, async () => {
    const mutant = await loadStorageMutant(mutation);
    const own = mutant.createBolt(neo4j());
    try {
      const how = { bolt: own, model: law, histories: 900, sideBySide: 50, seed: 'storage', shrink: false };
      const { divergences } = await mutant.verifyOnDatabase(how);
      expect(divergences).toHaveLength(1);
    } finally {
      await own.close();
      await mutant.close();
    }
  });
}
