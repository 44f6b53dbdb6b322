/**
 * The law, checked on a real Neo4j: many histories side by side under disjoint keys, several writers at once, jobs cut
 * off before and after their commit and done again. The final graph must be the reference's.
 */
import { apply, type Tried } from '../apply.ts';
import { IngestError } from '../errors.ts';
import type { Event } from '../event.ts';
import type { Bolt } from '../graph/driver.ts';
import { readGraph } from '../graph/snapshot.ts';
import { createGraphStore, type GraphStore } from '../graph/store.ts';
import type { Intake } from '../map.ts';
import { diffGraphs, type PublicGraph } from '../model/graph.ts';
import type { Model } from '../model/model.ts';
import { generate } from './generate.ts';
import { createRandom, type Random } from './random.ts';
import { reference } from './reference.ts';
import { schedulesOf } from './schedule.ts';
import { smallerHistories } from './shrink.ts';
import type { Divergence } from './memory.ts';
import { sourcesOf } from './teller.ts';
import { nameOf, type Schedule, type Told } from './told.ts';

export interface DatabaseVerifyOptions {
  readonly bolt: Bolt;
  readonly model: Model;
  readonly histories: number;
  readonly seed: string | number;
  /** Histories in the database at once. */
  readonly sideBySide?: number;
  /** Concurrent writers. Default: one to four, by chance, and now and then a crowd. */
  readonly writers?: number;
  readonly report?: (progress: { histories: number; divergences: number; redone: number; conflicts: number }) => void;
  readonly limit?: number;
  /** Whether a divergence is made as small as it gets, which takes longer than to find it. Default true. */
  readonly shrink?: boolean;
}

export interface DatabaseVerdict {
  readonly seed: string | number;
  readonly histories: number;
  /** Transactions that were cut off before their commit, or whose job was done again after it. */
  readonly redone: number;
  /** Deadlocks and races that were retried in a fresh transaction. */
  readonly conflicts: number;
  readonly divergences: readonly Divergence[];
}

interface Story {
  readonly prefix: string;
  readonly history: readonly Told[];
  readonly schedule: Schedule;
}

/** Needs a graph of its own: it is wiped between rounds. The schema must have been applied. */
export async function verifyOnDatabase(options: DatabaseVerifyOptions): Promise<DatabaseVerdict> {
  const { bolt, model, seed, sideBySide = 150, limit = 1 } = options;
  const divergences: Divergence[] = [];
  const counters = { redone: 0, conflicts: 0 };
  let histories = 0;
  for (let round = 0; histories < options.histories && divergences.length < limit; round++) {
    const random = createRandom(`${seed}/db/${round}`);
    const stories = Array.from({ length: Math.min(sideBySide, options.histories - histories) }, (_, i) =>
      invent(random, model, `r${round}h${i}-`),
    );
    await wipe(bolt);
    await play(options, stories, random, counters);
    const found = await judge(bolt, model, stories);
    histories += stories.length;
    for (const divergence of found.slice(0, limit))
      divergences.push(options.shrink === false ? divergence : await shrinkOnDatabase(options, divergence, random));
    options.report?.({ histories, divergences: divergences.length, ...counters });
  }
  return { seed, histories, ...counters, divergences };
}

function invent(random: Random, model: Model, prefix: string): Story {
  const history = generate(random, model, { events: random.pick([3, 4, 5, 5, 6]), prefix });
  const schedules = [...schedulesOf(random, history.length, 2)];
  return { prefix, history, schedule: random.pick(schedules) };
}

interface Counters {
  redone: number;
  conflicts: number;
}

/**
 * How often, and how many, writers take on one history after the other, all of its jobs at once. Of a store that reads without
 * locks fifty histories in a crowd show as much as four hundred without.
 */
const CROWDED = 0.25;
const CROWD = 8;

/** Jobs hold one batch of each of several histories; up to four writers or a crowd take them. Some are cut off or done twice, one comes again at the end. */
async function play(
  { bolt, model, writers }: DatabaseVerifyOptions,
  stories: readonly Story[],
  random: Random,
  counters: Counters,
): Promise<void> {
  const sources = sourcesOf(
    model,
    stories.flatMap(({ history }) => history),
  );
  const crowd = writers === undefined && random.chance(CROWDED);
  const jobs = crowd ? groupsOf(stories, 1, random).flat() : jobsOf(stories, random);
  const lanes = writers ?? (crowd ? CROWD : 1 + random.below(4));
  const late = random.pick(jobs);
  const graph = cutOff(createGraphStore(bolt, model, { onRetry: () => (counters.conflicts += 1) }), random, counters);
  const take = async (job: Intake[]): Promise<void> => untilDone(async () => apply(job, graph, { sources, maxFutureMs: 1e13 }));
  const redeliver = async (job: Intake[]): Promise<void> => {
    counters.redone += 1;
    await take(job);
  };
  const lane = async (): Promise<void> => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) {
      await take(job);
      if (random.chance(0.15)) await redeliver(job);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await redeliver(late);
}

/** Half of the time a group's jobs follow each other, so that writers meet on the same nodes; else all are mixed. */
function jobsOf(stories: readonly Story[], random: Random): Intake[][] {
  const groups = groupsOf(stories, random.pick([1, 2, 10, 40, 150]), random);
  return random.chance(0.5) ? random.shuffle(groups).flat() : random.shuffle(groups.flat());
}

/** The jobs of so many histories at a time, shuffled: one holds a batch of each. */
function groupsOf(stories: readonly Story[], width: number, random: Random): Intake[][][] {
  const groups: Intake[][][] = [];
  for (let first = 0; first < stories.length; first += width) {
    const group = stories.slice(first, first + width);
    const jobs: Intake[][] = [];
    const longest = Math.max(...group.map(({ schedule }) => schedule.batches.length));
    for (let step = 0; step < longest; step++) {
      const events = group.flatMap(({ history, schedule }) => (schedule.batches[step] ?? []).flatMap((index) => history[index] ?? []));
      const job = `verify-${first}-${step}-${random.below(2 ** 31)}`;
      if (events.length > 0) jobs.push(events.map((told, index) => ({ job, index, of: events.length, event: eventOf(told) })));
    }
    groups.push(random.shuffle(jobs));
  }
  return groups;
}

function eventOf(told: Told): Event {
  return { source: told.source, id: told.id, bodyHash: told.bodyHash, body: '{}', headers: {}, receivedAtMs: 0 };
}

/** A store whose transactions die now and then, before the commit; the caller cannot tell it from an outage. */
function cutOff(graph: GraphStore, random: Random, counters: Counters): GraphStore {
  return {
    ...graph,
    transaction: (work, share) =>
      graph.transaction(async (tx) => {
        const result = await work(tx);
        if (!random.chance(0.08)) return result;
        counters.redone += 1;
        throw new IngestError('GRAPH_UNAVAILABLE', 'cut off before the commit');
      }, share),
  };
}

async function untilDone(work: () => Promise<Tried[]>): Promise<void> {
  for (;;) {
    try {
      const tried = await work();
      if (tried.includes('failed')) throw new Error('an event failed that the reference allows');
      if (!tried.includes('slow')) return;
    } catch (error) {
      if (!(error instanceof IngestError) || error.retry !== 'retry') throw error;
    }
  }
}

async function judge(bolt: Bolt, model: Model, stories: readonly Story[]): Promise<Divergence[]> {
  const expected: PublicGraph = { nodes: new Map(), edges: new Map(), parked: new Set() };
  for (const { history } of stories) {
    const graph = reference(model, history);
    for (const [id, node] of graph.nodes) expected.nodes.set(id, node);
    for (const [id, edge] of graph.edges) expected.edges.set(id, edge);
    for (const name of graph.parked) expected.parked.add(name);
  }
  const differences = await readGraph(bolt, model).then((graph) => diffGraphs(expected, graph), impossible);
  const rows = await ledgerRows(bolt);
  const events = stories.reduce((sum, { history }) => sum + new Set(history.map(nameOf)).size, 0);
  if (rows !== events) differences.push(`the ledger has ${rows} rows for ${events} events`);
  if (differences.length === 0) return [];
  const guilty = stories.filter(({ prefix }) => differences.some((line) => line.includes(prefix)));
  const [first] = stories;
  return (guilty.length > 0 || first === undefined ? guilty : [first]).map(({ prefix, history, schedule }) => ({
    history,
    schedule,
    differences: guilty.length > 0 ? differences.filter((line) => line.includes(prefix)) : differences,
  }));
}

/** A graph that no model explains diverges from every other; a database that is away says nothing. */
function impossible(error: unknown): string[] {
  if (error instanceof IngestError || !(error instanceof Error)) throw error;
  return [`threw ${error.message}`];
}

/** The smallest story that still diverges when it is played alone, or the one that was found if it does not do so alone. */
async function shrinkOnDatabase(options: DatabaseVerifyOptions, divergence: Divergence, random: Random): Promise<Divergence> {
  const replay = async (history: readonly Told[]): Promise<Divergence | undefined> => {
    for (const schedule of schedulesOf(random, history.length, 24)) {
      await wipe(options.bolt);
      const story = { prefix: '', history, schedule };
      await play(options, [story], random, { redone: 0, conflicts: 0 });
      const [found] = await judge(options.bolt, options.model, [story]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  let smallest = await replay(divergence.history);
  if (smallest === undefined) return divergence;
  for (let smaller = true; smaller;) {
    smaller = false;
    for (const candidate of smallerHistories(smallest.history)) {
      const found = await replay(candidate);
      if (found === undefined) continue;
      smallest = found;
      smaller = true;
      break;
    }
  }
  return smallest;
}

async function ledgerRows(bolt: Bolt): Promise<number> {
  const result = await bolt.driver.executeQuery('MATCH (e:_Event) RETURN count(e) AS n', {}, { database: bolt.database });
  return Number(result.records[0]?.get('n') ?? 0);
}

async function wipe(bolt: Bolt): Promise<void> {
  const session = bolt.driver.session({ database: bolt.database });
  try {
    await session.run('MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS');
  } finally {
    await session.close();
  }
}
