/** `apply`: map → fold → write. The one way into the graph; a queue job, an import, a replay and a release all end here. */
import { IngestError } from './errors.ts';
import type { Concluded, Judged, Outcome } from './graph/batch.ts';
import type { GraphStore, GraphTx } from './graph/store.ts';
import { failed, mapEvents, type Intake, type MapOptions, type Told } from './map.ts';
import { fold, type Changes } from './model/fold.ts';

export type { Outcome } from './graph/batch.ts';
/** `slow`: not done within the deadline, though the database answers. Nothing of the event is written; it has to come again. */
export type Tried = Outcome | 'slow';

/**
 * Applies a batch: effects and ledger in one transaction, both or neither. Idempotent: a second time changes nothing, and
 * under the same jobs it counts nothing either. Returns what became of each event, in order. An event that the database
 * refuses fails alone, and one that takes too long is `slow` alone. Throws `GRAPH_UNAVAILABLE` when the database is away and
 * `GRAPH_TIMEOUT` when it is too slow for anything: wait, then call again.
 */
export async function apply(intake: readonly Intake[], graph: GraphStore, options: MapOptions): Promise<Tried[]> {
  const told = await mapEvents(intake, options);
  return isolate(told, (part) => write(graph, (tx) => tx.judge(part)));
}

/** What is new is folded against what was locked and read, and written with its ledger rows: one transaction. */
async function write(graph: GraphStore, judge: (tx: GraphTx) => Promise<Judged<Told>[]>): Promise<Outcome[]> {
  return graph.transaction(async (tx) => {
    const judged = await judge(tx);
    const fresh = judged.filter((one) => one.is === 'fresh');
    const facts = fresh.flatMap(({ told }) => told.facts);
    const [, state] = await Promise.all([tx.record(fresh), tx.lockAndRead(facts)]);
    const changes = fold(state, facts);
    const concluded = judged.map((one) => conclude(one, changes));
    await Promise.all([tx.write(state, changes), tx.conclude(concluded)]);
    return concluded.map(({ outcome }) => outcome);
  });
}

/** Moves quarantined events whose times have come into the graph, like any other batch; their ledger rows are there already. */
export async function release(intake: readonly Intake[], graph: GraphStore, options: MapOptions): Promise<Tried[]> {
  const told = await mapEvents(intake, options);
  return isolate(told, (part) => write(graph, (tx) => tx.reclaim(part, 'quarantined')));
}

/** An event is applied if any of its facts raised anything, superseded if every one lost to a newer one. */
function conclude(one: Judged<Told>, { raised }: Changes): Concluded<Told> {
  if (one.is !== 'fresh') return { ...one, outcome: one.is };
  const { state, facts } = one.told;
  if (state !== 'mapped') return { ...one, outcome: state };
  return { ...one, outcome: facts.some((fact) => raised.has(fact)) ? 'applied' : 'superseded' };
}

type Attempt = (told: readonly Told[]) => Promise<Outcome[]>;

/**
 * A batch that the database refuses is halved until the event at fault stands alone, and that one is kept as failed with
 * its reason and body: about 2·log2(n) further transactions. A batch that takes too long is halved as well, but nothing
 * fails for that. An outage is nobody's fault and goes up.
 */
async function isolate(told: readonly Told[], attempt: Attempt): Promise<Tried[]> {
  try {
    return await attempt(told);
  } catch (error) {
    const [only] = told;
    if (!(error instanceof IngestError) || !error.halve || only === undefined) throw error;
    const tooLong = error.code === 'GRAPH_TIMEOUT';
    if (tooLong) await attempt([]); // A database that is slow for everybody is so for an empty transaction, too: that goes up.
    if (told.length > 1) return halve(told, attempt);
    if (tooLong) return ['slow'];
    if (error.retry === 'retry') throw error; // No memory for even one: everybody's trouble, not that one's.
    return condemn(only, attempt);
  }
}

async function halve(told: readonly Told[], attempt: Attempt): Promise<Tried[]> {
  const middle = Math.ceil(told.length / 2);
  const [left, right] = [told.slice(0, middle), told.slice(middle)];
  const first = await isolate(left, attempt);
  // Or each event of a large batch would hold up all others for a deadline of its own.
  if (first.every((one) => one === 'slow') && !(await isAnyFast(right, attempt))) return told.map(() => 'slow');
  return [...first, ...(await isolate(right, attempt))];
}

/** One of them answers for all; not always the same, since that one may be slow itself and all come again. */
async function isAnyFast(told: readonly Told[], attempt: Attempt): Promise<boolean> {
  const at = Math.floor(Math.random() * told.length);
  const tried = await isolate(told.slice(at, at + 1), attempt);
  return !tried.includes('slow');
}

/** Heard once more before it is kept as failed: some of Neo4j's own troubles come under the codes of a bad write. */
async function condemn(only: Told, attempt: Attempt): Promise<Outcome[]> {
  try {
    return await attempt([only]);
  } catch (error) {
    if (!(error instanceof IngestError) || error.retry === 'retry') throw error;
    return attempt([failed(only, error)]);
  }
}
