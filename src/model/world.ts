/**
 * The graph in memory: the same fold and the same text form of clocks as in the database, without one. For `verify`,
 * dry runs and rebuilds that only compare.
 */
import { decodeEdge, decodeNode, encodeEdge, encodeNode, waitingEvents } from './codec.ts';
import { fold } from './fold.ts';
import type { PublicGraph } from './graph.ts';
import type { Model } from './model.ts';
import type { AtomicFact } from './resolve.ts';
import { exists, isBlankEdge, isBlankNode, type EdgeState, type NodeState, type Register, type State } from './state.ts';
import type { Value } from './values.ts';

export interface World extends State {
  /** Folds one batch in. */
  apply(facts: readonly AtomicFact[]): void;
  /** What a query would see, and which events are parked. */
  graph(): PublicGraph;
}

export function createWorld(model: Model): World {
  const nodes = new Map<string, NodeState>();
  const edges = new Map<string, EdgeState>();
  const incident = new Map<string, Set<string>>();
  const edgesOf = (nodeId: string): Iterable<string> => incident.get(nodeId) ?? [];

  function keepEdge(id: string, edge: EdgeState): void {
    const ends = [edge.ref.from.id, edge.ref.to.id];
    if (isBlankEdge(edge)) {
      edges.delete(id);
      for (const end of ends) incident.get(end)?.delete(id);
      return;
    }
    edges.set(id, decodeEdge(edge.ref, encodeEdge(edge), present(edge.properties)));
    for (const end of ends) {
      const siblings = incident.get(end);
      if (siblings === undefined) incident.set(end, new Set([id]));
      else siblings.add(id);
    }
  }

  const isVisible = (edge: EdgeState): boolean =>
    edge.linked !== undefined && exists(nodes.get(edge.ref.from.id)) && exists(nodes.get(edge.ref.to.id));

  return {
    nodes,
    edges,
    edgesOf,
    apply(facts) {
      const changes = fold({ nodes, edges, edgesOf }, facts);
      for (const [id, node] of changes.nodes) {
        if (isBlankNode(node)) nodes.delete(id);
        else nodes.set(id, decodeNode(model, node.ref, encodeNode(node), present(node.properties)));
      }
      for (const [id, edge] of changes.edges) keepEdge(id, edge);
    },
    graph() {
      const out: PublicGraph = { nodes: new Map(), edges: new Map(), parked: new Set() };
      for (const [id, node] of nodes) if (exists(node)) out.nodes.set(id, shown(node.properties));
      for (const [id, edge] of edges) {
        if (isVisible(edge)) out.edges.set(id, shown(edge.properties));
        else for (const name of waitingEvents(edge)) out.parked.add(name);
      }
      return out;
    },
  };
}

/** Values of the properties that are present (null hides). */
export function present(properties: ReadonlyMap<string, Register>): Map<string, Value> {
  const out = new Map<string, Value>();
  for (const [name, { value }] of properties) if (value !== null) out.set(name, value);
  return out;
}

function shown(properties: ReadonlyMap<string, Register>): Record<string, Value> {
  return Object.fromEntries(present(properties));
}
