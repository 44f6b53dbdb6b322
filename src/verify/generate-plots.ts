/** Plots: pairs of events that chance hardly ever brings together, and that broke a store which reads too little. */
import type { Mapped } from '../model/facts.ts';
import type { Model, NodeShape, RelationshipShape } from '../model/model.ts';
import { edgeFact, MOST_KEYS, upsert, type Cast } from './generate-facts.ts';
import type { RandomValues } from './generate-values.ts';
import type { Random } from './random.ts';
import { toFact, type Raw, type RawFact } from './told.ts';

export interface Plot {
  /** What the history is about. */
  readonly relationships: readonly RelationshipShape[];
  /** Its first events; the rest of the history is left to chance. */
  tell(random: Random, cast: Cast, values: RandomValues): Mapped[];
}

type End = 'from' | 'to';

/**
 * How many histories have each plot. Of 100 000 left to chance one noticed a store that takes an owner it has not read for
 * one without slots; with its plot one of 150 does. A store that reads nothing of a far end went unnoticed by 500.
 */
const PLOTTED = 0.1;

/** Undefined most of the time, and where the model has no relationship for the plot. */
export function choosePlot(random: Random, model: Model): Plot | undefined {
  const x = random.next();
  const plots = x < PLOTTED ? lateRemovals(model) : x < 2 * PLOTTED ? strangers(model) : [];
  return plots.length === 0 ? undefined : random.pick(plots);
}

/**
 * A slot whose owner cannot be removed though its holder can: it is taken; and an older event removes the holder and, in
 * the same breath, refers to the owner by another relationship.
 */
function lateRemovals(model: Model): Plot[] {
  const all = [...model.relationships.values()];
  return all.flatMap((slot) => {
    const { owner } = slot;
    if (owner === undefined || slot[owner].removable || !slot[otherEnd(owner)].removable) return [];
    return all.flatMap((beside): Plot[] => {
      const ends = beside === slot ? [] : (['from', 'to'] as const).filter((end) => beside[end] === slot[owner]);
      return ends.map((refers) => ({
        relationships: [slot, beside],
        tell(random, cast, values) {
          const taken = edgeFact(random, cast, values, slot, 'link');
          const reference = edgeFact(random, cast, values, beside, random.pick(['link', 'unlink']));
          return inTwo(random, cast, values, taken, [
            { kind: 'remove', said: { node: slot[otherEnd(owner)].label, key: taken.said[otherEnd(owner)] } },
            { ...reference, said: { ...reference.said, [refers]: taken.said[owner] } },
          ]);
        },
      }));
    });
  });
}

/**
 * An edge in a slot waits for both of its ends; and an older event tells of the one that has no slot, and takes away in the
 * same breath what is older of it. Of the owner nothing is known but what it remembers; half of the time nobody else speaks of either.
 */
function strangers(model: Model): Plot[] {
  return [...model.relationships.values()].flatMap((slot): Plot[] => {
    const { owner } = slot;
    if (owner === undefined || slot.missing !== 'park') return [];
    const held = otherEnd(owner);
    const tell =
      (strip: (key: unknown) => RawFact): Plot['tell'] =>
      (random, cast, values) => {
        const link = edgeFact(random, cast, values, slot, 'link');
        const ends = { [owner]: strangerKey(values, slot[owner], 0), [held]: strangerKey(values, slot[held], 1) };
        const waiting = random.chance(0.5) ? { ...link, said: { ...link.said, ...ends } } : link;
        const key = waiting.said[held];
        const told = upsert(random, cast, values, slot[held]);
        return inTwo(random, cast, values, waiting, [{ ...told, said: { ...told.said, key } }, strip(key)]);
      };
    const removes = tell((key) => ({ kind: 'remove', said: { node: slot[held].label, key } }));
    const empties = tell((key) => ({ kind: 'replace', said: { relationship: slot.type, from: key, links: [] } }));
    return [
      ...(slot[held].removable ? [{ relationships: [slot], tell: removes }] : []),
      ...(slot.replace && held === 'from' ? [{ relationships: [slot], tell: empties }] : []),
    ];
  });
}

/** A key that the rest of the history does not speak of. */
function strangerKey(values: RandomValues, shape: NodeShape, nth: number): Raw | undefined {
  return values.keys(shape.key, MOST_KEYS + nth + 1, []).at(-1);
}

/** One fact at the last moment, and others at any moment before. */
function inTwo(random: Random, cast: Cast, values: RandomValues, newest: RawFact, older: readonly RawFact[]): Mapped[] {
  const told = (moment: number, facts: readonly RawFact[]): Mapped => ({
    type: 'verify.told',
    occurredAt: values.instant(moment),
    facts: facts.map(toFact),
  });
  return [told(cast.moments, [newest]), told(1 + random.below(cast.moments - 1), older)];
}

function otherEnd(end: End): End {
  return end === 'from' ? 'to' : 'from';
}
