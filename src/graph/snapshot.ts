/** The whole public graph as values, to compare with another: `verify`, `rebuild` and tests. Small graphs only: it is held in memory. */
import type { PublicGraph } from '../model/graph.ts';
import type { Model, NodeShape, Part } from '../model/model.ts';
import { edgeRef, nodeRef } from '../model/refs.ts';
import type { PropertyType, Scalar, Value } from '../model/values.ts';
import { explainFailure, type Bolt } from './driver.ts';
import { fromBolt, scalarFromBolt } from './values.ts';

type Stored = Record<string, unknown>;

/** Leaves out edges that somebody else made. Throws where the database holds what the model does not explain: a provisional node left behind, a value of another type. */
export async function readGraph(bolt: Bolt, model: Model): Promise<PublicGraph> {
  const graph: PublicGraph = { nodes: new Map(), edges: new Map(), parked: new Set() };
  for (const shape of model.nodes.values()) {
    for (const row of await read(bolt, `MATCH (n:${shape.label}) RETURN properties(n) AS n`)) {
      const stored = row['n'] as Stored;
      if (!stored['_clock'])
        throw new Error(`a ${shape.label} without a clock: ${JSON.stringify(stored, (_, value: unknown) => String(value))}`);
      const { id } = refOf(shape, stored);
      if (graph.nodes.has(id)) throw new Error(`two nodes for ${id}`);
      graph.nodes.set(id, valuesOf(id, shape.properties, stored, shape.key));
    }
  }
  for (const shape of model.relationships.values()) {
    const rows = await read(
      bolt,
      `MATCH (a:${shape.from.label})-[e:${shape.type}]->(b:${shape.to.label}) WHERE e._clock IS NOT NULL RETURN properties(a) AS a, properties(e) AS e, properties(b) AS b`,
    );
    for (const row of rows) {
      const stored = row['e'] as Stored;
      const key = shape.key.map(({ name, type }) => scalarFromBolt(type.type, stored[name]) ?? '');
      const { id } = edgeRef(shape, refOf(shape.from, row['a'] as Stored), refOf(shape.to, row['b'] as Stored), key);
      if (graph.edges.has(id)) throw new Error(`two edges for ${id}`);
      graph.edges.set(id, valuesOf(id, shape.properties, stored, shape.key));
    }
  }
  for (const row of await read(bolt, 'MATCH (h:_Edge) WHERE h.waiting = true UNWIND h.events AS event RETURN DISTINCT event'))
    graph.parked.add(String(row['event']));
  return graph;
}

function refOf(shape: NodeShape, stored: Stored): ReturnType<typeof nodeRef> {
  return nodeRef(
    shape,
    shape.key.map(({ name, type }): Scalar => scalarFromBolt(type.type, stored[name]) ?? ''),
  );
}

function valuesOf(id: string, types: ReadonlyMap<string, PropertyType>, stored: Stored, key: readonly Part[]): Record<string, Value> {
  const out: Record<string, Value> = {};
  for (const [name, raw] of Object.entries(stored)) {
    if (name.startsWith('_') || key.some((part) => part.name === name)) continue;
    const type = types.get(name);
    const value = type === undefined ? undefined : fromBolt(type, raw);
    if (value === undefined) throw new Error(`${id} has a ${name} that the model does not know`);
    out[name] = value;
  }
  return out;
}

async function read(bolt: Bolt, cypher: string): Promise<Stored[]> {
  const session = bolt.driver.session({ database: bolt.database, defaultAccessMode: 'READ' });
  try {
    const result = await session.executeRead((tx) => tx.run(cypher));
    return result.records.map((record) => record.toObject());
  } catch (error) {
    throw explainFailure(error);
  } finally {
    await session.close();
  }
}
