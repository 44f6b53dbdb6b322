/**
 * What the events of a history say, as the reference needs it: one fact per register, time and event, and every clock
 * replaced by its place in the one total order. Written apart from model/resolve.ts and model/clock.ts on purpose: two
 * readings of the same rules, compared by `verify`.
 */
import { eventKey } from '../event.ts';
import { parseInstant } from '../model/instant.ts';
import type { Model, NodeShape, Part, RelationshipShape } from '../model/model.ts';
import { edgeRef, nodeRef, type EdgeRef, type NodeRef } from '../model/refs.ts';
import { readValue, type PropertyType, type Scalar, type Value } from '../model/values.ts';
import { factsOf, nameOf, type Raw, type RawFact, type Told } from './told.ts';

export type Said = ReadonlyMap<string, Value | null>;

/** A clock. Its place, 1 for the oldest, is what the reference compares. */
export interface Stamp {
  readonly time: bigint;
  readonly sequence: bigint;
  readonly rank: number;
  readonly key: Buffer;
  readonly hash: Buffer;
  /** `source:id#bodyHash` */
  readonly event: string;
  place: number;
}

export type Heard = { readonly stamp: Stamp } & (
  | { readonly kind: 'upsert'; readonly node: NodeRef; readonly said: Said }
  | { readonly kind: 'remove'; readonly node: NodeRef }
  /** `slot`: the to-one slot that this link takes; null where it takes none. */
  | { readonly kind: 'link'; readonly edge: EdgeRef; readonly said: Said; readonly slot: string | null }
  | { readonly kind: 'unlink'; readonly edge: EdgeRef }
  | { readonly kind: 'replace'; readonly shape: RelationshipShape; readonly owner: NodeRef }
  | { readonly kind: 'clear'; readonly shape: RelationshipShape; readonly owner: NodeRef; readonly slot: string }
);

const REMOVAL = Number.POSITIVE_INFINITY;

/** Facts of the set of events, in no order; an event given twice counts once. */
export function hear(model: Model, events: readonly Told[]): Heard[] {
  const distinct = new Map(events.map((event) => [nameOf(event), event]));
  const heard = [...distinct.values()].flatMap((event) => hearEvent(model, event));
  const stamps = [...new Set(heard.map(({ stamp }) => stamp))].sort(compareStamps);
  stamps.forEach((stamp, index) => {
    const before = stamps[index - 1];
    stamp.place = before === undefined ? 1 : before.place + (compareStamps(before, stamp) === 0 ? 0 : 1);
  });
  return heard;
}

function compareStamps(a: Stamp, b: Stamp): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  if (a.rank !== b.rank) return a.rank < b.rank ? -1 : 1;
  return Buffer.compare(a.key, b.key) || Buffer.compare(a.hash, b.hash);
}

function hearEvent(model: Model, event: Told): Heard[] {
  const { mapped } = event;
  const key = Buffer.from(eventKey(event.source, event.id));
  const hash = Buffer.from(event.bodyHash);
  const name = nameOf(event);
  const byTime = new Map<bigint, RawFact[]>();
  for (const fact of factsOf(mapped)) {
    const time = instant(fact.said['at'] ?? mapped.occurredAt);
    byTime.set(time, [...(byTime.get(time) ?? []), fact]);
  }
  const heard: Heard[] = [];
  for (const [time, facts] of byTime) {
    const stamp = (rank: number): Stamp => ({ time, sequence: BigInt(mapped.sequence ?? 0), rank, key, hash, event: name, place: 0 });
    heard.push(...hearMoment(model, event.source, facts, stamp));
  }
  return heard;
}

/** Facts of one event and one time: the list order decides, once for each property and each slot. */
function hearMoment(model: Model, source: string, facts: readonly RawFact[], stampOf: (rank: number) => Stamp): Heard[] {
  const heard: Heard[] = [];
  const stamp = stampOf(0);
  const upserts = new Map<string, { node: NodeRef; said: Map<string, Value | null> }>();
  const links = new Map<string, { edge: EdgeRef; said: Map<string, Value | null> }>();
  const slots = new Map<string, { edge: string } | { shape: RelationshipShape; owner: NodeRef }>();

  function link(shape: RelationshipShape, from: NodeRef, said: Raw): void {
    const edge = edgeOf(shape, from, said, source);
    const entry = links.get(edge.id) ?? { edge, said: new Map() };
    links.set(edge.id, entry);
    for (const [name, type] of shape.properties) put(entry.said, name, type, setOf(said)[name]);
    if (shape.one !== undefined) slots.set(slotOf(edge), { edge: edge.id });
  }

  for (const { kind, said } of facts) {
    if (kind === 'upsert' || kind === 'remove') {
      const node = nodeOf(nodeShape(model, said['node']), said['key'], source);
      if (kind === 'remove') {
        heard.push({ kind, stamp: stampOf(REMOVAL), node });
        continue;
      }
      const entry = upserts.get(node.id) ?? { node, said: new Map() };
      upserts.set(node.id, entry);
      for (const [name, type] of node.shape.properties) put(entry.said, name, type, setOf(said)[name]);
      continue;
    }
    const shape = relationshipShape(model, said['relationship']);
    if (kind === 'clear') {
      const owner = nodeOf(shape.one === 'from' ? shape.to : shape.from, said['owner'], source);
      slots.set(`${shape.type} of ${owner.id}`, { shape, owner });
      continue;
    }
    const from = nodeOf(shape.from, said['from'], source);
    if (kind === 'link') link(shape, from, said);
    if (kind === 'unlink') heard.push({ kind, stamp, edge: edgeOf(shape, from, said, source) });
    if (kind === 'replace') {
      heard.push({ kind, stamp, shape, owner: from });
      for (const member of said['links'] as readonly Raw[]) link(shape, from, member);
    }
  }

  for (const { node, said } of upserts.values()) heard.push({ kind: 'upsert', stamp: stampOf(statusRank(node.shape, said)), node, said });
  for (const [slot, holder] of slots)
    if ('owner' in holder) heard.push({ kind: 'clear', stamp, shape: holder.shape, owner: holder.owner, slot });
  for (const { edge, said } of links.values()) {
    const slot = edge.shape.one === undefined ? null : slotOf(edge);
    const holder = slot === null ? undefined : slots.get(slot);
    heard.push({
      kind: 'link',
      stamp,
      edge,
      said,
      slot: holder !== undefined && 'edge' in holder && holder.edge === edge.id ? slot : null,
    });
  }
  return heard;
}

/** `from`: each `to` has one `from`, so the slot is the `to` node's; `to`: the other way round. */
export function slotOf(edge: EdgeRef): string {
  return `${edge.shape.type} of ${edge.shape.one === 'from' ? edge.to.id : edge.from.id}`;
}

function statusRank(shape: NodeShape, said: Said): number {
  const status = shape.tieBreak === undefined ? undefined : said.get(shape.tieBreak.property);
  return typeof status === 'string' ? (shape.tieBreak?.ranks.get(status) ?? 0) : 0;
}

function put(said: Map<string, Value | null>, name: string, type: PropertyType, input: unknown): void {
  if (input === undefined) return;
  const value = input === null ? null : read(type, input);
  const before = said.get(name);
  said.set(
    name,
    before === undefined || before === null || value === null || type.rule === 'last' ? value : combine(type, [before, value]),
  );
}

/** What several values add up to under an accumulating rule; `first` expects the earliest first. */
export function combine(type: PropertyType, values: readonly Value[]): Value {
  if (type.rule === 'first') return values[0] as Value;
  if (type.rule === 'union') return [...new Set(values.flat())].sort((a, b) => compareValues(type, a, b));
  const ascending = values.toSorted((a, b) => compareValues(type, a as Scalar, b as Scalar));
  return ascending.at(type.rule === 'min' ? 0 : -1) as Value;
}

function compareValues(type: PropertyType, a: Scalar, b: Scalar): number {
  if (type.rule === 'ranked') return (type.ranks ?? []).indexOf(String(a)) - (type.ranks ?? []).indexOf(String(b));
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

function nodeOf(shape: NodeShape, key: unknown, source: string): NodeRef {
  return nodeRef(shape, keyOf(shape.key, key, source));
}

function edgeOf(shape: RelationshipShape, from: NodeRef, said: Raw, source: string): EdgeRef {
  return edgeRef(shape, from, nodeOf(shape.to, said['to'], source), keyOf(shape.key, said['key'], source));
}

function keyOf(parts: readonly Part[], given: unknown, source: string): Scalar[] {
  const key = (given ?? {}) as Raw;
  return parts.map(({ name, type }) => read(type, key[name] ?? (name === 'source' ? source : undefined)) as Scalar);
}

function setOf(said: Raw): Raw {
  return (said['set'] ?? {}) as Raw;
}

function read(type: PropertyType, input: unknown): Value {
  const result = readValue(type, input);
  if ('problem' in result) throw new Error(`the reference was told an impossible value: ${result.problem}`);
  return result.value;
}

function instant(input: unknown): bigint {
  const nanos = parseInstant(String(input));
  if (nanos === undefined) throw new Error(`the reference was told an impossible time: ${String(input)}`);
  return nanos;
}

function nodeShape(model: Model, label: unknown): NodeShape {
  const shape = model.nodes.get(String(label));
  if (shape === undefined) throw new Error(`the reference was told of an unknown label: ${String(label)}`);
  return shape;
}

function relationshipShape(model: Model, type: unknown): RelationshipShape {
  const shape = model.relationships.get(String(type));
  if (shape === undefined) throw new Error(`the reference was told of an unknown relationship: ${String(type)}`);
  return shape;
}
