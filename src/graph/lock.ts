/** Locks of nodes: taken before anything is read that they protect, in one order for all writers. */
import { decodeNode } from '../model/codec.ts';
import type { Model, NodeShape } from '../model/model.ts';
import type { NodeRef } from '../model/refs.ts';
import { emptyNode } from '../model/state.ts';
import { IngestError } from '../errors.ts';
import { addTo } from '../group.ts';
import { standingNode, type Loaded } from './loaded.ts';
import type { Needs } from './needs.ts';
import type { Statements } from './statements.ts';
import type { Tx } from './transact.ts';
import { scalarToBolt, valuesOfColumns } from './values.ts';

export interface Locker {
  /** Locks what may change and finds what must only be there; missing nodes are made for the time being. */
  take(tx: Tx, loaded: Loaded, needs: Pick<Needs, 'locked' | 'touched'>): Promise<void>;
  /** Locks further nodes and adds what is known of them. */
  lock(tx: Tx, loaded: Loaded, refs: Iterable<NodeRef>): Promise<void>;
}

/** `_clock` of a node that MERGE has just made. */
const MADE_BY_LOCK = '';

export function createLocker(model: Model, statements: Statements): Locker {
  const order = lockOrder(model);

  async function lockLabel(tx: Tx, loaded: Loaded, shape: NodeShape, nodes: readonly NodeRef[]): Promise<void> {
    const result = await tx.run<{ i: number; element: string; stored: unknown[] | null }>(statements.nodes.get(shape.label)?.lock ?? '', {
      keys: keyRows(nodes),
    });
    for (const record of result.records) {
      const ref = nodes[record.get('i')] as NodeRef;
      const stored = record.get('stored');
      const [clock, isThere, ...columns] = stored ?? [null, true];
      loaded.nodeElements.set(ref.id, record.get('element'));
      if (stored === null) loaded.provisional.add(ref.id);
      // Deleted while this waited for its lock: such a node is returned without any property, and what is now remembered of it was not read.
      else if (isThere !== true) throw vanished(ref.id);
      if (typeof clock === 'string') {
        loaded.addNode(decodeNode(model, ref, clock, valuesOfColumns(shape.properties, columns)));
      } else {
        loaded.absent.add(ref.id);
        loaded.addNode(emptyNode(ref));
      }
    }
  }

  async function touchLabel(tx: Tx, loaded: Loaded, shape: NodeShape, nodes: readonly NodeRef[]): Promise<void> {
    const result = await tx.run<{ i: number; element: string; clock: string | null }>(statements.nodes.get(shape.label)?.touch ?? '', {
      keys: keyRows(nodes),
    });
    const strangers: NodeRef[] = [];
    for (const record of result.records) {
      const ref = nodes[record.get('i')] as NodeRef;
      const clock = record.get('clock');
      loaded.nodeElements.set(ref.id, record.get('element'));
      if (clock === null) strangers.push(ref);
      if (clock !== MADE_BY_LOCK) loaded.addNode(standingNode(ref));
      else {
        loaded.provisional.add(ref.id);
        loaded.absent.add(ref.id);
        loaded.addNode(emptyNode(ref));
      }
    }
    if (strangers.length > 0) await lockLabel(tx, loaded, shape, strangers);
  }

  const inOrder = (groups: Map<NodeShape, NodeRef[]>): [NodeShape, NodeRef[]][] =>
    [...groups].sort(([a], [b]) => order.indexOf(a.label) - order.indexOf(b.label));

  return {
    async take(tx, loaded, { locked, touched }) {
      const locks = byLabel(locked.values());
      const touches = byLabel(touched.values());
      const taken: Promise<void>[] = [];
      for (const [shape] of inOrder(new Map([...touches, ...locks]))) {
        const [lock, touch] = [locks.get(shape), touches.get(shape)];
        if (lock !== undefined) taken.push(lockLabel(tx, loaded, shape, lock));
        if (touch !== undefined) taken.push(touchLabel(tx, loaded, shape, touch));
      }
      await Promise.all(taken);
    },
    async lock(tx, loaded, refs) {
      await Promise.all(inOrder(byLabel(refs)).map(([shape, nodes]) => lockLabel(tx, loaded, shape, nodes)));
    },
  };
}

/**
 * Labels in the order in which all writers lock them: what belongs to one thing before what it belongs to, so that orders
 * and payments are locked while another writer still holds the customers that both share. Longest waits come last.
 */
export function lockOrder(model: Model): string[] {
  const shared = new Map<string, Set<string>>();
  for (const { from, to, owner } of model.relationships.values()) {
    const [one, many] = owner === 'to' ? [to, from] : [from, to];
    const others = shared.get(one.label) ?? new Set();
    shared.set(one.label, others.add(many.label));
  }
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (label: string): void => {
    if (seen.has(label)) return;
    seen.add(label);
    for (const other of [...(shared.get(label) ?? [])].sort()) visit(other);
    order.unshift(label);
  };
  for (const label of [...model.nodes.keys()].sort()) visit(label);
  return order;
}

/** Sorted by key within a label, so that two writers meet in the same order. */
function byLabel(refs: Iterable<NodeRef>): Map<NodeShape, NodeRef[]> {
  const groups = new Map<NodeShape, NodeRef[]>();
  for (const ref of refs) addTo(groups, ref.shape, ref);
  for (const nodes of groups.values()) nodes.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return groups;
}

function keyRows(nodes: readonly NodeRef[]): unknown[][] {
  return nodes.map((ref) => ref.key.map((value, part) => scalarToBolt(ref.shape.key[part]?.type.type ?? 'text', value)));
}

/** What was deleted by another transaction while we waited for its lock comes back without its properties. */
export function vanished(what: string): IngestError {
  return new IngestError('GRAPH_CONFLICT', `${what} was deleted while its lock was waited for`);
}
