/**
 * What a batch must lock and read before it may be folded (docs/guides/convergence.md): every lock before the read that it
 * protects. Pure.
 */
import type { RelationshipShape } from '../model/model.ts';
import { slotOwner, type EdgeRef, type NodeRef } from '../model/refs.ts';
import type { AtomicFact } from '../model/resolve.ts';

export interface Owned {
  readonly shape: RelationshipShape;
  readonly owner: NodeRef;
}

export interface Needs {
  /** Nodes to lock. */
  readonly locked: ReadonlyMap<string, NodeRef>;
  /** Nodes that only have to be there: of labels that are never removed. */
  readonly touched: ReadonlyMap<string, NodeRef>;
  readonly removed: ReadonlyMap<string, NodeRef>;
  /** Ids of nodes that a fact may bring to life. */
  readonly asserted: ReadonlySet<string>;
  /** Slots and sets, by `type owner`. */
  readonly slots: ReadonlyMap<string, Owned>;
  readonly sets: ReadonlyMap<string, Owned>;
  /** Every edge named by a fact. */
  readonly edges: ReadonlyMap<string, EdgeRef>;
}

export function needsOf(facts: readonly AtomicFact[]): Needs {
  const locked = new Map<string, NodeRef>();
  const touched = new Map<string, NodeRef>();
  const removed = new Map<string, NodeRef>();
  const asserted = new Set<string>();
  const slots = new Map<string, Owned>();
  const sets = new Map<string, Owned>();
  const edges = new Map<string, EdgeRef>();
  const lock = (ref: NodeRef): void => void locked.set(ref.id, ref);

  for (const fact of facts) {
    switch (fact.kind) {
      case 'upsert':
        lock(fact.node);
        asserted.add(fact.node.id);
        break;
      case 'remove':
        lock(fact.node);
        removed.set(fact.node.id, fact.node);
        break;
      case 'link':
      case 'unlink': {
        const { edge } = fact;
        edges.set(edge.id, edge);
        const home = edge.shape.one === undefined ? edge.from : slotOwner(edge);
        for (const end of [edge.from, edge.to]) {
          const changes = end === home || end.shape.removable || (edge.shape.replace && end === edge.from);
          if (changes) lock(end);
          else touched.set(end.id, end);
          if (fact.kind === 'link' && edge.shape.missing === 'stub') asserted.add(end.id);
        }
        if (edge.shape.one !== undefined) slots.set(`${edge.shape.type} ${home.id}`, { shape: edge.shape, owner: home });
        break;
      }
      case 'replace':
        lock(fact.owner);
        if (fact.shape.missing === 'stub') asserted.add(fact.owner.id);
        sets.set(`${fact.shape.type} ${fact.owner.id}`, { shape: fact.shape, owner: fact.owner });
        break;
      case 'clear':
        lock(fact.owner);
        if (fact.shape.missing === 'stub') asserted.add(fact.owner.id);
        slots.set(`${fact.shape.type} ${fact.owner.id}`, { shape: fact.shape, owner: fact.owner });
        break;
    }
  }
  for (const id of locked.keys()) touched.delete(id);
  return { locked, touched, removed, asserted, slots, sets, edges };
}
