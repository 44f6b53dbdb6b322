/**
 * `apply`: map → fold → write. The one way into the graph; a job of the queue and what leaves quarantine end here. One event is, on its way:
 *   row        what the queue holds: an event, or text that is none (queue/job.ts)
 *   intake     an event and its place in the queue; `Taken` to the store
 *   told       with its facts, or the reason why it has none; `Spoken` to the store
 *   judged     with what the ledger knows of it
 *   concluded  with what became of it in its transaction
 *   outcome    only that; `tried` where it may not have got so far
 */
import { IngestError } from './errors.ts';
import type { Concluded, Judged, Outcome } from './graph/batch.ts';
import { isViolation } from './graph/driver.ts';
import type { GraphStore, GraphTx } from './graph/store.ts';
import { failed, mapEvents, type Intake, type MapOptions, type Told } from './map.ts';
import { fold, type Changes } from './model/fold.ts';

export type { Outcome } from './graph/batch.ts';
/** `slow`: did not get through alone, though the database answers: no time, no memory, or a conflict that lasts. It is not written, so it has to come again. */
export type Tried = Outcome | 'slow';

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

/** One transaction with these events in it, within this share of the deadline. */
type Attempt = (told: readonly Told[], share: number) => Promise<Outcome[]>;
/** What became of an event, or why it did not pass even alone. */
type Fate = Outcome | IngestError;

/**
 * Finds those that a batch does not pass for, and says what is done with them; all others pass. What an event met alone decides:
 *   WRITE_REFUSED        kept as failed, with its reason and body
 *   GRAPH_TIMEOUT        `slow`
 *   GRAPH_OUT_OF_MEMORY  `slow`
 *   GRAPH_CONFLICT       `slow`
 * One in n costs about 2·log2(n) transactions more. If they time out, half of a batch gets half its time, and the store sees to
 * the least (5 of 60 s). So a slow event in 2,000 costs its lane deadline × (1 + 1/2 + 1/4 + 1/8 + 8/12).
 */
async function isolate(told: readonly Told[], attempt: Attempt, patient: boolean): Promise<Tried[]> {
  const fates = await cut(told, attempt, 1);
  const trouble = everybodysTrouble(fates, patient);
  if (trouble !== undefined) throw trouble;
  const tried: Tried[] = [];
  for (const [i, one] of told.entries()) {
    const fate = fates[i] ?? 'slow';
    if (!(fate instanceof IngestError)) tried.push(fate);
    else if (comesAgain(fate)) tried.push('slow');
    else tried.push(...(await condemn(one, attempt)));
  }
  return tried;
}

/** Halves a batch that does not pass as a whole, until what is at fault stands alone. */
async function cut(told: readonly Told[], attempt: Attempt, share: number): Promise<readonly Fate[]> {
  const said = await attemptOnce(told, attempt, share);
  if (!(said instanceof IngestError)) return said;
  return told.length === 1 ? [said] : halve(told, attempt, said.code === 'GRAPH_TIMEOUT' ? share / 2 : share);
}

/** Returns what a smaller batch might not meet; all else goes up. */
async function attemptOnce(told: readonly Told[], attempt: Attempt, share: number): Promise<Outcome[] | IngestError> {
  try {
    return await attempt(told, share);
  } catch (error) {
    if (!(error instanceof IngestError) || !error.halve || told.length === 0) throw error;
    // A database that is slow for everybody is so for an empty transaction, too: that goes up.
    if (error.code === 'GRAPH_TIMEOUT') await attempt([], share);
    return error;
  }
}

/**
 * Both halves, each by itself. If all of the first have to come again, one of the second answers for it: does that, too, so do
 * all. Or what holds up everything but an empty transaction would cost a share of the deadline × n.
 */
async function halve(told: readonly Told[], attempt: Attempt, share: number): Promise<Fate[]> {
  const middle = Math.ceil(told.length / 2);
  const [left, right] = [told.slice(0, middle), told.slice(middle)];
  const first = await cut(left, attempt, share);
  if (!first.every(comesAgain)) return [...first, ...(await cut(right, attempt, share))];
  // Not always the same, since that one may be slow by itself, and all come again.
  const at = Math.floor(Math.random() * right.length);
  const sample = await cut(right.slice(at, at + 1), attempt, share);
  if (sample.every(comesAgain)) return [...first, ...right.flatMap(() => sample)];
  const others = right.toSpliced(at, 1);
  const second = others.length === 0 ? [] : await cut(others, attempt, share);
  return [...first, ...second.toSpliced(at, 0, ...sample)];
}

function comesAgain(fate: Fate): boolean {
  return fate instanceof IngestError && fate.retry === 'retry';
}

/** More events than these are not at fault all at once. */
const FEW = 8;

/**
 * What stops every event of a batch is not theirs, and nothing of it is put off or kept as failed:
 *   - no memory for any: it is full. But those that come again were put off among others that passed, and are put off again; and
 *     one without others to compare with is put off, too, or one that is too large for this database would stop all.
 *   - more than a few refused for one reason: a fault of our own, or of the database. But a constraint speaks of values.
 */
function everybodysTrouble(fates: readonly Fate[], patient: boolean): IngestError | undefined {
  const errors = fates.filter((fate) => fate instanceof IngestError);
  const [first] = errors;
  if (first === undefined || errors.length < fates.length) return undefined;
  if (errors.every(({ code }) => code === 'GRAPH_OUT_OF_MEMORY')) return patient || errors.length === 1 ? undefined : first;
  const alike = errors.every(({ code, context }) => code === 'WRITE_REFUSED' && context['code'] === first.context['code']);
  if (!alike || errors.length <= FEW || isViolation(first)) return undefined;
  return new IngestError(
    'GRAPH_REFUSED',
    `all ${errors.length} events of a batch are refused, the first: ${first.message}`,
    first.context,
    first,
  );
}

/** Heard once more before it is kept as failed: some of Neo4j's own troubles come under the codes of a bad write. */
async function condemn(only: Told, attempt: Attempt): Promise<Tried[]> {
  const again = await attemptOnce([only], attempt, 1);
  if (!(again instanceof IngestError)) return again;
  if (comesAgain(again)) return ['slow'];
  const kept = await attemptOnce([failed(only, again)], attempt, 1);
  if (!(kept instanceof IngestError)) return kept;
  if (comesAgain(kept)) return ['slow'];
  throw kept; // Not even its row is taken: no event is to blame for that, and somebody has to hear of it.
}
