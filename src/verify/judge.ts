/** The fold as `verify` judges it: events resolved, folded batch by batch into the graph in memory. */
import type { Model } from '../model/model.ts';
import { resolve } from '../model/resolve.ts';
import { createWorld } from '../model/world.ts';
import type { JudgedWorld } from './memory.ts';

export interface Folding {
  readonly resolve: typeof resolve;
  readonly createWorld: typeof createWorld;
}

/** An empty world. Mutants bring their own two functions; all else takes the real ones. */
export function createJudgedWorld(model: Model, folding: Folding = { resolve, createWorld }): JudgedWorld {
  const world = folding.createWorld(model);
  return {
    apply(batch, shuffle) {
      const facts = batch.flatMap((event) => folding.resolve(model, event, event.mapped).facts);
      world.apply(shuffle === undefined ? facts : shuffle.shuffle(facts));
    },
    graph: () => world.graph(),
  };
}
