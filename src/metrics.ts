/** What the process tells Prometheus. One registry each, so that two services in one process do not mix. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** A batch that was committed. */
export interface BatchApplied {
  readonly events: number;
  readonly durationMs: number;
  /** One for each event: its state, `late` or `repeated`. */
  readonly outcomes: readonly string[];
}

/** `fold` includes what lies between reading and writing; `transaction` is all of it, commit included. */
export type Stage = 'judge' | 'read' | 'fold' | 'write' | 'transaction';

/** Read when somebody asks, never in between. What cannot be told is left out. */
export interface Gauges {
  queued?(): Promise<number> | number;
  hydrating?(): Promise<number> | number;
  parked?(): Promise<number> | number;
  reportsWaiting?(): Promise<number> | number;
}

export interface Metrics {
  /** A delivery that is on disk now, and how long its sender waited. */
  accepted(source: string, ackMs?: number): void;
  duplicate(source: string, ackMs?: number): void;
  /** A delivery that was refused; `reason` is an error code. */
  rejected(reason: string): void;
  batchApplied(batch: BatchApplied): void;
  /** One stage of `apply` for one batch. */
  stage(stage: Stage, durationMs: number): void;
  /** Events that were put off since this worker does not know their source; each time they come. */
  sourceless(source: string, events: number): void;
  /** A batch is tried again; `reason` is an error code. */
  retried(reason: string): void;
  /** A sender was asked for an object or a certificate: the status of its answer, or an error code. */
  fetched(source: string, answer: string, durationMs: number): void;
  /** A gateway was told what became of an event, or was to be: the status of its answer, or an error code. */
  reported(source: string, answer: string): void;
  /** Where the current depth and the parked events are asked for. */
  watch(gauges: Gauges): void;
  /** The exposition text, and the type to serve it under. */
  render(): Promise<{ readonly text: string; readonly contentType: string }>;
  close(): void;
}

/** Seconds. The promise is 10 ms at p99. */
const ACK_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const APPLY_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const FETCH_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15];
const BATCH_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
/** A database that is away must not hold up a scrape. */
const GAUGE_TIMEOUT_MS = 2_000;

/** Default process metrics and event loop lag are included under their usual names. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const accepted = new Counter({ name: 'eventgraft_accepted_total', help: 'Events taken in.', labelNames: ['source'], registers });
  const duplicates = new Counter({
    name: 'eventgraft_duplicates_total',
    help: 'Deliveries that were known already.',
    labelNames: ['source'],
    registers,
  });
  const rejected = new Counter({
    name: 'eventgraft_rejected_total',
    help: 'Deliveries that were refused, by error code.',
    labelNames: ['reason'],
    registers,
  });
  const ack = new Histogram({ name: 'eventgraft_ack_seconds', help: 'From the request to its 2xx.', buckets: ACK_BUCKETS, registers });
  const batch = new Histogram({ name: 'eventgraft_batch_events', help: 'Events a committed batch.', buckets: BATCH_BUCKETS, registers });
  const apply = new Histogram({ name: 'eventgraft_apply_seconds', help: 'From a batch to its commit.', buckets: APPLY_BUCKETS, registers });
  const stages = new Histogram({
    name: 'eventgraft_apply_stage_seconds',
    help: 'The same by stage.',
    labelNames: ['stage'],
    buckets: APPLY_BUCKETS,
    registers,
  });
  const outcomes = new Counter({
    name: 'eventgraft_outcomes_total',
    help: 'Events applied, by what became of them.',
    labelNames: ['state'],
    registers,
  });
  const sourceless = new Counter({
    name: 'eventgraft_sourceless_total',
    help: 'Events put off for want of their source, each time they came.',
    labelNames: ['source'],
    registers,
  });
  const retries = new Counter({
    name: 'eventgraft_retries_total',
    help: 'Batches tried again, by error code.',
    labelNames: ['reason'],
    registers,
  });
  const fetches = new Counter({
    name: 'eventgraft_fetches_total',
    help: 'Objects and certificates asked for, by status or error code.',
    labelNames: ['source', 'answer'],
    registers,
  });
  const fetchTime = new Histogram({ name: 'eventgraft_fetch_seconds', help: 'How long one took.', buckets: FETCH_BUCKETS, registers });
  const reports = new Counter({
    name: 'eventgraft_reports_total',
    help: 'Reports to gateways, by status or error code.',
    labelNames: ['source', 'answer'],
    registers,
  });
  const lastCommit = new Gauge({ name: 'eventgraft_last_commit_timestamp_seconds', help: 'When a batch was last committed.', registers });
  let watched: Gauges = {};
  const gauge = (name: string, help: string, ask: (from: Gauges) => Promise<number> | number | undefined): Gauge => {
    const made: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: async () => {
        const value = await within(GAUGE_TIMEOUT_MS, async () => ask(watched));
        if (value === undefined) made.remove();
        else made.set(value);
      },
    });
    return made;
  };
  gauge('eventgraft_queued', 'Events in the queue.', (from) => from.queued?.());
  gauge('eventgraft_hydrating', 'Of these, events that wait for the object they are about.', (from) => from.hydrating?.());
  gauge('eventgraft_parked', 'Events that an edge still waits with.', (from) => from.parked?.());
  gauge('eventgraft_reports_waiting', 'Reports that gateways have not answered yet.', (from) => from.reportsWaiting?.());

  return {
    accepted(source, ackMs) {
      accepted.inc({ source });
      if (ackMs !== undefined) ack.observe(ackMs / 1_000);
    },
    duplicate(source, ackMs) {
      duplicates.inc({ source });
      if (ackMs !== undefined) ack.observe(ackMs / 1_000);
    },
    rejected: (reason) => rejected.inc({ reason }),
    batchApplied(done) {
      batch.observe(done.events);
      apply.observe(done.durationMs / 1_000);
      const counts = new Map<string, number>();
      for (const state of done.outcomes) counts.set(state, (counts.get(state) ?? 0) + 1);
      for (const [state, n] of counts) outcomes.inc({ state }, n);
      lastCommit.setToCurrentTime();
    },
    stage: (stage, durationMs) => stages.observe({ stage }, durationMs / 1_000),
    sourceless: (source, events) => sourceless.inc({ source }, events),
    retried: (reason) => retries.inc({ reason }),
    fetched(source, answer, durationMs) {
      fetches.inc({ source, answer });
      fetchTime.observe(durationMs / 1_000);
    },
    reported: (source, answer) => reports.inc({ source, answer }),
    watch(gauges) {
      watched = gauges;
    },
    render: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
    close: () => registry.clear(),
  };
}

/** Undefined when it fails or takes too long. */
async function within<T>(ms: number, ask: () => Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([ask(), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
