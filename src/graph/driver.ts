/** The Bolt connection: pool, types, and what a driver error means to us. */
import neo4j, { type Driver, Neo4jError } from 'neo4j-driver';

import { IngestError } from '../errors.ts';

export interface GraphAddress {
  readonly uri: string;
  readonly username: string;
  readonly password: string;
  readonly database?: string | undefined;
}

export interface Bolt {
  readonly driver: Driver;
  readonly database: string;
  close(): Promise<void>;
}

/** Never connects by itself; integers come back as bigint. */
export function createBolt(address: GraphAddress, poolSize = 16): Bolt {
  const driver = neo4j.driver(address.uri, neo4j.auth.basic(address.username, address.password), {
    useBigInt: true,
    maxConnectionPoolSize: poolSize,
    connectionAcquisitionTimeout: 5_000,
    connectionTimeout: 5_000,
    connectionLivenessCheckTimeout: 30_000,
    telemetryDisabled: true,
    userAgent: 'eventgraft',
    fetchSize: 10_000,
  });
  return { driver, database: address.database ?? 'neo4j', close: () => driver.close() };
}

/** What is wrong with a statement or its connection, as one of our codes; `transient` conflicts are worth an immediate second try. */
export function explainFailure(error: unknown): IngestError {
  if (error instanceof IngestError) return error;
  if (!(error instanceof Neo4jError)) {
    const message = error instanceof Error ? error.message : String(error);
    return new IngestError('GRAPH_UNAVAILABLE', `Neo4j did not answer: ${message}`, {}, error);
  }
  const { code, message } = error;
  if (isRace(code, message))
    return new IngestError('GRAPH_CONFLICT', `Neo4j could not commit beside another transaction: ${message}`, { code }, error);
  if (isTooLong(code)) return new IngestError('GRAPH_TIMEOUT', `Neo4j gave a transaction up: ${message}`, { code }, error);
  if (isOutOfMemory(code))
    return new IngestError('GRAPH_OUT_OF_MEMORY', `Neo4j has no memory for a transaction: ${message}`, { code }, error);
  if (isOurs(code)) return new IngestError('GRAPH_REFUSED', `Neo4j refused a statement: ${message}`, { code }, error);
  if (isOutage(code)) return new IngestError('GRAPH_UNAVAILABLE', `Neo4j is not available: ${message}`, { code }, error);
  return new IngestError('WRITE_REFUSED', `Neo4j refused the write: ${message}`, { code }, error);
}

/** Deadlocks, vanished entities, and two writers creating one private row: gone in a fresh transaction. */
function isRace(code: string, message: string): boolean {
  if (code === 'Neo.TransientError.Transaction.DeadlockDetected') return true;
  if (code === 'Neo.TransientError.Transaction.LockClientStopped') return true;
  if (code === 'Neo.ClientError.Statement.EntityNotFound' || code.endsWith('.EntityDeletedInTransaction')) return true;
  return code === VIOLATION && /label `_/.test(message);
}

/** The transaction's own: its time, or its wait for one lock (where the server limits that). */
function isTooLong(code: string): boolean {
  return code.startsWith('Neo.ClientError.Transaction.TransactionTimedOut') || code.endsWith('.Transaction.LockAcquisitionTimeout');
}

/**
 * One transaction's memory, or that which all share. They say the same: where a transaction has no limit of its own, which is
 * Neo4j's default, one that is too large is told that there is no more for all.
 */
function isOutOfMemory(code: string): boolean {
  return code.endsWith('.TransactionOutOfMemoryError') || code.endsWith('.MemoryPoolOutOfMemoryError');
}

/**
 * Of our text, the schema or our rights, which are the same for every event: none is at fault. Families, so that a code which is
 * new to us waits; only what values can bring about is an event's own.
 */
function isOurs(code: string): boolean {
  return (OURS.test(code) && !VALUE_FAULTS.has(code)) || code === 'Neo.ClientError.Security.Forbidden';
}

const OURS = /^Neo\.ClientError\.(Statement|Schema|Procedure)\./;
const VIOLATION = 'Neo.ClientError.Schema.ConstraintValidationFailed';
const VALUE_FAULTS = new Set([
  VIOLATION,
  'Neo.ClientError.Statement.TypeError',
  'Neo.ClientError.Statement.ArgumentError',
  'Neo.ClientError.Statement.ArithmeticError',
]);

/** Whether a constraint stands against the values of one event: the only refusal that is surely not everybody's. */
export function isViolation({ context }: IngestError): boolean {
  return context['code'] === VIOLATION;
}

/**
 * Unreachable, starting, stopping, out of disk, or not letting us in: nobody's event is at fault, so all of it is waited out.
 * What is left — values and constraints — is the write's own.
 */
function isOutage(code: string): boolean {
  return (
    code === neo4j.error.SERVICE_UNAVAILABLE ||
    code === neo4j.error.SESSION_EXPIRED ||
    code === 'ServiceUnavailable' ||
    code === 'N/A' ||
    code.startsWith('Neo.TransientError.') ||
    code.startsWith('Neo.ClientError.Security.') ||
    code.startsWith('Neo.ClientError.Database.') ||
    code.startsWith('Neo.ClientError.Cluster.') ||
    code.startsWith('Neo.ClientError.General.') ||
    code.startsWith('Neo.ClientError.Transaction.') ||
    (code.startsWith('Neo.DatabaseError.') && !INPUT_FAULTS.has(code))
  );
}

/** Reported as the database's fault, but caused by the values: an index key that is too long, for one. */
const INPUT_FAULTS = new Set([
  'Neo.DatabaseError.Schema.ConstraintCreationFailed',
  'Neo.DatabaseError.Statement.ExecutionFailed',
  'Neo.DatabaseError.Transaction.TransactionCommitFailed',
  'Neo.DatabaseError.General.UnknownError',
]);
