import { expect, test } from 'vitest';
import { commerce } from '../../../src/model/commerce.ts';
import { defineModel, type Model } from '../../../src/model/model.ts';
import { boolean, float, integer, max, min, text, time, union } from '../../../src/model/values.ts';
import { law } from '../../../src/verify/law-model.ts';
import { showDivergence, verifyInMemory, type JudgedWorld } from '../../../src/verify/memory.ts';
import { createJudgedWorld } from '../../../src/verify/judge.ts';

/** The mutant that hides longest is found in the 183rd set, with six orders of each; EVENTGRAFT_LONG and `verify` try every order. */
const TRIES = process.env['EVENTGRAFT_LONG'] === '1' ? { histories: 100_000 } : { histories: 4_000, orders: 6 };
const SETS = 200;

/** What a user may declare: no relationship of the label Lonely, keys without a source, rules over every type. */
const own = defineModel({
  nodes: {
    Lonely: { key: { at: time }, properties: { last: max(text), flag: min(boolean), seen: union(time), weights: union(float) } },
    Thing: { key: { name: text }, properties: { size: integer, name2: min(text) }, removable: true },
  },
  relationships: { NEAR: { from: 'Thing', to: 'Thing', key: { at: time }, replace: true, missing: 'stub' } },
});

test.each<[string, Model]>([
  ['law', law],
  ['commerce', commerce],
  ['own', own],
])('the fold keeps the law under the %s model', { timeout: 300_000 }, (_, model) => {
  const seed = 'unit';
  const { histories, sets, divergences } = verifyInMemory({ model, ...TRIES, seed, createWorld: createJudgedWorld });
  expect(
    divergences.map((divergence) => showDivergence(model, divergence)),
    `seed ${seed}`,
  ).toEqual([]);
  expect(histories).toBeGreaterThanOrEqual(TRIES.histories);
  expect(sets).toBeGreaterThan(SETS);
});

/** Forgets everything but the newest batch: about as wrong as a world can be. */
function createForgetfulWorld(model: Model): JudgedWorld {
  let world = createJudgedWorld(model);
  return {
    apply(batch) {
      world = createJudgedWorld(model);
      world.apply(batch);
    },
    graph: () => world.graph(),
  };
}

test('a divergence is shrunk to the smallest story, with an order that shows it', () => {
  const { divergences } = verifyInMemory({ model: law, histories: 1_000, seed: 1, createWorld: createForgetfulWorld });
  expect(divergences[0]?.history).toHaveLength(2);
  const page = showDivergence(law, divergences[0] as (typeof divergences)[0]);
  expect(page).toMatch(/^order: \S+, \S+$/m);
  expect(page).toMatch(/^[-+!] (node|edge|parked) /m);
});

test('the same seed gives the same verdict', () => {
  const run = () => verifyInMemory({ model: law, histories: 1_000, seed: 7, createWorld: createForgetfulWorld, smallest: false });
  expect(run()).toEqual(run());
});

test('a world that throws diverges', () => {
  const createWorld = (): JudgedWorld => ({
    apply: () => {
      throw new Error('out of order');
    },
    graph: () => {
      throw new Error('never asked');
    },
  });
  const { divergences } = verifyInMemory({ model: law, histories: 10, seed: 1, createWorld });
  expect(divergences[0]?.differences[0]).toContain('threw Error: out of order');
});

test('it stops at the limit and reports after each set', () => {
  const seen: number[] = [];
  const verdict = verifyInMemory({
    model: law,
    histories: 100_000,
    seed: 1,
    limit: 3,
    createWorld: createForgetfulWorld,
    smallest: false,
    report: ({ divergences }) => seen.push(divergences),
  });
  expect(verdict.divergences).toHaveLength(3);
  expect(seen).toHaveLength(verdict.sets);
  expect(seen.at(-1)).toBe(3);
});
