/** One node with its edges, as registers: what `explain` looks at. Read only, without locks. */
import { decodeEdge, decodeNode, decodeValues } from '../model/codec.ts';
import type { Model, NodeShape, RelationshipShape } from '../model/model.ts';
import { edgeRef, nodeRef, parseEdgeId, type EdgeRef, type NodeRef } from '../model/refs.ts';
import { emptyNode, type EdgeState, type NodeState } from '../model/state.ts';
import { readStatement } from './cypher-file.ts';
import { indexKey } from './loaded.ts';
import type { Tx } from './transact.ts';
import { scalarFromBolt, scalarToBolt, valuesOf, type Stored } from './values.ts';

export interface Entity {
  readonly node: NodeState;
  readonly edges: readonly { readonly edge: EdgeState; readonly visible: boolean }[];
  /** There are more edges than were read. */
  readonly moreEdges: boolean;
}

/** At most `maxEdges` of its edges. A node that nobody ever mentioned is empty. */
export async function readEntity(tx: Tx, model: Model, ref: NodeRef, maxEdges: number): Promise<Entity> {
  const { shape } = ref;
  const key = ref.key.map((part, i) => scalarToBolt(shape.key[i]?.type.type ?? 'text', part));
  const name = indexKey(ref.id);
  const limit = BigInt(maxEdges + 1);
  const [nodes, visible, hidden] = await Promise.all([
    tx.run<{ stored: Stored | null; clock: string | null; values: string }>(textOf('entity', shape), { key, name }),
    tx.run<VisibleRow>(textOf('entity-edges', shape), { key, limit }),
    tx.run<{ id: string; clock: string; values: string }>(readStatement('read/entity-hidden-edges'), { name, limit }),
  ]);
  const [first] = nodes.records;
  const edges = new Map<string, Entity['edges'][number]>();
  for (const record of visible.records) {
    const edge = edgeOf(model, ref, record.toObject());
    if (edge !== undefined) edges.set(edge.ref.id, { edge, visible: true });
  }
  for (const record of hidden.records) {
    const edge = parseEdgeId(model, record.get('id'));
    if (edge === undefined) continue;
    const values = decodeValues(edge.shape.properties, record.get('values'));
    edges.set(edge.id, { edge: decodeEdge(edge, record.get('clock'), values), visible: false });
  }
  return {
    node: first === undefined ? emptyNode(ref) : nodeOf(model, ref, first.toObject()),
    edges: [...edges.values()].slice(0, maxEdges),
    moreEdges: visible.records.length > maxEdges || hidden.records.length > maxEdges,
  };
}

interface VisibleRow {
  type: string;
  outgoing: boolean;
  properties: Stored;
  other: Stored;
}

function nodeOf(model: Model, ref: NodeRef, row: { stored: Stored | null; clock: string | null; values: string }): NodeState {
  const clock = row.stored?.['_clock'];
  if (row.stored !== null && typeof clock === 'string') return decodeNode(model, ref, clock, valuesOf(ref.shape.properties, row.stored));
  return row.clock === null ? emptyNode(ref) : decodeNode(model, ref, row.clock, decodeValues(ref.shape.properties, row.values));
}

function edgeOf(model: Model, node: NodeRef, { type, outgoing, properties, other }: VisibleRow): EdgeState | undefined {
  const shape = model.relationships.get(type);
  const clock = properties['_clock'];
  if (shape === undefined || typeof clock !== 'string') return undefined;
  const end = refOf(outgoing ? shape.to : shape.from, other);
  const [from, to] = outgoing ? [node, end] : [end, node];
  return decodeEdge(edgeRef(shape, from, to, keyOf(shape, properties)), clock, valuesOf(shape.properties, properties));
}

function refOf(shape: NodeShape, stored: Stored): NodeRef {
  return nodeRef(shape, keyOf(shape, stored));
}

function keyOf(shape: NodeShape | RelationshipShape, stored: Stored): EdgeRef['key'] {
  return shape.key.map(({ name, type }) => scalarFromBolt(type.type, stored[name]) ?? '');
}

function textOf(name: 'entity' | 'entity-edges', shape: NodeShape): string {
  const key = shape.key.map((part, i) => `${part.name}: $key[${i}]`).join(', ');
  return readStatement(`read/${name}`).replace('{{LABEL}}', shape.label).replace('{{KEY}}', key);
}
