/**
 * The text form of registers: `_clock` of a node or edge, and the values of a hidden row. Lossless.
 *
 * A stamp is `time sequence rank bodyHash key`, the hash as base64url: 43 characters instead of 64, so that most stamps fit
 * one record of Neo4j's string store (measured: a commit is a tenth shorter). The common stamp stands for exactly the properties that are present
 * and not listed, and for U (of a node) or L (of an edge); cleared properties, and whatever differs from it, are listed.
 * Nothing but the common stamp: the text is that stamp. Otherwise it is JSON, whose `c` lists the stamps, the common one
 * first, and whose other members point into `c`:
 *   nodes  `u` U (−1: none) · `r` R · `p` property → stamp · `s` type → [stamp, other end's key or 0] · `m` type → stamp
 *   edges  `u` L (−1: none) · `r` X · `p` property → stamp
 */
import { compareClocks, isNewer, type Clock } from './clock.ts';
import type { Model, NodeShape, RelationshipShape } from './model.ts';
import { decodeKey, edgeRef, encodeKey, nodeRef, type EdgeRef, type NodeRef } from './refs.ts';
import { emptyEdge, emptyNode, type EdgeState, type NodeState, type Register } from './state.ts';
import type { PropertyType, Scalar, TypeName, Value } from './values.ts';

interface Stored {
  c: string[];
  u?: number;
  r?: number;
  p?: Record<string, number>;
  s?: Record<string, [number, readonly string[] | 0]>;
  m?: Record<string, number>;
}

export function encodeNode(node: NodeState): string {
  const sole = node.slots.size === 0 && node.sets.size === 0 ? soleClock(node.asserted, node.removed, node.properties) : undefined;
  if (sole !== undefined) return stampText(sole);
  const stamps = createStamps(commonClock(node.properties, node.asserted ?? node.removed));
  const out = encodeShared(stamps, node.asserted, node.removed, node.properties);
  for (const [type, slot] of node.slots)
    (out.s ??= {})[type] = [stamps.index(slot.clock), slot.edge === undefined ? 0 : otherEnd(slot.edge)];
  for (const [type, clock] of node.sets) (out.m ??= {})[type] = stamps.index(clock);
  return finish(out);
}

export function encodeEdge(edge: EdgeState): string {
  const sole = soleClock(edge.linked, edge.unlinked, edge.properties);
  if (sole !== undefined) return stampText(sole);
  const stamps = createStamps(commonClock(edge.properties, edge.linked ?? edge.unlinked));
  return finish(encodeShared(stamps, edge.linked, edge.unlinked, edge.properties));
}

/** Inverse of `encodeNode`, given the values of the properties that are present. */
export function decodeNode(model: Model, ref: NodeRef, text: string, values: ReadonlyMap<string, Value>): NodeState {
  const node = emptyNode(ref);
  const { stored, clocks } = parse(text);
  node.asserted = pick(clocks, stored.u ?? 0);
  node.removed = pick(clocks, stored.r ?? -1);
  decodeProperties(node.properties, stored, clocks, values);
  for (const [type, [stamp, other]] of Object.entries(stored.s ?? {})) {
    const shape = model.relationships.get(type);
    const clock = pick(clocks, stamp);
    if (shape !== undefined && clock !== undefined)
      node.slots.set(type, { clock, edge: other === 0 ? undefined : slotEdge(shape, ref, other) });
  }
  for (const [type, stamp] of Object.entries(stored.m ?? {})) {
    const clock = pick(clocks, stamp);
    if (clock !== undefined) node.sets.set(type, clock);
  }
  return node;
}

/** Inverse of `encodeEdge`, given the values of the properties that are present. */
export function decodeEdge(ref: EdgeRef, text: string, values: ReadonlyMap<string, Value>): EdgeState {
  const edge = emptyEdge(ref);
  const { stored, clocks } = parse(text);
  edge.linked = pick(clocks, stored.u ?? 0);
  edge.unlinked = pick(clocks, stored.r ?? -1);
  decodeProperties(edge.properties, stored, clocks, values);
  return edge;
}

/** Values of a hidden row as JSON text; '' for none. */
export function encodeValues(properties: ReadonlyMap<string, Register>): string {
  const out: Record<string, unknown> = {};
  let any = false;
  for (const [name, { value }] of properties) {
    if (value === null) continue;
    out[name] = typeof value === 'object' ? value.map(scalarToJson) : scalarToJson(value as Scalar);
    any = true;
  }
  return any ? JSON.stringify(out) : '';
}

export function decodeValues(types: ReadonlyMap<string, PropertyType>, text: string): Map<string, Value> {
  const out = new Map<string, Value>();
  if (text === '') return out;
  for (const [name, value] of Object.entries(JSON.parse(text) as Record<string, unknown>)) {
    const type = types.get(name);
    if (type === undefined) continue;
    out.set(name, Array.isArray(value) ? value.map((item) => scalarFromJson(type.type, item)) : scalarFromJson(type.type, value));
  }
  return out;
}

/** How an event is named in hidden rows, clocks and comparisons: by key and body hash. */
function eventName(clock: Clock): string {
  return `${clock.key}#${clock.bodyHash}`;
}

/** The events that an edge without its ends keeps waiting: of its link and of every property. */
export function waitingEvents(edge: EdgeState): Set<string> {
  const names = new Set<string>();
  if (edge.linked === undefined) return names;
  names.add(eventName(edge.linked));
  for (const { clock } of edge.properties.values()) names.add(eventName(clock));
  return names;
}

function encodeShared(
  stamps: Stamps,
  top: Clock | undefined,
  bottom: Clock | undefined,
  properties: ReadonlyMap<string, Register>,
): Stored {
  const out: Stored = { c: stamps.texts };
  if (top === undefined) out.u = -1;
  else if (!stamps.isCommon(top)) out.u = stamps.index(top);
  if (bottom !== undefined) out.r = stamps.index(bottom);
  for (const [name, { clock, value }] of properties) {
    if (value === null || !stamps.isCommon(clock)) (out.p ??= {})[name] = stamps.index(clock);
  }
  return out;
}

function decodeProperties(into: Map<string, Register>, stored: Stored, clocks: readonly Clock[], values: ReadonlyMap<string, Value>): void {
  const common = clocks[0] as Clock;
  for (const [name, value] of values) into.set(name, { clock: pick(clocks, stored.p?.[name] ?? 0) ?? common, value });
  for (const [name, stamp] of Object.entries(stored.p ?? {})) {
    if (!values.has(name)) into.set(name, { clock: pick(clocks, stamp) ?? common, value: null });
  }
}

/** The clock of the one fact that said all there is to know: most rows, and the short way to their text. */
function soleClock(top: Clock | undefined, bottom: Clock | undefined, properties: ReadonlyMap<string, Register>): Clock | undefined {
  if (bottom !== undefined) return undefined;
  for (const { clock, value } of properties.values()) if (clock !== top || value === null) return undefined;
  return top;
}

/** The stamp that most of the present properties share; without any, the given one. */
function commonClock(properties: ReadonlyMap<string, Register>, otherwise: Clock | undefined): Clock {
  if (properties.size === 0) return otherwise ?? NEVER;
  const counts = new Map<Clock, number>();
  let best: Clock | undefined;
  let most = 0;
  for (const { clock, value } of properties.values()) {
    if (value === null) continue;
    const count = (counts.get(clock) ?? 0) + 1;
    counts.set(clock, count);
    if (count > most || (count === most && isNewer(clock, best))) {
      most = count;
      best = clock;
    }
  }
  return best ?? otherwise ?? NEVER;
}

/** Stands in where a row has neither property nor assertion nor removal (slots or sets alone); listed nowhere, so never read. */
const NEVER: Clock = { time: 0n, sequence: 0n, rank: 0, key: '', bodyHash: '' };

interface Stamps {
  readonly texts: string[];
  isCommon(clock: Clock): boolean;
  index(clock: Clock): number;
}

function createStamps(common: Clock): Stamps {
  const clocks: Clock[] = [common];
  const texts = [stampText(common)];
  return {
    texts,
    isCommon: (clock) => compareClocks(clock, common) === 0,
    index(clock) {
      const known = clocks.findIndex((other) => compareClocks(other, clock) === 0);
      if (known >= 0) return known;
      clocks.push(clock);
      return texts.push(stampText(clock)) - 1;
    },
  };
}

/** All facts of an event share a clock or two, and each is written many times. */
const stampTexts = new WeakMap<Clock, string>();

function stampText(clock: Clock): string {
  let text = stampTexts.get(clock);
  if (text === undefined) {
    text = `${clock.time} ${clock.sequence} ${clock.rank} ${packHash(clock.bodyHash)} ${clock.key}`;
    stampTexts.set(clock, text);
  }
  return text;
}

const HEX = /^(?:[0-9a-f]{2})+$/;

/** Lossless for whatever stands in for a hash in a test, too. */
function packHash(hash: string): string {
  return HEX.test(hash) ? Buffer.from(hash, 'hex').toString('base64url') : `!${hash}`;
}

function unpackHash(text: string): string {
  return text.startsWith('!') ? text.slice(1) : Buffer.from(text, 'base64url').toString('hex');
}

function stampClock(text: string): Clock {
  const a = text.indexOf(' ');
  const b = text.indexOf(' ', a + 1);
  const c = text.indexOf(' ', b + 1);
  const d = text.indexOf(' ', c + 1);
  const clock: Clock = {
    time: BigInt(text.slice(0, a)),
    sequence: BigInt(text.slice(a + 1, b)),
    rank: Number(text.slice(b + 1, c)),
    bodyHash: unpackHash(text.slice(c + 1, d)),
    key: text.slice(d + 1),
  };
  stampTexts.set(clock, text);
  return clock;
}

function finish(stored: Stored): string {
  const [only] = stored.c;
  const plain =
    stored.c.length === 1 &&
    stored.u === undefined &&
    stored.r === undefined &&
    stored.p === undefined &&
    stored.s === undefined &&
    stored.m === undefined;
  return plain && only !== undefined ? only : JSON.stringify(stored);
}

function parse(text: string): { stored: Stored; clocks: Clock[] } {
  const stored = text.startsWith('{') ? (JSON.parse(text) as Stored) : { c: [text] };
  return { stored, clocks: stored.c.map(stampClock) };
}

function pick(clocks: readonly Clock[], index: number): Clock | undefined {
  return index < 0 ? undefined : clocks[index];
}

function otherEnd(edge: EdgeRef): string[] {
  const other = edge.shape.owner === 'to' ? edge.from : edge.to;
  return encodeKey(other.key, other.shape.key);
}

function slotEdge(shape: RelationshipShape, owner: NodeRef, other: readonly string[]): EdgeRef {
  const end = (node: NodeShape): NodeRef => nodeRef(node, decodeKey(other, node.key));
  return shape.owner === 'to' ? edgeRef(shape, end(shape.from), owner, []) : edgeRef(shape, owner, end(shape.to), []);
}

function scalarToJson(value: Scalar): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function scalarFromJson(type: TypeName, value: unknown): Scalar {
  return type === 'integer' || type === 'time' ? BigInt(value as string) : (value as Scalar);
}
