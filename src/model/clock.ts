/**
 * The clock: a total order over facts. Time first, then the sender's sequence, the tie-break rank, and at last the
 * event itself, so that no two events ever tie. Received-at is never part of it. (docs/guides/convergence.md)
 */

export interface Clock {
  /** Epoch nanoseconds of the fact. */
  readonly time: bigint;
  /** The sender's sequence, else 0. */
  readonly sequence: bigint;
  /** Index of the declared status that the fact sets, plus one; 0 for none; `REMOVE_RANK` for a removal. */
  readonly rank: number;
  /** The event's key, `source:id`. */
  readonly key: string;
  /** SHA-256 hex of the event's raw body: tells two bodies under one id apart. */
  readonly bodyHash: string;
}

/** Above every status: at an equal time and sequence a removal wins. */
export const REMOVE_RANK = 1_000_000;

/** Negative, 0 or positive: a before, equal to, or after b. Only 0 for the same time of the same event and rank. */
export function compareClocks(a: Clock, b: Clock): number {
  if (a === b) return 0;
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  if (a.rank !== b.rank) return a.rank - b.rank;
  return compareUtf8(a.key, b.key) || compareUtf8(a.bodyHash, b.bodyHash);
}

/** Orders well-formed strings as their UTF-8 bytes would be: by code point, which UTF-16 units alone get wrong. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codePointOrder(x) - codePointOrder(y);
  }
  return a.length - b.length;
}

/** Surrogates (U+D800–DFFF as units) stand for code points above U+FFFF, so they sort after U+E000–FFFF. */
function codePointOrder(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** The later of two; undefined is older than every clock. */
export function later(a: Clock | undefined, b: Clock | undefined): Clock | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return compareClocks(a, b) >= 0 ? a : b;
}

/** Whether a is strictly newer than b; undefined is older than every clock. */
export function isNewer(a: Clock | undefined, b: Clock | undefined): boolean {
  if (a === undefined) return false;
  return b === undefined || compareClocks(a, b) > 0;
}
