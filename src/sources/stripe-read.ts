/** Reading Stripe's objects: references that may be expanded, lists that may be cut, Unix seconds, amounts. */
import type { Json } from '../json.ts';
import type { CommerceFact } from '../model/commerce.ts';
import { formatInstant } from '../model/instant.ts';
import { idAt, integerAt, listAt, mappingFailed, objectAt, required, textAt, type Read } from './read.ts';
import { minorOf } from './stripe-money.ts';

/** What an object does not say of itself. */
export interface Told {
  readonly type: string;
  /** As of when the object is told, RFC 3339. */
  readonly at: string;
  /** The same where something happened then: an event's. Undefined for an object of a list, which says what it is and not since when. */
  readonly since: string | undefined;
  /** The source whose orders are paid; undefined: checkout sessions are the orders. */
  readonly orderSource: string | undefined;
  readonly orderField: string;
}

/** What one event says. `sequence` orders the events of one second by what must have come first. */
export interface Said {
  readonly facts: readonly CommerceFact[];
  readonly sequence?: number;
}

/** 9999-12-31T23:59:59Z */
const LAST_SECOND = 253_402_300_799;

/** The id under a name, of the object itself where it was expanded. */
export function refAt(from: Read, name: string): string | null | undefined {
  const json = from.json[name];
  if (json === null) return null;
  if (typeof json !== 'object') return idAt(from, name);
  const object = required(objectAt(from, name), from, name);
  return required(idAt(object, 'id'), object, 'id');
}

/** The objects of a list, as far as they were sent along; undefined where it is no list or its name is absent. */
export function pageAt(from: Read, name: string): { readonly items: readonly Read[]; readonly whole: boolean } | undefined {
  const list = objectAt(from, name);
  const items = list === undefined ? undefined : listAt(list, 'data');
  return items === undefined ? undefined : { items, whole: list?.json['has_more'] === false };
}

/** Whole Unix seconds as RFC 3339; undefined for what is no such time. */
export function instantOf(seconds: Json | undefined): string | undefined {
  if (typeof seconds !== 'number' || seconds < 0 || seconds > LAST_SECOND) return undefined;
  return formatInstant(BigInt(seconds) * 1_000_000_000n);
}

/** The time under a name; undefined when absent or null. */
export function secondsAt(from: Read, name: string): string | undefined {
  const seconds = from.json[name];
  if (seconds === undefined || seconds === null) return undefined;
  const instant = instantOf(seconds);
  if (instant === undefined) throw mappingFailed(from.path === '' ? name : `${from.path}.${name}`, 'expected Unix seconds');
  return instant;
}

/** Stripe writes codes in lower case, everybody else in upper. */
export function currencyAt(from: Read): string | null | undefined {
  return textAt(from, 'currency')?.toUpperCase() ?? (from.json['currency'] === null ? null : undefined);
}

/** An amount in minor units of the currency; undefined when absent or null. */
export function amountAt(from: Read, name: string, currency: string | null | undefined): bigint | undefined {
  if (from.json[name] === undefined || from.json[name] === null) return undefined;
  return minorOf(integerAt(from, name), required(currency, from, 'currency'));
}

/** The key of the order that an object names in its metadata; undefined where orders are not another source's. */
export function orderAt(from: Read, { orderSource, orderField }: Told): { readonly source: string; readonly id: string } | undefined {
  const metadata = orderSource === undefined ? undefined : objectAt(from, 'metadata');
  const id = metadata === undefined ? undefined : textAt(metadata, orderField);
  return orderSource === undefined || id === undefined || id === null || id === '' ? undefined : { source: orderSource, id };
}
