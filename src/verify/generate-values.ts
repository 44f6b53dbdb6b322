/** Random keys, times and property values: few of each, written in more than one way where the model reads them as one. */
import { formatInstant } from '../model/instant.ts';
import type { Part } from '../model/model.ts';
import type { PropertyType } from '../model/values.ts';
import { hash32, type Random } from './random.ts';
import type { Raw } from './told.ts';

export interface RandomValues {
  /** RFC 3339 of one of the few moments of this history. */
  instant(moment: number): string;
  /** Up to `count` different keys of one label. */
  keys(parts: readonly Part[], count: number, sources: readonly string[]): Raw[];
  edgeKey(parts: readonly Part[]): { key?: Raw };
  /** A value for a property; null at times, where null may clear it. `statuses` are the values that break ties. */
  property(type: PropertyType | undefined, statuses: readonly string[]): unknown;
}

const EPOCH = 1_735_689_600_000_000_000n; // 2025-01-01T00:00:00Z
const UNITS = [1n, 1_000n, 1_000_000_000n, 86_400_000_000_000n];
const FLOATS = [0.5, -1.5, -0, 2];
const INTEGERS = [1, 2, 3, 2n ** 62n];

export function createRandomValues(random: Random, prefix: string): RandomValues {
  const unit = random.pick(UNITS);
  const shift = BigInt(hash32(prefix)) * 1_000_000n;

  function instant(moment: number): string {
    const text = formatInstant(EPOCH + BigInt(moment) * unit);
    return random.chance(0.1) ? inParis(EPOCH + BigInt(moment) * unit) : text;
  }

  function keyPart({ name, type }: Part, index: number, sources: readonly string[]): unknown {
    if (name === 'source') return random.chance(0.5) ? undefined : sources[0];
    if (type.type === 'time') return (random.chance(0.2) ? inParis : formatInstant)(EPOCH + shift + BigInt(index) * 500n);
    if (type.normalise === undefined) return `${prefix}k${index}`;
    return `${prefix}k${index}@${random.pick(['example.com', 'EXAMPLE.com'])}`;
  }

  function scalar(type: PropertyType, statuses: readonly string[]): unknown {
    switch (type.type) {
      case 'integer':
        return random.pick(INTEGERS);
      case 'float':
        return random.pick(FLOATS);
      case 'boolean':
        return random.chance(0.5);
      case 'time':
        return instant(1 + random.below(3));
      case 'text':
        return random.pick(type.ranks ?? (statuses.length > 0 ? [...statuses, 'odd'] : ['x', 'y', '😀', '\uffee']));
    }
  }

  return {
    instant,
    keys(parts, count, sources) {
      return Array.from({ length: count }, (_, index) => keyOf(parts, (part) => keyPart(part, index, sources)));
    },
    edgeKey(parts) {
      if (parts.length === 0) return {};
      const index = random.below(2);
      return { key: keyOf(parts, (part) => keyPart(part, index, [])) };
    },
    property(type, statuses) {
      if (type === undefined) return null;
      if (type.rule === 'last' && random.chance(0.3)) return null;
      if (type.rule !== 'union') return scalar(type, statuses);
      return random.chance(0.5) ? scalar(type, statuses) : Array.from({ length: random.below(3) }, () => scalar(type, statuses));
    },
  };
}

function keyOf(parts: readonly Part[], valueOf: (part: Part) => unknown): Raw {
  const key: Record<string, unknown> = {};
  for (const part of parts) {
    const value = valueOf(part);
    if (value !== undefined) key[part.name] = value;
  }
  return key;
}

/** The same instant with an offset: equal times must be equal however they are written. */
function inParis(nanos: bigint): string {
  return formatInstant(nanos + 3_600_000_000_000n).replace('Z', '+01:00');
}
