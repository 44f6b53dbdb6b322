/**
 * From what a mapping says to what the fold reads: names looked up in the model, values canonical, clocks attached, and
 * the facts of one event that share a time collapsed to one per register (docs/guides/convergence.md).
 * Pure. Throws `BAD_VALUE` or `NO_CLOCK` with the path of the first thing that is wrong.
 */
import { IngestError } from '../errors.ts';
import { eventKey, type Event } from '../event.ts';
import { REMOVE_RANK, type Clock } from './clock.ts';
import type { Mapped } from './facts.ts';
import { parseInstant } from './instant.ts';
import type { Model, NodeShape, Part, RelationshipShape } from './model.ts';
import { edgeRef, nodeRef, slotOwner, type EdgeRef, type NodeRef } from './refs.ts';
import { compareScalars, readValue, sortedSet, type PropertyType, type Scalar, type Value } from './values.ts';

/** Property → canonical value, null = clear. */
export type Assignments = ReadonlyMap<string, Value | null>;

/** One fact, ready to fold: at most one per register, time and event. */
export type AtomicFact =
  | { readonly kind: 'upsert'; readonly clock: Clock; readonly node: NodeRef; readonly set: Assignments }
  | { readonly kind: 'remove'; readonly clock: Clock; readonly node: NodeRef }
  /** `takesSlot` is false where a later fact of the same event and time took the to-one slot. */
  | { readonly kind: 'link'; readonly clock: Clock; readonly edge: EdgeRef; readonly set: Assignments; readonly takesSlot: boolean }
  | { readonly kind: 'unlink'; readonly clock: Clock; readonly edge: EdgeRef }
  | { readonly kind: 'replace'; readonly clock: Clock; readonly shape: RelationshipShape; readonly owner: NodeRef }
  | { readonly kind: 'clear'; readonly clock: Clock; readonly shape: RelationshipShape; readonly owner: NodeRef };

export interface Resolved {
  readonly type: string;
  readonly occurrenceId: string | undefined;
  readonly occurredAt: bigint;
  /** The latest time that any fact bears: what quarantine looks at. */
  readonly latest: bigint;
  readonly facts: readonly AtomicFact[];
  readonly subject: string | undefined;
  /** Ids of all nodes mentioned, each once. */
  readonly entities: readonly string[];
}

/** Characters of an id, which is ASCII: hidden rows are found by it, and an index entry takes 8,164 bytes. */
export const MAX_ID_LENGTH = 8_000;

/** What the facts of one event and one time add up to. */
interface Moment {
  readonly upserts: Map<string, { node: NodeRef; set: Map<string, Value | null> }>;
  readonly removes: Map<string, NodeRef>;
  readonly links: Map<string, { edge: EdgeRef; set: Map<string, Value | null> }>;
  readonly unlinks: Map<string, EdgeRef>;
  readonly replaces: Map<string, { shape: RelationshipShape; owner: NodeRef }>;
  readonly clears: Map<string, { shape: RelationshipShape; owner: NodeRef }>;
  /** (type, owner) → edge id, or undefined after a clear. */
  readonly slots: Map<string, string | undefined>;
}

/**
 * What two bodies under one id are: a `conflict`, which is recorded, or an `edit`, which is ordered by the event's
 * `observedAt` and flagged nowhere.
 */
export type SameId = 'conflict' | 'edit';

type Raw = Readonly<Record<string, unknown>>;

export function resolve(
  model: Model,
  event: Pick<Event, 'source' | 'id' | 'bodyHash'>,
  mapped: Mapped,
  sameId: SameId = 'conflict',
): Resolved {
  checkText(mapped.type, 'type');
  if (mapped.occurrenceId !== undefined) checkText(mapped.occurrenceId, 'occurrenceId');
  const occurredAt = instantAt(mapped.occurredAt, 'occurredAt');
  const saidAt = sameId === 'edit' ? instantAt(mapped.observedAt, 'observedAt') : occurredAt;
  const reader = createReader(model, event.source);
  const moments = new Map<bigint, Moment>();
  const sets = new Set<string>();
  let latest = saidAt > occurredAt ? saidAt : occurredAt;
  let subject: NodeRef | undefined;
  mapped.facts.forEach((fact, index) => {
    const [entry, ...others]: [string, Raw][] = Object.entries(fact);
    // TypeScript lets one object be several members of a union, and only one of them would be heard.
    if (entry === undefined || others.length > 0)
      throw bad(`facts[${index}]`, 'expected exactly one of upsert, remove, link, unlink, replace, clear');
    const [kind, said] = entry;
    const path = `facts[${index}].${kind}`;
    const at = said['at'] === undefined ? saidAt : instantAt(said['at'], `${path}.at`);
    if (at > latest) latest = at;
    let moment = moments.get(at);
    if (moment === undefined) moments.set(at, (moment = emptyMoment()));
    const root = collect(moment, kind, said, path, reader, sets);
    subject ??= root;
  });
  if (mapped.subject !== undefined) subject = reader.node(mapped.subject.node, mapped.subject.key, 'subject');
  const sequence = sequenceOf(mapped.sequence);
  const key = eventKey(event.source, event.id);
  const facts: AtomicFact[] = [];
  for (const [time, moment] of moments) emit(facts, moment, { time, sequence, rank: 0, key, bodyHash: event.bodyHash });
  return {
    type: mapped.type,
    occurrenceId: mapped.occurrenceId,
    occurredAt,
    latest,
    facts,
    subject: subject?.id,
    entities: [...reader.seen.keys()],
  };
}

/** Files one fact under its moment; returns the node that it is about. */
function collect(moment: Moment, kind: string, said: Raw, path: string, reader: Reader, sets: Set<string>): NodeRef {
  switch (kind) {
    case 'upsert': {
      const node = reader.node(said['node'], said['key'], path);
      const seen = moment.upserts.get(node.id);
      const set = seen?.set ?? new Map<string, Value | null>();
      if (seen === undefined) moment.upserts.set(node.id, { node, set });
      reader.assign(set, node.shape.properties, said['set'], `${path}.set`);
      return node;
    }
    case 'remove': {
      const node = reader.node(said['node'], said['key'], path);
      if (!node.shape.removable) throw bad(`${path}.node`, `${node.shape.label} is not removable`);
      moment.removes.set(node.id, node);
      return node;
    }
    case 'link': {
      const shape = reader.relationship(said['relationship'], path);
      const edge = putLink(moment, shape, reader.end(shape.from, said['from'], `${path}.from`), said, path, reader);
      return shape.one === undefined ? edge.from : slotOwner(edge);
    }
    case 'unlink': {
      const shape = reader.relationship(said['relationship'], path);
      const from = reader.end(shape.from, said['from'], `${path}.from`);
      const edge = reader.edge(shape, from, said, path);
      moment.unlinks.set(edge.id, edge);
      return shape.one === undefined ? edge.from : slotOwner(edge);
    }
    case 'replace': {
      const shape = reader.relationship(said['relationship'], path);
      if (!shape.replace) throw bad(`${path}.relationship`, `${shape.type} does not declare replace`);
      const owner = reader.end(shape.from, said['from'], `${path}.from`);
      const slot = `${shape.type} ${owner.id}`;
      if (sets.has(slot)) throw bad(path, `the set ${shape.type} of ${owner.id} is given twice in one event`);
      sets.add(slot);
      moment.replaces.set(slot, { shape, owner });
      (said['links'] as readonly Raw[]).forEach((link, i) => putLink(moment, shape, owner, link, `${path}.links[${i}]`, reader));
      return owner;
    }
    case 'clear': {
      const shape = reader.relationship(said['relationship'], path);
      if (shape.owner === undefined) throw bad(`${path}.relationship`, `${shape.type} is not to-one; use unlink or replace`);
      const owner = reader.end(shape[shape.owner], said['owner'], `${path}.owner`);
      const slot = `${shape.type} ${owner.id}`;
      moment.clears.set(slot, { shape, owner });
      moment.slots.set(slot, undefined);
      return owner;
    }
    default:
      throw bad(path, `no fact is called ${kind}`);
  }
}

function putLink(moment: Moment, shape: RelationshipShape, from: NodeRef, said: Raw, path: string, reader: Reader): EdgeRef {
  const edge = reader.edge(shape, from, said, path);
  const seen = moment.links.get(edge.id);
  const set = seen?.set ?? new Map<string, Value | null>();
  if (seen === undefined) moment.links.set(edge.id, { edge, set });
  reader.assign(set, shape.properties, said['set'], `${path}.set`);
  if (shape.one !== undefined) moment.slots.set(`${shape.type} ${slotOwner(edge).id}`, edge.id);
  return edge;
}

function emit(out: AtomicFact[], moment: Moment, clock: Clock): void {
  for (const { node, set } of moment.upserts.values()) {
    const rank = rankOf(node.shape, set);
    out.push({ kind: 'upsert', clock: rank === 0 ? clock : { ...clock, rank }, node, set });
  }
  for (const node of moment.removes.values()) out.push({ kind: 'remove', clock: { ...clock, rank: REMOVE_RANK }, node });
  for (const edge of moment.unlinks.values()) out.push({ kind: 'unlink', clock, edge });
  for (const { shape, owner } of moment.replaces.values()) out.push({ kind: 'replace', clock, shape, owner });
  for (const [slot, { shape, owner }] of moment.clears)
    if (moment.slots.get(slot) === undefined) out.push({ kind: 'clear', clock, shape, owner });
  for (const [id, { edge, set }] of moment.links) {
    const takesSlot = edge.shape.one !== undefined && moment.slots.get(`${edge.shape.type} ${slotOwner(edge).id}`) === id;
    out.push({ kind: 'link', clock, edge, set, takesSlot });
  }
}

/** The declared rank of the status that is left after collapsing, plus one; 0 for none. */
function rankOf(shape: NodeShape, set: Assignments): number {
  if (shape.tieBreak === undefined) return 0;
  const status = set.get(shape.tieBreak.property);
  return typeof status === 'string' ? (shape.tieBreak.ranks.get(status) ?? 0) : 0;
}

interface Reader {
  readonly seen: Map<string, NodeRef>;
  node(label: unknown, key: unknown, path: string): NodeRef;
  end(shape: NodeShape, key: unknown, path: string): NodeRef;
  relationship(type: unknown, path: string): RelationshipShape;
  /** From `said.to` and `said.key`. */
  edge(shape: RelationshipShape, from: NodeRef, said: Raw, path: string): EdgeRef;
  assign(into: Map<string, Value | null>, declared: ReadonlyMap<string, PropertyType>, set: unknown, path: string): void;
}

function createReader(model: Model, source: string): Reader {
  const seen = new Map<string, NodeRef>();

  function parts(declared: readonly Part[], key: unknown, path: string): readonly Scalar[] {
    const given = (key ?? {}) as Raw;
    const out: Scalar[] = [];
    for (const { name, type } of declared) {
      const input = given[name] ?? (name === 'source' ? source : undefined);
      if (input === undefined) throw bad(`${path}.${name}`, 'this key part is required');
      const read = readValue(type, input);
      if ('problem' in read) throw bad(`${path}.${name}`, read.problem);
      if (read.value === '') throw bad(`${path}.${name}`, 'a key part cannot be empty');
      out.push(read.value as Scalar);
    }
    for (const name of Object.keys(given))
      if (!declared.some((part) => part.name === name)) throw bad(`${path}.${name}`, 'no such key part in the model');
    return out;
  }

  function end(shape: NodeShape, key: unknown, path: string): NodeRef {
    const ref = nodeRef(shape, parts(shape.key, key, path));
    const known = seen.get(ref.id);
    if (known !== undefined) return known;
    checkLength(ref.id, path);
    seen.set(ref.id, ref);
    return ref;
  }

  return {
    seen,
    end,
    edge(shape, from, said, path) {
      const edge = edgeRef(shape, from, end(shape.to, said['to'], `${path}.to`), parts(shape.key, said['key'], `${path}.key`));
      checkLength(edge.id, path);
      return edge;
    },
    node(label, key, path) {
      const shape = model.nodes.get(String(label));
      if (shape === undefined) throw bad(`${path}.node`, `no label ${JSON.stringify(label)} in the model`);
      return end(shape, key, `${path}.key`);
    },
    relationship(type, path) {
      const shape = model.relationships.get(String(type));
      if (shape === undefined) throw bad(`${path}.relationship`, `no relationship ${JSON.stringify(type)} in the model`);
      return shape;
    },
    assign(into, declared, set, path) {
      for (const [name, input] of Object.entries((set ?? {}) as Raw)) {
        const type = declared.get(name);
        if (type === undefined) throw bad(`${path}.${name}`, 'no such property in the model');
        if (input === undefined) continue;
        into.set(name, input === null ? nullFor(type, `${path}.${name}`) : joined(type, into.get(name), input, `${path}.${name}`));
      }
    },
  };
}

function checkLength(id: string, path: string): void {
  if (id.length > MAX_ID_LENGTH)
    throw bad(path, `the key is too long: ${id.length} characters once encoded, and an index takes at most ${MAX_ID_LENGTH}`);
}

function nullFor(type: PropertyType, path: string): null {
  if (type.rule !== 'last') throw bad(path, `null cannot clear a property that keeps the ${type.rule}`);
  return null;
}

/** Two values for one property in one event at one time: the later wins, or they join by the property's rule. */
function joined(type: PropertyType, before: Value | null | undefined, input: unknown, path: string): Value {
  const read = readValue(type, input);
  if ('problem' in read) throw bad(path, read.problem);
  if (before === undefined || before === null) return read.value;
  return joinValues(type, before, read.value);
}

/** The join of two values under a property's rule; `first` keeps a, `last` takes b. */
export function joinValues(type: PropertyType, a: Value, b: Value): Value {
  switch (type.rule) {
    case 'last':
      return b;
    case 'first':
      return a;
    case 'min':
      return compareScalars(a as Scalar, b as Scalar) <= 0 ? a : b;
    case 'max':
      return compareScalars(a as Scalar, b as Scalar) >= 0 ? a : b;
    case 'union':
      return sortedSet([...(a as readonly Scalar[]), ...(b as readonly Scalar[])]);
    case 'ranked': {
      const ranks = type.ranks ?? [];
      return ranks.indexOf(a as string) >= ranks.indexOf(b as string) ? a : b;
    }
  }
}

/** A user's mapping may say anything; what is no text would not fit the ledger. */
function checkText(input: unknown, path: string): void {
  if (typeof input !== 'string' || !input.isWellFormed()) throw bad(path, 'expected text');
}

function instantAt(input: unknown, path: string): bigint {
  const nanos = typeof input === 'string' ? parseInstant(input) : undefined;
  if (nanos === undefined) throw new IngestError('NO_CLOCK', `${path}: no usable time (RFC 3339 with Z or offset)`, { path });
  return nanos;
}

function sequenceOf(input: number | bigint | undefined): bigint {
  if (input === undefined) return 0n;
  const ok = typeof input === 'bigint' ? input >= 0n : Number.isSafeInteger(input) && input >= 0;
  if (!ok) throw bad('sequence', 'expected an integer of 0 or more');
  return BigInt(input);
}

function emptyMoment(): Moment {
  return {
    upserts: new Map(),
    removes: new Map(),
    links: new Map(),
    unlinks: new Map(),
    replaces: new Map(),
    clears: new Map(),
    slots: new Map(),
  };
}

function bad(path: string, problem: string): IngestError {
  return new IngestError('BAD_VALUE', `${path}: ${problem}`, { path });
}
