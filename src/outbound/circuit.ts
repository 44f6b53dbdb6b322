/**
 * Whether somebody is to be asked now, by what became of earlier requests. One for each whom we ask.
 *   open ──three things fail, or Retry-After──▶ closed ──time is up──▶ one request at a time ──an answer──▶ open
 */
import { backOffMs } from '../back-off.ts';
import { IngestError } from '../errors.ts';

export interface CircuitOptions {
  /** Requests at once while it is open. */
  readonly width: number;
  /** Between two tries: doubled from `minDelayMs` (500) up to `maxDelayMs` (60,000). */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  /** No answer for some time, or told to wait: nobody is asked for so long. */
  readonly onLost?: (outage: { readonly reason: string; readonly delayMs: number }) => void;
  readonly onFound?: (outage: { readonly outageMs: number }) => void;
  readonly now?: () => number;
}

export interface Circuit {
  /** Requests that may be under way now; 0 while it is closed. */
  width(): number;
  /** Milliseconds since the epoch; in the past while it is open. */
  closedUntilMs(): number;
  answered(): void;
  /** `thing` names what was asked for: one that fails alone closes nothing, nor do any number whose context says `isRefused`: somebody answered. A failure whose context has `waitMs` closes for so long. Returns whether this closed it. */
  failed(thing: string, failure: unknown): boolean;
  /** How long to wait before try `attempt` + 1, with jitter. */
  delayMs(attempt: number): number;
}

/** So many things without an answer since the last one, and whoever is asked counts as away. One bad object is not an outage. */
const FAILURES = 3;

export function createCircuit(options: CircuitOptions): Circuit {
  const { minDelayMs = 500, maxDelayMs = 60_000, now = Date.now } = options;
  /** Things that had no answer since the last answer, and how often it was closed for that. */
  const without = new Set<string>();
  let closings = 0;
  let lostMs: number | undefined;
  let closedUntilMs = 0;

  const delayMs = (attempt: number): number => backOffMs(attempt, minDelayMs, maxDelayMs);

  function close(ms: number, reason: string): void {
    closedUntilMs = now() + ms;
    if (lostMs === undefined) options.onLost?.({ reason, delayMs: Math.round(ms) });
    lostMs ??= now();
  }

  return {
    width: () => (now() < closedUntilMs ? 0 : without.size >= FAILURES ? 1 : options.width),
    closedUntilMs: () => closedUntilMs,
    answered() {
      if (lostMs !== undefined) options.onFound?.({ outageMs: now() - lostMs });
      without.clear();
      closings = 0;
      lostMs = undefined;
    },
    failed(thing, failure) {
      if (failure instanceof IngestError && failure.context['isRefused'] === true) return false;
      without.add(thing);
      const reason = failure instanceof Error ? failure.message : 'failed';
      const waitMs = failure instanceof IngestError ? failure.context['waitMs'] : undefined;
      if (typeof waitMs === 'number') close(waitMs, reason);
      else if (without.size >= FAILURES) close(delayMs((closings += 1)), reason);
      else return false;
      return true;
    },
    delayMs,
  };
}
