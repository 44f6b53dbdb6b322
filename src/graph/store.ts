/** The graph as `apply` sees it: one transaction that judges, locks and reads, and writes. */
import type { State } from '../event.ts';
import type { Changes } from '../model/fold.ts';
import type { Model } from '../model/model.ts';
import type { AtomicFact, Resolved } from '../model/resolve.ts';
import { IngestError } from '../errors.ts';
import type { Event } from '../event.ts';
import type { Bolt } from './driver.ts';
import { createLedger, type Candidate, type Fresh, type Verdict } from './ledger.ts';
import type { Loaded } from './loaded.ts';
import { planWrites, wakingEnds, type Plan } from './plan.ts';
import { createReader } from './read.ts';
import { unpackSegment, type LedgerEntry, type LedgerError } from './segment.ts';
import { createStatements, type Statements } from './statements.ts';
import { transact, type Tx } from './transact.ts';

/** An event and the place in the queue that it came from: `of` says how many came with it. */
export interface Taken {
  readonly job: string;
  readonly index: number;
  readonly of: number;
  readonly event: Event;
  /** How often this has been tried before. */
  readonly attempts?: number;
  /** Its key in the ledger where that is known to differ from `source:id` (a conflict's suffix). */
  readonly ledgerKey?: string;
}

/** What the store needs to know of a mapped event. */
export interface Spoken {
  readonly key: string;
  readonly intake: Taken;
  readonly mapping: string;
  readonly type: string | undefined;
  readonly resolved: Resolved | undefined;
  readonly error: LedgerError | undefined;
}

export interface GraphTx {
  /** Which events are new, in order. */
  judge(told: readonly Spoken[]): Promise<Verdict[]>;
  /** Known events that are still in this state, as fresh ones whose row is kept. */
  reclaim(told: readonly Spoken[], from: State): Promise<Verdict[]>;
  /** Locks and reads all that these facts can touch. */
  lockAndRead(facts: readonly AtomicFact[]): Promise<Loaded>;
  /** What changed, and the ledger's rows of the fresh events with their states. */
  write(
    state: Loaded,
    changes: Changes,
    told: readonly Spoken[],
    verdicts: readonly Verdict[],
    states: ReadonlyMap<Spoken, State>,
  ): Promise<void>;
}

export interface GraphStore {
  transaction<T>(work: (tx: GraphTx) => Promise<T>): Promise<T>;
  /** Jobs that the queue has completed and will not deliver again. */
  forget(jobs: Iterable<string>): void;
  /** Marks of jobs that nobody completed within a month go with the next write. */
  forgetOld(): Promise<void>;
  /** Quarantined entries whose times are all at or before this instant. */
  quarantined(until: bigint, limit: number): Promise<LedgerEntry[]>;
}

export interface StoreOptions {
  readonly now?: () => number;
  readonly deadlineMs?: number;
  readonly onRetry?: (error: IngestError, attempt: number) => void;
  /** Told how long each stage of a transaction took. */
  readonly onStage?: (stage: 'judge' | 'read' | 'fold' | 'write' | 'transaction', durationMs: number) => void;
}

/** Far longer than a stalled job waits for its next worker. */
const OLD_JOB_MS = 30 * 86_400_000;

export function createGraphStore(bolt: Bolt, model: Model, options: StoreOptions = {}): GraphStore {
  const statements = createStatements(model);
  const reader = createReader(model, statements);
  const ledger = createLedger(statements, options.now ?? Date.now);
  const { deadlineMs = 60_000, onRetry, onStage } = options;

  async function timed<T>(stage: 'judge' | 'read' | 'write' | 'transaction', work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await work();
    onStage?.(stage, performance.now() - startedMs);
    return result;
  }

  const open = (tx: Tx): GraphTx => {
    let readMs = 0;
    return {
      judge: (told) => timed('judge', () => ledger.judge(tx, told.map(candidateOf))),
      reclaim: (told, from) =>
        ledger.reclaim(
          tx,
          told.map((one) => one.intake.ledgerKey ?? one.key),
          from,
        ),
      async lockAndRead(facts) {
        const loaded = await timed('read', () => reader.read(tx, facts));
        readMs = performance.now();
        return loaded;
      },
      async write(state, changes, told, verdicts, states) {
        onStage?.('fold', performance.now() - readMs);
        await reader.lock(tx, state, wakingEnds(state, changes));
        const entries = { new: [] as LedgerEntry[], kept: [] as LedgerEntry[] };
        told.forEach((one, i) => {
          const verdict = verdicts[i];
          const became = states.get(one);
          if (verdict?.is === 'fresh' && became !== undefined) entries[verdict.row].push(entryOf(one, verdict, became));
        });
        await timed('write', () =>
          Promise.all([
            writePlan(tx, statements, planWrites(state, changes)),
            ledger.write(tx, entries.new, entries.kept, told.map(candidateOf), verdicts),
          ]),
        );
      },
    };
  };

  return {
    transaction: (work) =>
      timed('transaction', () => transact(bolt, (tx) => work(open(tx)), onRetry === undefined ? { deadlineMs } : { deadlineMs, onRetry })),
    forget: (jobs) => ledger.forget(jobs),
    async forgetOld() {
      const before = BigInt((options.now ?? Date.now)() - OLD_JOB_MS);
      ledger.forget(
        await transact(
          bolt,
          async (tx) => (await tx.run<{ id: string }>(statements.oldJobs, { before })).records.map((record) => record.get('id')),
          { deadlineMs },
        ),
      );
    },
    quarantined: (until, limit) => transact(bolt, (tx) => readQuarantined(tx, statements, until, limit), { deadlineMs }),
  };
}

async function readQuarantined(tx: Tx, statements: Statements, until: bigint, limit: number): Promise<LedgerEntry[]> {
  const result = await tx.run<{ position: bigint; meta: string; bodies: string }>(statements.quarantined, { until, limit: BigInt(limit) });
  return result.records.flatMap((record) => unpackSegment(record.get('meta'), record.get('bodies'))[Number(record.get('position'))] ?? []);
}

/** Every row must find what it is for: an entity that vanished meanwhile means a fresh transaction. */
async function writePlan(tx: Tx, statements: Statements, plan: Plan): Promise<void> {
  const written: Promise<void>[] = [];
  const write = (cypher: string, rows: readonly unknown[], counted: boolean): void => {
    if (rows.length > 0) written.push(writeRows(tx, cypher, rows, counted));
  };
  write(statements.setNodes, plan.setNodes, true);
  write(statements.deleteEdges, plan.deleteEdges, true);
  for (const [type, rows] of plan.createEdges) write(statements.edges.get(type)?.create ?? '', rows, true);
  write(statements.setEdges, plan.setEdges, true);
  write(statements.deleteNodes, plan.deleteNodes, true);
  write(statements.hideNodes, plan.hideNodes, false);
  write(statements.unhideNodes, plan.unhideNodes, false);
  write(statements.hideEdges, plan.hideEdges, false);
  write(statements.unhideEdges, plan.unhideEdges, false);
  await Promise.all(written);
}

async function writeRows(tx: Tx, cypher: string, rows: readonly unknown[], counted: boolean): Promise<void> {
  const result = await tx.run<{ n: bigint }>(cypher, { rows });
  if (!counted) return;
  const found = Number(result.records[0]?.get('n') ?? 0n);
  if (found !== rows.length)
    throw new IngestError('GRAPH_CONFLICT', `${rows.length - found} of ${rows.length} rows found nothing to write to`, { cypher });
}

function candidateOf(told: Spoken): Candidate {
  return { key: told.key, bodyHash: told.intake.event.bodyHash, job: told.intake.job, index: told.intake.index, of: told.intake.of };
}

function entryOf(told: Spoken, verdict: Fresh, state: State): LedgerEntry {
  return {
    key: verdict.key,
    event: told.intake.event,
    state,
    conflict: verdict.conflict,
    type: told.type,
    occurrenceId: told.resolved?.occurrenceId,
    occurredAt: told.resolved?.occurredAt,
    subject: told.resolved?.subject,
    entities: told.resolved?.entities ?? [],
    mapping: told.mapping,
    error: told.error,
    attempts: (told.intake.attempts ?? 0) + 1,
    latest: told.resolved?.latest,
  };
}
