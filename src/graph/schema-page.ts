/** The page an analyst wants: labels, keys, properties, types, relationships, with counts and an example each where there is a graph. */
import type { Model, NodeShape, RelationshipShape } from '../model/model.ts';
import type { PropertyType, TypeName } from '../model/values.ts';
import type { Bolt } from './driver.ts';
import { toPlain, type Plain } from './plain.ts';
import { readTransaction } from './read-transaction.ts';
import type { Tx } from './transact.ts';

export interface PropertyDescription {
  readonly name: string;
  /** As Neo4j names it. */
  readonly type: string;
  /** How values of many events become one: `last` unless the model says otherwise. */
  readonly rule: string;
}

export interface NodeDescription {
  readonly label: string;
  readonly doc: string;
  readonly key: readonly PropertyDescription[];
  readonly properties: readonly PropertyDescription[];
  readonly removable: boolean;
  /** Undefined without a graph. */
  readonly count?: number;
  readonly example?: Plain;
}

export interface RelationshipDescription {
  readonly type: string;
  readonly doc: string;
  readonly from: string;
  readonly to: string;
  /** `many`: any number at either end; otherwise which end there is at most one of. */
  readonly cardinality: 'many' | 'one from' | 'one to';
  readonly key: readonly PropertyDescription[];
  readonly properties: readonly PropertyDescription[];
  readonly missing: 'stub' | 'park';
  readonly count?: number;
  readonly example?: Plain;
}

export interface SchemaDescription {
  readonly nodes: readonly NodeDescription[];
  readonly relationships: readonly RelationshipDescription[];
}

const TIMEOUT_MS = 30_000;
const TYPES: Readonly<Record<TypeName, string>> = {
  text: 'STRING',
  integer: 'INTEGER',
  float: 'FLOAT',
  boolean: 'BOOLEAN',
  time: 'ZONED DATETIME',
};

/** The model as JSON and as Markdown. With a graph: how many of each there are and the first of them. */
export async function describeSchema(
  bolt: Bolt | undefined,
  model: Model,
): Promise<{ readonly json: SchemaDescription; readonly markdown: string }> {
  const nodes = [...model.nodes.values()];
  const relationships = [...model.relationships.values()];
  const json =
    bolt === undefined
      ? { nodes: nodes.map(describeNode), relationships: relationships.map(describeRelationship) }
      : await readTransaction(bolt, TIMEOUT_MS, async (tx) => ({
          nodes: await Promise.all(nodes.map(async (shape) => ({ ...describeNode(shape), ...(await lookAtNodes(tx, shape)) }))),
          relationships: await Promise.all(
            relationships.map(async (shape) => ({ ...describeRelationship(shape), ...(await lookAtRelationships(tx, shape)) })),
          ),
        }));
  return { json, markdown: toMarkdown(json) };
}

/** Labels and types are from the validated model, so that they may stand in the text. */
async function lookAtNodes(tx: Tx, { label }: NodeShape): Promise<{ count: number; example?: Plain }> {
  const [counted, found] = await Promise.all([
    tx.run<{ n: bigint }>(`MATCH (n:${label}) RETURN count(n) AS n`),
    tx.run<{ example: object }>(`MATCH (n:${label}) RETURN properties(n) AS example LIMIT 1`),
  ]);
  return { count: Number(counted.records[0]?.get('n') ?? 0n), ...exampleOf(found.records[0]?.get('example')) };
}

async function lookAtRelationships(tx: Tx, { type, from, to }: RelationshipShape): Promise<{ count: number; example?: Plain }> {
  const key = (variable: string, shape: NodeShape): string => `${variable} {${shape.key.map(({ name }) => `.${name}`).join(', ')}}`;
  const [counted, found] = await Promise.all([
    tx.run<{ n: bigint }>(`MATCH ()-[r:${type}]->() RETURN count(r) AS n`),
    tx.run<{ example: object }>(
      `MATCH (a:${from.label})-[r:${type}]->(b:${to.label}) RETURN {from: ${key('a', from)}, to: ${key('b', to)}, properties: properties(r)} AS example LIMIT 1`,
    ),
  ]);
  return { count: Number(counted.records[0]?.get('n') ?? 0n), ...exampleOf(found.records[0]?.get('example')) };
}

function exampleOf(found: object | undefined): { example?: Plain } {
  return found === undefined ? {} : { example: toPlain(found) };
}

function describeNode({ label, doc, key, properties, removable }: NodeShape): NodeDescription {
  return { label, doc, key: key.map(({ name, type }) => describeProperty(name, type)), properties: describeAll(properties), removable };
}

function describeRelationship({ type, doc, from, to, one, key, properties, missing }: RelationshipShape): RelationshipDescription {
  const cardinality = one === undefined ? 'many' : (`one ${one}` as const);
  return {
    type,
    doc,
    from: from.label,
    to: to.label,
    cardinality,
    key: key.map((part) => describeProperty(part.name, part.type)),
    properties: describeAll(properties),
    missing,
  };
}

function describeAll(properties: ReadonlyMap<string, PropertyType>): PropertyDescription[] {
  return [...properties].map(([name, type]) => describeProperty(name, type));
}

function describeProperty(name: string, { type, rule }: PropertyType): PropertyDescription {
  return { name, type: rule === 'union' ? `LIST<${TYPES[type]}>` : TYPES[type], rule };
}

function toMarkdown({ nodes, relationships }: SchemaDescription): string {
  return (
    [
      '# The graph',
      'Names that end in `Minor` are amounts in minor units of the currency beside them; times are in UTC. Whatever begins with `_` is private and may change.',
      ['```mermaid', 'graph LR', ...relationships.map(({ type, from, to }) => `  ${from} -- ${type} --> ${to}`), '```'].join('\n'),
      '## Nodes',
      ...nodes.map(nodeSection),
      '## Relationships',
      ...relationships.map(relationshipSection),
    ].join('\n\n') + '\n'
  );
}

function nodeSection({ label, doc, key, properties, removable, count, example }: NodeDescription): string {
  const facts = [count === undefined ? '' : `${count} of them.`, removable ? 'May be removed.' : 'Never removed.']
    .filter((part) => part !== '')
    .join(' ');
  return [`### ${label}`, ...(doc === '' ? [] : [doc]), facts, propertyTable(key, properties), ...exampleBlock(example)].join('\n\n');
}

function relationshipSection({
  type,
  doc,
  from,
  to,
  cardinality,
  key,
  properties,
  missing,
  count,
  example,
}: RelationshipDescription): string {
  const each = { many: '', 'one from': `Each ${to} has at most one ${from}. `, 'one to': `Each ${from} has at most one ${to}. ` }[
    cardinality
  ];
  const absent =
    missing === 'stub' ? 'An end that nobody has told of is there with its key alone.' : 'It appears when both ends are there.';
  return [
    `### (${from})-[${type}]->(${to})`,
    ...(doc === '' ? [] : [doc]),
    `${count === undefined ? '' : `${count} of them. `}${each}${absent}`,
    ...(key.length + properties.length === 0 ? [] : [propertyTable(key, properties)]),
    ...exampleBlock(example),
  ].join('\n\n');
}

function propertyTable(key: readonly PropertyDescription[], properties: readonly PropertyDescription[]): string {
  const row = ({ name, type, rule }: PropertyDescription, isKey: boolean): string =>
    `| ${isKey ? `**${name}**` : name} | ${type} | ${isKey ? 'key' : rule === 'last' ? '' : rule} |`;
  return ['| property | type | |', '|---|---|---|', ...key.map((one) => row(one, true)), ...properties.map((one) => row(one, false))].join(
    '\n',
  );
}

function exampleBlock(example: Plain | undefined): string[] {
  return example === undefined ? [] : [['```json', JSON.stringify(example), '```'].join('\n')];
}
