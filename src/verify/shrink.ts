/** From a history that fails to the smallest part of it that still does. */
import type { Mapped } from '../model/facts.ts';
import { factsOf, toFact, type Raw, type RawFact, type Told } from './told.ts';

/** Greedy: drops events, facts, members, properties, own times and sequences while `fails` stays true. Calls it some hundred times. */
export function shrink(history: readonly Told[], fails: (history: readonly Told[]) => boolean): readonly Told[] {
  let smallest = history;
  for (;;) {
    const next = smallerHistories(smallest).find((candidate) => candidate.length > 0 && fails(candidate));
    if (next === undefined) return smallest;
    smallest = next;
  }
}

/** One step smaller, in every way. */
export function smallerHistories(history: readonly Told[]): Told[][] {
  const without = history.map((_, index) => history.toSpliced(index, 1));
  const within = history.flatMap((event, index) => smallerMapped(event.mapped).map((mapped) => history.with(index, { ...event, mapped })));
  return [...without, ...within];
}

function smallerMapped(mapped: Mapped): Mapped[] {
  const facts = factsOf(mapped);
  const write = (changed: readonly RawFact[]): Mapped => ({ ...mapped, facts: changed.map(toFact) });
  const { sequence, ...plain } = mapped;
  return [
    ...(facts.length > 1 ? facts.map((_, index) => write(facts.toSpliced(index, 1))) : []),
    ...facts.flatMap((fact, index) => smallerSaid(fact.said).map((said) => write(facts.with(index, { ...fact, said })))),
    ...(sequence === undefined ? [] : [plain]),
  ];
}

function smallerSaid(said: Raw): Raw[] {
  const smaller = smallerSet(said);
  if ('at' in said) smaller.push(without(said, 'at'));
  if (Array.isArray(said['links'])) {
    const links = said['links'] as readonly Raw[];
    for (const [index, member] of links.entries()) {
      smaller.push({ ...said, links: links.toSpliced(index, 1) });
      for (const less of smallerSet(member)) smaller.push({ ...said, links: links.with(index, less) });
    }
  }
  return smaller;
}

function smallerSet(said: Raw): Raw[] {
  const set = said['set'] as Raw | undefined;
  if (set === undefined) return [];
  const names = Object.keys(set);
  return names.map((name) => (names.length === 1 ? without(said, 'set') : { ...said, set: without(set, name) }));
}

function without(object: Raw, name: string): Raw {
  return Object.fromEntries(Object.entries(object).filter(([other]) => other !== name));
}
