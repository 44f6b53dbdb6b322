/**
 * `apply`: map → fold → write. The one way into the graph; a job of the queue and what leaves quarantine end here. One event is, on its way:
 *   row        what the queue holds: an event, or text that is none (queue/job.ts)
 *   intake     an event and its place in the queue; `Taken` to the store
 *   told       with its facts, or the reason why it has none; `Spoken` to the store
 *   judged     with what the ledger knows of it
 *   concluded  with what became of it in its transaction
 *   outcome    only that; `tried` where it may not have got so far
 */
import type { Concluded, Judged, Outcome } from './graph/batch.ts';
import type { GraphStore, GraphTx } from './graph/store.ts';
import { isolate, type Tried } from './isolate.ts';
import { mapEvents, type Intake, type MapOptions, type Told } from './map.ts';
import { fold, type Changes } from './model/fold.ts';

export type { Outcome } from './graph/batch.ts';
export type { Tried } from './isolate.ts';

export interface ApplyOptions extends MapOptions {
  /** For those that were slow before: each gets the whole deadline, not only its share of it, and they may all be slow again. */
  readonly patient?: boolean;
}

/**
 * Applies a batch: effects and ledger in one transaction, both or neither. Idempotent: a second time changes nothing, and
 * under the same jobs it counts nothing either. Returns what became of each event, in order. An event that the database
 * refuses fails alone, and one that does not get through is `slow` alone. Throws what is everybody's trouble: `GRAPH_UNAVAILABLE`
 * when the database is away, `GRAPH_TIMEOUT` or `GRAPH_OUT_OF_MEMORY` when it is too slow or too full for anything,
 * `GRAPH_REFUSED` when it refuses our statements, or we all events: wait, then call again.
 */
export async function apply(intake: readonly Intake[], graph: GraphStore, options: ApplyOptions): Promise<Tried[]> {
  const { patient = false } = options;
  const told = await mapEvents(intake, options);
  return isolate(told, (part, share) => transact(graph, (tx) => tx.judge(part), patient ? 1 : share), patient);
}

/** One transaction: the events are judged, the new ones recorded and their facts folded into what is locked and read; changes, states and job marks are written. */
async function transact(graph: GraphStore, judge: (tx: GraphTx) => Promise<Judged<Told>[]>, share = 1): Promise<Outcome[]> {
  return graph.transaction(async (tx) => {
    const judged = await judge(tx);
    const fresh = judged.filter((one) => one.is === 'fresh');
    const facts = fresh.flatMap(({ told }) => told.facts);
    const [, state] = await Promise.all([tx.record(fresh), tx.lockAndRead(facts)]);
    const changes = fold(state, facts);
    const concluded = judged.map((one) => conclude(one, changes));
    await Promise.all([tx.write(state, changes), tx.conclude(concluded)]);
    return concluded.map(({ outcome }) => outcome);
  }, share);
}

/**
 * Moves quarantined events whose times have come into the graph, like any other batch; their ledger rows are there already. What
 * is slow stays and is tried the next time, so each has the whole deadline.
 */
export async function release(intake: readonly Intake[], graph: GraphStore, options: MapOptions): Promise<Tried[]> {
  const told = await mapEvents(intake, options);
  return isolate(told, (part) => transact(graph, (tx) => tx.reclaim(part, 'quarantined')), true);
}

/** An event is applied if any of its facts raised anything, superseded if every one lost to a newer one. */
function conclude(one: Judged<Told>, { raised }: Changes): Concluded<Told> {
  if (one.is !== 'fresh') return { ...one, outcome: one.is };
  const { state, facts } = one.told;
  if (state !== 'mapped') return { ...one, outcome: state };
  return { ...one, outcome: facts.some((fact) => raised.has(fact)) ? 'applied' : 'superseded' };
}
