/**
 * Documents that signatures are checked against: fetched while a delivery waits, and kept. Whoever delivers names the URL,
 * so much of this is about those who name thousands: so many requests at once, one for all who want the same, and what
 * could not be had or vouches for nobody is not asked for again for a while. Those who wait for their turn are drawn by
 * lot, so a crowd can delay the others but not shut them out; and only what a source trusts is kept for long, so it
 * cannot push out what is good. What was good once does not wait behind the crowd when it is asked for again.
 */
import { setMaxListeners } from 'node:events';

import { IngestError } from './errors.ts';
import type { Delivery } from './event.ts';
import type { Outbound } from './outbound/outbound.ts';
import { badSignature } from './sources/signature.ts';
import type { Evidence } from './sources/source.ts';

export interface DocumentsOptions {
  /** Over the origins of all that is evidence. */
  readonly outbound: Pick<Outbound, 'get'>;
  /** Requests at once. Default 4. */
  readonly lanes?: number;
  /** URLs that wait for a lane; beyond, one of them is turned away. Default 256. */
  readonly maxWaiting?: number;
  /** How long a delivery waits, in all. Default 2,500. */
  readonly timeoutMs?: number;
  /** How long a document is believed (a day, or as long as it is trusted), and how long one that failed is not asked for again (10 s). */
  readonly keepMs?: number;
  readonly avoidMs?: number;
  /** A document was asked for: the status of the answer, or an error code. */
  readonly onFetched?: (fetch: { source: string; answer: string; durationMs: number }) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

export interface Documents {
  /** The document that a delivery names. Throws what `urlOf` throws, `BAD_SIGNATURE` for one that is not trusted, `UNAVAILABLE` for one that cannot be had in time. */
  get(evidence: Evidence, delivery: Delivery): Promise<string>;
  /** Breaks off what is under way. */
  close(): void;
}

const MAX_KEPT = 64;
const MAX_AVOIDED = 1_000;

export function createDocuments({
  outbound,
  lanes = 4,
  maxWaiting = 256,
  timeoutMs = 2_500,
  keepMs = 86_400_000,
  avoidMs = 10_000,
  onFetched,
  now = Date.now,
  random = Math.random,
}: DocumentsOptions): Documents {
  /** Beyond `untilMs`, too: then they are the names that are known. */
  const kept = createMemory<{ readonly document: string; readonly untilMs: number }>(MAX_KEPT, now);
  const avoided = createMemory<unknown>(MAX_AVOIDED, now);
  const flights = new Map<string, Promise<string>>();
  const room: { readonly untilMs: number; readonly admit: (isAdmitted: boolean) => void }[] = [];
  let busy = 0;
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);

  const draw = () => room.splice(Math.floor(random() * room.length), 1)[0];

  /** Whether there is a lane now, or was in time. */
  async function enter(): Promise<boolean> {
    if (busy < lanes) {
      busy += 1;
      return true;
    }
    if (room.length >= maxWaiting) draw()?.admit(false);
    return new Promise((admit) => room.push({ untilMs: now() + timeoutMs, admit }));
  }

  function leave(): void {
    for (let next = draw(); next !== undefined; next = draw()) {
      const isAwaited = now() < next.untilMs;
      next.admit(isAwaited);
      if (isAwaited) return;
    }
    busy -= 1;
  }

  /** A known name needs no lane: they are few, and each is asked for once at a time. */
  async function fly(evidence: Evidence, url: string, source: string, isKnown: boolean): Promise<string> {
    if (!isKnown && !(await enter())) throw unavailable('too many are asked for at once');
    try {
      const document = await download(url, source);
      if (!evidence.trusts(document, now())) throw badSignature('what the delivery refers to does not vouch for its sender');
      kept.set(url, { document, untilMs: now() + keepMs }, Infinity);
      return document;
    } catch (error) {
      avoided.set(url, error, avoidMs);
      throw error;
    } finally {
      if (!isKnown) leave();
    }
  }

  async function download(url: string, source: string): Promise<string> {
    const startedMs = now();
    const tell = (answer: string): void => onFetched?.({ source, answer, durationMs: now() - startedMs });
    const { status, body } = await outbound.get(url, { accept: '*/*' }, closing.signal).catch((error: unknown) => {
      tell(error instanceof IngestError ? error.code : 'UNAVAILABLE');
      throw unavailable('it could not be asked for', error);
    });
    tell(String(status));
    if (status !== 200) throw unavailable(`its host answered ${status}`);
    return body.toString('utf8');
  }

  return {
    async get(evidence, delivery) {
      const url = evidence.urlOf(delivery);
      const known = kept.get(url);
      if (known !== undefined && now() < known.untilMs && evidence.trusts(known.document, now())) return known.document;
      const failure = avoided.get(url);
      if (failure !== undefined) throw failure;
      let flight = flights.get(url);
      if (flight === undefined) {
        flight = fly(evidence, url, delivery.source, known !== undefined).finally(() => flights.delete(url));
        flights.set(url, flight);
      }
      return within(timeoutMs, flight);
    },
    close: () => closing.abort(),
  };
}

interface Memory<T> {
  get(key: string): T | undefined;
  set(key: string, value: T, forMs: number): void;
}

/** At most so many; the one that was longest not asked for goes first. */
function createMemory<T>(max: number, now: () => number): Memory<T> {
  const entries = new Map<string, { readonly value: T; readonly untilMs: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      entries.delete(key);
      if (entry === undefined || now() >= entry.untilMs) return undefined;
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, forMs) {
      const [oldest] = entries.size < max ? [] : entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
      entries.set(key, { value, untilMs: now() + forMs });
    },
  };
}

/** The flight goes on when nobody waits any more: the next delivery finds what it brought. */
async function within(ms: number, flight: Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, fail) => {
    timer = setTimeout(() => fail(unavailable(`it was not there within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([flight, late]);
  } finally {
    clearTimeout(timer);
  }
}

function unavailable(problem: string, cause?: unknown): IngestError {
  return new IngestError('UNAVAILABLE', `what the signature is checked against cannot be had: ${problem}`, {}, cause);
}
