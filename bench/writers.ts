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

/** Eventgraft: law, clocks, ledger and bodies. */
export function ours(bolt: Bolt, batch = BATCH): Write {
  const graph: GraphStore = createGraphStore(bolt, model);
  let job = 0;
  return async (events) => {
    for (let i = 0; i < events.length; i += batch) {
      const part = events.slice(i, i + batch);
      const id = `bench-${process.pid}-${Date.now()}-${job++}`;
      await apply(part.map((event, index) => ({ job: id, index, of: part.length, event })), graph, options);
      graph.forget([id]);
    }
  };
}

/** L1: the same facts by MERGE in batches, nothing else: no order, no ledger. The limit of the driver and the database. */
export function raw(bolt: Bolt, batch = BATCH): Write {
  return async (events) => {
    for (let i = 0; i < events.length; i += batch) {
      const facts = events.slice(i, i + batch).flatMap(factsOf);
      await inTransaction(bolt, async (run) => {
        const written: Promise<unknown>[] = [];
        for (const [cypher, rows] of mergeStatements(facts, false)) written.push(run(cypher, { rows }));
        await Promise.all(written);
      });
    }
  };
}

/** B2: unfolded UNWIND in batches, each row guarded by a timestamp on what it writes. */
export function unfolded(bolt: Bolt, batch = BATCH): Write {
  return async (events) => {
    for (let i = 0; i < events.length; i += batch) {
      const facts = events.slice(i, i + batch).flatMap(factsOf);
      await inTransaction(bolt, async (run) => {
        for (const [cypher, rows] of mergeStatements(facts, true)) await run(cypher, { rows });
      });
    }
  };
}

/** B1: the tutorial's handler: one transaction an event, one statement a fact, `inFlight` of them at a time. */
export function perEvent(bolt: Bolt, inFlight = 8): Write {
  return async (events) => {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < events.length) {
        const event = events[next++] as Event;
        await withRetry(() => inTransaction(bolt, async (run) => {
          for (const [cypher, rows] of mergeStatements(factsOf(event), true)) await run(cypher, { rows });
        }));
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
      add(`UNWIND $rows AS r MERGE (n:${pattern(fact.node, 'key')})${guard}`, { key: keyOf(fact.node), set: setOf(fact.node.shape.properties, fact.set), at: fact.clock.time });
    } else if (fact.kind === 'link') edges.push([fact.edge, fact.set, fact.clock.time]);
  }
  for (const [edge, set, at] of edges) {
    const key = edge.shape.key.map(({ name }, i) => `${name}: r.edge[${i}]`).join(', ');
    const guard = guarded ? ' WITH e, r WHERE coalesce(e.at, 0) <= r.at SET e += r.set, e.at = r.at' : ' SET e += r.set';
    add(`UNWIND $rows AS r MERGE (a:${pattern(edge.from, 'from')}) MERGE (b:${pattern(edge.to, 'to')}) MERGE (a)-[e:${edge.shape.type} {${key}}]->(b)${guard}`, {
      from: keyOf(edge.from), to: keyOf(edge.to), edge: edge.key.map((value, i) => scalarToBolt(edge.shape.key[i]?.type.type ?? 'text', value)),
      set: setOf(edge.shape.properties, set), at,
    });
  }
  return out;
}

function pattern(ref: NodeRef, variable: string): string {
  return `${ref.shape.label} {${ref.shape.key.map(({ name }, i) => `${name}: r.${variable}[${i}]`).join(', ')}}`;
}

function keyOf(ref: NodeRef): unknown[] {
  return ref.key.map((value, i) => scalarToBolt(ref.shape.key[i]?.type.type ?? 'text', value));
}

function setOf(types: ReadonlyMap<string, PropertyType>, set: Assignments): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of set) out[name] = value === null ? null : toBolt(types.get(name) as PropertyType, value);
  return out;
}
