/**
 * A batch of good events never fails for a bad one: what a batch does not pass for is found by halving, and kept as failed, put
 * off, or taken for everybody's trouble. (docs/decisions/0014-outage-or-poison.md, 0018-slow-events-wait-in-the-queue.md)
 */
import { IngestError } from './errors.ts';
import type { Outcome } from './graph/batch.ts';
import { isViolation } from './graph/driver.ts';
import { failed, type Told } from './map.ts';

/** `slow`: did not get through alone, though the database answers: no time, no memory, or a conflict that lasts. It is not written, so it has to come again. */
export type Tried = Outcome | 'slow';

/** One transaction with these events in it, within this share of the deadline. */
export type Attempt = (told: readonly Told[], share: number) => Promise<Outcome[]>;
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
export async function isolate(told: readonly Told[], attempt: Attempt, patient: boolean): Promise<Tried[]> {
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
