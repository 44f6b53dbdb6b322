/** Short words for writing stories: events at whole seconds of one source, and the graph that they should give. */
import type { Properties, PublicGraph } from '../model/graph.ts';
import { formatInstant } from '../model/instant.ts';
import { nameOf, toFact, type Raw, type RawFact, type Told } from './told.ts';

/** A node as a story names it. */
export interface Character {
  readonly label: string;
  readonly key: Raw;
  readonly id: string;
}

type Edge = readonly [type: string, from: Character, to: Character, properties?: Properties, line?: string];

export interface Teller {
  node(label: string, id: string): Character;
  /** `id` may name the body: `e1#b`. Facts happen at `second`. */
  told(id: string, second: number, ...facts: RawFact[]): Told;
  upsert(node: Character, set?: Raw): RawFact;
  remove(node: Character): RawFact;
  link(type: string, from: Character, to: Character, set?: Raw): RawFact;
  unlink(type: string, from: Character, to: Character): RawFact;
  replace(type: string, from: Character, links: readonly (readonly [to: Character, set?: Raw, line?: string])[]): RawFact;
  clear(type: string, owner: Character): RawFact;
  /** `parked` names events as `told` did. */
  graph(nodes: readonly (readonly [Character, Properties?])[], edges?: readonly Edge[], parked?: readonly string[]): PublicGraph;
}

const SOURCE = 'acme';
const EPOCH = 1_767_225_600_000_000_000n; // 2026-01-01T00:00:00Z
/** Labels whose key is an id alone; that of all others begins with the source. */
const SOURCELESS = new Set(['B']);

export function createTeller(prefix: string): Teller {
  function nameBody(id: string): { source: string; id: string; bodyHash: string } {
    const [name, body = 'a'] = id.split('#');
    return { source: SOURCE, id: `${prefix}${name}`, bodyHash: body.repeat(64).slice(0, 64) };
  }
  const edgeKey = (line: string | undefined): Raw => (line === undefined ? {} : { key: { line } });
  return {
    node: (label, id) => ({
      label,
      key: { id: `${prefix}${id}` },
      id: `${label}/${SOURCELESS.has(label) ? '' : `${SOURCE}/`}${prefix}${id}`,
    }),
    told: (id, second, ...facts) => ({
      ...nameBody(id),
      mapped: { type: 'story.told', occurredAt: formatInstant(EPOCH + BigInt(second) * 1_000_000_000n), facts: facts.map(toFact) },
    }),
    upsert: (node, set = {}) => ({ kind: 'upsert', said: { node: node.label, key: node.key, set } }),
    remove: (node) => ({ kind: 'remove', said: { node: node.label, key: node.key } }),
    link: (type, from, to, set = {}) => ({ kind: 'link', said: { relationship: type, from: from.key, to: to.key, set } }),
    unlink: (type, from, to) => ({ kind: 'unlink', said: { relationship: type, from: from.key, to: to.key } }),
    replace: (type, from, links) => ({
      kind: 'replace',
      said: { relationship: type, from: from.key, links: links.map(([to, set = {}, line]) => ({ to: to.key, set, ...edgeKey(line) })) },
    }),
    clear: (type, owner) => ({ kind: 'clear', said: { relationship: type, owner: owner.key } }),
    graph: (nodes, edges = [], parked = []) => ({
      nodes: new Map(nodes.map(([node, properties = {}]) => [node.id, properties])),
      edges: new Map(
        edges.map(([type, from, to, properties = {}, line]) => [
          `${from.id}-[${type}${line === undefined ? '' : `/${line}`}]->${to.id}`,
          properties,
        ]),
      ),
      parked: new Set(parked.map((id) => nameOf(nameBody(id)))),
    }),
  };
}
