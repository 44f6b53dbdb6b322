/**
 * The law, executable: the public graph as a function of a SET of events (docs/guides/convergence.md). Nothing here folds one event
 * after another: every quantity is a maximum or another join over all facts at once, so order, duplication, batching and
 * retry cannot matter by construction. It shares no code with the fold that it judges.
 */
import type { Properties, PublicGraph } from '../model/graph.ts';
import type { Model } from '../model/model.ts';
import type { EdgeRef, NodeRef } from '../model/refs.ts';
import type { Value } from '../model/values.ts';
import { combine, hear, slotOf, type Said, type Stamp } from './hear.ts';
import type { Told } from './told.ts';

/** A max-register for each name; 0 is older than every clock. */
interface Registers {
  raise(name: string, stamp: Stamp): void;
  get(name: string): number;
}

interface Contribution {
  readonly stamp: Stamp;
  readonly said: Said;
}

/** Pure; the order and number of `events` do not matter. Throws for events that the model does not allow. */
export function reference(model: Model, events: readonly Told[]): PublicGraph {
  const told = hear(model, events);
  const [U, R, L, X, M] = [createRegisters(), createRegisters(), createRegisters(), createRegisters(), createRegisters()];
  const S = new Map<string, Contribution & { edge: string | null }>();
  const nodes = new Map<string, { ref: NodeRef; contributions: Contribution[] }>();
  const edges = new Map<string, { ref: EdgeRef; contributions: Contribution[] }>();

  const nodeOf = (ref: NodeRef) => entry(nodes, ref.id, () => ({ ref, contributions: [] }));
  function assert(ref: NodeRef, stamp: Stamp): void {
    nodeOf(ref);
    U.raise(ref.id, stamp);
  }
  function takeSlot(slot: string, edge: string | null, stamp: Stamp, said: Said): void {
    if (stamp.place > (S.get(slot)?.stamp.place ?? 0)) S.set(slot, { stamp, edge, said });
  }

  for (const fact of told) {
    const { stamp } = fact;
    switch (fact.kind) {
      case 'upsert':
        assert(fact.node, stamp);
        nodeOf(fact.node).contributions.push({ stamp, said: fact.said });
        break;
      case 'remove':
        R.raise(fact.node.id, stamp);
        break;
      case 'unlink':
        X.raise(fact.edge.id, stamp);
        break;
      case 'replace':
        M.raise(setName(fact.shape.type, fact.owner), stamp);
        if (fact.shape.missing === 'stub') assert(fact.owner, stamp);
        break;
      case 'clear':
        takeSlot(fact.slot, null, stamp, new Map());
        if (fact.shape.missing === 'stub') assert(fact.owner, stamp);
        break;
      case 'link':
        L.raise(fact.edge.id, stamp);
        entry(edges, fact.edge.id, () => ({ ref: fact.edge, contributions: [] })).contributions.push({ stamp, said: fact.said });
        if (fact.slot !== null) takeSlot(fact.slot, fact.edge.id, stamp, fact.said);
        if (fact.edge.shape.missing === 'stub') for (const end of [fact.edge.from, fact.edge.to]) assert(end, stamp);
        break;
    }
  }

  const exists = (ref: NodeRef): boolean => U.get(ref.id) > R.get(ref.id);

  const visibleNodes = new Map<string, Properties>();
  for (const { ref, contributions } of nodes.values()) {
    if (exists(ref)) visibleNodes.set(ref.id, nodeProperties(ref, contributions, R.get(ref.id)));
  }

  const visibleEdges = new Map<string, Properties>();
  const parked = new Set<string>();
  for (const { ref, contributions } of edges.values()) {
    const floor = Math.max(X.get(ref.id), R.get(ref.from.id), R.get(ref.to.id));
    const set = M.get(setName(ref.shape.type, ref.from));
    const linked = L.get(ref.id);
    if (linked <= floor || linked < set) continue;
    let counted = contributions.filter(({ stamp }) => stamp.place > floor && stamp.place >= set);
    if (ref.shape.one !== undefined) {
      const slot = S.get(slotOf(ref));
      if (slot === undefined || slot.edge !== ref.id || slot.stamp.place !== linked) continue;
      counted = [slot];
    }
    if (exists(ref.from) && exists(ref.to)) visibleEdges.set(ref.id, visible(newest(counted)));
    else for (const event of holders(counted, linked)) parked.add(event);
  }
  return { nodes: visibleNodes, edges: visibleEdges, parked };
}

/** Last-writer-wins counts what is newer than the removal; the accumulating rules count all that was ever said. */
function nodeProperties(ref: NodeRef, contributions: readonly Contribution[], removed: number): Properties {
  const properties = newest(contributions.filter(({ stamp }) => stamp.place > removed));
  const oldestFirst = contributions.toSorted((a, b) => a.stamp.place - b.stamp.place);
  for (const [name, type] of ref.shape.properties) {
    if (type.rule === 'last') continue;
    const values = oldestFirst.map(({ said }) => said.get(name)).filter((value) => value !== undefined && value !== null);
    properties.set(name, { value: values.length === 0 ? null : combine(type, values), stamp: undefined });
  }
  return visible(properties);
}

type Newest = Map<string, { value: Value | null; stamp: Stamp | undefined }>;

/** Per property what the newest contribution says, null included. */
function newest(contributions: readonly Contribution[]): Newest {
  const result: Newest = new Map();
  for (const { stamp, said } of contributions) {
    for (const [name, value] of said) if (stamp.place > (result.get(name)?.stamp?.place ?? 0)) result.set(name, { value, stamp });
  }
  return result;
}

function visible(properties: Newest): Properties {
  const shown: Record<string, Value> = {};
  for (const [name, { value }] of properties) if (value !== null) shown[name] = value;
  return shown;
}

/** The events whose clock is L or holds a property, a cleared one too. */
function holders(counted: readonly Contribution[], linked: number): Set<string> {
  const events = new Set(counted.filter(({ stamp }) => stamp.place === linked).map(({ stamp }) => stamp.event));
  for (const { stamp } of newest(counted).values()) if (stamp !== undefined) events.add(stamp.event);
  return events;
}

function setName(type: string, owner: NodeRef): string {
  return `${type} of ${owner.id}`;
}

function createRegisters(): Registers {
  const places = new Map<string, number>();
  return {
    raise: (name, stamp) => void places.set(name, Math.max(places.get(name) ?? 0, stamp.place)),
    get: (name) => places.get(name) ?? 0,
  };
}

function entry<T>(map: Map<string, T>, id: string, create: () => T): T {
  const known = map.get(id);
  if (known !== undefined) return known;
  const created = create();
  map.set(id, created);
  return created;
}
