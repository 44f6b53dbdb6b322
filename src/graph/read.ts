/**
 * Locks, then reads: all that the fold can touch, in pipelined rounds.
 *   1  lock every node that may change, in sorted order; missing ones are made for the time being
 *   2  hidden rows of keys without a live node; visible edges by identity, slot, set and removed end
 *   3  hidden rows of edges, if there are any at all
 *   4  lock the far ends of edges that wait for a node that may come to life, and read what is remembered of them
 * Hidden rows are read in a later statement than the lock that protects them. A key without a live node that a fact may
 * bring to life also loads the edges that wait for it. What somebody else made, and so has no clock, is not there.
 */
import type { Model, NodeShape, RelationshipShape } from '../model/model.ts';
import { decodeEdge, decodeNode, decodeValues } from '../model/codec.ts';
import { edgeRef, nodeRef, parseEdgeId, type EdgeRef, type NodeRef } from '../model/refs.ts';
import type { AtomicFact } from '../model/resolve.ts';
import type { Scalar } from '../model/values.ts';
import { IngestError } from '../errors.ts';
import { addTo } from '../group.ts';
import { createLoaded, indexKey, type Loaded } from './loaded.ts';
import { createLocker, vanished } from './lock.ts';
import { needsOf, type Needs, type Owned } from './needs.ts';
import type { Statements } from './statements.ts';
import type { Tx } from './transact.ts';
import { scalarFromBolt, scalarToBolt, valuesOf, type Stored } from './values.ts';

export interface Reader {
  /** Locks and reads what these facts can touch. */
  read(tx: Tx, facts: readonly AtomicFact[]): Promise<Loaded>;
}

export function createReader(model: Model, statements: Statements): Reader {
  const locker = createLocker(model, statements);
  const parkEnds = new Set<string>();
  for (const shape of model.relationships.values()) if (shape.missing === 'park') parkEnds.add(shape.from.label).add(shape.to.label);
  /** Labels whose keys may be remembered without a live node. */
  const mayHide = (shape: NodeShape): boolean => shape.removable || parkEnds.has(shape.label);

  async function readHiddenNodes(tx: Tx, loaded: Loaded, refs: readonly NodeRef[]): Promise<void> {
    if (refs.length === 0) return;
    const byKey = new Map(refs.map((ref) => [indexKey(ref.id), ref]));
    const result = await tx.run<{ key: string; clock: string; values: string }>(statements.hiddenNodes, { keys: [...byKey.keys()] });
    for (const record of result.records) {
      const ref = byKey.get(record.get('key')) as NodeRef;
      loaded.hiddenNodes.add(ref.id);
      loaded.addNode(decodeNode(model, ref, record.get('clock'), decodeValues(ref.shape.properties, record.get('values'))));
    }
  }

  function addVisible(loaded: Loaded, ref: EdgeRef, element: string, properties: Stored): void {
    loaded.edgeElements.set(ref.id, element);
    loaded.addEdge(decodeEdge(ref, textOf(properties['_clock']), valuesOf(ref.shape.properties, properties)));
  }

  /** Edges of types without a slot, by identity; a set that is read as a whole already holds its members. */
  async function readByEnds(tx: Tx, loaded: Loaded, needs: Needs): Promise<void> {
    const byType = new Map<RelationshipShape, EdgeRef[]>();
    for (const edge of needs.edges.values()) {
      if (edge.shape.one !== undefined || needs.sets.has(`${edge.shape.type} ${edge.from.id}`)) continue;
      if (loaded.provisional.has(edge.from.id) || loaded.provisional.has(edge.to.id)) continue;
      addTo(byType, edge.shape, edge);
    }
    await Promise.all(
      [...byType].map(async ([shape, edges]) => {
        const rows = edges.map((edge, i) => [
          i,
          loaded.nodeElements.get(edge.from.id),
          loaded.nodeElements.get(edge.to.id),
          ...boltKey(edge.key, shape),
        ]);
        const result = await tx.run<{ i: number; element: string; properties: Stored }>(statements.edges.get(shape.type)?.byEnds ?? '', {
          rows,
        });
        for (const record of result.records)
          addVisible(loaded, edges[record.get('i')] as EdgeRef, record.get('element'), record.get('properties'));
      }),
    );
  }

  async function readByOwner(tx: Tx, loaded: Loaded, owned: ReadonlyMap<string, Owned>, which: 'bySlot' | 'bySet'): Promise<void> {
    const byType = new Map<RelationshipShape, NodeRef[]>();
    for (const { shape, owner } of owned.values()) if (!loaded.provisional.has(owner.id)) addTo(byType, shape, owner);
    await Promise.all(
      [...byType].map(async ([shape, owners]) => {
        const rows = owners.map((owner, i) => [i, loaded.nodeElements.get(owner.id)]);
        const result = await tx.run<{ i: number; element: string; properties: Stored; other: unknown[]; stands: boolean }>(
          statements.edges.get(shape.type)?.[which] ?? '',
          { rows },
        );
        for (const record of result.records) {
          const owner = owners[record.get('i')] as NodeRef;
          const properties = record.get('properties');
          const ownerIsTo = which === 'bySlot' && shape.owner === 'to';
          const other = otherEnd(owner, shape, ownerIsTo ? shape.from : shape.to, record.get('other'), record.get('stands'));
          const ref = ownerIsTo
            ? edgeRef(shape, other, owner, edgeKey(shape, properties))
            : edgeRef(shape, owner, other, edgeKey(shape, properties));
          addVisible(loaded, ref, record.get('element'), properties);
        }
      }),
    );
  }

  async function readOfRemoved(tx: Tx, loaded: Loaded, removed: ReadonlyMap<string, NodeRef>): Promise<void> {
    const nodes = [...removed.values()].filter((ref) => !loaded.provisional.has(ref.id));
    if (nodes.length === 0) return;
    const rows = nodes.map((ref, i) => [i, loaded.nodeElements.get(ref.id)]);
    const result = await tx.run<{
      i: number;
      type: string;
      outgoing: boolean;
      element: string;
      properties: Stored;
      other: Stored;
      stands: boolean;
    }>(statements.nodeEdges, { rows });
    for (const record of result.records) {
      const node = nodes[record.get('i')] as NodeRef;
      const shape = model.relationships.get(record.get('type'));
      if (shape === undefined) continue;
      const properties = record.get('properties');
      const otherShape = record.get('outgoing') ? shape.to : shape.from;
      const parts = record.get('other');
      const key = otherShape.key.map(({ name }) => parts[name]);
      const other = otherEnd(node, shape, otherShape, key, record.get('stands'));
      const [from, to] = record.get('outgoing') ? [node, other] : [other, node];
      addVisible(loaded, edgeRef(shape, from, to, edgeKey(shape, properties)), record.get('element'), properties);
    }
  }

  async function readHiddenEdges(tx: Tx, loaded: Loaded, needs: Needs): Promise<void> {
    const ids = new Map(needs.edges);
    for (const { shape, owner } of needs.slots.values()) {
      const before = loaded.nodes.get(owner.id)?.slots.get(shape.type)?.edge;
      if (before !== undefined) ids.set(before.id, before);
    }
    const ends = new Set<string>();
    for (const ref of needs.removed.values()) ends.add(indexKey(ref.id));
    for (const id of loaded.absent)
      if (needs.asserted.has(id) && parkEnds.has(loaded.nodes.get(id)?.ref.shape.label ?? '')) ends.add(indexKey(id));
    const owners = new Set(ends);
    for (const { owner } of needs.sets.values()) owners.add(indexKey(owner.id));
    const asked: Promise<void>[] = [];
    const ask = async (cypher: string, keys: Iterable<string>): Promise<void> => {
      const result = await tx.run<{ id: string; clock: string; values: string }>(cypher, { keys: [...keys] });
      for (const record of result.records) {
        const id: string | null = record.get('id');
        if (id === null) throw vanished('a hidden edge');
        const ref = parseEdgeId(model, id);
        if (ref === undefined) continue;
        loaded.hiddenEdges.add(ref.id);
        loaded.addEdge(decodeEdge(ref, record.get('clock'), decodeValues(ref.shape.properties, record.get('values'))));
      }
    };
    const unseen = [...ids.keys()].filter((id) => !loaded.edgeElements.has(id)).map(indexKey);
    if (unseen.length > 0) asked.push(ask(statements.hiddenEdges, unseen));
    if (owners.size > 0) asked.push(ask(statements.hiddenEdgesFrom, owners));
    if (ends.size > 0) asked.push(ask(statements.hiddenEdgesTo, ends));
    await Promise.all(asked);
  }

  return {
    async read(tx, facts) {
      const needs = needsOf(facts);
      const loaded = createLoaded();
      await locker.take(tx, loaded, needs);

      const absent = [...loaded.absent].map((id) => (loaded.nodes.get(id) as { ref: NodeRef }).ref).filter((ref) => mayHide(ref.shape));
      const [, , , , , hidden] = await Promise.all([
        readHiddenNodes(tx, loaded, absent),
        readByEnds(tx, loaded, needs),
        readByOwner(tx, loaded, needs.slots, 'bySlot'),
        readByOwner(tx, loaded, needs.sets, 'bySet'),
        readOfRemoved(tx, loaded, needs.removed),
        // The last: while the others wait for the lock of an edge, that edge may be hidden.
        tx.run<{ hidden: bigint }>(statements.countHiddenEdges),
      ]);
      if (hidden.records[0]?.get('hidden') === 0n) return loaded;
      await readHiddenEdges(tx, loaded, needs);
      const far = farEnds(loaded, needs);
      await locker.lock(tx, loaded, far);
      await readHiddenNodes(
        tx,
        loaded,
        far.filter((ref) => loaded.absent.has(ref.id)),
      );
      return loaded;
    },
  };
}

/** Other ends of edges that will appear if a node comes to life: they must not go away meanwhile. */
function farEnds(loaded: Loaded, { asserted }: Needs): NodeRef[] {
  const ends = new Map<string, NodeRef>();
  for (const id of loaded.absent) {
    if (!asserted.has(id)) continue;
    for (const edgeId of loaded.edgesOf(id)) {
      const edge = loaded.edges.get(edgeId);
      if (edge?.linked === undefined) continue;
      for (const end of [edge.ref.from, edge.ref.to]) {
        const known = loaded.nodes.get(end.id);
        if (known === undefined || known.unread === true) ends.set(end.id, end);
      }
    }
  }
  return [...ends.values()];
}

function boltKey(key: readonly Scalar[], shape: RelationshipShape): unknown[] {
  return key.map((value, part) => scalarToBolt(shape.key[part]?.type.type ?? 'text', value));
}

/**
 * The node at the other end of an edge of ours. Without its whole key it cannot be told from others: it was deleted while the edge's
 * lock was waited for, or somebody took a part of its key, and that lasts until it is put back.
 */
function otherEnd(node: NodeRef, { type }: RelationshipShape, shape: NodeShape, stored: readonly unknown[], stands: boolean): NodeRef {
  if (!stands) throw vanished(`an edge ${type} of ${node.id}`);
  const key = shape.key.map(({ name, type: part }, i) => {
    const value = scalarFromBolt(part.type, stored[i]);
    if (value !== undefined) return value;
    const what = `${node.id} -${type}- a ${shape.label} without its \`${name}\``;
    throw new IngestError(
      'GRAPH_CONFLICT',
      `${what}, which somebody has removed or changed: put it back, or that node cannot be told from others`,
    );
  });
  return nodeRef(shape, key);
}

function edgeKey(shape: RelationshipShape, properties: Stored): Scalar[] {
  return shape.key.map(({ name, type }) => scalarFromBolt(type.type, properties[name]) ?? '');
}

function textOf(stored: unknown): string {
  return typeof stored === 'string' ? stored : '';
}
