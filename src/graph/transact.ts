/** One write transaction with its own retry loop: conflicts at once in a fresh transaction, outages up to the caller. */
import type { QueryResult, RecordShape, Transaction } from 'neo4j-driver';

import { IngestError } from '../errors.ts';
import { explainFailure, type Bolt } from './driver.ts';

export type Parameters = Readonly<Record<string, unknown>>;

/** Statements of one transaction. Calls made without awaiting in between travel in one round trip. */
export interface Tx {
  run<R extends RecordShape>(cypher: string, parameters?: Parameters): Promise<QueryResult<R>>;
}

export interface TransactOptions {
  /** Client-side limit of one attempt; the server gets the same. */
  readonly deadlineMs: number;
  readonly onRetry?: ((error: IngestError, attempt: number) => void) | undefined;
  /** Told of a conflict that lasts, before it is thrown. */
  readonly onLasting?: ((error: IngestError) => void) | undefined;
}

/** `executeWrite` sleeps a second before its first retry; a deadlock's winner is done in milliseconds. */
const RETRY_MIN_MS = 5;
const RETRY_MAX_MS = 50;
/** Then it is no race any more: some event meets it each time. */
const MAX_CONFLICTS = 30;
/** A statement runs to its end before the one behind it: what is asked after a lock must not overtake its last rows. */
const ALL = -1;

/**
 * Runs `work` in a transaction until it commits. Throws what `explainFailure` makes of the database's errors (`GRAPH_CONFLICT`
 * once it has lasted for all tries), an `IngestError` of `work` as it is, and any other of its errors as `WRITE_REFUSED`.
 */
export async function transact<T>(bolt: Bolt, work: (tx: Tx) => Promise<T>, options: TransactOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptOnce(bolt, work, options.deadlineMs);
    } catch (error) {
      const failure = error instanceof IngestError ? error : ownFault(error);
      if (failure.code !== 'GRAPH_CONFLICT') throw failure;
      if (attempt >= MAX_CONFLICTS) {
        options.onLasting?.(failure);
        throw failure;
      }
      options.onRetry?.(failure, attempt);
      await sleep(RETRY_MIN_MS + Math.random() * (RETRY_MAX_MS - RETRY_MIN_MS));
    }
  }
}

async function attemptOnce<T>(bolt: Bolt, work: (tx: Tx) => Promise<T>, deadlineMs: number): Promise<T> {
  const session = bolt.driver.session({ database: bolt.database, defaultAccessMode: 'WRITE', fetchSize: ALL });
  const deadline = startDeadline(deadlineMs);
  try {
    return await Promise.race([commit(session.beginTransaction({ timeout: deadlineMs }), work), deadline.passed]);
  } finally {
    deadline.stop();
    // Not awaited: on a dead connection closing hangs as long as the statement did.
    session.close().catch(() => undefined);
  }
}

async function commit<T>(transaction: Transaction, work: (tx: Tx) => Promise<T>): Promise<T> {
  const tx: Tx = { run: (cypher, parameters) => explained(transaction.run(cypher, parameters)) };
  try {
    const result = await work(tx);
    await explained(transaction.commit());
    return result;
  } catch (error) {
    await transaction.close().catch(() => undefined);
    throw error;
  }
}

/** Only what the driver says is the database's; all else that `work` throws is ours. */
async function explained<T>(said: PromiseLike<T>): Promise<T> {
  try {
    return await said;
  } catch (error) {
    throw explainFailure(error);
  }
}

/** A fault of our own on one event must not hold up the queue for ever: it counts as that event's, and is isolated like one. */
function ownFault(error: unknown): IngestError {
  return new IngestError(
    'WRITE_REFUSED',
    `the batch could not be applied: ${error instanceof Error ? error.message : String(error)}`,
    {},
    error,
  );
}

function startDeadline(ms: number): { passed: Promise<never>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new IngestError('GRAPH_TIMEOUT', `Neo4j did not finish a transaction within ${ms} ms`)), ms);
  });
  passed.catch(() => undefined);
  return { passed, stop: () => clearTimeout(timer) };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
