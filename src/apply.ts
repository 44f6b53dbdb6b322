/** `apply`: map → fold → write. The one way into the graph; a queue job, an import, a replay and a release all end here. */
import { IngestError, type ErrorCode } from './errors.ts';
import type { State } from './event.ts';
import type { GraphStore } from './graph/store.ts';
import { failed, mapEvent, type Intake, type MapOptions, type Told } from './map.ts';
import { fold } from './model/fold.ts';

/** What became of one event: its state, or that it was known already. */
export type Outcome = State | 'late' | 'settled';

/**
 * Applies a batch: effects and ledger in one transaction, both or neither. Idempotent: a second time changes nothing.
 * Throws `GRAPH_UNAVAILABLE` when the database is away: wait, then call again. A bad event fails alone.
 */
export async function apply(intake: readonly Intake[], graph: GraphStore, options: MapOptions): Promise<Outcome[]> {
  return isolate(
    intake.map((one) => mapEvent(one, options)),
    (told) => write(told, graph),
  );
}

/** Map's facts meet the graph: what is new is folded against what was locked and read, and written with its ledger rows. */
async function write(told: readonly Told[], graph: GraphStore, reclaimFrom?: State): Promise<Outcome[]> {
  return graph.transaction(async (tx) => {
    const verdicts = reclaimFrom === undefined ? await tx.judge(told) : await tx.reclaim(told, reclaimFrom);
    const fresh = told.filter((_, i) => verdicts[i]?.is === 'fresh');
    const facts = fresh.flatMap((one) => one.facts);
    const state = await tx.lockAndRead(facts);
    const changes = fold(state, facts);
    const states = statesOf(fresh, changes.raised);
    await tx.write(state, changes, told, verdicts, states);
    return verdicts.map((verdict, i) => (verdict.is === 'fresh' ? (states.get(told[i] as Told) ?? 'applied') : verdict.is));
  });
}

/** Moves quarantined events whose times have come into the graph, in one transaction like any other batch. */
export async function release(intake: readonly Intake[], graph: GraphStore, options: MapOptions): Promise<Outcome[]> {
  return isolate(
    intake.map((one) => mapEvent(one, options)),
    (told) => write(told, graph, 'quarantined'),
  );
}

const SMALLER_MAY_DO: ReadonlySet<string> = new Set<ErrorCode>(['WRITE_REFUSED', 'GRAPH_TIMEOUT']);

/** An event is applied if any of its facts raised anything, superseded if every one lost to a newer one. */
function statesOf(fresh: readonly Told[], raised: readonly boolean[]): Map<Told, State> {
  let next = 0;
  return new Map(
    fresh.map((one) => {
      const mine = raised.slice(next, (next += one.facts.length));
      return [one, one.state ?? (mine.includes(true) ? 'applied' : 'superseded')];
    }),
  );
}

/**
 * A batch that the database refuses is halved until the event at fault stands alone and is kept as failed, with its
 * reason and body: about 2·log2(n) further transactions. So is one that takes too long, but nothing fails for that. An
 * outage is nobody's fault and goes up.
 */
async function isolate(told: readonly Told[], attempt: (told: readonly Told[]) => Promise<Outcome[]>): Promise<Outcome[]> {
  try {
    return await attempt(told);
  } catch (error) {
    const [only] = told;
    if (!(error instanceof IngestError) || !SMALLER_MAY_DO.has(error.code) || only === undefined) throw error;
    if (told.length === 1 && error.retry === 'retry') throw error;
    if (told.length === 1) return attempt([failed(only, error)]);
    const middle = Math.ceil(told.length / 2);
    return [...(await isolate(told.slice(0, middle), attempt)), ...(await isolate(told.slice(middle), attempt))];
  }
}
