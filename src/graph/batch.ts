/** The events of one batch on their way through the store: taken from the queue, told by their mapping, judged by the ledger, concluded. */
import type { Event, State } from '../event.ts';
import type { Resolved, SameId } from '../model/resolve.ts';
import type { LedgerError } from './segment.ts';

/** An event and the place in the queue that it came from: `of` says how many came with it. */
export interface Taken {
  readonly job: string;
  readonly index: number;
  readonly of: number;
  readonly event: Event;
  /** Its key in the ledger where that is known to differ from `source:id` (a conflict's suffix). */
  readonly ledgerKey?: string;
}

/** What the store needs to know of a mapped event. */
export interface Spoken {
  readonly key: string;
  readonly intake: Taken;
  readonly mapping: string;
  readonly sameId: SameId;
  readonly type: string | undefined;
  readonly resolved: Resolved | undefined;
  readonly error: LedgerError | undefined;
}

/** Its facts, if it has any, are folded in this transaction. `row`: whether the ledger has it already and only its state moves (a released quarantine). */
export interface Fresh<S extends Spoken = Spoken> {
  readonly told: S;
  readonly is: 'fresh';
  /** Its key in the ledger. */
  readonly key: string;
  readonly conflict: boolean;
  readonly row: 'new' | 'kept';
}

/** The ledger has this very body. `repeated`: by the same job, which is done again. `late`: it was taken in twice. */
export interface Known<S extends Spoken = Spoken> {
  readonly told: S;
  readonly is: 'late' | 'repeated';
}

/** What the ledger says of an event of the batch. */
export type Judged<S extends Spoken = Spoken> = Fresh<S> | Known<S>;

/** What became of an event in this batch: its state, or that it was known already. */
export type Outcome = State | Known['is'];

/** A judged event and what became of it. */
export type Concluded<S extends Spoken = Spoken> =
  | (Fresh<S> & { readonly outcome: State })
  | (Known<S> & { readonly outcome: Known['is'] });
