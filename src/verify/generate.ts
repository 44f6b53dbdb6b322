/**
 * Random histories for any model. Few nodes, few times and few values, so that ties, races and returns are the rule;
 * and a bias towards the stories that break naive merges: told early, removed in between, linked late.
 */
import type { Mapped } from '../model/facts.ts';
import { createRandomValues, type RandomValues } from './generate-values.ts';
import type { Model, NodeShape, RelationshipShape } from '../model/model.ts';
import type { Random } from './random.ts';
import { toFact, type Raw, type RawFact, type Told } from './told.ts';

export interface GenerateOptions {
  readonly events: number;
  /** Begins every key and event id, so that many histories can live side by side in one database. Default ''. */
  readonly prefix?: string;
  /** Default: one or two of `acme` and `beta`. */
  readonly sources?: readonly string[];
}

/** What one history is about. */
interface Cast {
  readonly relationships: readonly RelationshipShape[];
  readonly keys: ReadonlyMap<NodeShape, readonly Raw[]>;
  readonly names: ReadonlyMap<NodeShape | RelationshipShape, readonly string[]>;
  /** Highest of the few moments at which things happen. */
  readonly moments: number;
  /** How often a fact bears its own time. */
  readonly ownTime: number;
  readonly sequences: boolean;
  readonly story: boolean;
}

type End = 'from' | 'to';

/** A slot whose owner cannot be removed though its holder can, and another relationship that refers to that owner. */
interface Plot {
  readonly slot: RelationshipShape;
  readonly owner: End;
  readonly beside: RelationshipShape;
  /** The end of `beside` that is the owner. */
  readonly refers: End;
}

/** How many histories have a plot. Of 100 000 left to chance one noticed a store that takes an owner it has not read for one without slots; with plots one of 150 does. */
const PLOTTED = 0.1;

/** A set of events, each legal under the model. The same random state gives the same history. */
export function generate(random: Random, model: Model, options: GenerateOptions): Told[] {
  const prefix = options.prefix ?? '';
  const values = createRandomValues(random, prefix);
  const sources = options.sources ?? (random.chance(0.15) ? ['acme', 'beta'] : ['acme']);
  const plot = random.chance(PLOTTED) ? choosePlot(random, model) : undefined;
  const cast = chooseCast(random, model, values, sources, plot);
  const told = plot === undefined ? [] : lateRemoval(random, cast, values, plot);
  const history: Told[] = [];
  for (let i = 0; i < options.events; i++) {
    const moment = 1 + random.below(cast.moments);
    const source = random.pick(sources);
    const twin = random.chance(0.1) && history.length > 0 ? random.pick(history) : undefined;
    const id = twin?.id ?? `${prefix}${random.chance(0.08) ? random.pick(ODD_IDS) : 'e'}${i}`;
    const bodyHash = Array.from({ length: 8 }, () =>
      random
        .below(2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    ).join('');
    history.push({ source: twin?.source ?? source, id, bodyHash, mapped: told[i] ?? mappedAt(random, cast, values, moment) });
  }
  return random.shuffle(history);
}

/** Ids that sort differently by UTF-16 units and by UTF-8 bytes, and ids that the event key escapes. */
const ODD_IDS = ['%', '~', 'é', '\uffee', '😀', 'E'];

/** Undefined where the model has no such slot. */
function choosePlot(random: Random, model: Model): Plot | undefined {
  const all = [...model.relationships.values()];
  const plots = all.flatMap((slot) => {
    const { owner } = slot;
    if (owner === undefined || slot[owner].removable || !slot[otherEnd(owner)].removable) return [];
    return all.flatMap((beside): Plot[] => {
      const ends = beside === slot ? [] : (['from', 'to'] as const).filter((end) => beside[end] === slot[owner]);
      return ends.map((refers) => ({ slot, owner, beside, refers }));
    });
  });
  return plots.length === 0 ? undefined : random.pick(plots);
}

/** The slot is taken; and an older event removes the holder and, in the same breath, refers to the owner. */
function lateRemoval(random: Random, cast: Cast, values: RandomValues, { slot, owner, beside, refers }: Plot): Mapped[] {
  const held = otherEnd(owner);
  const taken = edgeFact(random, cast, values, slot, 'link');
  const reference = edgeFact(random, cast, values, beside, random.pick(['link', 'unlink']));
  const older: RawFact[] = [
    { kind: 'remove', said: { node: slot[held].label, key: taken.said[held] } },
    { ...reference, said: { ...reference.said, [refers]: taken.said[owner] } },
  ];
  const told = (moment: number, facts: readonly RawFact[]): Mapped => ({
    type: 'verify.told',
    occurredAt: values.instant(moment),
    facts: facts.map(toFact),
  });
  return [told(cast.moments, [taken]), told(1 + random.below(cast.moments - 1), older)];
}

function otherEnd(end: End): End {
  return end === 'from' ? 'to' : 'from';
}

function chooseCast(random: Random, model: Model, values: RandomValues, sources: readonly string[], plot: Plot | undefined): Cast {
  const relationships =
    plot === undefined ? random.shuffle([...model.relationships.values()], random.pick([1, 1, 1, 2])) : [plot.slot, plot.beside];
  const shapes = new Set(relationships.flatMap(({ from, to }) => [from, to]));
  if (shapes.size === 0 || random.chance(0.05)) shapes.add(random.pick([...model.nodes.values()]));
  const keys = new Map([...shapes].map((shape) => [shape, values.keys(shape.key, random.pick([1, 1, 2, 2, 3]), sources)]));
  const names = new Map([...shapes, ...relationships].map((shape) => [shape, favourites(random, shape)]));
  const story = random.chance(0.4);
  return {
    relationships,
    keys,
    names,
    story,
    moments: story ? 7 : random.pick([2, 3, 4, 6]),
    ownTime: random.pick([0, 0, 0.3, 0.6]),
    sequences: random.chance(0.2),
  };
}

/** Two properties a history, so that events meet in them; the one that breaks ties more often than others. */
function favourites(random: Random, shape: NodeShape | RelationshipShape): readonly string[] {
  const names = random.shuffle([...shape.properties.keys()], 2);
  const breaker = 'tieBreak' in shape ? shape.tieBreak?.property : undefined;
  return breaker !== undefined && random.chance(0.3) ? [...new Set([breaker, ...names])] : names;
}

function mappedAt(random: Random, cast: Cast, values: RandomValues, moment: number): Mapped {
  const facts: RawFact[] = [];
  const sets = new Set<string>(); // by type alone: two keys may name one owner in different words
  for (let left = random.pick(cast.story ? [1, 1, 2, 2] : [1, 1, 2, 3]); left > 0; left--) {
    const own = random.chance(cast.ownTime) ? 1 + random.below(cast.moments) : undefined;
    const fact = cast.story && random.chance(0.85) ? storyFact(random, cast, values, own ?? moment) : anyFact(random, cast, values);
    // One event gives each set once; an envelope that gives it twice is refused.
    const set = fact.kind === 'replace' ? String(fact.said['relationship']) : undefined;
    if (set !== undefined && sets.has(set)) continue;
    if (set !== undefined) sets.add(set);
    facts.push(own === undefined ? fact : { ...fact, said: { ...fact.said, at: values.instant(own) } });
  }
  const sequence = cast.sequences && random.chance(0.6) ? { sequence: random.below(3) } : {};
  return { type: 'verify.told', occurredAt: values.instant(moment), ...sequence, facts: facts.map(toFact) };
}

function anyFact(random: Random, cast: Cast, values: RandomValues): RawFact {
  const shape = random.pick([...cast.keys.keys()]);
  const x = random.next();
  const relationship = cast.relationships.length === 0 ? undefined : random.pick(cast.relationships);
  if (relationship === undefined || x < 0.24) return upsert(random, cast, values, shape);
  if (x < 0.4) return shape.removable ? remove(random, cast, shape) : upsert(random, cast, values, shape);
  if (x < 0.52) return edgeFact(random, cast, values, relationship, 'unlink');
  if (x < 0.7 && relationship.replace) return replace(random, cast, values, relationship);
  if (x > 0.87 && relationship.owner !== undefined) return clear(random, cast, relationship);
  return edgeFact(random, cast, values, relationship, 'link');
}

/** Told early, removed in between, linked late. */
function storyFact(random: Random, cast: Cast, values: RandomValues, moment: number): RawFact {
  if (cast.relationships.length === 0) return anyFact(random, cast, values);
  const relationship = random.pick(cast.relationships);
  const end = random.chance(0.5) ? relationship.from : relationship.to;
  const x = random.next();
  if (moment <= 2) return x < 0.8 ? upsert(random, cast, values, end) : edgeFact(random, cast, values, relationship, 'link');
  if (moment <= 4) {
    if (x < 0.5 && end.removable) return remove(random, cast, end);
    return x < 0.7 ? upsert(random, cast, values, end) : edgeFact(random, cast, values, relationship, 'unlink');
  }
  if (x < 0.2 && relationship.replace) return replace(random, cast, values, relationship);
  if (x < 0.8) return edgeFact(random, cast, values, relationship, 'link');
  return x < 0.93 ? upsert(random, cast, values, end) : edgeFact(random, cast, values, relationship, 'unlink');
}

function upsert(random: Random, cast: Cast, values: RandomValues, shape: NodeShape): RawFact {
  return { kind: 'upsert', said: { node: shape.label, key: keyOf(random, cast, shape), ...setOf(random, cast, values, shape) } };
}

function remove(random: Random, cast: Cast, shape: NodeShape): RawFact {
  return { kind: 'remove', said: { node: shape.label, key: keyOf(random, cast, shape) } };
}

function edgeFact(random: Random, cast: Cast, values: RandomValues, shape: RelationshipShape, kind: 'link' | 'unlink'): RawFact {
  const from = keyOf(random, cast, shape.from);
  const to = keyOf(random, cast, shape.to);
  const said = { relationship: shape.type, from, to, ...values.edgeKey(shape.key) };
  return { kind, said: kind === 'link' ? { ...said, ...setOf(random, cast, values, shape) } : said };
}

function replace(random: Random, cast: Cast, values: RandomValues, shape: RelationshipShape): RawFact {
  const links = Array.from({ length: random.pick([0, 1, 1, 2]) }, () => ({
    to: keyOf(random, cast, shape.to),
    ...values.edgeKey(shape.key),
    ...setOf(random, cast, values, shape),
  }));
  return { kind: 'replace', said: { relationship: shape.type, from: keyOf(random, cast, shape.from), links } };
}

function clear(random: Random, cast: Cast, shape: RelationshipShape): RawFact {
  return { kind: 'clear', said: { relationship: shape.type, owner: keyOf(random, cast, shape.owner === 'to' ? shape.to : shape.from) } };
}

function keyOf(random: Random, cast: Cast, shape: NodeShape): Raw {
  return random.pick(cast.keys.get(shape) ?? []);
}

function setOf(random: Random, cast: Cast, values: RandomValues, shape: NodeShape | RelationshipShape): { set?: Raw } {
  const names = (cast.names.get(shape) ?? []).filter(() => random.chance(0.5));
  if (names.length === 0) return {};
  const tieBreak = 'tieBreak' in shape ? shape.tieBreak : undefined;
  return {
    set: Object.fromEntries(
      names.map((name) => [
        name,
        values.property(shape.properties.get(name), name === tieBreak?.property ? [...tieBreak.ranks.keys()] : []),
      ]),
    ),
  };
}
