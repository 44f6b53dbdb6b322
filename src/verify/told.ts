/** A history: a set of events, each with what its mapping said. The unit that `verify` generates, checks and shrinks. */
import { eventKey } from '../event.ts';
import type { Fact, Mapped } from '../model/facts.ts';

export interface Told {
  readonly source: string;
  readonly id: string;
  readonly bodyHash: string;
  readonly mapped: Mapped;
}

/** In which order, how often and in which batches the events of a history arrive: indexes into it. */
export interface Schedule {
  readonly batches: readonly (readonly number[])[];
}

export type Raw = Readonly<Record<string, unknown>>;

/** A fact without the model's types: what the tools of this folder take apart and put together. */
export interface RawFact {
  readonly kind: 'upsert' | 'remove' | 'link' | 'unlink' | 'replace' | 'clear';
  readonly said: Raw;
}

/** `source:id#bodyHash`: an event's name wherever two bodies may share an id. */
export function nameOf(event: Pick<Told, 'source' | 'id' | 'bodyHash'>): string {
  return `${eventKey(event.source, event.id)}#${event.bodyHash}`;
}

export function factsOf(mapped: Mapped): RawFact[] {
  return mapped.facts.map((fact) => {
    const [kind, said] = Object.entries(fact)[0] as [RawFact['kind'], Raw];
    return { kind, said };
  });
}

/** The other way round. Which names are legal is known to the model at run time only, hence the one cast. */
export function toFact({ kind, said }: RawFact): Fact {
  return { [kind]: said } as unknown as Fact;
}
