/** Canonical values to Bolt values and back. The only place that knows the driver's types. */
import { DateTime, int, isDateTime } from 'neo4j-driver';

import { fromMs } from '../model/instant.ts';
import type { PropertyType, Scalar, TypeName, Value } from '../model/values.ts';

const NANOS_PER_SECOND = 1_000_000_000n;

/** Integers pack as INTEGER and numbers as FLOAT, which is what the canonical forms mean; instants become ZONED DATETIME in UTC. */
export function toBolt(type: PropertyType, value: Value): unknown {
  return typeof value === 'object' ? value.map((item) => scalarToBolt(type.type, item)) : scalarToBolt(type.type, value as Scalar);
}

export function scalarToBolt(type: TypeName, value: Scalar): unknown {
  if (typeof value !== 'bigint') return value;
  if (type === 'time') return toDateTime(value);
  // The driver turns a bigint into text and back; a number it takes as it is.
  const number = Number(value);
  return Number.isSafeInteger(number) ? int(number) : value;
}

/**
 * A value for a column that is read by `columnCypher`: integers and instants travel as plain numbers and are made what
 * they are by the server. The driver's own classes do it in long arithmetic (measured: a tenth of the worker's time).
 */
export function toColumn(type: PropertyType, value: Value): unknown {
  if (typeof value === 'object' || typeof value !== 'bigint') return toBolt(type, value);
  if (type.type === 'time') {
    const [seconds, nanos] = splitNanos(value);
    return [Number(seconds), Number(nanos)];
  }
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The expression that makes `toColumn`'s form of a property the property again. */
export function columnCypher(type: PropertyType, column: string): string {
  if (type.rule !== 'union' && type.type === 'integer') return `toInteger(${column})`;
  if (!isInstant(type)) return column;
  return `CASE WHEN ${column} IS NULL THEN null ELSE datetime({epochSeconds: toInteger(${column}[0]), nanosecond: toInteger(${column}[1])}) END`;
}

/**
 * The expression by which a property is read for `valuesOfColumns`: an instant as two plain numbers, since the driver's own
 * class for it costs more than all else of a node; null where it is none.
 */
export function storedCypher(type: PropertyType, property: string): string {
  if (!isInstant(type)) return property;
  return `CASE WHEN ${property} IS :: ZONED DATETIME NOT NULL THEN [toFloat(${property}.epochSeconds), toFloat(${property}.nanosecond)] END`;
}

/** The declared properties of a node, from columns in the order of its shape. */
export function valuesOfColumns(types: ReadonlyMap<string, PropertyType>, columns: readonly unknown[]): Map<string, Value> {
  const out = new Map<string, Value>();
  let at = 0;
  for (const [name, type] of types) {
    const stored = columns[at++];
    if (stored === null || stored === undefined) continue;
    const value = isInstant(type) ? joinNanos(stored as [number, number]) : fromBolt(type, stored);
    if (value !== undefined) out.set(name, value);
  }
  return out;
}

function isInstant({ type, rule }: PropertyType): boolean {
  return type === 'time' && rule !== 'union';
}

/** Undefined when the stored value is not of the declared type (somebody else wrote it). */
export function fromBolt(type: PropertyType, stored: unknown): Value | undefined {
  if (!Array.isArray(stored)) return scalarFromBolt(type.type, stored);
  const out: Scalar[] = [];
  for (const item of stored) {
    const value = scalarFromBolt(type.type, item);
    if (value !== undefined) out.push(value);
  }
  return out;
}

export function scalarFromBolt(type: TypeName, stored: unknown): Scalar | undefined {
  switch (type) {
    case 'text':
      return typeof stored === 'string' ? stored : undefined;
    case 'integer':
      return typeof stored === 'bigint' ? stored : undefined;
    case 'float':
      return typeof stored === 'number' ? stored : undefined;
    case 'boolean':
      return typeof stored === 'boolean' ? stored : undefined;
    case 'time':
      return isDateTime(stored) ? fromDateTime(stored as unknown as DateParts) : undefined;
  }
}

export type Stored = Readonly<Record<string, unknown>>;

/** The declared properties that a node or an edge has; what is of another type, somebody else wrote. */
export function valuesOf(types: ReadonlyMap<string, PropertyType>, stored: Stored): Map<string, Value> {
  const out = new Map<string, Value>();
  for (const [name, type] of types) {
    const raw = stored[name];
    if (raw === undefined || raw === null) continue;
    const value = fromBolt(type, raw);
    if (value !== undefined) out.set(name, value);
  }
  return out;
}

type DateParts = Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second' | 'nanosecond', number | bigint> & {
  timeZoneOffsetSeconds?: number | bigint | null;
};

function toDateTime(nanos: bigint): DateTime<number> {
  const [seconds, rest] = splitNanos(nanos);
  const d = new Date(Number(seconds) * 1000);
  return new DateTime(
    d.getUTCFullYear(),
    d.getUTCMonth() + 1,
    d.getUTCDate(),
    d.getUTCHours(),
    d.getUTCMinutes(),
    d.getUTCSeconds(),
    Number(rest),
    0,
  );
}

/** Whole seconds since the epoch, rounded down, and the nanoseconds from there. */
function splitNanos(nanos: bigint): [seconds: bigint, rest: bigint] {
  const rest = ((nanos % NANOS_PER_SECOND) + NANOS_PER_SECOND) % NANOS_PER_SECOND;
  return [(nanos - rest) / NANOS_PER_SECOND, rest];
}

function joinNanos([seconds, nanos]: readonly [number, number]): bigint {
  return BigInt(seconds) * NANOS_PER_SECOND + BigInt(nanos);
}

function fromDateTime(d: DateParts): bigint {
  const ms = new Date(0);
  ms.setUTCFullYear(Number(d.year), Number(d.month) - 1, Number(d.day));
  ms.setUTCHours(Number(d.hour), Number(d.minute), Number(d.second));
  return fromMs(ms.getTime()) + BigInt(d.nanosecond) - BigInt(d.timeZoneOffsetSeconds ?? 0) * NANOS_PER_SECOND;
}
