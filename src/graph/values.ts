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

/** A place in a list: the driver would send a number as FLOAT, and no list is indexed by that. */
export function placeToBolt(place: number): unknown {
  return int(place);
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

type DateParts = Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second' | 'nanosecond', number | bigint> & {
  timeZoneOffsetSeconds?: number | bigint | null;
};

function toDateTime(nanos: bigint): DateTime<number> {
  let seconds = nanos / NANOS_PER_SECOND;
  let rest = nanos % NANOS_PER_SECOND;
  if (rest < 0n) {
    seconds -= 1n;
    rest += NANOS_PER_SECOND;
  }
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

function fromDateTime(d: DateParts): bigint {
  const ms = new Date(0);
  ms.setUTCFullYear(Number(d.year), Number(d.month) - 1, Number(d.day));
  ms.setUTCHours(Number(d.hour), Number(d.minute), Number(d.second));
  return fromMs(ms.getTime()) + BigInt(d.nanosecond) - BigInt(d.timeZoneOffsetSeconds ?? 0) * NANOS_PER_SECOND;
}
