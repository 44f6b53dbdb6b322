/** Who may ask: a token in a header, compared by hash in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';

import { IngestError } from '../errors.ts';

/** Passes for any of the live tokens. No token configured: the route does not exist (`NOT_FOUND`); missing or wrong: `UNAUTHORIZED`. */
export type Check = (given: string | undefined) => void;

export function createTokenCheck(tokens: readonly string[]): Check {
  const live = tokens.map(digest);
  return (given) => {
    if (live.length === 0) throw new IngestError('NOT_FOUND', 'no such path');
    const mine = digest(given ?? '');
    let matched = false;
    // Every token is compared, so that the time says nothing about which of two is the newer.
    for (const token of live) matched = timingSafeEqual(token, mine) || matched;
    if (given === undefined || !matched) throw new IngestError('UNAUTHORIZED', 'a valid token is required');
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
