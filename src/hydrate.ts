/**
 * Asking senders for the objects that thin events are about. One lane a source: so many requests at once, a pause where the
 * sender asks for one or does not answer (outbound/circuit.ts), and no source waits for another. One flight an object: whoever
 * wants it before its request has begun shares that request; whoever comes later shares the next one, so that no change is
 * missed. Nothing here is ever given up: what is no answer is asked again.
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';

import { backOffMs } from './back-off.ts';
import { IngestError } from './errors.ts';
import type { Event, Fetched } from './event.ts';
import { decodeUtf8, parseJson, type Json } from './json.ts';
import { answeredAtMs, noAnswer } from './outbound/answer.ts';
import { createCircuit } from './outbound/circuit.ts';
import type { Answer, Outbound } from './outbound/outbound.ts';
import type { Asked } from './queue/aside.ts';
import { atOnce } from './sources/at-once.ts';
import type { Hydrate, Source, Wanted } from './sources/source.ts';

/** What there is to tell; logs and metrics hang here. */
export interface HydrationReport {
  fetched?(fetch: { source: string; status: number; durationMs: number }): void;
  failed?(fetch: { source: string; error: IngestError; durationMs: number }): void;
  /** No answer for some time, or told to wait: nobody asks this sender for so long. */
  lost?(outage: { source: string; reason: string; delayMs: number }): void;
  found?(outage: { source: string; outageMs: number }): void;
}

export interface HydrationOptions {
  readonly sources: ReadonlyMap<string, Source>;
  readonly outbound: Pick<Outbound, 'get'>;
  /** The credentials of a source. */
  readonly tokenOf: (source: string) => string;
  /** Requests at once to one source. Default 4. */
  readonly lanes?: number;
  /** Between two tries of one event: doubled from `minDelayMs` (500) up to `maxDelayMs` (60,000). */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  readonly report?: HydrationReport;
  readonly now?: () => number;
}

export interface Hydration {
  /** Whether an event has to wait for its object. Never throws. */
  wants(event: Event): boolean;
  /** Asks for an event's object; `attempt` counts from one. Throws nothing but what is a fault of ours. */
  ask(event: Event, attempt: number): Promise<Asked>;
  /** Breaks off what is under way: everybody is told to come later. */
  close(): void;
}

export function createHydration(options: HydrationOptions): Hydration {
  const { sources, outbound, tokenOf, now = Date.now, report = {} } = options;
  const lanes = new Map<string, Lane>();
  /** By object: the flight that has not begun yet, and the one that has. */
  const waiting = new Map<string, Promise<Asked>>();
  const running = new Map<string, Promise<Asked>>();
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);

  function laneOf(source: string): Lane {
    let lane = lanes.get(source);
    if (lane === undefined) lanes.set(source, (lane = createLane(source, options)));
    return lane;
  }

  async function fetchCopy(source: string, hydrate: Hydrate, { url }: Wanted): Promise<Fetched> {
    const started = now();
    try {
      const answer = await outbound.get(url, hydrate.headers(tokenOf(source)), closing.signal);
      const copy = copyOf(answer, hydrate, now());
      report.fetched?.({ source, status: copy.status, durationMs: now() - started });
      return copy;
    } catch (error) {
      if (error instanceof IngestError && !closing.signal.aborted) report.failed?.({ source, error, durationMs: now() - started });
      throw error;
    }
  }

  async function fly(key: string, lane: Lane, attempt: number, fetch: () => Promise<Fetched>): Promise<Asked> {
    const before = running.get(key);
    if (before !== undefined) await before.catch(() => undefined);
    const admitted = closing.signal.aborted ? now() : await lane.enter();
    const flight = waiting.get(key);
    waiting.delete(key);
    if (admitted !== 'now') return { is: 'later', atMs: admitted };
    if (flight !== undefined) running.set(key, flight);
    const started = now();
    try {
      const copy = await fetch();
      lane.leave({ tookMs: now() - started });
      return { is: 'fetched', copy };
    } catch (error) {
      lane.leave({ object: key, failure: error });
      if (!(error instanceof IngestError)) throw error;
      return { is: 'later', atMs: lane.retryAt(attempt) };
    } finally {
      if (running.get(key) === flight) running.delete(key);
    }
  }

  return {
    wants: (event) => event.fetched === undefined && wantedBy(sources.get(event.source), event) !== undefined,

    async ask(event, attempt) {
      const hydrate = sources.get(event.source)?.hydrate;
      const wanted = wantedBy(sources.get(event.source), event);
      if (hydrate === undefined || wanted === undefined) return { is: 'unwanted' };
      const key = `${event.source}\n${wanted.object}`;
      const joined = waiting.get(key);
      if (joined !== undefined) return joined;
      const flight = fly(key, laneOf(event.source), attempt, () => fetchCopy(event.source, hydrate, wanted));
      waiting.set(key, flight);
      return flight;
    },

    close() {
      closing.abort();
      for (const lane of lanes.values()) lane.clear();
    },
  };
}

function wantedBy(source: Source | undefined, event: Event): Wanted | undefined {
  if (source?.hydrate === undefined) return undefined;
  try {
    return atOnce(
      source.hydrate.wants(event, () => parseJson(event.body)),
      'wants',
    );
  } catch {
    return undefined; // The mapping will say what is wrong with it.
  }
}

/** The answer as it is kept. Throws `SENDER_UNAVAILABLE` for everything that is no word about the object. */
function copyOf(answer: Answer, hydrate: Hydrate, nowMs: number): Fetched {
  const { status, body } = answer;
  const isWord = status === 200 || status === 404 || status === 410;
  const refuse = (what: string): IngestError => noAnswer(`answered ${status} with something that is not ${what}`, undefined, nowMs);
  // This object is not to be had, which says nothing about the next.
  if (status === 403 && answer.retryAfter === undefined)
    throw new IngestError('SENDER_UNAVAILABLE', 'the sender answered 403', { isRefused: true });
  if (!isWord) throw noAnswer(`answered ${status}`, answer.retryAfter, nowMs);
  const text = readText(body);
  const json = readJson(text);
  if (text === undefined || (status === 200 && json === undefined)) throw refuse('JSON');
  if (hydrate.accepts?.(status, json) === false) throw refuse('about the object');
  return {
    body: text,
    bodyHash: createHash('sha256').update(body).digest('hex'),
    status,
    at: answeredAtMs(answer, nowMs),
  };
}

function readText(body: Buffer): string | undefined {
  try {
    return decodeUtf8(body);
  } catch {
    return undefined;
  }
}

function readJson(text: string | undefined): Json | undefined {
  try {
    return text === undefined ? undefined : parseJson(text);
  } catch {
    return undefined;
  }
}

interface Lane {
  /** `now`, or when to come again: the lane is closed, or too many wait already. */
  enter(): Promise<'now' | number>;
  /** After `now`, once. */
  leave(end: { readonly tookMs: number } | { readonly object: string; readonly failure: unknown }): void;
  /** When an event whose try has failed may come again. */
  retryAt(attempt: number): number;
  /** Nobody waits in memory any more. */
  clear(): void;
}

function createLane(
  source: string,
  { lanes: width = 4, minDelayMs = 500, maxDelayMs = 60_000, report = {}, now = Date.now }: HydrationOptions,
): Lane {
  const circuit = createCircuit({
    width,
    minDelayMs,
    maxDelayMs,
    now,
    onLost: (outage) => report.lost?.({ source, ...outage }),
    onFound: (outage) => report.found?.({ source, ...outage }),
  });
  /** So many wait in memory for their turn; the others wait in Redis. */
  const room: ((admitted: 'now' | number) => void)[] = [];
  let busy = 0;
  let tookMs = 250;
  /** Until when the lane's time has been given away to those who were sent to wait in Redis. */
  let bookedMs = 0;

  /** Each gets a time of its own, as far apart as answers come, so that a long queue comes back one by one; those far behind come to ask again. */
  function book(): number {
    const openMs = Math.max(circuit.closedUntilMs(), now());
    const nextMs = Math.max(bookedMs, openMs) + tookMs / width;
    if (nextMs > openMs + maxDelayMs) return Math.ceil(openMs + backOffMs(1, maxDelayMs, maxDelayMs));
    bookedMs = nextMs;
    return Math.ceil(nextMs);
  }

  function clear(): void {
    for (const admit of room.splice(0)) admit(book());
  }

  return {
    async enter() {
      const open = circuit.width();
      if (busy < open) {
        busy += 1;
        return 'now';
      }
      if (open === 0 || room.length >= 2 * width) return book();
      return new Promise((admit) => room.push(admit));
    },
    leave(end) {
      busy -= 1;
      if (!('failure' in end)) {
        tookMs += (end.tookMs - tookMs) / 8;
        circuit.answered();
      } else if (circuit.failed(end.object, end.failure)) clear();
      while (busy < circuit.width() && room.length > 0) {
        busy += 1;
        room.shift()?.('now');
      }
    },
    retryAt: (attempt) => (circuit.width() === 0 ? book() : Math.ceil(now() + circuit.delayMs(attempt))),
    clear,
  };
}
