/**
 * The worker: takes batches from the queue into the graph, waits out an outage, releases quarantined events, and drops old
 * marks.
 *   working ──Neo4j away──▶ waiting ──answers again──▶ working        close() ends either
 * A batch is handed back to the queue only by `close`; it is never dropped and never fails for an outage. Jobs with an event
 * that takes too long, though the database is well, are left to come again, or two of them would stop everything. So are those with
 * an event of a source that is not known here: `serve` knew it when it took the event in.
 */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';

import type { Acknowledgement, Settled } from './acknowledge.ts';
import { apply, release, type Outcome } from './apply.ts';
import { backOffMs } from './back-off.ts';
import { IngestError } from './errors.ts';
import { eventKey, type Event } from './event.ts';
import type { LedgerEntry } from './graph/segment.ts';
import type { GraphStore } from './graph/store.ts';
import type { Intake, MapOptions } from './map.ts';
import { fromMs } from './model/instant.ts';
import type { Thin } from './queue/aside.ts';
import type { Gathered, LaterJob } from './queue/consumer.ts';
import { isUnreadable } from './queue/job.ts';

/** What the worker tells of; logs and metrics hang here. */
export interface WorkerReport {
  /** Events that wait for the object that they are about; the rest of their batch goes on without them. */
  setAside?(events: number): void;
  /** Events of a source that is not known here; the rest of their batch goes on without them. */
  sourceless?(source: string, events: number): void;
  applied?(batch: { jobs: number; events: number; outcomes: readonly Outcome[]; durationMs: number }): void;
  waiting?(error: IngestError, attempt: number, delayMs: number): void;
  resumed?(outageMs: number): void;
  released?(outcomes: readonly Outcome[]): void;
  /** It is tried again the next time. Of an outage told once. */
  choreFailed?(chore: Chore, error: unknown): void;
}

/** What is done from time to time: quarantined events are released, old marks dropped. */
export type Chore = 'release' | 'forget';

export interface WorkerOptions extends MapOptions {
  readonly report?: WorkerReport;
  /** Events that need more than they say, and where they are kept meanwhile: on disk when `add` resolves. */
  readonly aside?: { wants(event: Event): boolean; add(events: readonly Thin[]): Promise<void> };
  /** Those who want to hear what became of their events: on disk when it resolves. */
  readonly gateways?: Pick<Acknowledgement, 'settled' | 'releasing'>;
  readonly now?: () => number;
  /** How often quarantined events are looked for. */
  readonly releaseEveryMs?: number;
}

export interface Worker {
  /**
   * Resolves once all events of these jobs are in the graph and its ledger, or set aside, and what gateways want to hear is on
   * disk; with those jobs of which some event is not, being slow or of an unknown source, to be handed over again later, each by itself. Rejects after `close`, or when something
   * could not be put on disk.
   */
  handle(jobs: readonly Gathered[]): Promise<LaterJob[]>;
  /** Starts what is done from time to time: releasing quarantined events, dropping old marks. */
  start(): void;
  /** Milliseconds since the epoch of the last commit that settled anything, or of the start. */
  lastCommitMs(): number;
  close(): void;
}

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5_000;
const FORGET_EVERY_MS = 3_600_000;

export function createWorker(graph: GraphStore, options: WorkerOptions): Worker {
  const { report = {}, now = Date.now, releaseEveryMs = 5_000 } = options;
  const closing = new AbortController();
  const timers = new Set<NodeJS.Timeout>();

  /** Waits out an outage in place, for ever. All else goes up: the consumer hands the same batch over again. */
  async function persist<T>(work: () => Promise<T>): Promise<T> {
    let lostMs: number | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await work();
        if (lostMs !== undefined) report.resumed?.(now() - lostMs);
        return result;
      } catch (error) {
        if (!(error instanceof IngestError) || error.retry !== 'retry' || closing.signal.aborted) throw error;
        lostMs ??= now();
        const delayMs = backOffMs(attempt, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
        report.waiting?.(error, attempt, delayMs);
        await pause(delayMs, closing.signal);
      }
    }
  }

  function isSourceless({ event, unreadable }: Intake): boolean {
    return unreadable === undefined && !options.sources.has(event.source);
  }

  /** Before anything is committed, so that a crash in between does no more than both again. Returns the others. */
  async function setAside(intake: readonly Intake[]): Promise<readonly Intake[]> {
    const { aside } = options;
    if (aside === undefined) return intake;
    const thin = new Set(intake.filter((one) => one.unreadable === undefined && aside.wants(one.event)));
    if (thin.size === 0) return intake;
    await aside.add([...thin]);
    report.setAside?.(thin.size);
    return intake.filter((one) => !thin.has(one));
  }

  /** All that are due, some at a time. Those whose source is not known here stay, and so do those that are slow, until the next time. */
  async function releaseDue(): Promise<void> {
    const until = fromMs(now() + options.maxFutureMs);
    const sources = [...options.sources.keys()];
    const slow: string[] = [];
    while (!closing.signal.aborted) {
      const due = await graph.quarantined({ until, sources, except: slow });
      if (due.length === 0) return;
      slow.push(...(await releaseSome(due)));
    }
  }

  /** Returns the ledger keys of those that are slow. */
  async function releaseSome(due: readonly LedgerEntry[]): Promise<string[]> {
    const intake = due.map((entry, index): Intake => ({
      job: 'release',
      index,
      of: due.length,
      event: entry.event,
      ledgerKey: entry.key,
    }));
    // Before, since nobody would come by again after a crash in between.
    await options.gateways?.releasing(due.map(({ event }) => event));
    const tried = await release(intake, graph, { ...options, asOfMs: now() });
    const outcomes = tried.filter((one) => one !== 'slow');
    if (outcomes.length > 0) report.released?.(outcomes);
    return due.filter((_, i) => tried[i] === 'slow').map(({ key }) => key);
  }

  /** What fails is reported, and done again the next time. An outage is reported once until it is over. */
  function every(ms: number, chore: Chore, work: () => Promise<void>, firstMs = ms): void {
    let lost = false;
    const attempt = async (): Promise<void> => {
      try {
        await work();
        lost = false;
      } catch (error) {
        const outage = error instanceof IngestError && error.retry === 'retry';
        if (!closing.signal.aborted && !(outage && lost)) report.choreFailed?.(chore, error);
        lost = outage;
      }
    };
    const schedule = (inMs: number): void => {
      const timer = globalThis.setTimeout(() => {
        timers.delete(timer);
        void attempt().then(() => (closing.signal.aborted ? undefined : schedule(ms)));
      }, inMs);
      timers.add(timer);
    };
    schedule(firstMs);
  }

  return {
    async handle(jobs) {
      const started = now();
      const intake = jobs.flatMap((job) => intakeOf(job, started));
      const sourceless = intake.filter(isSourceless);
      for (const [source, events] of countSources(sourceless)) report.sourceless?.(source, events);
      const ready = await setAside(sourceless.length === 0 ? intake : intake.filter((one) => !isSourceless(one)));
      if (ready.length === 0) return laterJobs([], sourceless);
      const patient = jobs.some(({ left }) => left !== undefined); // Or one that takes 40 s would never have its minute.
      const tried = await persist(() => apply(ready, graph, { ...options, patient }));
      const outcomes = tried.filter((one) => one !== 'slow');
      if (outcomes.length > 0) {
        report.applied?.({ jobs: jobs.length, events: outcomes.length, outcomes, durationMs: now() - started });
        const done = ready.filter((_, i) => tried[i] !== 'slow');
        await options.gateways?.settled(settledOf(done, outcomes));
      }
      const slow = ready.filter((_, i) => tried[i] === 'slow');
      return laterJobs(slow, sourceless);
    },
    start() {
      every(releaseEveryMs, 'release', releaseDue);
      every(FORGET_EVERY_MS, 'forget', () => graph.forgetOldJobs(), 0);
    },
    lastCommitMs: () => graph.lastCommitMs(),
    close() {
      closing.abort();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** The events of a job that are to be done. */
function intakeOf({ id: job, events, left }: Gathered, nowMs: number): Intake[] {
  const todo = left === undefined ? undefined : new Set(left);
  return events.flatMap((row, index): Intake[] => {
    if (todo?.has(index) === false) return [];
    const place = { job, index, of: events.length };
    if (!isUnreadable(row)) return [{ ...place, event: row }];
    const bodyHash = createHash('sha256').update(row.raw).digest('hex');
    const event = { source: 'queue', id: bodyHash, body: row.raw, bodyHash, headers: {}, receivedAtMs: nowMs };
    return [{ ...place, event, unreadable: row.unreadable }];
  });
}

/** Of events that have to come again: their jobs. One with both kinds is slow. */
function laterJobs(slow: readonly Intake[], sourceless: readonly Intake[]): LaterJob[] {
  const jobs = new Map<string, LaterJob & { readonly left: number[] }>();
  const add = (why: LaterJob['why'], { job: id, index, event }: Intake): void => {
    const job = jobs.get(id) ?? { id, why, left: [], key: eventKey(event.source, event.id) };
    job.left.push(index);
    jobs.set(id, job);
  };
  for (const one of slow) add('slow', one);
  for (const one of sourceless) add('sourceless', one);
  return [...jobs.values()];
}

function countSources(intake: readonly Intake[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { event } of intake) counts.set(event.source, (counts.get(event.source) ?? 0) + 1);
  return counts;
}

/** Without rows that are no events: no gateway knows them. */
function settledOf(intake: readonly Intake[], outcomes: readonly Outcome[]): Settled[] {
  return outcomes.flatMap((outcome, i) => {
    const one = intake[i];
    return one === undefined || one.unreadable !== undefined ? [] : [{ event: one.event, outcome }];
  });
}

/** Resolves early when the worker closes. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => undefined);
}
