import { expect, test } from 'vitest';
import { law } from '../../../src/verify/law-model.ts';
import { verifyInMemory } from '../../../src/verify/memory.ts';
import { loadMutant, MUTATIONS } from '../../support/mutants.ts';

const HISTORIES = 100_000;
const SEED = 'mutants';

test.each(MUTATIONS)('the checker notices a fold without: $rule', { timeout: 60_000 }, async (mutation) => {
  const createWorld = await loadMutant(mutation);
  const { divergences } = verifyInMemory({ model: law, histories: HISTORIES, seed: SEED, createWorld, orders: 6, smallest: false });
  expect(divergences).toHaveLength(1);
});

test('the checker finds nothing in a copy of the fold that is left as it is', { timeout: 60_000 }, async () => {
  const createWorld = await loadMutant({ rule: 'none', file: 'fold', find: 'export function fold(', replace: 'export function fold(' });
  expect(verifyInMemory({ model: law, histories: 2_000, seed: SEED, createWorld }).divergences).toEqual([]);
});

test('a patch that does not apply exactly once is an error, not a mutant', async () => {
  await expect(loadMutant({ rule: 'none', file: 'fold', find: 'no such text', replace: '' })).rejects.toThrow('holds 0 times');
  await expect(loadMutant({ rule: 'none', file: 'fold', find: 'return raised;', replace: '' })).rejects.toThrow(/holds \d+ times/);
});
