/** Reading a sender's JSON inside `map`: absent stays undefined, null stays null, and a wrong type is `MAPPING_FAILED` with its path. */
import { IngestError } from '../errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../json.ts';
import { Decimal } from '../model/values.ts';

/** One object of a body, and where it is. */
export interface Read {
  readonly json: JsonObject;
  readonly path: string;
}

export function readObject(json: Json | undefined, path: string): Read {
  if (!isJsonObject(json)) throw mappingFailed(path, 'expected an object');
  return { json, path };
}

/** The object under a name; undefined when absent or null. */
export function objectAt(from: Read, name: string): Read | undefined {
  const json = from.json[name];
  return json === undefined || json === null ? undefined : readObject(json, at(from, name));
}

/** The objects of a list; undefined when absent or null. */
export function listAt(from: Read, name: string): readonly Read[] | undefined {
  const json = from.json[name];
  if (json === undefined || json === null) return undefined;
  if (!Array.isArray(json)) throw mappingFailed(at(from, name), 'expected a list');
  return json.map((item, index) => readObject(item, `${at(from, name)}[${index}]`));
}

export function textAt(from: Read, name: string): string | null | undefined {
  const json = from.json[name];
  if (json === undefined || json === null || typeof json === 'string') return json;
  throw mappingFailed(at(from, name), 'expected text');
}

export function integerAt(from: Read, name: string): number | bigint {
  const json = from.json[name];
  if (typeof json === 'number' || typeof json === 'bigint') return json;
  throw mappingFailed(at(from, name), 'expected an integer');
}

/** An amount in major units, as text or number; undefined when absent or null. */
export function amountAt(from: Read, name: string): string | number | bigint | Decimal | undefined {
  const json = from.json[name];
  if (json === undefined || json === null) return undefined;
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'bigint' || json instanceof Decimal) return json;
  throw mappingFailed(at(from, name), 'expected an amount');
}

/** An id, losslessly: text that is not empty, or an integer of any size. Undefined when absent or null. */
export function idAt(from: Read, name: string): string | undefined {
  const json = from.json[name];
  if (json === undefined || json === null) return undefined;
  if ((typeof json === 'string' && json !== '') || typeof json === 'number' || typeof json === 'bigint') return String(json);
  throw mappingFailed(at(from, name), 'expected an id');
}

/** What is there, or `MAPPING_FAILED`. */
export function required<T>(value: T | null | undefined, from: Read, name: string): T {
  if (value === undefined || value === null) throw mappingFailed(at(from, name), 'is missing');
  return value;
}

/** The time of a fact, or `NO_CLOCK`. */
export function timeAt(from: Read, name: string): string {
  const time = textAt(from, name);
  if (time === undefined || time === null || time === '')
    throw new IngestError('NO_CLOCK', `${at(from, name)}: the event's time is missing`, { path: at(from, name) });
  return time;
}

/** Of an event type, which is a label in lists and metrics. */
const MAX_TYPE_LENGTH = 256;

/** A sender's name of an event type as it is kept: 256 characters at most, and well-formed. */
export function typeName(name: string): string {
  return name.slice(0, MAX_TYPE_LENGTH).toWellFormed();
}

export function mappingFailed(path: string, problem: string): IngestError {
  return new IngestError('MAPPING_FAILED', `${path === '' ? 'body' : path}: ${problem}`, path === '' ? {} : { path });
}

function at(from: Read, name: string): string {
  return from.path === '' ? name : `${from.path}.${name}`;
}
