/** Histories and schedules for people: one line an event, oldest first where the times say so. */
import { nodeRef } from '../model/refs.ts';
import type { Model, NodeShape, RelationshipShape } from '../model/model.ts';
import { readValue, type Scalar } from '../model/values.ts';
import { factsOf, type Raw, type RawFact, type Schedule, type Told } from './told.ts';

/** `e1#3fa0 @ 2025-01-01T00:00:03Z: upsert A/acme/k0 {x: 1}; remove B/k1 @ 2025-…` */
export function showHistory(model: Model, history: readonly Told[]): string[] {
  return history.map((event) => {
    const { occurredAt, sequence } = event.mapped;
    const facts = factsOf(event.mapped).map((fact) => showFact(model, event.source, fact));
    return `${showName(event)} @ ${occurredAt}${sequence === undefined ? '' : ` sequence ${sequence}`}: ${facts.join('; ')}`;
  });
}

/** `e1, e2 + e3, e1`: batches in order, their events joined by +. */
export function showSchedule(history: readonly Told[], schedule: Schedule): string {
  return schedule.batches.map((batch) => batch.map((index) => showName(history[index])).join(' + ')).join(', ');
}

function showName(event: Told | undefined): string {
  return event === undefined ? '?' : `${event.source}:${event.id}#${event.bodyHash.slice(0, 4)}`;
}

function showFact(model: Model, source: string, { kind, said }: RawFact): string {
  const at = said['at'] === undefined ? '' : ` @ ${said['at'] as string}`;
  if (kind === 'upsert' || kind === 'remove')
    return `${kind} ${showKey(model.nodes.get(String(said['node'])), said['key'], source)}${showSet(said['set'])}${at}`;
  const shape = model.relationships.get(String(said['relationship']));
  return `${kind} ${String(said['relationship'])}(${showEnds(shape, kind, said, source)})${showSet(said['set'])}${at}`;
}

function showEnds(shape: RelationshipShape | undefined, kind: RawFact['kind'], said: Raw, source: string): string {
  if (kind === 'clear') return showKey(shape?.owner === 'to' ? shape.to : shape?.from, said['owner'], source);
  const from = showKey(shape?.from, said['from'], source);
  const target = (link: Raw): string =>
    `${showKey(shape?.to, link['to'], source)}${link['key'] === undefined ? '' : ` :${Object.values(link['key'] as Raw).join('/')}`}`;
  if (kind !== 'replace') return `${from} -> ${target(said)}`;
  return `${from} -> [${(said['links'] as readonly Raw[]).map((link) => `${target(link)}${showSet(link['set'])}`).join(', ')}]`;
}

function showKey(shape: NodeShape | undefined, given: unknown, source: string): string {
  const key = (given ?? {}) as Raw;
  if (shape === undefined) return Object.values(key).join('/');
  const parts = shape.key.map(({ name, type }): Scalar => {
    const read = readValue(type, key[name] ?? (name === 'source' ? source : undefined));
    return 'problem' in read ? '?' : (read.value as Scalar);
  });
  return nodeRef(shape, parts).id;
}

function showSet(set: unknown): string {
  if (set === undefined) return '';
  return ` {${Object.entries(set as Raw)
    .map(([name, value]) => `${name}: ${showInput(value)}`)
    .join(', ')}}`;
}

function showInput(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  return Array.isArray(value) ? `[${value.map(showInput).join(', ')}]` : JSON.stringify(value);
}
