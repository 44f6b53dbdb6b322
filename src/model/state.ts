/**
 * The registers (docs/guides/convergence.md): what is remembered of a node and of an edge, whether it is visible or not.
 * Letters in comments are the short names of the registers: U, R, p, S, M, L, X.
 */
import { compareClocks, isNewer, later, type Clock } from './clock.ts';
import type { EdgeRef, NodeRef } from './refs.ts';
import type { Value } from './values.ts';

/** One property: who said it and what; null hides it. */
export interface Register {
  readonly clock: Clock;
  readonly value: Value | null;
}

/** The slot of a to-one relationship: the edge that its newest link named, or nobody after a clear. */
export interface Slot {
  readonly clock: Clock;
  readonly edge: EdgeRef | undefined;
}

export interface NodeState {
  readonly ref: NodeRef;
  /** It exists for certain and stays, but nobody read its registers: neither locked nor to be written. */
  readonly unread?: true;
  /** U, kept only while newer than R: a node exists exactly while it has one. */
  asserted: Clock | undefined;
  /** R */
  removed: Clock | undefined;
  /** p and acc, by property. */
  properties: Map<string, Register>;
  /** S, by relationship type. */
  slots: Map<string, Slot>;
  /** M, by relationship type. */
  sets: Map<string, Clock>;
}

export interface EdgeState {
  readonly ref: EdgeRef;
  /** L, kept only while nothing newer has ended the edge. */
  linked: Clock | undefined;
  /** X */
  unlinked: Clock | undefined;
  /** ep */
  properties: Map<string, Register>;
}

/** What is known before a fold. A node or edge that was looked for and not found is present and empty; one that was not looked for is absent. */
export interface State {
  readonly nodes: ReadonlyMap<string, NodeState>;
  readonly edges: ReadonlyMap<string, EdgeState>;
  /** Ids of the known edges, visible or not, that have this node as an end. */
  edgesOf(nodeId: string): Iterable<string>;
}

export function emptyNode(ref: NodeRef): NodeState {
  return { ref, asserted: undefined, removed: undefined, properties: new Map(), slots: new Map(), sets: new Map() };
}

export function emptyEdge(ref: EdgeRef): EdgeState {
  return { ref, linked: undefined, unlinked: undefined, properties: new Map() };
}

export function copyNode(node: NodeState): NodeState {
  return { ...node, properties: new Map(node.properties), slots: new Map(node.slots), sets: new Map(node.sets) };
}

export function copyEdge(edge: EdgeState): EdgeState {
  return { ...edge, properties: new Map(edge.properties) };
}

/** exists(n) = U > R */
export function exists(node: NodeState | undefined): boolean {
  return node !== undefined && isNewer(node.asserted, node.removed);
}

/** Nothing is remembered: no row of any kind is needed. */
export function isBlankNode(node: NodeState): boolean {
  return (
    node.asserted === undefined && node.removed === undefined && node.properties.size === 0 && node.slots.size === 0 && node.sets.size === 0
  );
}

export function isBlankEdge(edge: EdgeState): boolean {
  return edge.linked === undefined && edge.unlinked === undefined;
}

/** Whether a fold left a node as it was. Registers are never changed in place, so the same object is the same register. */
export function isSameNode(a: NodeState, b: NodeState): boolean {
  return (
    a.asserted === b.asserted &&
    a.removed === b.removed &&
    sameEntries(a.properties, b.properties) &&
    sameEntries(a.slots, b.slots) &&
    sameEntries(a.sets, b.sets)
  );
}

export function isSameEdge(a: EdgeState, b: EdgeState): boolean {
  return a.linked === b.linked && a.unlinked === b.unlinked && sameEntries(a.properties, b.properties);
}

function sameEntries<V>(a: ReadonlyMap<string, V>, b: ReadonlyMap<string, V>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

/** floor(e) = max(X(e), R(from), R(to)); an end that was not looked for cannot matter, since every raise prunes. */
export function floorOf(edge: EdgeState, from: NodeState | undefined, to: NodeState | undefined): Clock | undefined {
  return later(edge.unlinked, later(from?.removed, to?.removed));
}

/** Whether a is as new as b or newer; undefined is older than every clock. */
export function isAtLeast(a: Clock | undefined, b: Clock | undefined): boolean {
  if (b === undefined) return true;
  return a !== undefined && compareClocks(a, b) >= 0;
}
