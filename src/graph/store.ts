/** The graph as `apply` sees it: one transaction that judges, locks and reads, and writes. */
import { IngestError } from '../errors.ts';
import type { Changes } from '../model/fold.ts';
import type { Model } from '../model/model.ts';
import type { AtomicFact } from '../model/resolve.ts';
import type { Bolt } from './driver.ts';
import { createLedger, type LedgerTx } from './ledger.ts';
import type { Loaded } from './loaded.ts';
import { planWrites, type Plan } from './plan.ts';
import { createReader } from './read.ts';
import { unpackSegment, type LedgerEntry } from './segment.ts';
import { createStatements, type Statements } from './statements.ts';
import { transact, type Tx } from './transact.ts';

/** What `apply` does in one transaction. Calls that are made without awaiting in between travel in one round trip. */
export interface GraphTx extends LedgerTx {
  /** Locks and reads all that these facts can touch. */
  lockAndRead(facts: readonly AtomicFact[]): Promise<Loaded>;
  /** What changed, and nothing else. */
  write(state: Loaded, changes: Changes): Promise<void>;
}

export interface GraphStore {
  /** `share`: of the deadline, what this one gets, for a try that must not last; but not less than `minDeadlineMs`. */
  transaction<T>(work: (tx: GraphTx) => Promise<T>, share?: number): Promise<T>;
  /** Milliseconds since the epoch of the last commit that was not only of repeated events, or of the store's making. */
  lastCommitMs(): number;
  /** Marks of jobs that were done longer ago than any worker can still hold them. Keeps what they counted. */
  forgetOldJobs(): Promise<void>;
  /** Some of the quarantined entries that are due: all times at or before `until`. None: there are no more. What it reads is bounded. */
  quarantined(due: Due): Promise<LedgerEntry[]>;
}

export interface Due {
  /** Epoch nanoseconds. */
  readonly until: bigint;
  /** Only those of these sources. */
  readonly sources: readonly string[];
  /** Not these, by ledger key. */
  readonly except: readonly string[];
}

export type Stage = 'judge' | 'read' | 'fold' | 'write' | 'transaction';

export interface StoreOptions {
  readonly now?: () => number;
  /** Of a transaction. Default 60,000; `minDeadlineMs` 5,000, or all of a shorter one. */
  readonly deadlineMs?: number;
  readonly minDeadlineMs?: number;
  readonly onRetry?: (error: IngestError, attempt: number) => void;
  /** Told of a conflict that lasts: its events come again, and somebody has to mend what it names. */
  readonly onLasting?: (error: IngestError) => void;
  /** Told how long each stage of a transaction took. */
  readonly onStage?: (stage: Stage, durationMs: number) => void;
}

/** As long as the duplicate marks in Redis: a worker that was cut off from both for longer counts its last jobs as late. */
const OLD_JOB_MS = 7 * 86_400_000;
const FORGET_AT_ONCE = 10_000;
/** Of quarantined entries; a segment has up to a megabyte, or one event that is larger. */
const RELEASE_AT_ONCE = { limit: 500n, segments: 8n };

export function createGraphStore(bolt: Bolt, model: Model, options: StoreOptions = {}): GraphStore {
  const { deadlineMs = 60_000, minDeadlineMs = 5_000, now = Date.now, onRetry, onLasting, onStage } = options;
  const statements = createStatements(model);
  const reader = createReader(model, statements);
  const ledger = createLedger(statements, now);

  async function timed<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await work();
    onStage?.(stage, performance.now() - startedMs);
    return result;
  }

  let committedMs = now();

  /** `news()`: whether it concluded any event that was not repeated. */
  const open = (tx: Tx): GraphTx & { news(): boolean } => {
    const rows = ledger.open(tx);
    let readMs = 0;
    let news = false;
    return {
      ...rows,
      news: () => news,
      conclude(concluded) {
        news ||= concluded.some(({ is }) => is !== 'repeated');
        return rows.conclude(concluded);
      },
      judge: (told) => timed('judge', () => rows.judge(told)),
      async lockAndRead(facts) {
        const loaded = await timed('read', () => reader.read(tx, facts));
        readMs = performance.now();
        return loaded;
      },
      write(state, changes) {
        onStage?.('fold', performance.now() - readMs);
        return timed('write', () => writePlan(tx, statements, planWrites(state, changes)));
      },
    };
  };

  return {
    async transaction(work, share = 1) {
      const limitMs = Math.min(deadlineMs, Math.max(minDeadlineMs, Math.ceil(share * deadlineMs)));
      const done = async (tx: Tx) => {
        const opened = open(tx);
        return { result: await work(opened), news: opened.news() };
      };
      const { result, news } = await timed('transaction', () => transact(bolt, done, { deadlineMs: limitMs, onRetry, onLasting }));
      if (news) committedMs = now();
      return result;
    },
    lastCommitMs: () => committedMs,
    async forgetOldJobs() {
      const before = BigInt(now() - OLD_JOB_MS);
      for (let forgotten = FORGET_AT_ONCE; forgotten === FORGET_AT_ONCE;) {
        const result = await transact(
          bolt,
          (tx) => tx.run<{ forgotten: bigint }>(statements.forgetJobs, { before, limit: BigInt(FORGET_AT_ONCE) }),
          { deadlineMs },
        );
        forgotten = Number(result.records[0]?.get('forgotten') ?? 0n);
      }
    },
    quarantined: (due) => transact(bolt, (tx) => readQuarantined(tx, statements, due), { deadlineMs }),
  };
}

async function readQuarantined(tx: Tx, statements: Statements, due: Due): Promise<LedgerEntry[]> {
  const result = await tx.run<{ positions: bigint[]; meta: string; bodies: string; states: string }>(statements.quarantined, {
    ...due,
    ...RELEASE_AT_ONCE,
  });
  return result.records.flatMap((record) => {
    const entries = unpackSegment(record.get('meta'), record.get('bodies'), record.get('states'));
    return record.get('positions').flatMap((position) => entries[Number(position)] ?? []);
  });
}

/** Every row must find what it is for: an entity that vanished meanwhile means a fresh transaction. */
async function writePlan(tx: Tx, statements: Statements, plan: Plan): Promise<void> {
  const written: Promise<void>[] = [];
  const write = (cypher: string | undefined, rows: readonly unknown[], nodes?: readonly string[]): void => {
    if (rows.length > 0) written.push(writeAll(tx, cypher ?? '', rows, nodes));
  };
  for (const [label, rows] of plan.createNodes) write(statements.nodes.get(label)?.create, rows);
  write(statements.setNodes, plan.setNodes);
  write(statements.deleteEdges, plan.deleteEdges);
  for (const [type, { nodes, rows }] of plan.createEdges) write(statements.edges.get(type)?.create, rows, nodes);
  write(statements.setEdges, plan.setEdges);
  write(statements.deleteNodes, plan.deleteNodes);
  await Promise.all([
    ...written,
    writeSome(tx, statements.hideNodes, plan.hideNodes),
    writeSome(tx, statements.unhideNodes, plan.unhideNodes),
    writeSome(tx, statements.hideEdges, plan.hideEdges),
    writeSome(tx, statements.unhideEdges, plan.unhideEdges),
  ]);
}

async function writeAll(tx: Tx, cypher: string, rows: readonly unknown[], nodes: readonly string[] = []): Promise<void> {
  const result = await tx.run<{ n: bigint }>(cypher, { rows, nodes });
  const found = Number(result.records[0]?.get('n') ?? 0n);
  if (found !== rows.length)
    throw new IngestError('GRAPH_CONFLICT', `${rows.length - found} of ${rows.length} rows found nothing to write to`, { cypher });
}

/** Hidden rows: there is nothing to find. */
async function writeSome(tx: Tx, cypher: string, rows: readonly unknown[]): Promise<void> {
  if (rows.length > 0) await tx.run(cypher, { rows });
}
