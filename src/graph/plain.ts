/** Bolt values as plain JSON for people and tools; whatever is private is left out. */
import { isDateTime, isDuration, isNode, isPath, isRelationship, type Node, type Relationship } from 'neo4j-driver';

import { formatInstant } from '../model/instant.ts';
import { scalarFromBolt } from './values.ts';

export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain };

export function isPrivate(name: string): boolean {
  return name.startsWith('_');
}

/** Integers beyond 2^53 are text, times RFC 3339 in UTC, other temporal and spatial values their text. A private node is null. */
export function toPlain(value: unknown): Plain {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'string':
    case 'boolean':
      return value;
    case 'object':
      return fromObject(value);
    default:
      return null;
  }
}

function fromObject(value: object): Plain {
  if (Array.isArray(value))
    return value.flatMap((item: unknown) => (isNode(item as object) && isHidden(item as Node) ? [] : [toPlain(item)]));
  if (isNode(value)) return isHidden(value) ? null : { labels: value.labels, properties: publicProperties(value.properties) };
  if (isRelationship(value)) return fromRelationship(value);
  if (isPath(value)) {
    const { start, segments } = value;
    return {
      nodes: [start, ...segments.map((segment) => segment.end)].map(toPlain),
      relationships: segments.map((segment) => fromRelationship(segment.relationship as Relationship)),
    };
  }
  if (isDateTime(value)) {
    const nanos = scalarFromBolt('time', value);
    return typeof nanos === 'bigint' ? formatInstant(nanos) : null;
  }
  if (Object.getPrototypeOf(value) === Object.prototype) return publicProperties(value);
  // The driver writes a duration of whole days with a T and nothing behind it, which is no ISO 8601.
  if (isDuration(value)) return value.toString().replace(/T$/, '');
  // Dates, times and points of the driver.
  return (value as { toString(): string }).toString();
}

function fromRelationship({ type, properties }: Relationship): Plain {
  return { type, properties: publicProperties(properties) };
}

function isHidden(node: Node): boolean {
  return node.labels.some(isPrivate);
}

function publicProperties(properties: object): { readonly [name: string]: Plain } {
  return Object.fromEntries(Object.entries(properties).flatMap(([name, item]) => (isPrivate(name) ? [] : [[name, toPlain(item)]])));
}
