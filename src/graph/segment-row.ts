/**
 * One row out of a segment's text without reading all of it: a segment has 256, and a list of failed events wants one
 * each of a hundred segments (measured: 110 ms by whole segments, 20 ms by rows). Pure.
 */
import { unpackSegment, type LedgerEntry } from './segment.ts';

/**
 * How an event's row begins in `meta`; nothing else there reads so, since a quote within a JSON string is escaped and
 * no other list in a row begins with an event key.
 */
export function rowStart(key: string): string {
  return `[${JSON.stringify(key)},`;
}

/** The entry whose row begins with `rowStart(key)` and goes on with `rest`; undefined when it does not end within. `state` is its digit. Without its body. */
export function unpackRow(key: string, rest: string, state: string): LedgerEntry | undefined {
  const length = lengthOfList(rest);
  return length === undefined ? undefined : unpackSegment(`[${rowStart(key)}${rest.slice(0, length)}]`, '', state)[0];
}

/** Up to the bracket that closes what was opened before the text. */
function lengthOfList(text: string): number | undefined {
  let depth = 1;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '[' || c === '{') depth++;
    else if ((c === ']' || c === '}') && --depth === 0) return i + 1;
  }
  return undefined;
}
