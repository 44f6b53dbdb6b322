/** What was read of the graph for one batch: the state to fold against, and where each part of it is stored. */
import { createHash } from 'node:crypto';

import type { NodeRef } from '../model/refs.ts';
import { emptyNode, type EdgeState, type NodeState, type State } from '../model/state.ts';

export interface Loaded extends State {
  readonly nodes: Map<string, NodeState>;
  readonly edges: Map<string, EdgeState>;
  /** Element ids of the nodes that are in the database now, provisional ones included. */
  readonly nodeElements: Map<string, string>;
  /** Nodes that our own lock created: deleted again unless the fold wants them. */
  readonly provisional: Set<string>;
  /** Ids of nodes that no event has brought to life: provisional ones, and those that somebody else made. */
  readonly absent: Set<string>;
  /** Element ids of visible edges. */
  readonly edgeElements: Map<string, string>;
  /** Ids of nodes and edges that have a hidden row. */
  readonly hiddenNodes: Set<string>;
  readonly hiddenEdges: Set<string>;
  addNode(node: NodeState): void;
  /** The same edge found twice is the same edge. */
  addEdge(edge: EdgeState): void;
}

export function createLoaded(): Loaded {
  const nodes = new Map<string, NodeState>();
  const edges = new Map<string, EdgeState>();
  const incident = new Map<string, Set<string>>();
  const attach = (nodeId: string, edgeId: string): void => {
    const siblings = incident.get(nodeId);
    if (siblings === undefined) incident.set(nodeId, new Set([edgeId]));
    else siblings.add(edgeId);
  };
  return {
    nodes,
    edges,
    nodeElements: new Map(),
    provisional: new Set(),
    absent: new Set(),
    edgeElements: new Map(),
    hiddenNodes: new Set(),
    hiddenEdges: new Set(),
    edgesOf: (nodeId) => incident.get(nodeId) ?? [],
    addNode(node) {
      nodes.set(node.ref.id, node);
    },
    addEdge(edge) {
      edges.set(edge.ref.id, edge);
      attach(edge.ref.from.id, edge.ref.id);
      attach(edge.ref.to.id, edge.ref.id);
    },
  };
}

/** A node that is in the database but whose registers nobody needs: it exists and stays. */
export function standingNode(ref: NodeRef): NodeState {
  return { ...emptyNode(ref), unread: true, asserted: STANDING };
}

/** Older than every fact, and never written: only nodes of labels that cannot be removed are read this way. */
const STANDING = { time: -(2n ** 80n), sequence: 0n, rank: 0, key: '', bodyHash: '' };

/** Index entries are short; a longer id is stored under its hash. */
const MAX_INDEX_KEY = 1_000;

/** The indexed form of a node's or edge's id. */
export function indexKey(id: string): string {
  return id.length <= MAX_INDEX_KEY ? id : `${id.slice(0, 100)}#${createHash('sha256').update(id).digest('hex')}`;
}
