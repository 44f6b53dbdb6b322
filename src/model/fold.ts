/**
 * The fold: the one place where facts meet what is known. Every fact raises registers, which only ever grow; what is
 * visible is a function of the registers; a register is dropped only when a durable larger one dominates it. So the
 * result depends on which facts were folded, never on their order or number. (docs/guides/convergence.md; the same code folds a
 * batch in memory and against the database.)
 */
import { addTo } from '../group.ts';
import { isNewer, later, type Clock } from './clock.ts';
import type { RelationshipShape } from './model.ts';
import { slotOwner, type EdgeRef, type NodeRef } from './refs.ts';
import { joinValues, type AtomicFact, type Assignments } from './resolve.ts';
import {
  copyEdge,
  copyNode,
  emptyEdge,
  emptyNode,
  floorOf,
  isAtLeast,
  type EdgeState,
  type NodeState,
  type Register,
  type Slot,
  type State,
} from './state.ts';
import { compareScalars, sameValue, type PropertyType, type Scalar, type Value } from './values.ts';

export interface Changes {
  /** Nodes and edges that the facts touched, as they are afterwards. Not all of them differ from before. */
  readonly nodes: ReadonlyMap<string, NodeState>;
  readonly edges: ReadonlyMap<string, EdgeState>;
  /** The facts that raised anything. */
  readonly raised: ReadonlySet<AtomicFact>;
}

/** Pure: neither `state` nor `facts` is changed. `state` must know all that the facts can touch (graph/read.ts says what). */
export function fold(state: State, facts: readonly AtomicFact[]): Changes {
  const draft = createDraft(state);
  const raised = new Set(facts.filter((fact) => raise(draft, fact)));
  return { nodes: draft.nodes, edges: draft.edges, raised };
}

function raise(draft: Draft, fact: AtomicFact): boolean {
  switch (fact.kind) {
    case 'upsert':
      return upsert(draft, fact.node, fact.clock, fact.set);
    case 'remove':
      return remove(draft, fact.node, fact.clock);
    case 'link':
      return link(draft, fact.edge, fact.clock, fact.set, fact.takesSlot);
    case 'unlink':
      return unlink(draft, fact.edge, fact.clock);
    case 'replace':
      return replace(draft, fact.shape, fact.owner, fact.clock);
    case 'clear':
      return clear(draft, fact.shape, fact.owner, fact.clock);
  }
}

/** U, and one register per property. Accumulating properties are for life: they count even when older than the removal. */
function upsert(draft: Draft, ref: NodeRef, clock: Clock, set: Assignments): boolean {
  const node = draft.node(ref);
  const alive = isNewer(clock, node.removed);
  let raised = false;
  if (alive && isNewer(clock, node.asserted)) {
    node.asserted = clock;
    raised = true;
  }
  for (const [name, value] of set) {
    const type = ref.shape.properties.get(name);
    if (type === undefined || (type.rule === 'last' && !alive)) continue;
    raised = raiseProperty(node.properties, name, type, clock, value) || raised;
  }
  return raised;
}

/** A reference is an assertion too, also when the link loses or the node is long known. Where removal is impossible, once is enough. */
function assertEnd(draft: Draft, ref: NodeRef, clock: Clock): boolean {
  const node = draft.node(ref);
  if (!ref.shape.removable && node.asserted !== undefined) return false;
  if (!isNewer(clock, node.removed) || !isNewer(clock, node.asserted)) return false;
  node.asserted = clock;
  return true;
}

/** R: strips all that is older, whether or not the node survives it. */
function remove(draft: Draft, ref: NodeRef, clock: Clock): boolean {
  const node = draft.node(ref);
  if (!isNewer(clock, node.removed)) return false;
  node.removed = clock;
  if (!isNewer(node.asserted, clock)) node.asserted = undefined;
  for (const [name, register] of node.properties) {
    if (ref.shape.properties.get(name)?.rule === 'last' && !isNewer(register.clock, clock)) node.properties.delete(name);
  }
  for (const [type, slot] of node.slots) if (!isNewer(slot.clock, clock)) node.slots.delete(type);
  for (const [type, set] of node.sets) if (!isNewer(set, clock)) node.sets.delete(type);
  for (const edge of draft.draftEdgesOf(ref.id)) prune(draft, edge);
  return true;
}

function link(draft: Draft, ref: EdgeRef, clock: Clock, set: Assignments, takesSlot: boolean): boolean {
  const { shape } = ref;
  let raised = false;
  if (shape.missing === 'stub') {
    raised = assertEnd(draft, ref.from, clock);
    raised = assertEnd(draft, ref.to, clock) || raised;
  }
  if (shape.one !== undefined) {
    if (!takesSlot || !takeSlot(draft, shape, slotOwner(ref), clock, ref)) return raised;
    raised = true;
  }
  const edge = draft.edge(ref);
  const floor = floorOf(edge, draft.peek(ref.from), draft.peek(ref.to));
  if (!isNewer(clock, floor) || !isAtLeast(clock, setClock(draft, ref))) return raised;
  // A to-one edge is one register: it shows exactly what the fact in the slot said.
  if (shape.one !== undefined) edge.properties = new Map();
  if (isNewer(clock, edge.linked)) {
    edge.linked = clock;
    raised = true;
  }
  for (const [name, value] of set) {
    const type = shape.properties.get(name);
    if (type !== undefined) raised = raiseProperty(edge.properties, name, type, clock, value) || raised;
  }
  return raised;
}

function unlink(draft: Draft, ref: EdgeRef, clock: Clock): boolean {
  const edge = draft.edge(ref);
  if (!isNewer(clock, edge.unlinked)) return false;
  edge.unlinked = clock;
  prune(draft, edge);
  return true;
}

/** M: members are links of their own; this ends every edge that is older than the list. */
function replace(draft: Draft, shape: RelationshipShape, ownerRef: NodeRef, clock: Clock): boolean {
  const raised = shape.missing === 'stub' && assertEnd(draft, ownerRef, clock);
  const owner = draft.node(ownerRef);
  if (!isNewer(clock, owner.removed) || !isNewer(clock, owner.sets.get(shape.type))) return raised;
  owner.sets.set(shape.type, clock);
  for (const edge of draft.draftEdgesOf(ownerRef.id)) if (edge.ref.shape === shape && edge.ref.from.id === ownerRef.id) prune(draft, edge);
  return true;
}

function clear(draft: Draft, shape: RelationshipShape, owner: NodeRef, clock: Clock): boolean {
  const raised = shape.missing === 'stub' && assertEnd(draft, owner, clock);
  return takeSlot(draft, shape, owner, clock, undefined) || raised;
}

/** S: the newest link or clear wins whole; there is no fall-back to the holder before. */
function takeSlot(draft: Draft, shape: RelationshipShape, ownerRef: NodeRef, clock: Clock, edge: EdgeRef | undefined): boolean {
  const owner = draft.node(ownerRef);
  const before: Slot | undefined = owner.slots.get(shape.type);
  if (!isNewer(clock, owner.removed) || !isNewer(clock, before?.clock)) return false;
  owner.slots.set(shape.type, { clock, edge });
  if (before?.edge !== undefined && before.edge.id !== edge?.id) prune(draft, draft.edge(before.edge));
  return true;
}

/** Drops what a larger register dominates: the link when it is not above the floor, older than the set or out of its slot; X when a removal or set covers it. */
function prune(draft: Draft, edge: EdgeState): void {
  const from = draft.peek(edge.ref.from);
  const to = draft.peek(edge.ref.to);
  const removed = later(from?.removed, to?.removed);
  const floor = later(edge.unlinked, removed);
  const set = setClock(draft, edge.ref);
  if (!isNewer(edge.linked, floor) || !isAtLeast(edge.linked, set) || !holdsSlot(draft, edge.ref)) {
    edge.linked = undefined;
    edge.properties = new Map();
  }
  for (const [name, register] of edge.properties) {
    if (!isNewer(register.clock, floor) || !isAtLeast(register.clock, set)) edge.properties.delete(name);
  }
  if (!isNewer(edge.unlinked, removed) || !isAtLeast(edge.unlinked, set)) edge.unlinked = undefined;
}

function setClock(draft: Draft, ref: EdgeRef): Clock | undefined {
  return ref.shape.replace ? draft.peek(ref.from)?.sets.get(ref.shape.type) : undefined;
}

/** Whether the slot names this edge. An owner that was not read has not changed its mind. */
function holdsSlot(draft: Draft, ref: EdgeRef): boolean {
  if (ref.shape.one === undefined) return true;
  const owner = draft.peek(slotOwner(ref));
  return owner === undefined || owner.unread === true || owner.slots.get(ref.shape.type)?.edge?.id === ref.id;
}

function raiseProperty(registers: Map<string, Register>, name: string, type: PropertyType, clock: Clock, value: Value | null): boolean {
  const before = registers.get(name);
  const after = before === undefined ? { clock, value } : join(type, before, clock, value);
  if (after === before) return false;
  registers.set(name, after);
  return true;
}

/** The register after one more contribution; the same object when it changes nothing. */
function join(type: PropertyType, before: Register, clock: Clock, value: Value | null): Register {
  if (type.rule === 'last') return isNewer(clock, before.clock) ? { clock, value } : before;
  if (value === null || before.value === null) return before;
  if (type.rule === 'first') return isNewer(before.clock, clock) ? { clock, value } : before;
  const joined = joinValues(type, before.value, value);
  if (type.rule === 'union') {
    const newest = later(before.clock, clock) ?? clock;
    return newest === before.clock && sameValue(joined, before.value) ? before : { clock: newest, value: joined };
  }
  // min, max, ranked: the earliest event that brought the winning value is the one to name.
  if (!sameValue(joined, before.value)) return { clock, value: joined };
  const equal = compareScalars(value as Scalar, before.value as Scalar) === 0;
  return equal && isNewer(before.clock, clock) ? { clock, value } : before;
}

/** The state with the fold's own changes laid over it; a node or edge is copied when it is first touched. */
interface Draft {
  readonly nodes: Map<string, NodeState>;
  readonly edges: Map<string, EdgeState>;
  node(ref: NodeRef): NodeState;
  edge(ref: EdgeRef): EdgeState;
  /** To look at, not to change; undefined when nobody looked for it. */
  peek(ref: NodeRef): NodeState | undefined;
  /** All edges of a node, old and new, to be changed: each is drafted by this. */
  draftEdgesOf(nodeId: string): EdgeState[];
}

function createDraft(state: State): Draft {
  const nodes = new Map<string, NodeState>();
  const edges = new Map<string, EdgeState>();
  const draftedByEnd = new Map<string, EdgeState[]>();

  function edge(ref: EdgeRef): EdgeState {
    let mine = edges.get(ref.id);
    if (mine !== undefined) return mine;
    const known = state.edges.get(ref.id);
    mine = known === undefined ? emptyEdge(ref) : copyEdge(known);
    edges.set(ref.id, mine);
    for (const end of ref.from.id === ref.to.id ? [ref.from.id] : [ref.from.id, ref.to.id]) {
      addTo(draftedByEnd, end, mine);
    }
    return mine;
  }

  return {
    nodes,
    edges,
    edge,
    node(ref) {
      let mine = nodes.get(ref.id);
      if (mine !== undefined) return mine;
      const known = state.nodes.get(ref.id);
      mine = known === undefined ? emptyNode(ref) : copyNode(known);
      nodes.set(ref.id, mine);
      return mine;
    },
    peek: (ref) => nodes.get(ref.id) ?? state.nodes.get(ref.id),
    draftEdgesOf(nodeId) {
      for (const id of state.edgesOf(nodeId)) {
        const known = state.edges.get(id);
        if (known !== undefined) edge(known.ref);
      }
      return draftedByEnd.get(nodeId) ?? [];
    },
  };
}
