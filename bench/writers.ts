/** The four ways to write the same events: ours, and the three that people write first. */
import { apply } from '../src/apply.ts';
import type { Event } from '../src/event.ts';
import type { Bolt } from '../src/graph/driver.ts';
import { createGraphStore, type GraphStore } from '../src/graph/store.ts';
import { scalarToBolt, toBolt } from '../src/graph/values.ts';
import { parseJson } from '../src/json.ts';
import type { Mapped } from '../src/model/facts.ts';
import type { EdgeRef, NodeRef } from '../src/model/refs.ts';
import { resolve, type Assignments, type AtomicFact } from '../src/model/resolve.ts';
import type { PropertyType } from '../src/model/values.ts';
import { model, source } from './workload.ts';

export type Write = (events: readonly Event[]) => Promise<void>;

const BATCH = 2_000;
const options = { sources: new Map([[source.name, source]]), maxFutureMs: 600_000 };

/** Eventgraft: law, clocks, ledger and bodies; two batches in flight, as the worker has them. */
export function ours(bolt: Bolt, { batch = BATCH, lanes = 2 } = {}): Write {
  const graph: GraphStore = createGraphStore(bolt, model);
  let job = 0;
  return async (events) => {
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let i = next; i < events.length; i = next) {
        next += batch;
        const part = events.slice(i, i + batch);
        const id = `bench-${process.pid}-${Date.now()}-${job++}`;
        const tried = await apply(
          part.map((event, index) => ({ job: id, index, of: part.length, event })),
          graph,
          options,
        );
        if (tried.includes('slow')) throw new Error('the database is too slow to be measured');
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  };
}

/** L1: every node and edge of a batch merged once, in two rounds of static Cypher: no order, no guard, no ledger. The limit of driver and database. */
export function raw(bolt: Bolt, batch = BATCH): Write {
  return async (events) => {
    for (let i = 0; i < events.length; i += batch) {
      const facts = events.slice(i, i + batch).flatMap(factsOf);
      await inTransaction(bolt, async (run) => {
        await Promise.all([...plainStatements(facts)].map(([cypher, rows]) => run(cypher, { rows })));
      });
    }
  };
}

/** B2: unfolded UNWIND in batches, a row a fact, each guarded by a timestamp on what it writes; with a node an event that keeps its body, as ours does. */
export function unfolded(bolt: Bolt, { batch = BATCH, ledger = true } = {}): Write {
  return async (events) => {
    for (let i = 0; i < events.length; i += batch) {
      const part = events.slice(i, i + batch);
      await inTransaction(bolt, async (run) => {
        if (ledger)
          await run(RECORD_EVENTS, {
            rows: part.map(({ source: name, id, bodyHash, body, receivedAtMs }) => [
              `${name}:${id}`,
              { bodyHash, body, receivedAt: new Date(receivedAtMs).toISOString() },
            ]),
          });
        for (const [cypher, rows] of mergeStatements(part.flatMap(factsOf), true)) await run(cypher, { rows });
      });
    }
  };
}

const RECORD_EVENTS = 'UNWIND $rows AS r MERGE (e:BenchEvent {key: r[0]}) ON CREATE SET e += r[1]';

/** B1: the tutorial's handler: one transaction an event, one statement a fact, `inFlight` of them at a time. */
export function perEvent(bolt: Bolt, inFlight = 8): Write {
  return async (events) => {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < events.length) {
        const event = events[next++] as Event;
        await withRetry(() =>
          inTransaction(bolt, async (run) => {
            for (const [cypher, rows] of mergeStatements(factsOf(event), true)) await run(cypher, { rows });
          }),
        );
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
  };
}

function factsOf(event: Event): readonly AtomicFact[] {
  return resolve(model, event, parseJson(event.body) as unknown as Mapped).facts;
}

type Run = (cypher: string, parameters: Record<string, unknown>) => Promise<unknown>;

async function inTransaction(bolt: Bolt, work: (run: Run) => Promise<void>): Promise<void> {
  const session = bolt.driver.session({ database: bolt.database });
  try {
    const tx = session.beginTransaction();
    await work(async (cypher, parameters) => tx.run(cypher, parameters));
    await tx.commit();
  } finally {
    await session.close();
  }
}

async function withRetry(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!String((error as { code?: string }).code).includes('Deadlock')) throw error;
    }
  }
}

/** Nodes first, each once with all that the batch says of it; then edges between them. */
function plainStatements(facts: readonly AtomicFact[]): Map<string, unknown[]> {
  const nodes = new Map<string, { ref: NodeRef; set: Record<string, unknown> }>();
  const edges = new Map<string, { ref: EdgeRef; set: Record<string, unknown> }>();
  const node = (ref: NodeRef): Record<string, unknown> => {
    let entry = nodes.get(ref.id);
    if (entry === undefined) nodes.set(ref.id, (entry = { ref, set: {} }));
    return entry.set;
  };
  for (const fact of facts) {
    if (fact.kind === 'upsert') Object.assign(node(fact.node), setOf(fact.node.shape.properties, fact.set));
    if (fact.kind !== 'link') continue;
    node(fact.edge.from);
    node(fact.edge.to);
    edges.set(fact.edge.id, { ref: fact.edge, set: setOf(fact.edge.shape.properties, fact.set) });
  }
  const out = new Map<string, unknown[]>();
  const add = (cypher: string, row: unknown): void => void (out.get(cypher)?.push(row) ?? out.set(cypher, [row]));
  for (const { ref, set } of nodes.values())
    add(`UNWIND $rows AS r MERGE (n:${pattern(ref, 'key')}) SET n += r.set`, { key: keyOf(ref), set });
  for (const { ref, set } of edges.values()) {
    const key = ref.shape.key.map(({ name }, i) => `${name}: r.edge[${i}]`).join(', ');
    add(
      `UNWIND $rows AS r MATCH (a:${pattern(ref.from, 'from')}) MATCH (b:${pattern(ref.to, 'to')}) MERGE (a)-[e:${ref.shape.type} {${key}}]->(b) SET e += r.set`,
      {
        from: keyOf(ref.from),
        to: keyOf(ref.to),
        edge: edgeKeyOf(ref),
        set,
      },
    );
  }
  return out;
}

/** One MERGE statement for each shape, rows of plain values; guarded: a row older than what stands is skipped. */
function mergeStatements(facts: readonly AtomicFact[], guarded: boolean): Map<string, unknown[]> {
  const out = new Map<string, unknown[]>();
  const add = (cypher: string, row: unknown): void => {
    const rows = out.get(cypher);
    if (rows === undefined) out.set(cypher, [row]);
    else rows.push(row);
  };
  const edges: [EdgeRef, Assignments, bigint][] = [];
  for (const fact of facts) {
    if (fact.kind === 'upsert') {
      const guard = guarded ? ' WITH n, r WHERE coalesce(n.at, 0) <= r.at SET n += r.set, n.at = r.at' : ' SET n += r.set';
      add(`UNWIND $rows AS r MERGE (n:${pattern(fact.node, 'key')})${guard}`, {
        key: keyOf(fact.node),
        set: setOf(fact.node.shape.properties, fact.set),
        at: fact.clock.time,
      });
    } else if (fact.kind === 'link') edges.push([fact.edge, fact.set, fact.clock.time]);
  }
  for (const [edge, set, at] of edges) {
    const key = edge.shape.key.map(({ name }, i) => `${name}: r.edge[${i}]`).join(', ');
    const guard = guarded ? ' WITH e, r WHERE coalesce(e.at, 0) <= r.at SET e += r.set, e.at = r.at' : ' SET e += r.set';
    add(
      `UNWIND $rows AS r MERGE (a:${pattern(edge.from, 'from')}) MERGE (b:${pattern(edge.to, 'to')}) MERGE (a)-[e:${edge.shape.type} {${key}}]->(b)${guard}`,
      {
        from: keyOf(edge.from),
        to: keyOf(edge.to),
        edge: edgeKeyOf(edge),
        set: setOf(edge.shape.properties, set),
        at,
      },
    );
  }
  return out;
}

function pattern(ref: NodeRef, variable: string): string {
  return `${ref.shape.label} {${ref.shape.key.map(({ name }, i) => `${name}: r.${variable}[${i}]`).join(', ')}}`;
}

function keyOf(ref: NodeRef): unknown[] {
  return ref.key.map((value, i) => scalarToBolt(ref.shape.key[i]?.type.type ?? 'text', value));
}

function edgeKeyOf(ref: EdgeRef): unknown[] {
  return ref.key.map((value, i) => scalarToBolt(ref.shape.key[i]?.type.type ?? 'text', value));
}

function setOf(types: ReadonlyMap<string, PropertyType>, set: Assignments): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of set) out[name] = value === null ? null : toBolt(types.get(name) as PropertyType, value);
  return out;
}
