/** Who may ask: a token in a header, compared by hash in constant time; and who guesses is made to wait. */
import { createHash, timingSafeEqual } from 'node:crypto';

import { IngestError } from '../errors.ts';

/**
 * Passes for any of the live tokens, always: whoever shares an address with somebody who guesses is not shut out. No token
 * configured: the route does not exist (`NOT_FOUND`); missing or wrong: `UNAUTHORIZED`; after too many wrong ones from this address:
 * `RATE_LIMITED`. It is the length of tokens that makes guessing hopeless; the wait keeps it out of the log, and tells who mistypes.
 * `onRefused` hears of a wrong token, for the audit.
 */
export type Check = (given: string | undefined, address: string, onRefused?: (refusal: Refusal) => void) => void;

export interface Refusal {
  readonly address: string;
  /** In a row, this one included. */
  readonly failures: number;
  /** For so long the address is not heard. */
  readonly waitMs: number;
}

/** So many may be typing errors; from then on each doubles the wait. */
const FREE_FAILURES = 10;
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
/** After such a time without a wrong token an address starts afresh. */
const FORGET_MS = 300_000;
/** Beyond so many addresses the one that was quiet for longest is forgotten. */
const MAX_ADDRESSES = 10_000;

interface Guesser {
  readonly failures: number;
  readonly lastAtMs: number;
  readonly waitMs: number;
}

export function createTokenCheck(tokens: readonly string[], now: () => number = () => performance.now()): Check {
  const live = tokens.map(digest);
  const guessers = new Map<string, Guesser>();

  function refuse(address: string, before: Guesser | undefined): Refusal {
    const nowMs = now();
    const failures = (before === undefined || nowMs - before.lastAtMs > FORGET_MS ? 0 : before.failures) + 1;
    const waitMs = failures <= FREE_FAILURES ? 0 : Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - FREE_FAILURES - 1));
    // Deleted first, so that the order of the map is that of the last failures.
    guessers.delete(address);
    guessers.set(address, { failures, lastAtMs: nowMs, waitMs });
    const [oldest] = guessers.keys();
    if (guessers.size > MAX_ADDRESSES && oldest !== undefined) guessers.delete(oldest);
    return { address, failures, waitMs };
  }

  return (given, address, onRefused) => {
    if (live.length === 0) throw new IngestError('NOT_FOUND', 'no such path');
    const mine = digest(given ?? '');
    let matched = false;
    // Every token is compared, so that the time says nothing about which of two is the newer.
    for (const token of live) matched = timingSafeEqual(token, mine) || matched;
    // It forgives nothing: the wrong ones may be somebody else's.
    if (matched && given !== undefined) return;
    const guesser = guessers.get(address);
    const leftMs = guesser === undefined ? 0 : guesser.lastAtMs + guesser.waitMs - now();
    if (leftMs > 0) {
      throw new IngestError('RATE_LIMITED', 'too many wrong tokens came from this address; wait', {
        retryAfterSeconds: Math.ceil(leftMs / 1_000),
      });
    }
    // No token is no guess.
    if (given !== undefined && given !== '') {
      const refusal = refuse(address, guesser);
      onRefused?.(refusal);
    }
    throw new IngestError('UNAUTHORIZED', 'a valid token is required');
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
