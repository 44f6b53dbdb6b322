/** The public graph: what a query sees. The yardstick of every comparison, whoever computed the two sides. */
import type { Value } from './values.ts';

export type Properties = Readonly<Record<string, Value>>;

export interface PublicGraph {
  /** By node id (`Order/acme-shopify/1001`). */
  readonly nodes: Map<string, Properties>;
  /** By edge id. */
  readonly edges: Map<string, Properties>;
  /** Events that an edge still waits for an end of, as `source:id#bodyHash`. */
  readonly parked: Set<string>;
}

/** What b lacks, has in excess or says differently, one sorted line each; empty for equal graphs. */
export function diffGraphs(a: PublicGraph, b: PublicGraph): string[] {
  const lines: string[] = [];
  diffEntities(lines, 'node', a.nodes, b.nodes);
  diffEntities(lines, 'edge', a.edges, b.edges);
  for (const event of a.parked) if (!b.parked.has(event)) lines.push(`- parked ${event}`);
  for (const event of b.parked) if (!a.parked.has(event)) lines.push(`+ parked ${event}`);
  return lines.length < 2 ? lines : lines.sort();
}

/** One line for each node, edge and parked event, sorted: equal texts are equal graphs. */
export function showGraph(graph: PublicGraph): string[] {
  const lines: string[] = [];
  for (const [id, properties] of graph.nodes) lines.push(`node ${id}${showProperties(properties)}`);
  for (const [id, properties] of graph.edges) lines.push(`edge ${id}${showProperties(properties)}`);
  for (const event of graph.parked) lines.push(`parked ${event}`);
  return lines.sort();
}

function diffEntities(lines: string[], kind: string, a: ReadonlyMap<string, Properties>, b: ReadonlyMap<string, Properties>): void {
  for (const [id, mine] of a) {
    const theirs = b.get(id);
    if (theirs === undefined) lines.push(`- ${kind} ${id}${showProperties(mine)}`);
    else if (!sameProperties(mine, theirs)) lines.push(`! ${kind} ${id}${showProperties(mine)} became${showProperties(theirs) || ' {}'}`);
  }
  for (const [id, theirs] of b) if (!a.has(id)) lines.push(`+ ${kind} ${id}${showProperties(theirs)}`);
}

function sameProperties(a: Properties, b: Properties): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => showValue(a[name]) === showValue(b[name]));
}

function showProperties(properties: Properties): string {
  const names = Object.keys(properties).sort();
  return names.length === 0 ? '' : ` {${names.map((name) => `${name}: ${showValue(properties[name])}`).join(', ')}}`;
}

/** Tells 1n, 1 and "1" apart. */
function showValue(value: Value | undefined): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'object') return `[${value.map(showValue).join(', ')}]`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
