/**
 * Random histories for any model. Few nodes, few times and few values, so that ties, races and returns are the rule;
 * and a bias towards the stories that break naive merges: told early, removed in between, linked late.
 */
import type { Mapped } from '../model/facts.ts';
import { clear, edgeFact, MOST_KEYS, remove, replace, upsert, type Cast } from './generate-facts.ts';
import { choosePlot, type Plot } from './generate-plots.ts';
import { createRandomValues, type RandomValues } from './generate-values.ts';
import type { Model, NodeShape, RelationshipShape } from '../model/model.ts';
import type { Random } from './random.ts';
import { toFact, type RawFact, type Told } from './told.ts';

export interface GenerateOptions {
  readonly events: number;
  /** Begins every key and event id, so that many histories can live side by side in one database. Default ''. */
  readonly prefix?: string;
  /** Default: one or two of `acme` and `beta`. */
  readonly sources?: readonly string[];
}

/** A set of events, each legal under the model. The same random state gives the same history. */
export function generate(random: Random, model: Model, options: GenerateOptions): Told[] {
  const prefix = options.prefix ?? '';
  const values = createRandomValues(random, prefix);
  const sources = options.sources ?? (random.chance(0.15) ? ['acme', 'beta'] : ['acme']);
  const plot = choosePlot(random, model);
  const cast = chooseCast(random, model, values, sources, plot);
  const told = plot?.tell(random, cast, values) ?? [];
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

function chooseCast(random: Random, model: Model, values: RandomValues, sources: readonly string[], plot: Plot | undefined): Cast {
  const relationships = plot?.relationships ?? random.shuffle([...model.relationships.values()], random.pick([1, 1, 1, 2]));
  const shapes = new Set(relationships.flatMap(({ from, to }) => [from, to]));
  if (shapes.size === 0 || random.chance(0.05)) shapes.add(random.pick([...model.nodes.values()]));
  const keys = new Map([...shapes].map((shape) => [shape, values.keys(shape.key, random.pick([1, 1, 2, 2, MOST_KEYS]), sources)]));
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
