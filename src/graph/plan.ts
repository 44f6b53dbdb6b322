/**
 * From what the fold says to what the database must be told: rows for the statements of `cypher/write`. What appears is
 * written by position, a column a property, since names would be half of what is sent; what changes, by name. Pure.
 */
import { isNewer } from '../model/clock.ts';
import { encodeEdge, encodeNode, encodeValues, waitingEvents } from '../model/codec.ts';
import type { Changes } from '../model/fold.ts';
import {
  exists,
  floorOf,
  isBlankEdge,
  isBlankNode,
  isSameEdge,
  isSameNode,
  type EdgeState,
  type NodeState,
  type Register,
} from '../model/state.ts';
import type { NodeRef } from '../model/refs.ts';
import { sameValue, type PropertyType } from '../model/values.ts';
import { addTo } from '../group.ts';
import { indexKey, type Loaded } from './loaded.ts';
import { toBolt, toColumn } from './values.ts';

type Row = readonly unknown[];

/** Edges of one type. Rows name their ends by place among `nodes`: many edges share an end, and an element id is long. */
export interface NewEdges {
  readonly nodes: string[];
  readonly places: Map<string, number>;
  readonly rows: Row[];
}

export interface Plan {
  /** By label. */
  readonly createNodes: Map<string, Row[]>;
  readonly setNodes: Row[];
  readonly deleteNodes: string[];
  /** By type. */
  readonly createEdges: Map<string, NewEdges>;
  readonly setEdges: Row[];
  readonly deleteEdges: string[];
  readonly hideNodes: Row[];
  readonly unhideNodes: string[];
  readonly hideEdges: Row[];
  readonly unhideEdges: string[];
}

export function planWrites(loaded: Loaded, changes: Changes): Plan {
  const plan: Plan = {
    createNodes: new Map(),
    setNodes: [],
    deleteNodes: [],
    createEdges: new Map(),
    setEdges: [],
    deleteEdges: [],
    hideNodes: [],
    unhideNodes: [],
    hideEdges: [],
    unhideEdges: [],
  };
  const edges = new Map(changes.edges);
  for (const [id, node] of changes.nodes) {
    planNode(plan, loaded, id, node);
    if (exists(node) === exists(loaded.nodes.get(id))) continue;
    // The node has come or gone: edges that did not change themselves may appear or hide with it.
    for (const edgeId of loaded.edgesOf(id)) {
      const edge = loaded.edges.get(edgeId);
      if (edge !== undefined && !edges.has(edgeId)) edges.set(edgeId, edge);
    }
  }
  for (const id of loaded.provisional) if (!changes.nodes.has(id)) plan.deleteNodes.push(loaded.nodeElements.get(id) as string);
  for (const [id, edge] of edges) planEdge(plan, loaded, changes, id, edge);
  return plan;
}

function planNode(plan: Plan, loaded: Loaded, id: string, node: NodeState): void {
  if (node.unread === true) return;
  const before = loaded.nodes.get(id);
  const element = loaded.nodeElements.get(id);
  const was = exists(before);
  const same = before !== undefined && isSameNode(before, node);
  if (exists(node)) {
    const { label, properties: types } = node.ref.shape;
    if (!was) addTo(plan.createNodes, label, newNode(element, types, node));
    else if (!same)
      plan.setNodes.push([
        element,
        { ...changedProperties(types, before?.properties ?? new Map(), node.properties), _clock: encodeNode(node) },
      ]);
    if (loaded.hiddenNodes.has(id)) plan.unhideNodes.push(indexKey(id));
    return;
  }
  if (element !== undefined && (was || loaded.provisional.has(id))) plan.deleteNodes.push(element);
  const hidden = loaded.hiddenNodes.has(id);
  if (isBlankNode(node)) {
    if (hidden) plan.unhideNodes.push(indexKey(id));
  } else if (!hidden || !same) plan.hideNodes.push([indexKey(id), encodeNode(node), encodeValues(node.properties)]);
}

function planEdge(plan: Plan, loaded: Loaded, changes: Changes, id: string, edge: EdgeState): void {
  const before = loaded.edges.get(id);
  const element = loaded.edgeElements.get(id);
  const from = changes.nodes.get(edge.ref.from.id) ?? loaded.nodes.get(edge.ref.from.id);
  const to = changes.nodes.get(edge.ref.to.id) ?? loaded.nodes.get(edge.ref.to.id);
  // The floors again: an edge that wakes was not folded in this batch.
  const visible = isNewer(edge.linked, floorOf(edge, from, to)) && stands(from, element) && stands(to, element);
  const types = edge.ref.shape.properties;
  if (visible && element !== undefined) {
    if (before === undefined || !isSameEdge(before, edge))
      plan.setEdges.push([
        element,
        { ...changedProperties(types, before?.properties ?? new Map(), edge.properties), _clock: encodeEdge(edge) },
      ]);
    return;
  }
  if (visible) {
    createEdge(plan, loaded, edge);
    if (loaded.hiddenEdges.has(id)) plan.unhideEdges.push(indexKey(id));
    return;
  }
  if (element !== undefined) plan.deleteEdges.push(element);
  planHiddenEdge(plan, loaded, id, edge);
}

function createEdge(plan: Plan, loaded: Loaded, edge: EdgeState): void {
  const { ref } = edge;
  const { shape } = ref;
  let created = plan.createEdges.get(shape.type);
  if (created === undefined) plan.createEdges.set(shape.type, (created = { nodes: [], places: new Map(), rows: [] }));
  const row: unknown[] = [placeOf(created, loaded, ref.from), placeOf(created, loaded, ref.to)];
  shape.key.forEach(({ type }, i) => row.push(toColumn(type, ref.key[i] ?? '')));
  addColumns(row, shape.properties, edge.properties);
  row.push(encodeEdge(edge));
  created.rows.push(row);
}

function placeOf({ nodes, places }: NewEdges, loaded: Loaded, end: NodeRef): number {
  let place = places.get(end.id);
  if (place === undefined) {
    place = nodes.push(loaded.nodeElements.get(end.id) as string) - 1;
    places.set(end.id, place);
  }
  return place;
}

function planHiddenEdge(plan: Plan, loaded: Loaded, id: string, edge: EdgeState): void {
  const hidden = loaded.hiddenEdges.has(id);
  if (isBlankEdge(edge)) {
    if (hidden) plan.unhideEdges.push(indexKey(id));
    return;
  }
  const before = loaded.edges.get(id);
  if (hidden && before !== undefined && isSameEdge(before, edge)) return;
  const { from, to } = edge.ref;
  const events = edge.linked === undefined ? null : [...waitingEvents(edge)];
  plan.hideEdges.push([
    indexKey(id),
    {
      id,
      clock: encodeEdge(edge),
      values: encodeValues(edge.properties),
      from: indexKey(from.id),
      to: indexKey(to.id),
      waiting: events === null ? null : true,
      events,
    },
  ]);
}

/** An end that nobody looked for stands if the edge was visible: nothing in this batch takes it away. */
function stands(end: NodeState | undefined, element: string | undefined): boolean {
  return end === undefined ? element !== undefined : exists(end);
}

function newNode(element: string | undefined, types: ReadonlyMap<string, PropertyType>, node: NodeState): Row {
  const row: unknown[] = [element];
  addColumns(row, types, node.properties);
  row.push(encodeNode(node));
  return row;
}

/** Values in the order of the shape; null for none. */
function addColumns(row: unknown[], types: ReadonlyMap<string, PropertyType>, registers: ReadonlyMap<string, Register>): void {
  for (const [name, type] of types) {
    const value = registers.get(name)?.value ?? null;
    row.push(value === null ? null : toColumn(type, value));
  }
}

function changedProperties(
  types: ReadonlyMap<string, PropertyType>,
  before: ReadonlyMap<string, Register>,
  after: ReadonlyMap<string, Register>,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, { value }] of after) {
    const type = types.get(name);
    if (type === undefined || sameValue(before.get(name)?.value ?? null, value)) continue;
    out[name] = value === null ? null : toBolt(type, value);
  }
  for (const [name, { value }] of before) if (value !== null && !after.has(name)) out[name] = null;
  return out;
}
