/** The static Cypher of every shape: files in `cypher/`, with identifiers from the validated model and nothing else put in. */
import type { Model, NodeShape, Part, RelationshipShape } from '../model/model.ts';
import type { PropertyType } from '../model/values.ts';
import { readStatement } from './cypher-file.ts';
import { columnCypher, storedCypher } from './values.ts';

/** The text of `cypher/<name>.cypher`, with `{{NAME}}` filled in. */
function statement(name: string, fill: Readonly<Record<string, string>> = {}): string {
  return readStatement(name).replace(/\{\{([A-Z]+)\}\}/g, (_, key: string) => {
    const value = fill[key];
    if (value === undefined) throw new Error(`cypher/${name}.cypher wants {{${key}}}`);
    return value;
  });
}

export interface NodeStatements {
  readonly lock: string;
  readonly touch: string;
  readonly create: string;
}

export interface EdgeStatements {
  readonly byEnds: string;
  readonly bySlot: string;
  readonly bySet: string;
  readonly create: string;
}

/** One line for each file in `cypher/read` and `cypher/write`; per label and per type where the shape matters. */
export interface Statements {
  readonly nodes: ReadonlyMap<string, NodeStatements>;
  readonly edges: ReadonlyMap<string, EdgeStatements>;
  readonly settledJobs: string;
  readonly knownEvents: string;
  readonly hiddenNodes: string;
  readonly countHiddenEdges: string;
  readonly nodeEdges: string;
  readonly hiddenEdges: string;
  readonly hiddenEdgesFrom: string;
  readonly hiddenEdgesTo: string;
  readonly setNodes: string;
  readonly deleteNodes: string;
  readonly setEdges: string;
  readonly deleteEdges: string;
  readonly hideNodes: string;
  readonly unhideNodes: string;
  readonly hideEdges: string;
  readonly unhideEdges: string;
  readonly lockEvents: string;
  readonly moveEvents: string;
  readonly quarantined: string;
  readonly ledgerEvents: string;
  readonly ledgerExceptional: string;
  readonly ledgerSegment: string;
  readonly ledgerStates: string;
  readonly settleJobs: string;
  readonly settlePart: string;
  readonly forgetJobs: string;
}

export function createStatements(model: Model): Statements {
  return {
    nodes: new Map([...model.nodes.values()].map((shape) => [shape.label, nodeStatements(shape)])),
    edges: new Map([...model.relationships.values()].map((shape) => [shape.type, edgeStatements(shape)])),
    settledJobs: statement('read/settled-jobs'),
    knownEvents: statement('read/known-events'),
    hiddenNodes: statement('read/hidden-nodes'),
    countHiddenEdges: statement('read/count-hidden-edges'),
    nodeEdges: statement('read/node-edges', {
      KEYS: keyParts(model)
        .map((name) => `.${name}`)
        .join(', '),
    }),
    hiddenEdges: statement('read/hidden-edges'),
    hiddenEdgesFrom: statement('read/hidden-edges-from'),
    hiddenEdgesTo: statement('read/hidden-edges-to'),
    setNodes: statement('write/set-nodes'),
    deleteNodes: statement('write/delete-nodes'),
    setEdges: statement('write/set-edges'),
    deleteEdges: statement('write/delete-edges'),
    hideNodes: statement('write/hide-nodes'),
    unhideNodes: statement('write/unhide-nodes'),
    hideEdges: statement('write/hide-edges'),
    unhideEdges: statement('write/unhide-edges'),
    lockEvents: statement('read/lock-events'),
    moveEvents: statement('write/move-events'),
    quarantined: statement('read/quarantined'),
    ledgerEvents: statement('write/ledger-events'),
    ledgerExceptional: statement('write/ledger-exceptional'),
    ledgerSegment: statement('write/ledger-segment'),
    ledgerStates: statement('write/ledger-states'),
    settleJobs: statement('write/settle-jobs'),
    settlePart: statement('write/settle-part'),
    forgetJobs: statement('write/forget-jobs'),
  };
}

/** The names of all key parts of nodes that have edges. */
function keyParts({ relationships }: Model): string[] {
  const ends = [...relationships.values()].flatMap(({ from, to }) => [...from.key, ...to.key]);
  return [...new Set(ends.map(({ name }) => name))];
}

function nodeStatements(shape: NodeShape): NodeStatements {
  const fill = { LABEL: shape.label, KEY: shape.key.map(({ name }, i) => `${name}: k[${i}]`).join(', ') };
  const set = assigned([...shape.properties], 1).map(([name, value]) => `x.${name} = ${value}`);
  return {
    lock: statement('read/lock-nodes', {
      ...fill,
      THERE: shape.key.map(({ name }) => `n.${name} IS NOT NULL`).join(' AND '),
      COLUMNS: [...shape.properties].map(([name, type]) => `, ${storedCypher(type, `n.${name}`)}`).join(''),
    }),
    touch: statement('read/touch-nodes', fill),
    create: statement('write/create-nodes', { LABEL: shape.label, SET: set.join(', ') }),
  };
}

function edgeStatements(shape: RelationshipShape): EdgeStatements {
  const conditions = shape.key.map(({ name }, i) => ` AND e.${name} = r[${i + 3}]`).join('');
  const set = assigned([...shape.key.map(({ name, type }) => [name, type] as const), ...shape.properties], 2);
  const other = shape.owner === 'to' ? shape.from : shape.to;
  const fill = { TYPE: shape.type, AND: conditions, OTHER: columns('m', other.key) };
  return {
    byEnds: statement('read/edges-by-ends', fill),
    bySlot: statement(`read/slot-edges-${shape.owner ?? 'from'}`, fill),
    bySet: statement('read/set-edges', { ...fill, OTHER: columns('m', shape.to.key) }),
    create: statement('write/create-edges', { TYPE: shape.type, SET: set.map(([name, value]) => `${name}: ${value}`).join(', ') }),
  };
}

/** Each property and where a row has it, from a column on; the clock is the last. */
function assigned(properties: readonly (readonly [string, PropertyType])[], first: number): [name: string, value: string][] {
  const values = properties.map(([name, type], i): [string, string] => [name, columnCypher(type, `r[${first + i}]`)]);
  return [...values, ['_clock', `r[${first + properties.length}]`]];
}

function columns(variable: string, parts: readonly Part[]): string {
  return parts.map(({ name }) => `${variable}.${name}`).join(', ');
}
