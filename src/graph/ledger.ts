/**
 * The ledger: which events are known already, and the rows for those that are not. Written in the transaction of the
 * events' effects, so neither is ever there without the other. Rows go out before the graph is locked, since they do not
 * depend on what is read of it; what became of them follows after the fold.
 */
import { randomBytes } from 'node:crypto';

import { IngestError } from '../errors.ts';
import { conflictKey, type Event, type State } from '../event.ts';
import type { Fresh, Judged, Concluded, Spoken } from './batch.ts';
import { indexKey } from './loaded.ts';
import { cutSegments, packSegment, packStates, REGULAR, type LedgerRow } from './segment.ts';
import type { Statements } from './statements.ts';
import type { Tx } from './transact.ts';

export interface Ledger {
  /** The ledger's part of one transaction. */
  open(tx: Tx): LedgerTx;
}

export interface LedgerTx {
  /**
   * One verdict for each event, in order. Nothing is locked: should another commit the same event first, the constraint on
   * its key refuses our row, and the transaction starts afresh. What the ledger lacks is fresh, whatever the mark of its job says.
   */
  judge<S extends Spoken>(told: readonly S[]): Promise<Judged<S>[]>;
  /** Takes events out of a state that they wait in, by ledger key: fresh while they are still in it, repeated when another was faster. */
  reclaim<S extends Spoken>(told: readonly S[], from: State): Promise<Judged<S>[]>;
  /** Rows of fresh events that have none. */
  record(fresh: readonly Fresh[]): Promise<void>;
  /** What became of the events, and the marks of their jobs. */
  conclude(concluded: readonly Concluded[]): Promise<void>;
}

/**
 * Hex digits of the body hash that an event's row keeps (its segment has all): 128 bits tell two bodies of one id apart,
 * and Neo4j stores so many within the property's own record.
 */
const ROW_HASH_LENGTH = 32;
const MAX_INT64 = 2n ** 63n - 1n;

export function createLedger(statements: Statements, now: () => number): Ledger {
  const worker = randomBytes(6).toString('hex');
  let serial = 0;
  const segmentId = (atMs: number): string =>
    `${String(atMs).padStart(14, '0')}-${String(serial++ % 1_000_000).padStart(6, '0')}-${worker}`;

  return {
    open(tx) {
      const segments: { id: string; rows: readonly LedgerRow[] }[] = [];
      /** Events whose place in their job is marked already. */
      const marked = new Set<Spoken>();
      return {
        async judge(told) {
          const [jobs, hashes] = await Promise.all([
            settledJobs(tx, statements, told),
            knownHashes(tx, statements, new Set(told.map((one) => one.key))),
          ]);
          const rivals = await knownHashes(tx, statements, rivalKeys(told, hashes));
          const places = new Map<string, Set<number>>();
          return told.map((one) => {
            const { job, index } = one.intake;
            // A job that stalled may come twice into one batch: the second is the same event taken in once.
            let seen = places.get(job);
            if (seen === undefined) places.set(job, (seen = new Set()));
            if (seen.has(index)) return { told: one, is: 'repeated' };
            seen.add(index);
            if (jobs.get(indexKey(job))?.has(index) === true) marked.add(one);
            const hash = rowHash(one.intake.event);
            const first = hashes.get(one.key);
            if (first === undefined) {
              hashes.set(one.key, hash);
              return { told: one, is: 'fresh', key: one.key, conflict: false, row: 'new' };
            }
            const key = conflictKey(one.key, hash);
            if (first === hash || rivals.has(key)) return { told: one, is: marked.has(one) ? 'repeated' : 'late' };
            rivals.set(key, hash);
            return { told: one, is: 'fresh', key, conflict: one.sameId === 'conflict', row: 'new' };
          });
        },

        async reclaim(told, from) {
          const keys = told.map((one) => one.intake.ledgerKey ?? one.key);
          const result = await tx.run<{ key: string; state: string | null }>(statements.lockEvents, { keys });
          const rows = new Map(result.records.map((record) => [record.get('key'), record.toObject()]));
          return told.map((one, i) => {
            const row = rows.get(keys[i] ?? '');
            if (row?.state !== from) return { told: one, is: 'repeated' };
            return { told: one, is: 'fresh', key: row.key, conflict: false, row: 'kept' };
          });
        },

        async record(fresh) {
          const atMs = now();
          for (const rows of cutSegments(fresh.filter((one) => one.row === 'new').map(rowOf))) segments.push({ id: segmentId(atMs), rows });
          if (segments.length === 0) return;
          // All is packed before anything is sent: a throw between two sends would leave a promise that nobody awaits.
          const packed = segments.map(({ id, rows }) => packSegment(id, atMs, rows));
          await Promise.all([
            tx.run(statements.ledgerEvents, { segments: segments.map(slimRows) }),
            ...packed.map((segment) => tx.run(statements.ledgerSegment, { segment })),
          ]);
        },

        async conclude(concluded) {
          const fresh = concluded.filter((one) => one.is === 'fresh');
          const states = new Map(fresh.map(({ key, outcome }) => [key, outcome]));
          const written: Promise<unknown>[] = [];
          const write = (cypher: string, rows: readonly unknown[]): void =>
            void (rows.length > 0 && written.push(tx.run(cypher, { rows })));
          write(
            statements.ledgerStates,
            segments.map(({ id, rows }) => [id, packStates(rows.map(({ key }) => stateOf(states, key)))]),
          );
          write(
            statements.ledgerExceptional,
            fresh.flatMap((one) => exceptional(one)),
          );
          write(
            statements.moveEvents,
            fresh.flatMap((one) => moved(one)),
          );
          const { whole, part } = jobMarks(concluded, marked, BigInt(now()));
          write(statements.settleJobs, whole);
          if (part.length > 0) written.push(settlePart(tx, statements, part));
          await Promise.all(written);
        },
      };
    },
  };
}

type Indexes = { has(index: number): boolean };
const ALL: Indexes = { has: () => true };

/** Which indexes of which jobs were committed before. */
async function settledJobs(tx: Tx, statements: Statements, told: readonly Spoken[]): Promise<Map<string, Indexes>> {
  const result = await tx.run<{ id: string; done: bigint[] | null }>(statements.settledJobs, {
    jobs: [...new Set(told.map((one) => indexKey(one.intake.job)))],
  });
  return new Map(
    result.records.map((record) => [record.get('id'), record.get('done') === null ? ALL : new Set(record.get('done')?.map(Number))]),
  );
}

async function knownHashes(tx: Tx, statements: Statements, keys: ReadonlySet<string>): Promise<Map<string, string>> {
  if (keys.size === 0) return new Map();
  const result = await tx.run<{ key: string; hash: string }>(statements.knownEvents, { keys: [...keys] });
  return new Map(result.records.map((record) => [record.get('key'), record.get('hash')]));
}

/** Conflict keys worth asking for: of events whose key is known, or taken within the batch, under another body. */
function rivalKeys(told: readonly Spoken[], hashes: ReadonlyMap<string, string>): Set<string> {
  const taken = new Map<string, string>();
  const keys = new Set<string>();
  for (const one of told) {
    const hash = rowHash(one.intake.event);
    const known = hashes.get(one.key) ?? taken.get(one.key);
    if (known === undefined) taken.set(one.key, hash);
    else if (known !== hash) keys.add(conflictKey(one.key, hash));
  }
  return keys;
}

/** A mark for each job that was not wholly known or marked: `part` where the batch has only some of its events. */
function jobMarks(judged: readonly Judged[], marked: ReadonlySet<Spoken>, settledAt: bigint): { whole: unknown[][]; part: unknown[][] } {
  const jobs = new Map<string, { late: number; indexes: number[]; partly: boolean; of: number }>();
  for (const one of judged) {
    if (one.is === 'fresh' && one.row === 'kept') continue; // Came from the ledger, not from a job.
    const { is, told } = one;
    const { job: id, index, of } = told.intake;
    let job = jobs.get(id);
    if (job === undefined) jobs.set(id, (job = { late: 0, indexes: [], partly: false, of }));
    if (is === 'repeated' || marked.has(told)) job.partly = true;
    else job.indexes.push(index);
    if (is === 'late') job.late += 1;
  }
  const whole: unknown[][] = [];
  const part: unknown[][] = [];
  for (const [id, { late, indexes, partly, of }] of jobs) {
    if (indexes.length === 0) continue;
    const mark = [indexKey(id), late === 0 ? null : BigInt(late), settledAt];
    if (!partly && indexes.length === of) whole.push(mark);
    else part.push([...mark, indexes.map(BigInt)]);
  }
  return { whole, part };
}

/** A part that another worker settled meanwhile counts once: whoever is second judges anew. */
async function settlePart(tx: Tx, statements: Statements, rows: readonly unknown[]): Promise<void> {
  const result = await tx.run<{ n: bigint }>(statements.settlePart, { rows });
  if (Number(result.records[0]?.get('n') ?? 0n) !== rows.length)
    throw new IngestError('GRAPH_CONFLICT', 'another worker has settled a part of this job meanwhile');
}

function stateOf(states: ReadonlyMap<string, State>, key: string): State {
  const state = states.get(key);
  if (state === undefined) throw new Error(`nothing became of ${key}`);
  return state;
}

function rowHash({ bodyHash }: Event): string {
  return bodyHash.slice(0, ROW_HASH_LENGTH);
}

function rowOf({ told, key, conflict }: Fresh): LedgerRow {
  const { intake, resolved } = told;
  return {
    key,
    event: intake.event,
    conflict,
    type: told.type,
    occurrenceId: resolved?.occurrenceId,
    occurredAt: resolved?.occurredAt,
    subject: resolved?.subject,
    entities: resolved?.entities ?? [],
    mapping: told.mapping,
    error: told.error,
    attempts: 1,
    latest: resolved?.latest,
  };
}

/** One text for all hashes: the driver's work is by the value, not by the byte. */
function slimRows({ id, rows }: { readonly id: string; readonly rows: readonly LedgerRow[] }): unknown[] {
  return [id, rows.map(({ key }) => key), rows.map(({ event }) => rowHash(event)).join(',')];
}

type ConcludedFresh = Extract<Concluded, Fresh>;

/** What stands on a new row beside its identity, so that lists find it by index. */
function exceptional(one: ConcludedFresh): [string, Record<string, unknown>][] {
  if (one.row === 'kept' || (REGULAR.has(one.outcome) && !one.conflict)) return [];
  const out: Record<string, unknown> = {};
  if (!REGULAR.has(one.outcome)) out['state'] = one.outcome;
  if (one.conflict) out['conflict'] = true;
  if (one.told.error !== undefined) out['error'] = one.told.error.code;
  out['latest'] = dueAt(one);
  return [[one.key, out]];
}

function moved(one: ConcludedFresh): unknown[][] {
  return one.row === 'new' ? [] : [[one.key, one.outcome, one.told.error?.code ?? null, dueAt(one)]];
}

/** Epoch nanoseconds from which a quarantined event may be released; the year 2262 stands for all that is later. */
function dueAt({ told, outcome }: ConcludedFresh): bigint | null {
  const latest = told.resolved?.latest;
  if (outcome !== 'quarantined' || latest === undefined) return null;
  return latest > MAX_INT64 ? MAX_INT64 : latest;
}
