/**
 * Property types: what a producer may send (`unknown` in) and the one canonical value it stands for (out).
 * Integers and instants are bigints, so nothing is rounded on the way; a type knows which of the two it is.
 */
import { Decimal } from '../json.ts';
import { compareUtf8 } from './clock.ts';
import { formatInstant, parseInstant } from './instant.ts';

export { Decimal };

export type Scalar = string | bigint | number | boolean;
/** A canonical value. Instants are epoch nanoseconds; a union is its sorted members. */
export type Value = Scalar | readonly Scalar[];

export type TypeName = 'text' | 'integer' | 'float' | 'boolean' | 'time';
export type Rule = 'last' | 'first' | 'min' | 'max' | 'union' | 'ranked';

/** The type of a property or key part. `In` is what mappings may write; it exists at compile time only. */
export interface PropertyType<In = unknown> {
  readonly type: TypeName;
  readonly rule: Rule;
  /** `ranked` only: values from the lowest to the highest. */
  readonly ranks?: readonly string[];
  /** Brings every producer's text into one form, or throws an error that says why it cannot. */
  readonly normalise?: (text: string) => string;
  readonly in?: In;
}

/** A JSON integer, or a bigint where it may exceed 2^53. */
export type IntegerInput = number | bigint;

export const text: PropertyType<string> = { type: 'text', rule: 'last' };
export const integer: PropertyType<IntegerInput> = { type: 'integer', rule: 'last' };
export const float: PropertyType<number> = { type: 'float', rule: 'last' };
export const boolean: PropertyType<boolean> = { type: 'boolean', rule: 'last' };
/** RFC 3339 text in; stored as ZONED DATETIME in UTC. */
export const time: PropertyType<string> = { type: 'time', rule: 'last' };

type Base<In> = PropertyType<In>;
/** Keeps the value of the earliest clock. */
export const first = <In>(of: Base<In>): PropertyType<In> => ({ ...of, rule: 'first' });
/** Keeps the smallest value ever said. */
export const min = <In>(of: Base<In>): PropertyType<In> => ({ ...of, rule: 'min' });
/** Keeps the largest value ever said. */
export const max = <In>(of: Base<In>): PropertyType<In> => ({ ...of, rule: 'max' });
/** Collects every value ever said; stored as a sorted list. */
export const union = <In>(of: Base<In>): PropertyType<In | readonly In[]> => ({ ...of, rule: 'union' }) as PropertyType<In | readonly In[]>;
/** Keeps the highest of the declared values ever said. */
export const ranked = <const R extends readonly [string, ...string[]]>(ranks: R): PropertyType<R[number]> => ({
  type: 'text',
  rule: 'ranked',
  ranks,
});

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** The canonical value, or a sentence that says why there is none. Null is not a value and is the caller's business. */
export function readValue(type: PropertyType, input: unknown): { value: Value } | { problem: string } {
  if (type.rule !== 'union') return readScalar(type, input);
  const members: Scalar[] = [];
  for (const item of Array.isArray(input) ? input : [input]) {
    const read = readScalar(type, item);
    if ('problem' in read) return read;
    members.push(read.value);
  }
  return { value: sortedSet(members) };
}

function readScalar(type: PropertyType, input: unknown): { value: Scalar } | { problem: string } {
  switch (type.type) {
    case 'text':
      return readText(type, input);
    case 'integer':
      return readInteger(input);
    case 'float':
      return readFloat(input);
    case 'boolean':
      return typeof input === 'boolean' ? { value: input } : { problem: `expected true or false, got ${nameOf(input)}` };
    case 'time': {
      const nanos = typeof input === 'string' ? parseInstant(input) : undefined;
      return nanos === undefined ? { problem: `expected an RFC 3339 time with Z or offset, got ${nameOf(input)}` } : { value: nanos };
    }
  }
}

function readText(type: PropertyType, input: unknown): { value: string } | { problem: string } {
  if (typeof input !== 'string') return { problem: `expected text, got ${nameOf(input)}` };
  if (!input.isWellFormed()) return { problem: 'text holds a lone surrogate' };
  if (type.ranks !== undefined && !type.ranks.includes(input))
    return { problem: `expected one of ${type.ranks.join(', ')}, got ${nameOf(input)}` };
  if (type.normalise === undefined) return { value: input };
  try {
    return { value: type.normalise(input) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : `expected another form, got ${nameOf(input)}` };
  }
}

function readInteger(input: unknown): { value: bigint } | { problem: string } {
  if (typeof input === 'bigint') {
    return input > INT64_MAX || input < INT64_MIN ? { problem: 'integer beyond 64 bits' } : { value: input };
  }
  if (typeof input === 'number' && Number.isSafeInteger(input)) return { value: BigInt(input) };
  return { problem: `expected an integer, got ${nameOf(input)}` };
}

function readFloat(input: unknown): { value: number } | { problem: string } {
  const number = input instanceof Decimal ? Number(input.text) : typeof input === 'bigint' ? Number(input) : input;
  if (typeof number !== 'number' || !Number.isFinite(number)) return { problem: `expected a finite number, got ${nameOf(input)}` };
  return { value: Object.is(number, -0) ? 0 : number };
}

/** How a value is written in keys and pages: instants as RFC 3339 in UTC, all else as plain text. */
export function formatScalar(type: TypeName, value: Scalar): string {
  return type === 'time' && typeof value === 'bigint' ? formatInstant(value) : String(value);
}

/** -1, 0, 1 over values of one type. Text by code point. */
export function compareScalars(a: Scalar, b: Scalar): number {
  if (a === b) return 0;
  if (typeof a === 'string' && typeof b === 'string') return compareUtf8(a, b);
  return a < b ? -1 : 1;
}

export function sortedSet(values: readonly Scalar[]): readonly Scalar[] {
  return [...new Set(values)].sort(compareScalars);
}

export function sameValue(a: Value | null, b: Value | null): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

function nameOf(input: unknown): string {
  if (input === null) return 'null';
  if (input instanceof Decimal) return `the number ${input.text.slice(0, 40)}`;
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'string') return `the text ${JSON.stringify(input.length > 40 ? `${input.slice(0, 40)}…` : input)}`;
  if (typeof input === 'number' || typeof input === 'bigint') return `the number ${String(input).slice(0, 40)}`;
  return `a value of type ${typeof input}`;
}
