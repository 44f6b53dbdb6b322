/** `apply`: map → fold → write. The one way into the graph; a queue job, an import, a replay and a release all end here. */
import { IngestError } from './errors.ts';
import type { Concluded, Judged, Outcome } from './graph/batch.ts';
import type { GraphStore, GraphTx } from './graph/store.ts';
import { failed, mapEvents, type Intake, type MapOptions, type Told } from './map.ts';
import { fold, type Changes } from './model/fold.ts';

export type { Outcome } from './graph/batch.ts';
/** `slow`: not done within its time, though the database answers. It may not be written, so it has to come again. */
export type Tried = Outcome | 'slow';

export interface ApplyOptions extends MapOptions {
  /** Each event gets the whole deadline before it is `slow`, and not only its share of it: for those that were slow before. */
  readonly patient?: boolean;
}

/**
 * Applies a batch: effects and ledger in one transaction, both or neither. Idempotent: a second time changes nothing, and
 * under the same jobs it counts nothing either. Returns what became of each event, in order. An event that the database
 * refuses fails alone, and one that takes too long is `slow` alone. Throws `GRAPH_UNAVAILABLE` when the database is away,
 * `GRAPH_TIMEOUT` or `GRAPH_OUT_OF_MEMORY` when it is too slow or too full for anything: wait, then call again.
 */
export async function apply(intake: readonly Intake[], graph: GraphStore, options: ApplyOptions): Promise<Tried[]> {
  const told = await mapEvents(intake, options);
  return isolate(told, (part, share) => write(graph, (tx) => tx.judge(part), options.patient === true ? 1 : share));
}

/** What is new is folded against what was locked and read, and written with its ledger rows: one transaction. */
async function write(graph: GraphStore, judge: (tx: GraphTx) => Promise<Judged<Told>[]>, share = 1): Promise<Outcome[]> {
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
  return isolate(told, (part) => write(graph, (tx) => tx.reclaim(part, 'quarantined')));
}

/** An event is applied if any of its facts raised anything, superseded if every one lost to a newer one. */
function conclude(one: Judged<Told>, { raised }: Changes): Concluded<Told> {
  if (one.is !== 'fresh') return { ...one, outcome: one.is };
  const { state, facts } = one.told;
  if (state !== 'mapped') return { ...one, outcome: state };
  return { ...one, outcome: facts.some((fact) => raised.has(fact)) ? 'applied' : 'superseded' };
}

/** One transaction with these events in it, within this share of the deadline. */
type Attempt = (told: readonly Told[], share: number) => Promise<Outcome[]>;

/**
 * Halves a batch that does not pass as a whole, until what is at fault stands alone. Why it does not decides what that is:
 *   WRITE_REFUSED        kept as failed, with its reason and body
 *   GRAPH_TIMEOUT        `slow`
 *   GRAPH_OUT_OF_MEMORY  nobody's fault: goes up, like an outage
 * One in n costs about 2·log2(n) transactions more. If they time out, half of a batch gets half its time, and the store sees to
 * the least (5 of 60 s). So a slow event in 2,000 costs its lane deadline × (1 + 1/2 + 1/4 + 1/8 + 8/12).
 */
async function isolate(told: readonly Told[], attempt: Attempt, share = 1): Promise<Tried[]> {
  try {
    return await attempt(told, share);
  } catch (error) {
    const [only] = told;
    if (!(error instanceof IngestError) || !error.halve || only === undefined) throw error;
    const tooLong = error.code === 'GRAPH_TIMEOUT';
    if (tooLong) await attempt([], share); // A database that is slow for everybody is so for an empty transaction, too: that goes up.
    if (told.length > 1) return halve(told, attempt, tooLong ? share / 2 : share);
    if (tooLong) return ['slow'];
    if (error.retry === 'retry') throw error; // No memory even for one: everybody's trouble.
    return condemn(only, attempt);
  }
}

/**
 * Both halves, each by itself. If all of the first is slow, one of the second answers for it: is that slow, too, so are all. Or
 * what holds up everything but an empty transaction would cost a share of the deadline × n.
 */
async function halve(told: readonly Told[], attempt: Attempt, share: number): Promise<Tried[]> {
  const middle = Math.ceil(told.length / 2);
  const [left, right] = [told.slice(0, middle), told.slice(middle)];
  const first = await isolate(left, attempt, share);
  if (!first.every((one) => one === 'slow')) return [...first, ...(await isolate(right, attempt, share))];
  // Not always the same, since that one may be slow by itself, and all come again.
  const at = Math.floor(Math.random() * right.length);
  const [sample = 'slow'] = await isolate(right.slice(at, at + 1), attempt, share);
  if (sample === 'slow') return told.map(() => 'slow');
  const others = right.toSpliced(at, 1);
  const second = others.length === 0 ? [] : await isolate(others, attempt, share);
  return [...first, ...second.toSpliced(at, 0, sample)];
}

/** Heard once more before it is kept as failed: some of Neo4j's own troubles come under the codes of a bad write. */
async function condemn(only: Told, attempt: Attempt): Promise<Outcome[]> {
  try {
    return await attempt([only], 1);
  } catch (error) {
    if (!(error instanceof IngestError) || error.retry === 'retry') throw error;
    return attempt([failed(only, error)], 1);
  }
}
