/** Random facts about the few things that one history is about. */
import type { NodeShape, RelationshipShape } from '../model/model.ts';
import type { RandomValues } from './generate-values.ts';
import type { Random } from './random.ts';
import type { Raw, RawFact } from './told.ts';

/** Of one label. */
export const MOST_KEYS = 3;

/** What one history is about. */
export interface Cast {
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

export function upsert(random: Random, cast: Cast, values: RandomValues, shape: NodeShape): RawFact {
  return { kind: 'upsert', said: { node: shape.label, key: keyOf(random, cast, shape), ...setOf(random, cast, values, shape) } };
}

export function remove(random: Random, cast: Cast, shape: NodeShape): RawFact {
  return { kind: 'remove', said: { node: shape.label, key: keyOf(random, cast, shape) } };
}

export function edgeFact(random: Random, cast: Cast, values: RandomValues, shape: RelationshipShape, kind: 'link' | 'unlink'): RawFact {
  const from = keyOf(random, cast, shape.from);
  const to = keyOf(random, cast, shape.to);
  const said = { relationship: shape.type, from, to, ...values.edgeKey(shape.key) };
  return { kind, said: kind === 'link' ? { ...said, ...setOf(random, cast, values, shape) } : said };
}

export function replace(random: Random, cast: Cast, values: RandomValues, shape: RelationshipShape): RawFact {
  const links = Array.from({ length: random.pick([0, 1, 1, 2]) }, () => ({
    to: keyOf(random, cast, shape.to),
    ...values.edgeKey(shape.key),
    ...setOf(random, cast, values, shape),
  }));
  return { kind: 'replace', said: { relationship: shape.type, from: keyOf(random, cast, shape.from), links } };
}

export function clear(random: Random, cast: Cast, shape: RelationshipShape): RawFact {
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
