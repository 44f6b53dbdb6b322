/** Queries of analysts: read-only, limited in time and rows, on connections of their own. */
import { Neo4jError, type Transaction } from 'neo4j-driver';

import { IngestError } from '../errors.ts';
import { createBolt, type Bolt, type GraphAddress } from './driver.ts';
import { readParameters, type NamedQuery, type TypedValue } from './named-queries.ts';
import { isPrivate, toPlain, type Plain } from './plain.ts';
import { checkPlan, checkText, refused, withoutSemicolon, type PlanNode } from './query-guard.ts';
import { scalarToBolt } from './values.ts';

export interface QueryLimits {
  /** Default 30,000. */
  readonly timeoutMs?: number;
  /** Default 1,000. */
  readonly maxRows?: number;
}

export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Plain[])[];
  /** Whether there were more rows than allowed. */
  readonly truncated: boolean;
  readonly tookMs: number;
}

/** So that no query takes a connection from the writers. */
const POOL_SIZE = 4;

/** Connections for `runQuery` alone; the caller closes it. */
export function createQueryBolt(address: GraphAddress): Bolt {
  return createBolt(address, POOL_SIZE);
}

/**
 * Runs a named query or Cypher text in a READ transaction. Throws `QUERY_REFUSED` for whatever writes, calls what is not
 * allowed, takes too long or is no Cypher, and `GRAPH_UNAVAILABLE`. Never retried.
 */
export async function runQuery(
  bolt: Bolt,
  query: string | NamedQuery,
  params: Readonly<Record<string, unknown>> = {},
  { timeoutMs = 30_000, maxRows = 1_000 }: QueryLimits = {},
): Promise<QueryResult> {
  const text = typeof query === 'string' ? query : query.cypher;
  checkText(text);
  const cypher = withoutSemicolon(text);
  const parameters = typeof query === 'string' ? adHoc(params) : typed(readParameters(query, params));
  const startedMs = performance.now();
  const session = bolt.driver.session({ database: bolt.database, defaultAccessMode: 'READ', fetchSize: Math.min(maxRows + 1, 1_000) });
  const deadline = startDeadline(timeoutMs);
  try {
    const transaction = session.beginTransaction({ timeout: timeoutMs });
    const read = await Promise.race([explainAndRun(transaction, cypher, parameters, maxRows), deadline.passed]);
    return { ...read, tookMs: Math.round(performance.now() - startedMs) };
  } catch (error) {
    throw explain(error, timeoutMs);
  } finally {
    deadline.stop();
    // Not awaited: on a dead connection closing hangs. It rolls back, as nothing was written.
    session.close().catch(() => undefined);
  }
}

async function explainAndRun(
  transaction: Transaction,
  cypher: string,
  parameters: Readonly<Record<string, unknown>>,
  maxRows: number,
): Promise<Omit<QueryResult, 'tookMs'>> {
  const { summary } = await transaction.run(`EXPLAIN ${cypher}`, parameters);
  const procedures = checkPlan(summary.queryType, summary.plan as PlanNode | false);
  const result = transaction.run(cypher, parameters);
  const columns = (await result.keys()).map(String);
  const rows: (readonly Plain[])[] = [];
  for await (const record of result) {
    const row = columns.map((column) => toPlain(record.get(column)));
    // What the catalogue says of private labels is private too.
    if (procedures.size > 0 && row.some(namesPrivate)) continue;
    if (rows.length === maxRows) return { columns, rows, truncated: true };
    rows.push(row);
  }
  return { columns, rows, truncated: false };
}

/** A private name as `db.labels` and its kin write it: `_Event`, ":`_Event`", ["_Event"]. */
function namesPrivate(cell: Plain): boolean {
  if (typeof cell === 'string') return isPrivate(cell.replace(/^:?`?/, ''));
  return Array.isArray(cell) && cell.some((item) => typeof item === 'string' && isPrivate(item));
}

/** A whole number means INTEGER, which is what LIMIT and comparisons with `…Minor` want. */
function adHoc(params: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const convert = (value: unknown): unknown => {
    if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
    if (Array.isArray(value)) return value.map(convert);
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
    return adHoc(value as Record<string, unknown>);
  };
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, convert(value)]));
}

function typed(params: Readonly<Record<string, TypedValue>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(params).map(([name, { type, value }]) => [name, value === null ? null : scalarToBolt(type, value)]),
  );
}

function explain(error: unknown, timeoutMs: number): IngestError {
  if (error instanceof IngestError) return error;
  if (!(error instanceof Neo4jError)) return new IngestError('GRAPH_UNAVAILABLE', 'Neo4j did not answer', {}, error);
  const { code, message } = error;
  if (
    code.includes('TransactionTimedOut') ||
    code === 'Neo.ClientError.Transaction.TransactionTerminated' ||
    code === 'Neo.TransientError.Transaction.Terminated'
  )
    return tooLong(timeoutMs);
  if (code.endsWith('OutOfMemoryError')) return refused('the query needs more memory than it may have');
  const own = code.startsWith('Neo.ClientError.') && !/^Neo\.ClientError\.(Security|Database|Cluster)\./.test(code);
  return own
    ? new IngestError('QUERY_REFUSED', message, { code }, error)
    : new IngestError('GRAPH_UNAVAILABLE', `Neo4j is not available: ${message}`, { code }, error);
}

function tooLong(timeoutMs: number): IngestError {
  return refused(`the query took longer than ${timeoutMs} ms`);
}

function startDeadline(ms: number): { passed: Promise<never>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    // The server is first to stop; this is for one that does not answer.
    timer = setTimeout(() => reject(tooLong(ms)), ms + 2_000);
  });
  passed.catch(() => undefined);
  return { passed, stop: () => clearTimeout(timer) };
}
