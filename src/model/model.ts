/**
 * The model: labels with natural keys and typed properties, relationships with their rules. It is the one source of
 * the schema, of the Cypher of every shape and of the types that mappings are checked against.
 */
import { IngestError } from '../errors.ts';
import type { PropertyType } from './values.ts';

type Properties = Readonly<Record<string, PropertyType>>;

export interface NodeDeclaration {
  /** Natural key. A part named `source` defaults to the event's source. */
  readonly key: Properties;
  readonly properties?: Properties;
  /** Decides between equal stamps only: values from the weakest to the strongest. At most one property a label. */
  readonly tieBreak?: Readonly<Record<string, readonly string[]>>;
  /** Whether `remove` is allowed. Labels that never go need no lock when they are linked to. Default false. */
  readonly removable?: boolean;
  /** One sentence for the schema page. */
  readonly doc?: string;
}

export interface RelationshipDeclaration {
  readonly from: string;
  readonly to: string;
  /** `from`: each `to` has at most one `from` (the slot is the `to` node's); `to`: each `from` has at most one `to`. */
  readonly one?: 'from' | 'to';
  /** Tells parallel edges between the same two nodes apart. */
  readonly key?: Properties;
  readonly properties?: Properties;
  /** Whether a sender's list may be the whole set. Default false. */
  readonly replace?: boolean;
  /** What a link to a node nobody has told of does: `stub` makes a key-only node, `park` lets the edge wait. */
  readonly missing: 'stub' | 'park';
  readonly doc?: string;
}

export interface Declaration {
  readonly nodes: Readonly<Record<string, NodeDeclaration>>;
  readonly relationships: Readonly<Record<string, RelationshipDeclaration>>;
}

export interface Part {
  readonly name: string;
  readonly type: PropertyType;
}

/** A label, resolved: key parts in declared order, ranks looked up by value. */
export interface NodeShape {
  readonly label: string;
  readonly key: readonly Part[];
  readonly properties: ReadonlyMap<string, PropertyType>;
  readonly tieBreak: { readonly property: string; readonly ranks: ReadonlyMap<string, number> } | undefined;
  readonly removable: boolean;
  readonly doc: string;
}

/** A relationship, resolved. `owner` is the end that bears the slot of a to-one relationship. */
export interface RelationshipShape {
  readonly type: string;
  readonly from: NodeShape;
  readonly to: NodeShape;
  readonly one: 'from' | 'to' | undefined;
  readonly owner: 'from' | 'to' | undefined;
  readonly key: readonly Part[];
  readonly properties: ReadonlyMap<string, PropertyType>;
  readonly replace: boolean;
  readonly missing: 'stub' | 'park';
  readonly doc: string;
}

/** `D` remembers the declaration's literal names for the compile-time check of mappings. */
export interface Model<D extends Declaration = Declaration> {
  readonly declaration: D;
  readonly nodes: ReadonlyMap<string, NodeShape>;
  readonly relationships: ReadonlyMap<string, RelationshipShape>;
}

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;

/** Checks the declaration and resolves it. Throws `BAD_MODEL` naming the first thing that is wrong and where. */
export function defineModel<const D extends Declaration>(declaration: D): Model<D> {
  const nodes = new Map<string, NodeShape>();
  for (const [label, node] of Object.entries<NodeDeclaration>(declaration.nodes)) nodes.set(label, resolveNode(label, node));
  const relationships = new Map<string, RelationshipShape>();
  for (const [type, relationship] of Object.entries<RelationshipDeclaration>(declaration.relationships)) {
    relationships.set(type, resolveRelationship(type, relationship, nodes));
  }
  return { declaration, nodes, relationships };
}

function resolveNode(label: string, node: NodeDeclaration): NodeShape {
  const path = `nodes.${label}`;
  checkName(label, path);
  const key = parts(node.key, `${path}.key`);
  if (key.length === 0) throw bad(`${path}.key`, 'a node needs at least one key part');
  const properties = propertyMap(node.properties, `${path}.properties`);
  for (const { name } of key) if (properties.has(name)) throw bad(`${path}.properties.${name}`, 'a key part cannot be a property too');
  const breaks = Object.entries(node.tieBreak ?? {});
  if (breaks.length > 1) throw bad(`${path}.tieBreak`, 'at most one property may break ties');
  const [tieBreak] = breaks.map(([property, values]) => {
    const type = properties.get(property);
    if (type === undefined || type.type !== 'text' || type.rule !== 'last')
      throw bad(`${path}.tieBreak.${property}`, 'not a last-writer-wins text property of this label');
    return { property, ranks: new Map(values.map((value, index) => [value, index + 1])) };
  });
  return { label, key, properties, tieBreak, removable: node.removable ?? false, doc: node.doc ?? '' };
}

function resolveRelationship(
  type: string,
  relationship: RelationshipDeclaration,
  nodes: ReadonlyMap<string, NodeShape>,
): RelationshipShape {
  const path = `relationships.${type}`;
  checkName(type, path);
  const from = nodes.get(relationship.from);
  const to = nodes.get(relationship.to);
  if (from === undefined) throw bad(`${path}.from`, `no label ${relationship.from}`);
  if (to === undefined) throw bad(`${path}.to`, `no label ${relationship.to}`);
  const { one } = relationship;
  const key = parts(relationship.key, `${path}.key`);
  if (one !== undefined && key.length > 0) throw bad(`${path}.key`, 'a to-one relationship has no key: its slot holds one edge');
  const properties = propertyMap(relationship.properties, `${path}.properties`);
  for (const [name, property] of properties)
    if (property.rule !== 'last') throw bad(`${path}.properties.${name}`, 'edge properties are last-writer-wins');
  for (const part of key)
    if (properties.has(part.name)) throw bad(`${path}.properties.${part.name}`, 'a key part cannot be a property too');
  const owner = one === undefined ? undefined : one === 'from' ? 'to' : 'from';
  return {
    type,
    from,
    to,
    one,
    owner,
    key,
    properties,
    replace: relationship.replace ?? false,
    missing: relationship.missing,
    doc: relationship.doc ?? '',
  };
}

function parts(declared: Properties | undefined, path: string): Part[] {
  return Object.entries(declared ?? {}).map(([name, type]) => {
    checkName(name, path);
    if ((type.type !== 'text' && type.type !== 'time') || type.rule !== 'last') throw bad(`${path}.${name}`, 'a key part is text or time');
    return { name, type };
  });
}

function propertyMap(declared: Properties | undefined, path: string): ReadonlyMap<string, PropertyType> {
  const map = new Map(Object.entries(declared ?? {}));
  for (const name of map.keys()) checkName(name, path);
  return map;
}

/** Names reach Cypher as identifiers, so only what needs no quoting is let in. A leading `_` is ours. */
function checkName(name: string, path: string): void {
  if (!NAME.test(name)) throw bad(path, `${JSON.stringify(name)} is no name: a letter, then letters, digits or _, at most 63`);
}

function bad(path: string, problem: string): IngestError {
  return new IngestError('BAD_MODEL', `${path}: ${problem}`, { path });
}
