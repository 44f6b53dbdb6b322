/** A real graph to write events to, through `apply` and nothing else, and to read back as a query would see it. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';

import { apply, type Tried } from '../../src/apply.ts';
import { STATES, type Event, type State } from '../../src/event.ts';
import { createBolt, type Bolt } from '../../src/graph/driver.ts';
import { applySchema, checkSchema, schemaOf } from '../../src/graph/schema.ts';
import { unpackSegment, type LedgerEntry } from '../../src/graph/segment.ts';
import { readGraph } from '../../src/graph/snapshot.ts';
import { createGraphStore, type GraphStore, type GraphTx } from '../../src/graph/store.ts';
import type { Intake } from '../../src/map.ts';
import { commerce } from '../../src/model/commerce.ts';
import type { AnyFact } from '../../src/model/facts.ts';
import type { PublicGraph } from '../../src/model/graph.ts';
import type { Model } from '../../src/model/model.ts';
import { secretOf } from '../../src/secret.ts';
import { facts } from '../../src/sources/facts.ts';
import type { Source } from '../../src/sources/source.ts';
import type { Told } from '../../src/verify/told.ts';
import type { Worker } from '../../src/worker.ts';
import { expectBalance, isKept, keepAccount, readQueue, type Queue, type Sheet } from './account.ts';
import { freshDatabase, neo4j } from './runtime.ts';

export interface Said {
  readonly id: string;
  readonly source?: string;
  readonly type?: string;
  readonly at?: string;
  readonly sequence?: number;
  readonly receivedAtMs?: number;
  readonly occurrenceId?: string;
  readonly facts: readonly AnyFact[];
}

/** When test events are received unless they say otherwise: 2026-11-21T10:00:00Z. */
export const RECEIVED_MS = Date.UTC(2026, 10, 21, 10);

/** An event of the `facts` source (or of another that speaks the same). */
export function eventOf({
  id,
  source = 'shop',
  type = 'told',
  at = '2026-11-21T09:00:00Z',
  sequence,
  receivedAtMs,
  occurrenceId,
  facts: told,
}: Said): Event {
  const body = JSON.stringify({ id, type, occurredAt: at, sequence, occurrenceId, facts: told });
  return bodyOf(body, { id, source, ...(receivedAtMs === undefined ? {} : { receivedAtMs }) });
}

/** An event with exactly this body, whatever it is. */
export function bodyOf(
  body: string,
  { id, source = 'shop', receivedAtMs = RECEIVED_MS }: { id: string; source?: string; receivedAtMs?: number },
): Event {
  return {
    source,
    id,
    body,
    bodyHash: createHash('sha256').update(body).digest('hex'),
    headers: { 'webhook-id': `msg_${id}` },
    receivedAtMs,
  };
}

/** An event of a story or a generated history: its body says nothing, and its source (`sourcesOf`) knows the rest. */
export function toldEvent({ source, id, bodyHash }: Told): Event {
  return { source, id, bodyHash, body: '{}', headers: {}, receivedAtMs: RECEIVED_MS };
}

export interface TestGraph {
  readonly bolt: Bolt;
  readonly sources: ReadonlyMap<string, Source>;
  readonly store: GraphStore;
  /** One batch, one job of a new id unless one is given. */
  tell(events: readonly Event[], how?: How): Promise<Tried[]>;
  /** The same for a part of a job. */
  apply(intake: readonly Intake[], how?: Omit<How, 'job'>): Promise<Tried[]>;
  /** The worker, with what it is handed in the account of this graph. */
  counting(worker: Worker): Worker;
  /** What this queue takes in is in the account, too, until the graph is wiped. */
  feed(queue: Queue): void;
  /** What a query sees. */
  graph(): Promise<PublicGraph>;
  /** All rows, oldest first, as they are now. */
  ledger(): Promise<LedgerEntry[]>;
  /** Takes everything away but the schema, once its account is balanced. */
  wipe(): Promise<void>;
  run(cypher: string, parameters?: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export interface How {
  readonly job?: string;
  readonly store?: GraphStore;
  readonly sources?: ReadonlyMap<string, Source>;
}

export const MAX_FUTURE_MS = 600_000;

interface OpenOptions {
  readonly sources?: readonly string[];
  /** Stamps segments. */
  readonly now?: () => number;
  readonly model?: Model;
}

/** An empty graph with the schema of the model; `sources` all speak facts. Its account is kept: what is told is in the ledger, once. */
export async function openGraph({
  sources: names = ['shop', 'other'],
  now = Date.now,
  model = commerce,
}: OpenOptions = {}): Promise<TestGraph> {
  // What an earlier file has made stays: to drop it and make it again, and to plan every statement anew, takes seconds.
  await freshDatabase({ keep: new Set(schemaOf(model).map(({ name }) => name)) });
  const bolt = createBolt(neo4j());
  if ((await checkSchema(bolt, model)).length > 0) await applySchema(bolt, model);
  const secrets = [secretOf('hmac', Buffer.from('a secret for tests'))];
  const sources = new Map(names.map((name) => [name, facts()({ name, secrets, model })]));
  const store = createGraphStore(bolt, model, { now });
  const run: TestGraph['run'] = async (cypher, parameters = {}) => {
    const { records } = await bolt.driver.executeQuery(cypher, parameters, { database: bolt.database });
    return records.map((record) => record.toObject());
  };

  /** Places in jobs: a job that is done again is taken in once. */
  const settled = new Set<string>();
  const doubtful = new Set<string>();
  const feeds = new Map<string, Queue>();
  async function account<T>(places: readonly string[], handed: Promise<T>): Promise<T> {
    for (const place of places) doubtful.add(place);
    const outcome = await handed;
    for (const place of places) settled.add(place);
    return outcome;
  }
  const readSheet = async (): Promise<Sheet> => {
    const queues = await Promise.all([...feeds.values()].map(readQueue));
    const { states, late } = await countLedger(graph);
    return {
      accepted: queues.reduce((sum, { accepted }) => sum + accepted, settled.size),
      accounted: queues.reduce((sum, { queued }) => sum + queued, late) + STATES.reduce((sum, state) => sum + states[state], 0),
      doubtful: [...doubtful].filter((place) => !settled.has(place)).length,
    };
  };
  let close = keepAccount(readSheet);

  let jobs = 0;
  const applyTo: TestGraph['apply'] = (intake, how = {}) =>
    account(
      intake.map(({ job, index }) => `${job}/${index}`),
      apply(intake, how.store ?? store, { sources: how.sources ?? sources, maxFutureMs: MAX_FUTURE_MS }),
    );
  const graph: TestGraph = {
    bolt,
    sources,
    store,
    run,
    tell: (events, how = {}) => {
      const job = how.job ?? `job-${++jobs}-${events.length}`;
      return applyTo(
        events.map((event, index) => ({ job, index, of: events.length, event })),
        how,
      );
    },
    apply: applyTo,
    counting: (worker) => ({
      ...worker,
      handle: (handed) =>
        account(
          handed.flatMap(({ id, events }) => events.map((_, index) => `${id}/${index}`)),
          worker.handle(handed),
        ),
    }),
    feed: (queue) => void feeds.set(queue.prefix, queue),
    graph: () => readGraph(bolt, model),
    ledger: () => readLedger(run),
    wipe: async () => {
      if (isKept(readSheet)) await expectBalance(readSheet);
      await freshDatabase({ schema: false });
      for (const taken of [settled, doubtful, feeds]) taken.clear();
      close();
      close = keepAccount(readSheet);
    },
    close: async () => {
      close();
      await bolt.close();
    },
  };
  return graph;
}

async function readLedger(run: TestGraph['run']): Promise<LedgerEntry[]> {
  const moved = new Map(
    (await run('MATCH (e:_Event) RETURN e.key AS key, e.state AS state')).map((row) => [String(row['key']), row['state']]),
  );
  const segments = await run('MATCH (s:_Segment) RETURN s.meta AS meta, s.bodies AS bodies, s.states AS states ORDER BY s.id');
  const entries = segments.flatMap((row) => unpackSegment(String(row['meta']), String(row['bodies']), String(row['states'])));
  expect(entries.map(({ key }) => key).sort(), 'each event has one row of its own and one in a segment').toEqual([...moved.keys()].sort());
  return entries.map((entry) => ({ ...entry, state: (moved.get(entry.key) as State | null) ?? entry.state }));
}

export interface Count {
  readonly states: Readonly<Record<State, number>>;
  readonly late: number;
}

/** Ledger rows by state, and events that the ledger had already when they came. */
export async function countLedger(graph: TestGraph): Promise<Count> {
  const entries = await graph.ledger();
  const states = Object.fromEntries(STATES.map((state) => [state, entries.filter((entry) => entry.state === state).length])) as Record<
    State,
    number
  >;
  const [late] = await graph.run(
    'CALL () { MATCH (j:_Job) RETURN sum(j.late) AS a } CALL () { MATCH (c:_Counter) RETURN sum(c.late) AS b } RETURN a + b AS late',
  );
  return { states, late: Number(late?.['late']) };
}

/** The equation of conservation with nothing queued: every event taken in is in exactly one state, or came late. */
export async function assertConserved(graph: TestGraph, accepted: number): Promise<Count> {
  const count = await countLedger(graph);
  expect(Object.values(count.states).reduce((a, b) => a + b) + count.late, JSON.stringify(count)).toBe(accepted);
  return count;
}

/** A store whose transactions do some things in another way. */
export function altered(store: GraphStore, change: (tx: GraphTx) => Partial<GraphTx>): GraphStore {
  return { ...store, transaction: (work, share) => store.transaction((tx) => work({ ...tx, ...change(tx) }), share) };
}

export interface Pausing {
  readonly store: GraphStore;
  /** Resolves once a transaction has locked and read. */
  readonly looked: Promise<void>;
  /** Lets it write. */
  readonly go: () => void;
}

/** A store whose transactions stop between their reading and their writing until they are let go. */
export function pausing(store: GraphStore): Pausing {
  const [looked, go] = [createGate(), createGate()];
  const paused = altered(store, (tx) => ({
    async lockAndRead(facts) {
      const state = await tx.lockAndRead(facts);
      looked.open();
      await go.opened;
      return state;
    },
  }));
  return { store: paused, looked: looked.opened, go: go.open };
}

export interface Overtaken {
  /** Whether the second had to wait for the first; without a lock it is over before the first writes. */
  readonly waited: boolean;
  /** Of the first, then of the second. */
  readonly outcomes: readonly Tried[];
}

/** Two workers at once: the first has read and not yet written when the second comes, and writes when that one waits or is over. */
export async function overtake(graph: TestGraph, first: Event, second: Event): Promise<Overtaken> {
  const slow = pausing(graph.store);
  const one = graph.tell([first], { store: slow.store });
  await slow.looked;
  let over = false;
  const two = graph.tell([second]).finally(() => (over = true));
  const waited = await untilBlocked(graph, () => over);
  slow.go();
  return { waited, outcomes: (await Promise.all([one, two])).flat() };
}

function createGate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

/** True when the server says that one transaction waits for another's lock, false when it is over instead. */
export async function untilBlocked(graph: TestGraph, isOver: () => boolean): Promise<boolean> {
  for (;;) {
    if (isOver()) return false;
    const waiting = await graph.run("SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked' RETURN status");
    if (waiting.length > 0) return true;
  }
}
