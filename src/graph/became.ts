/** What became of one event, for who has to tell it again; two bodies of one id are two events. */
import { conflictKey, eventKey, type Event, type State } from '../event.ts';
import { readStatement } from './cypher-file.ts';
import type { Bolt } from './driver.ts';
import { errorOf } from './event-view.ts';
import { readTransaction } from './read-transaction.ts';
import { stateOf, unpackSegment } from './segment.ts';

export interface Became {
  readonly state: State;
  /** Code, message and place. Where it failed, and only there. */
  readonly error?: string;
}

/** Undefined when the ledger has no such body under this id. Throws `GRAPH_UNAVAILABLE`. */
export type WhatBecame = (event: Pick<Event, 'source' | 'id' | 'bodyHash'>) => Promise<Became | undefined>;

interface Row {
  hash: string;
  position: bigint;
  state: State | null;
  digit: string;
  error: string | null;
  meta: string | null;
}

const TIMEOUT_MS = 5_000;

export function createWhatBecame(bolt: Bolt): WhatBecame {
  const statement = readStatement('read/what-became');
  return async ({ source, id, bodyHash }) => {
    const key = eventKey(source, id);
    const keys = [key, conflictKey(key, bodyHash)];
    const { records } = await readTransaction(bolt, TIMEOUT_MS, (tx) => tx.run<Row>(statement, { keys }));
    // A row keeps the first half of the hash.
    const row = records.map((record) => record.toObject()).find(({ hash }) => bodyHash.startsWith(hash));
    if (row === undefined) return undefined;
    const state = row.state ?? stateOf(row.digit);
    if (state === undefined) return undefined;
    const entry = row.meta === null ? undefined : unpackSegment(row.meta, '', '')[Number(row.position)];
    const error = entry === undefined ? null : errorOf(entry, state, row.error ?? undefined);
    return error === null ? { state } : { state, error: sentenceOf(error) };
  };
}

/** Most messages name the place themselves. */
function sentenceOf({ code, message, path }: NonNullable<ReturnType<typeof errorOf>>): string {
  return `${code}: ${message}${path === undefined || message.includes(path) ? '' : ` (at ${path})`}`;
}
