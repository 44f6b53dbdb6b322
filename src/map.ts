/** The first step of `apply`: from an event as taken in to its facts, or to the reason why it has none. Reads and writes nothing. */
import { IngestError } from './errors.ts';
import { eventKey } from './event.ts';
import type { Spoken, Taken } from './graph/batch.ts';
import type { LedgerError } from './graph/segment.ts';
import { parseJson } from './json.ts';
import { fromMs } from './model/instant.ts';
import { resolve, type AtomicFact } from './model/resolve.ts';
import { atOnce } from './sources/at-once.ts';
import { isIgnored, type Source } from './sources/source.ts';

/** An event on its way into the graph. */
export interface Intake extends Taken {
  /** Why the queue's row could not be read as an event; it is kept as failed. */
  readonly unreadable?: string;
}

/** What an event says. `mapped`: the fold will tell whether it is applied or superseded; all others have no facts. */
export interface Told extends Spoken {
  readonly intake: Intake;
  readonly state: 'mapped' | 'ignored' | 'quarantined' | 'failed';
  readonly facts: readonly AtomicFact[];
}

export interface MapOptions {
  readonly sources: ReadonlyMap<string, Source>;
  /** A time later than receipt by more than this quarantines the event. */
  readonly maxFutureMs: number;
  /** Judged against this instant instead of the receipt: a quarantine that is being released. */
  readonly asOfMs?: number;
}

/** How long a batch may hold up what else this process does: other batches' answers, locks of jobs, health. */
const SLICE_MS = 5;

/**
 * Each event of a batch, in order. Mappings are the user's, and a batch may have thousands: others get their turn in between.
 * Throws `UNKNOWN_SOURCE` as `mapEvent` does.
 */
export async function mapEvents(intake: readonly Intake[], options: MapOptions): Promise<Told[]> {
  const told: Told[] = [];
  let sliceEndsMs = performance.now() + SLICE_MS;
  for (const one of intake) {
    told.push(mapEvent(one, options));
    if (performance.now() < sliceEndsMs) continue;
    await new Promise(setImmediate);
    sliceEndsMs = performance.now() + SLICE_MS;
  }
  return told;
}

/** Throws `UNKNOWN_SOURCE` where these sources lack the event's: then the configuration is at fault, and the event has to wait. */
export function mapEvent(intake: Intake, { sources, maxFutureMs, asOfMs }: MapOptions): Told {
  const { event, unreadable } = intake;
  const source = sources.get(event.source);
  if (source === undefined && unreadable === undefined) throw new IngestError('UNKNOWN_SOURCE', `no source is called ${event.source} here`);
  const base = {
    intake,
    key: eventKey(event.source, event.id),
    mapping: source?.version ?? '',
    sameId: source?.sameId ?? 'conflict',
    type: undefined,
    resolved: undefined,
    facts: [],
  };
  try {
    if (unreadable !== undefined || source === undefined)
      throw new IngestError('BAD_VALUE', `a row of the queue is no event: ${unreadable}`);
    const said = atOnce(source.map(event, parseJson(event.body)), 'map');
    if (typeof said.type !== 'string') throw new IngestError('MAPPING_FAILED', 'the mapping names no type', { path: 'type' });
    if (isIgnored(said)) return { ...base, state: 'ignored', type: said.type, error: undefined };
    const resolved = resolve(source.model, event, said, source.sameId);
    if (resolved.latest > fromMs((asOfMs ?? event.receivedAtMs) + maxFutureMs)) {
      return {
        ...base,
        state: 'quarantined',
        type: resolved.type,
        resolved,
        error: { code: 'FUTURE_STAMP', message: 'a time of this event lies too far in the future' },
      };
    }
    return { ...base, state: 'mapped', type: resolved.type, resolved, facts: resolved.facts, error: undefined };
  } catch (error) {
    return { ...base, state: 'failed', error: reasonOf(error) };
  }
}

/** The same event without its facts: what the ledger keeps when the database refused them. */
export function failed(told: Told, error: unknown): Told {
  return { ...told, state: 'failed', facts: [], error: reasonOf(error) };
}

function reasonOf(error: unknown): LedgerError {
  if (error instanceof IngestError) return { code: error.code, message: error.message, path: error.context.path };
  return { code: 'MAPPING_FAILED', message: error instanceof Error ? error.message : String(error) };
}
