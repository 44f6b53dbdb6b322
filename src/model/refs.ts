/** References: a node or an edge named by its natural key. The `id` text is its identity everywhere, in maps, hidden rows, ledger and pages. */
import { formatInstant, parseInstant } from './instant.ts';
import type { Model, NodeShape, Part, RelationshipShape } from './model.ts';
import { formatScalar, type Scalar } from './values.ts';

export interface NodeRef {
  readonly shape: NodeShape;
  /** In the order of `shape.key`. */
  readonly key: readonly Scalar[];
  /** `Order/acme-shopify/1001`, each part percent-encoded. */
  readonly id: string;
}

export interface EdgeRef {
  readonly shape: RelationshipShape;
  readonly from: NodeRef;
  readonly to: NodeRef;
  /** In the order of `shape.key`. */
  readonly key: readonly Scalar[];
  /** `Order/s/1-[CONTAINS/line]->Product/s/p`. */
  readonly id: string;
}

const PLAIN = /^[\w.!~*'()-]*$/;

export function nodeRef(shape: NodeShape, key: readonly Scalar[]): NodeRef {
  let id = shape.label;
  for (let i = 0; i < key.length; i++)
    id += `/${escapePart(shape.key[i]?.type.type === 'time' ? formatScalar('time', key[i] as Scalar) : String(key[i]))}`;
  return { shape, key, id };
}

export function edgeRef(shape: RelationshipShape, from: NodeRef, to: NodeRef, key: readonly Scalar[]): EdgeRef {
  let inner = shape.type;
  for (let i = 0; i < key.length; i++)
    inner += `/${escapePart(shape.key[i]?.type.type === 'time' ? formatScalar('time', key[i] as Scalar) : String(key[i]))}`;
  return { shape, from, to, key, id: `${from.id}-[${inner}]->${to.id}` };
}

/** The node that bears the slot of a to-one relationship. */
export function slotOwner(edge: EdgeRef): NodeRef {
  return edge.shape.owner === 'to' ? edge.to : edge.from;
}

function escapePart(part: string): string {
  return PLAIN.test(part) ? part : encodeURIComponent(part);
}

/** Inverse of `nodeRef(...).id`; undefined when the model has no such label or key. */
export function parseNodeId(model: Model, id: string): NodeRef | undefined {
  const [label, ...texts] = id.split('/');
  const shape = model.nodes.get(label ?? '');
  const key = shape === undefined ? undefined : parseParts(shape.key, texts);
  return shape === undefined || key === undefined ? undefined : nodeRef(shape, key);
}

const EDGE_ID = /^(.+)-\[([^\]]+)\]->(.+)$/;

/** Inverse of `edgeRef(...).id`. */
export function parseEdgeId(model: Model, id: string): EdgeRef | undefined {
  const match = EDGE_ID.exec(id);
  if (match === null) return undefined;
  const from = parseNodeId(model, match[1] ?? '');
  const to = parseNodeId(model, match[3] ?? '');
  const [type, ...texts] = (match[2] ?? '').split('/');
  const shape = model.relationships.get(type ?? '');
  const key = shape === undefined ? undefined : parseParts(shape.key, texts);
  return shape === undefined || key === undefined || from === undefined || to === undefined ? undefined : edgeRef(shape, from, to, key);
}

/** A key as JSON-safe texts, in declared order, and back: the values are canonical already, and are not normalised again. */
export function encodeKey(key: readonly Scalar[], parts: readonly Part[]): string[] {
  return key.map((value, i) => (parts[i]?.type.type === 'time' ? formatInstant(value as bigint) : String(value)));
}

export function decodeKey(texts: readonly string[], parts: readonly Part[]): Scalar[] {
  return texts.map((text, i) => (parts[i]?.type.type === 'time' ? (parseInstant(text) ?? 0n) : text));
}

function parseParts(parts: readonly Part[], texts: readonly string[]): Scalar[] | undefined {
  return parts.length === texts.length ? decodeKey(texts.map(decodeURIComponent), parts) : undefined;
}
