/**
 * The law, checked in memory: random histories, each under many schedules, against the reference. Every prefix of a
 * schedule is a set of events too, so the graph is compared after each batch.
 */
import { diffGraphs, type PublicGraph } from '../model/graph.ts';
import type { Model } from '../model/model.ts';
import { generate } from './generate.ts';
import { createRandom, type Random } from './random.ts';
import { reference } from './reference.ts';
import { schedulesOf } from './schedule.ts';
import { showHistory, showSchedule } from './show.ts';
import { shrink } from './shrink.ts';
import type { Schedule, Told } from './told.ts';

/** The side that is judged: something that takes batches in and shows a graph. */
export interface JudgedWorld {
  /** With `shuffle`, the facts of the batch are folded in a random order: a batch may be regrouped. */
  apply(batch: readonly Told[], shuffle?: Random): void;
  graph(): PublicGraph;
}

export interface VerifyOptions {
  readonly model: Model;
  /** How many histories at least, each one set of events under one schedule. */
  readonly histories: number;
  readonly seed: string | number;
  /** A fresh, empty world. */
  readonly createWorld: (model: Model) => JudgedWorld;
  /** At most this many orders of one set; fewer find a rare story sooner. Default: every order of up to five events, 60 of more. */
  readonly orders?: number;
  /** Called after each set of events. */
  readonly report?: (progress: { histories: number; sets: number; divergences: number }) => void;
  /** Stop after this many sets that diverge. Default 1. */
  readonly limit?: number;
  /** Whether to look for the smallest story that still diverges. Default true. */
  readonly smallest?: boolean;
}

export interface Divergence {
  readonly history: readonly Told[];
  readonly schedule: Schedule;
  /** How the judged graph differs from the reference, one line each; `- ` is what it lacks. */
  readonly differences: readonly string[];
}

export interface Verdict {
  readonly seed: string | number;
  readonly histories: number;
  readonly sets: number;
  readonly divergences: readonly Divergence[];
}

/** Pure but for `report`: the same seed gives the same verdict. */
export function verifyInMemory(options: VerifyOptions): Verdict {
  const { model, seed, limit = 1, smallest = true } = options;
  const divergences: Divergence[] = [];
  let histories = 0;
  let sets = 0;
  while (histories < options.histories && divergences.length < limit) {
    const random = createRandom(`${seed}/${sets}`);
    const history = generate(random, model, { events: random.pick([2, 3, 4, 4, 5, 5, 6]) });
    const found = check(options, history, random);
    histories += found.histories;
    sets += 1;
    if (found.divergence !== undefined) divergences.push(smallest ? shrinkDivergence(options, found.divergence) : found.divergence);
    options.report?.({ histories, sets, divergences: divergences.length });
  }
  return { seed, histories, sets, divergences };
}

type Judged = Pick<VerifyOptions, 'model' | 'createWorld' | 'orders'>;

/** A divergence as a page of text: the story, the order that breaks it, and what differs. */
export function showDivergence(model: Model, { history, schedule, differences }: Divergence): string {
  return [...showHistory(model, history), `order: ${showSchedule(history, schedule)}`, ...differences].join('\n');
}

/** The first schedule of this history under which the world shows another graph than the reference. */
export function findDivergence(options: Judged, history: readonly Told[], random: Random): Divergence | undefined {
  return check(options, history, random).divergence;
}

function check(
  { model, createWorld, orders }: Judged,
  history: readonly Told[],
  random: Random,
): { histories: number; divergence?: Divergence } {
  const expected = createExpectations(model, history);
  let histories = 0;
  for (const schedule of schedulesOf(random, history.length, orders)) {
    histories += 1;
    const differences = run(createWorld(model), history, schedule, expected, random);
    if (differences.length > 0) return { histories, divergence: { history, schedule, differences } };
  }
  return { histories };
}

function run(
  world: JudgedWorld,
  history: readonly Told[],
  schedule: Schedule,
  expected: (events: number) => PublicGraph,
  random: Random,
): string[] {
  let seen = 0;
  try {
    for (const batch of schedule.batches) {
      for (const index of batch) seen |= 1 << index;
      const events = batch.map((index) => history[index]).filter((event) => event !== undefined);
      world.apply(events, events.length > 1 ? random : undefined);
      const differences = diffGraphs(expected(seen), world.graph());
      if (differences.length > 0) return differences;
    }
    return [];
  } catch (error) {
    return [`threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  }
}

/** The reference of each subset of a history, as a bit set, computed once. */
function createExpectations(model: Model, history: readonly Told[]): (events: number) => PublicGraph {
  const known = new Map<number, PublicGraph>();
  return (events) => {
    let graph = known.get(events);
    if (graph === undefined)
      known.set(
        events,
        (graph = reference(
          model,
          history.filter((_, index) => (events & (1 << index)) !== 0),
        )),
      );
    return graph;
  };
}

function shrinkDivergence(options: VerifyOptions, divergence: Divergence): Divergence {
  const { model, createWorld } = options;
  const again = (history: readonly Told[]): Divergence | undefined =>
    findDivergence({ model, createWorld }, history, createRandom('again'));
  if (again(divergence.history) === undefined) return divergence;
  return again(shrink(divergence.history, (history) => again(history) !== undefined)) ?? divergence;
}
