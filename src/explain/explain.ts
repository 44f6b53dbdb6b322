/**
 * Why the graph says of a node what it says: which event won every property and relationship, what all others said, and
 * why they lost. The registers name the winners; the events that mention the node are mapped again to see the losers.
 */
import { IngestError } from '../errors.ts';
import { readEntity, type Entity } from '../graph/entity.ts';
import type { Bolt } from '../graph/driver.ts';
import type { EventReader } from '../graph/events.ts';
import type { Found } from '../graph/event-view.ts';
import { readTransaction } from '../graph/read-transaction.ts';
import { mapEvent } from '../map.ts';
import { compareClocks, type Clock } from '../model/clock.ts';
import { formatInstant } from '../model/instant.ts';
import type { Model } from '../model/model.ts';
import { parseNodeId, slotOwner, type EdgeRef, type NodeRef } from '../model/refs.ts';
import type { Assignments, AtomicFact } from '../model/resolve.ts';
import { exists, type EdgeState, type NodeState, type Register } from '../model/state.ts';
import type { PropertyType, Scalar, Value } from '../model/values.ts';
import type { Source } from '../sources/source.ts';
import { createNaming, whyLost, whyNotLinked, type Cause, type Ending, type Naming } from './why.ts';

export type { Cause } from './why.ts';

/** What one event said. */
export interface Statement {
  readonly by: Cause;
  /** Null: that there is none. Absent where the statement is about the relationship as such. */
  readonly value?: unknown;
  /** `part`: of a union, it is one of several. */
  readonly outcome: 'won' | 'part' | 'lost';
  /** Why it lost; null where it did not. */
  readonly because: string | null;
}

export interface PropertyStory {
  readonly name: string;
  readonly rule: PropertyType['rule'];
  readonly value: unknown;
  /** Null where nobody's word holds. */
  readonly by: Cause | null;
  /** The newest first. */
  readonly said: readonly Statement[];
}

export interface EdgeStory {
  /** `Customer/shop/7-[PLACED]->Order/shop/1001` */
  readonly relationship: string;
  readonly type: string;
  /** `waiting`: for one of its ends. */
  readonly state: 'present' | 'waiting' | 'ended';
  readonly by: Cause | null;
  readonly said: readonly Statement[];
  readonly properties: readonly PropertyStory[];
}

export interface Explanation {
  readonly entity: string;
  /** `unseen`: nothing that the ledger holds brought it to life. */
  readonly state: 'present' | 'removed' | 'unseen';
  /** The newest event by which it exists. */
  readonly existsBy: Cause | null;
  readonly removedBy: Cause | null;
  readonly properties: readonly PropertyStory[];
  readonly relationships: readonly EdgeStory[];
  /** Every event that mentions it, the newest first. */
  readonly events: readonly Cause[];
  /** There are more events or relationships than were read. */
  readonly more: boolean;
}

export interface Explainer {
  /** Of a node such as `Order/acme-shopify/1001`, each part percent-encoded. Throws `BAD_REQUEST` for what the model does not have. */
  explain(entity: string): Promise<Explanation>;
}

const MAX_EVENTS = 500;
const MAX_EDGES = 500;
const TIMEOUT_MS = 30_000;

export function createExplainer(
  bolt: Bolt,
  model: Model,
  { events, sources }: { readonly events: Pick<EventReader, 'mentions'>; readonly sources: ReadonlyMap<string, Source> },
): Explainer {
  return {
    async explain(id) {
      const ref = parseNodeId(model, id);
      if (ref === undefined) throw new IngestError('BAD_REQUEST', `${id} is no node of the model`, { path: 'entity' });
      const [entity, { found, more }] = await Promise.all([
        readTransaction(bolt, TIMEOUT_MS, (tx) => readEntity(tx, model, ref, MAX_EDGES)),
        events.mentions(ref.id, MAX_EVENTS),
      ]);
      return { ...explain(entity, found, sources), more: more || entity.moreEdges };
    },
  };
}

/** Of one property, or relationships of one type; of the former perhaps only what said this value. */
export function narrow(
  found: Explanation,
  { about, value }: { readonly about?: string | undefined; readonly value?: string | undefined },
): Explanation {
  if (about === undefined) return found;
  const properties = found.properties.filter(({ name }) => name === about);
  return {
    ...found,
    properties:
      value === undefined
        ? properties
        : properties.map((one) => ({ ...one, said: one.said.filter((said) => textOf(said.value) === value) })),
    relationships: found.relationships.filter(({ type }) => type === about),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A fact, and the event that it is of. */
interface Said {
  readonly fact: AtomicFact;
  readonly found: Found;
}

/** Pure. */
export function explain(entity: Entity, found: readonly Found[], sources: ReadonlyMap<string, Source>): Explanation {
  const { node } = entity;
  const said = found
    .flatMap((one) => factsOf(one, sources).map((fact): Said => ({ fact, found: one })))
    .toSorted((a, b) => compareClocks(b.fact.clock, a.fact.clock));
  const name = createNaming(found);
  return {
    entity: node.ref.id,
    state: exists(node) ? 'present' : node.removed === undefined ? 'unseen' : 'removed',
    existsBy: name.maybe(node.asserted),
    removedBy: name.maybe(node.removed),
    properties: propertiesOf(node, said, name),
    relationships: edgesOf(entity, said, name),
    events: found.map((one) => name.event(one)).toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)),
    more: false,
  };
}

/** What today's mapping says of an event; nothing where it cannot be mapped, or its source is gone. */
function factsOf({ entry, state }: Found, sources: ReadonlyMap<string, Source>): readonly AtomicFact[] {
  if (state === 'erased' || !sources.has(entry.event.source)) return [];
  return mapEvent({ job: 'explain', index: 0, of: 1, event: entry.event }, { sources, maxFutureMs: FOR_EVER_MS }).facts;
}

const FOR_EVER_MS = 1e14;

function propertiesOf(node: NodeState, said: readonly Said[], name: Naming): PropertyStory[] {
  const own = said.flatMap(({ fact, found }) =>
    fact.kind === 'upsert' && fact.node.id === node.ref.id ? [{ clock: fact.clock, set: fact.set, found }] : [],
  );
  const endings: Ending[] = [{ clock: node.removed, what: 'the removal' }];
  return storiesOf(node.ref.shape.properties, node.properties, own, endings, name);
}

interface Setting {
  readonly clock: Clock;
  readonly set: Assignments;
  readonly found: Found;
}

function storiesOf(
  types: ReadonlyMap<string, PropertyType>,
  registers: ReadonlyMap<string, Register>,
  settings: readonly Setting[],
  endings: readonly Ending[],
  name: Naming,
): PropertyStory[] {
  return [...types].flatMap(([property, type]): PropertyStory[] => {
    const register = registers.get(property);
    const said = settings.flatMap(({ clock, set, found }): Statement[] => {
      const value = set.get(property);
      if (value === undefined) return [];
      const over = type.rule === 'last' ? endings : []; // Accumulating properties are for life.
      const because = whyLost({ clock, value, found }, type, register, over, name);
      const outcome = because !== null ? 'lost' : type.rule === 'union' ? 'part' : 'won';
      return [{ by: name.of(clock), value: show(type, value), outcome, because }];
    });
    if (register === undefined && said.length === 0) return [];
    const value = register === undefined ? null : show(type, register.value);
    return [{ name: property, rule: type.rule, value, by: name.maybe(register?.clock), said }];
  });
}

function edgesOf({ node, edges }: Entity, said: readonly Said[], name: Naming): EdgeStory[] {
  const known = new Map(edges.map((one) => [one.edge.ref.id, one]));
  const refs = new Map<string, EdgeRef>(edges.map(({ edge }) => [edge.ref.id, edge.ref]));
  for (const { fact } of said) {
    if (fact.kind !== 'link' && fact.kind !== 'unlink') continue;
    if (fact.edge.from.id === node.ref.id || fact.edge.to.id === node.ref.id) refs.set(fact.edge.id, fact.edge);
  }
  return [...refs.values()]
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map((ref): EdgeStory => {
      const { edge, visible } = known.get(ref.id) ?? { edge: undefined, visible: false };
      const links = said.flatMap(({ fact, found }) =>
        fact.kind === 'link' && fact.edge.id === ref.id ? [{ clock: fact.clock, set: fact.set, takesSlot: fact.takesSlot, found }] : [],
      );
      const endings = endingsOf(ref, node, edge, said);
      return {
        relationship: ref.id,
        type: ref.shape.type,
        state: visible ? 'present' : edge?.linked === undefined ? 'ended' : 'waiting',
        by: name.maybe(edge?.linked),
        said: links.map(({ clock, found }): Statement => {
          const because = whyNotLinked(clock, found, edge, endings, name);
          return { by: name.of(clock), outcome: because === null ? 'won' : 'lost', because };
        }),
        properties: storiesOf(ref.shape.properties, edge?.properties ?? new Map(), links, endings, name),
      };
    });
}

/** What may have ended an edge, as far as this node and its events tell: of its other end only the registers would know more. */
function endingsOf(ref: EdgeRef, node: NodeState, edge: EdgeState | undefined, said: readonly Said[]): Ending[] {
  const unlinks = said.flatMap(({ fact }) => (fact.kind === 'unlink' && fact.edge.id === ref.id ? [fact.clock] : []));
  const endings: Ending[] = [
    { clock: edge?.unlinked ?? unlinks[0], what: 'the unlink' },
    { clock: node.removed, what: `the removal of ${node.ref.id}` },
  ];
  if (ref.from.id === node.ref.id) endings.push({ clock: node.sets.get(ref.shape.type), what: 'the list', strict: true });
  if (ref.shape.one !== undefined && slotOwner(ref).id === node.ref.id) {
    const slot = node.slots.get(ref.shape.type);
    endings.push({
      clock: slot?.clock,
      what: slot?.edge === undefined ? 'the clearing' : `the link to ${otherEnd(slot.edge, node.ref)}`,
      strict: true,
    });
  }
  return endings;
}

function otherEnd(edge: EdgeRef, node: NodeRef): string {
  return edge.from.id === node.id ? edge.to.id : edge.from.id;
}

/** As JSON: instants as RFC 3339, integers beyond 2^53 as text. */
function show(type: PropertyType, value: Value | null): unknown {
  if (value === null) return null;
  return typeof value === 'object' ? value.map((item) => showScalar(type, item)) : showScalar(type, value as Scalar);
}

function showScalar({ type }: PropertyType, value: Scalar): unknown {
  if (typeof value !== 'bigint') return value;
  if (type === 'time') return formatInstant(value);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
}
