/**
 * The ledger: which events are known already, and the rows for those that are not. Written in the transaction of the
 * events' effects, so neither is ever there without the other.
 */
import { randomBytes } from 'node:crypto';

import { conflictKey, type State } from '../event.ts';
import { cutSegments, packSegment, REGULAR, type LedgerEntry, type Segment } from './segment.ts';
import { indexKey } from './loaded.ts';
import type { Statements } from './statements.ts';
import type { Tx } from './transact.ts';

/** An event of the batch by the only names that decide whether it is known. */
export interface Candidate {
  readonly key: string;
  readonly bodyHash: string;
  readonly job: string;
  readonly index: number;
  /** How many events the job has. */
  readonly of: number;
}

/** `settled`: its job was committed before. `late`: taken in twice; the ledger has this very body. */
export type Verdict = Fresh | { readonly is: 'late' } | { readonly is: 'settled' };

/** To be folded. `row`: whether the ledger has it already and only its state moves (a released quarantine). */
export interface Fresh {
  readonly is: 'fresh';
  readonly key: string;
  readonly conflict: boolean;
  readonly row: 'new' | 'kept';
}

export interface Ledger {
  /** One verdict for each candidate, in order. */
  judge(tx: Tx, candidates: readonly Candidate[]): Promise<Verdict[]>;
  /** Takes events out of a state by hand, by ledger key: fresh while they are still in it, settled when another was faster. */
  reclaim(tx: Tx, keys: readonly string[], from: State): Promise<Verdict[]>;
  /** Entries of fresh events, and the marks of their jobs. `entries` are new rows, `moved` known ones. */
  write(
    tx: Tx,
    entries: readonly LedgerEntry[],
    moved: readonly LedgerEntry[],
    candidates: readonly Candidate[],
    verdicts: readonly Verdict[],
  ): Promise<void>;
  /** Jobs that the queue has completed: their marks go with the next write. */
  forget(jobs: Iterable<string>): void;
}

export function createLedger(statements: Statements, now: () => number): Ledger {
  const worker = randomBytes(6).toString('hex');
  const completed = new Set<string>();
  let serial = 0;
  const segmentId = (atMs: number): string =>
    `${String(atMs).padStart(14, '0')}-${String(serial++ % 1_000_000).padStart(6, '0')}-${worker}`;

  async function known(tx: Tx, keys: readonly string[]): Promise<Map<string, string>> {
    if (keys.length === 0) return new Map();
    const result = await tx.run<{ key: string; hash: string }>(statements.knownEvents, { keys });
    return new Map(result.records.map((record) => [record.get('key'), record.get('hash')]));
  }

  async function settledJobs(tx: Tx, candidates: readonly Candidate[]): Promise<Map<string, ReadonlySet<number> | 'all'>> {
    const result = await tx.run<{ id: string; done: bigint[] | null }>(statements.settledJobs, {
      jobs: [...new Set(candidates.map((one) => one.job))],
    });
    return new Map(
      result.records.map((record) => [record.get('id'), record.get('done') === null ? 'all' : new Set(record.get('done')?.map(Number))]),
    );
  }

  async function writeJobs(tx: Tx, candidates: readonly Candidate[], verdicts: readonly Verdict[]): Promise<void> {
    const jobs = new Map<string, { late: number; indexes: number[]; partly: boolean; of: number }>();
    candidates.forEach((one, i) => {
      let job = jobs.get(one.job);
      if (job === undefined) jobs.set(one.job, (job = { late: 0, indexes: [], partly: false, of: one.of }));
      const verdict = verdicts[i]?.is;
      if (verdict === 'settled') job.partly = true;
      else job.indexes.push(one.index);
      if (verdict === 'late') job.late += 1;
    });
    const settledAt = BigInt(now());
    const whole: unknown[][] = [];
    const part: unknown[][] = [];
    for (const [id, job] of jobs) {
      if (job.indexes.length === 0) continue;
      if (!job.partly && job.indexes.length === job.of) whole.push([id, BigInt(job.late), settledAt]);
      else part.push([id, BigInt(job.late), settledAt, job.indexes.map(BigInt)]);
    }
    const forgotten = [...completed];
    const written: Promise<unknown>[] = [];
    if (whole.length > 0) written.push(tx.run(statements.settleJobs, { rows: whole }));
    if (part.length > 0) written.push(tx.run(statements.settlePart, { rows: part }));
    if (forgotten.length > 0) written.push(tx.run(statements.forgetJobs, { rows: forgotten, worker }));
    await Promise.all(written);
    // Should the commit fail, the marks stay until they are told of again or grow old.
    for (const job of forgotten) completed.delete(job);
  }

  return {
    async judge(tx, candidates) {
      const [jobs, hashes] = await Promise.all([settledJobs(tx, candidates), known(tx, [...new Set(candidates.map((one) => one.key))])]);
      const isSettled = (one: Candidate): boolean => {
        const job = jobs.get(one.job);
        return job === 'all' || (job?.has(one.index) ?? false);
      };
      const rivals = await known(tx, rivalKeys(candidates, hashes));
      const places = new Set<string>();
      return candidates.map((one): Verdict => {
        // A job that stalled may come twice into one batch: the second is the same event taken in once.
        const place = `${one.job}\n${one.index}`;
        if (isSettled(one) || places.has(place)) return { is: 'settled' };
        places.add(place);
        const first = hashes.get(one.key);
        if (first === undefined) {
          hashes.set(one.key, one.bodyHash);
          return { is: 'fresh', key: one.key, conflict: false, row: 'new' };
        }
        if (first === one.bodyHash) return { is: 'late' };
        const key = conflictKey(one.key, one.bodyHash);
        if (rivals.has(key)) return { is: 'late' };
        rivals.set(key, one.bodyHash);
        return { is: 'fresh', key, conflict: true, row: 'new' };
      });
    },

    async reclaim(tx, keys, from) {
      const result = await tx.run<{ key: string; state: string | null; conflict: boolean }>(statements.lockEvents, { keys });
      const rows = new Map(result.records.map((record) => [record.get('key'), record.toObject()]));
      return keys.map((key): Verdict => {
        const row = rows.get(key);
        return row?.state === from ? { is: 'fresh', key, conflict: row.conflict, row: 'kept' } : { is: 'settled' };
      });
    },

    async write(tx, entries, moved, candidates, verdicts) {
      const at = now();
      const written: Promise<unknown>[] = [];
      for (const part of cutSegments(entries)) {
        const segment: Segment = packSegment(segmentId(at), at, part);
        written.push(
          tx.run(statements.ledgerEvents, { segment: segment.id, rows: part.map(slimRow) }),
          tx.run(statements.ledgerSegment, { segment }),
        );
      }
      const exceptions = entries.flatMap((entry) => exceptional(entry));
      if (exceptions.length > 0) written.push(tx.run(statements.ledgerExceptional, { rows: exceptions }));
      if (moved.length > 0) {
        const rows = moved.map((entry) => [entry.key, entry.state, entry.error?.code ?? null]);
        written.push(tx.run(statements.moveEvents, { rows }));
      } else written.push(writeJobs(tx, candidates, verdicts));
      await Promise.all(written);
    },

    forget(jobs) {
      for (const job of jobs) completed.add(job);
    },
  };
}

/** Conflict keys worth asking for: of candidates whose key is known, or taken within the batch, under another body. */
function rivalKeys(candidates: readonly Candidate[], hashes: ReadonlyMap<string, string>): string[] {
  const first = new Map(hashes);
  const keys = new Set<string>();
  for (const one of candidates) {
    const hash = first.get(one.key);
    if (hash === undefined) first.set(one.key, one.bodyHash);
    else if (hash !== one.bodyHash) keys.add(conflictKey(one.key, one.bodyHash));
  }
  return [...keys];
}

function slimRow(entry: LedgerEntry, position: number): unknown[] {
  return [entry.key, entry.event.bodyHash, entry.subject === undefined ? null : indexKey(entry.subject), position];
}

function exceptional(entry: LedgerEntry): [string, Record<string, unknown>][] {
  if (REGULAR.has(entry.state) && !entry.conflict) return [];
  const out: Record<string, unknown> = {};
  if (!REGULAR.has(entry.state)) out['state'] = entry.state satisfies State;
  if (entry.conflict) out['conflict'] = true;
  if (entry.error !== undefined) out['error'] = entry.error.code;
  if (entry.state === 'quarantined' && entry.latest !== undefined) out['latest'] = entry.latest;
  return [[entry.key, out]];
}
