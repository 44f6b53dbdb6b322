/** `apply`: map → fold → write. The one way into the graph; a queue job, an import, a replay and a release all end here. */
import type { State } from './event.ts';
import type { GraphStore } from './graph/store.ts';
import { mapEvent, type Intake, type MapOptions, type Told } from './map.ts';
import { fold } from './model/fold.ts';
import type { AtomicFact } from './model/resolve.ts';

/** What became of one event: its state, or that it was known already. */
export type Outcome = State | 'late' | 'settled';

/**
 * Applies a batch in one transaction: effects and ledger, both or neither. Idempotent: a second time changes nothing.
 * Throws `GRAPH_UNAVAILABLE` (wait, then again) or `WRITE_REFUSED` (some event in the batch is at fault).
 */
export async function apply(intake: readonly Intake[], graph: GraphStore, options: MapOptions): Promise<Outcome[]> {
  const told = intake.map((one) => mapEvent(one, options));
  return write(told, graph);
}

export async function write(told: readonly Told[], graph: GraphStore): Promise<Outcome[]> {
  return graph.transaction(async (tx) => {
    const verdicts = await tx.judge(told);
    const fresh = told.filter((_, i) => verdicts[i]?.is === 'fresh');
    const facts = fresh.flatMap((one) => one.facts);
    const state = await tx.lockAndRead(facts);
    const changes = fold(state, facts);
    const states = statesOf(fresh, facts, changes.raised);
    await tx.write(state, changes, told, verdicts, states);
    return verdicts.map((verdict, i) => (verdict.is === 'fresh' ? (states.get(told[i] as Told) ?? 'applied') : verdict.is));
  });
}

/** An event is applied if any of its facts raised anything, superseded if every one lost to a newer one. */
function statesOf(fresh: readonly Told[], facts: readonly AtomicFact[], raised: readonly boolean[]): Map<Told, State> {
  const states = new Map<Told, State>();
  let next = 0;
  for (const one of fresh) {
    const mine = raised.slice(next, (next += one.facts.length));
    states.set(one, one.state ?? (mine.includes(true) ? 'applied' : 'superseded'));
  }
  if (next !== facts.length) throw new Error('facts and events are out of step');
  return states;
}
