/**
 * Asking for a sender's lists, and reading their pages. Objects are cut out of a page as they stand there, byte by byte: what is parsed and
 * written again loses digits, and has another hash.
 */
import { createHash } from 'node:crypto';

import { IngestError } from '../errors.ts';
import type { Found } from './source.ts';

/** The items of a JSON list as they are written there; undefined where the text is no list. The text must be valid JSON. */
export function itemsOf(text: string): string[] | undefined {
  let at = skip(text, 0);
  if (text[at] !== '[') return undefined;
  const items: string[] = [];
  at = skip(text, at + 1);
  while (text[at] !== ']') {
    const end = endOf(text, at);
    items.push(text.slice(at, end));
    at = skip(text, end);
    if (text[at] === ',') at = skip(text, at + 1);
  }
  return items;
}

/** The values of a JSON object by name, as they are written there; undefined where the text is no object. The text must be valid JSON. */
export function membersOf(text: string): ReadonlyMap<string, string> | undefined {
  let at = skip(text, 0);
  if (text[at] !== '{') return undefined;
  const members = new Map<string, string>();
  at = skip(text, at + 1);
  while (text[at] !== '}') {
    const afterName = endOf(text, at);
    const name: unknown = JSON.parse(text.slice(at, afterName));
    const start = skip(text, skip(text, afterName) + 1);
    const end = endOf(text, start);
    members.set(String(name), text.slice(start, end));
    at = skip(text, end);
    if (text[at] === ',') at = skip(text, at + 1);
  }
  return members;
}

function skip(text: string, at: number): number {
  let code = text.charCodeAt(at);
  while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++at);
  return at;
}

const STOPS = /["[\]{}]/g;
const SCALAR = /[^\s,\]}]*/y;

/** Where the value that begins here ends. */
function endOf(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start);
  if (text[start] !== '{' && text[start] !== '[') {
    SCALAR.lastIndex = start;
    SCALAR.test(text);
    return SCALAR.lastIndex;
  }
  let depth = 0;
  for (let at = start; ;) {
    STOPS.lastIndex = at;
    const stop = STOPS.exec(text);
    if (stop === null) return text.length;
    if (stop[0] === '"') {
      at = endOfString(text, stop.index);
      continue;
    }
    depth += stop[0] === '{' || stop[0] === '[' ? 1 : -1;
    at = stop.index + 1;
    if (depth === 0) return at;
  }
}

function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}

/** What a pack knows of one of its lists. Throws `BAD_REQUEST` for one that it does not have, as in a run of another release. */
export function listCalled<T>(lists: ReadonlyMap<string, T>, stream: string): T {
  const list = lists.get(stream);
  if (list === undefined) throw new IngestError('BAD_REQUEST', `there is no list ${stream} any more; begin the backfill anew`);
  return list;
}

/** One object of a page: its own text, and what it says by name. */
export interface Listed {
  readonly id: string;
  readonly text: string;
  readonly members: ReadonlyMap<string, string>;
}

/** Undefined for what is no object with an id. */
export function listed(text: string): Listed | undefined {
  const members = membersOf(text);
  const id = textOf(members?.get('id'));
  return members === undefined || id === undefined || id === '' ? undefined : { id, text, members };
}

/** The objects of a list. Throws `SENDER_UNAVAILABLE` for what is no list of objects with ids: it is asked for again. */
export function listedIn(text: string | undefined): Listed[] {
  const items = text === undefined ? undefined : itemsOf(text);
  if (items === undefined) throw noPage('something that is no list of objects');
  return items.map((item) => {
    const object = listed(item);
    if (object === undefined) throw noPage('an object without an id');
    return object;
  });
}

/** The same for lists by id, where each must come after the one before: a page that was asked for earlier does not. */
export function ascendingIn(text: string | undefined): Listed[] {
  const objects = listedIn(text);
  objects.forEach(({ id }, index) => {
    const before = objects[index - 1]?.id;
    if (!/^\d{1,20}$/.test(id) || (before !== undefined && BigInt(id) <= BigInt(before))) throw noPage('objects out of order');
  });
  return objects;
}

/** A string's text, a number's digits; undefined for all else. */
export function textOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value.startsWith('"')) return String(JSON.parse(value));
  return /^[-\d]/.test(value) ? value : undefined;
}

/** An object in this state, under a topic: the same state is the same event, whoever asks how often, and never one that was delivered. */
export function foundAs(topic: string, id: string, body: string, headers: Readonly<Record<string, string>>): Found {
  const bodyHash = sha256(body);
  return { id: backfillId(topic, id, bodyHash), body, bodyHash, headers };
}

/** The id of an object in one state: no sender gives such ids. */
export function backfillId(topic: string, id: string, bodyHash: string): string {
  return `${BACKFILLED}${topic}/${id}/${bodyHash}`;
}

export function isBackfillId(id: string): boolean {
  return id.startsWith(BACKFILLED);
}

const BACKFILLED = 'backfill/';

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** For an answer that is no word about the list: it is asked for again. */
export function noPage(problem: string): IngestError {
  return new IngestError('SENDER_UNAVAILABLE', `the sender answered with ${problem}`);
}
