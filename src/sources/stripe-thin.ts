/**
 * Thin events (`v2.core.event`): they name an object and say nothing of it. A deletion says enough all the same; for the rest
 * the object is asked for, as it is now, at a place that is made of the event's type and the object's id. Its clock stays the
 * event's own time: whoever is asked after an event knows all that the event is about, so the newest event has the newest copy.
 * (docs.stripe.com/event-destinations, "Thin events")
 */
import { IngestError } from '../errors.ts';
import type { Event, Fetched } from '../event.ts';
import { isJsonObject, parseJson, type Json } from '../json.ts';
import type { commerce } from '../model/commerce.ts';
import type { Mapped } from '../model/facts.ts';
import { readBaseUrl } from './base-url.ts';
import { upsertCustomer } from './customers.ts';
import { idAt, objectAt, readObject, required, textAt, timeAt, typeName, type Read } from './read.ts';
import type { Hydrate, Ignored } from './source.ts';
import { topicOf, type Topic } from './stripe-mapping.ts';
import type { Said, Told } from './stripe-read.ts';

/** By it Stripe answers in the form that is read here, whatever version the account is on. */
export const STRIPE_VERSION = '2026-10-28.endive';

const OBJECT_ID = /^[a-z]+_[A-Za-z0-9_]{1,250}$/;

/** Where the objects of a type are: what stands before the last word of the event's type, without its version. */
const PLACES: ReadonlyMap<string, string> = new Map([
  ['customer', '/v1/customers/'],
  ['product', '/v1/products/'],
  ['checkout.session', '/v1/checkout/sessions/'],
  ['payment_intent', '/v1/payment_intents/'],
  ['charge', '/v1/charges/'],
  ['charge.dispute', '/v1/disputes/'],
  ['charge.refund', '/v1/refunds/'],
  ['refund', '/v1/refunds/'],
  ['v2.core.account', '/v2/core/accounts/'],
]);
/** What an object shows only when it is asked to. */
const SHOWN: ReadonlyMap<string, string> = new Map([
  ['/v1/checkout/sessions/', '?expand%5B0%5D=line_items'],
  ['/v1/charges/', '?expand%5B0%5D=refunds'],
  ['/v2/core/accounts/', '?include%5B0%5D=identity'],
]);

const CLOSED = 'v2.core.account.closed';

interface Thin {
  readonly type: string;
  readonly body: Read;
  readonly about: Read;
  readonly topic: Topic;
  /** Undefined for a deletion, which there is nothing to be asked about. */
  readonly place: string | undefined;
}

export function isThin(json: Json): boolean {
  return isJsonObject(json) && json['object'] === 'v2.core.event';
}

/** Undefined for what means nothing in the commerce model, and for objects of connected accounts, which this account's key does not open. */
function thinOf(json: Json): Thin | undefined {
  const body = readObject(json, '');
  const type = textAt(body, 'type') ?? '';
  const about = objectAt(body, 'related_object');
  const context = textAt(body, 'context');
  // `v2.core.account[identity].updated` tells which part of it changed; all of it is asked for.
  const plain = type.replace(/^v1\./, '').replace(/\[[\w.]+\]/, '');
  const topic = plain.startsWith('v2.core.account.') ? accountSaid : type.startsWith('v1.') ? topicOf(plain) : undefined;
  if (topic === undefined || about === undefined || (context !== undefined && context !== null && context !== '')) return undefined;
  const isDeletion = plain.endsWith('.deleted') || plain === CLOSED;
  return { type: plain, body, about, topic, place: isDeletion ? undefined : PLACES.get(plain.slice(0, plain.lastIndexOf('.'))) };
}

/** Asks Stripe's API for the objects of thin events, with a key that may read them. `api` such as `https://api.stripe.com/v1`. Throws `BAD_CONFIG`. */
export function hydrateFrom(api: string): Hydrate {
  const [, root] = /^(.+)\/v1$/.exec(readBaseUrl('stripe: api', api, 'https://api.stripe.com/v1')) ?? [];
  if (root === undefined)
    throw new IngestError('BAD_CONFIG', 'stripe: with thin events, api must end in /v1: objects of /v2 are asked for beside it');
  return {
    origin: new URL(root).origin,
    wants(_event: Event, body: () => Json) {
      const json = body();
      const thin = isThin(json) ? thinOf(json) : undefined;
      const id = thin === undefined ? undefined : idAt(thin.about, 'id');
      if (thin?.place === undefined || id === undefined || !OBJECT_ID.test(id)) return undefined;
      return { url: `${root}${thin.place}${id}${SHOWN.get(thin.place) ?? ''}`, object: `${thin.place}${id}` };
    },
    headers: (token) => ({ authorization: `Bearer ${token}`, 'stripe-version': STRIPE_VERSION }),
    // A 404 of anybody but Stripe is no word about the object.
    accepts(status, body) {
      const { id, error } = isJsonObject(body) ? body : {};
      return status === 200
        ? typeof id === 'string'
        : isJsonObject(error) && (error['code'] === 'resource_missing' || error['code'] === 'not_found');
    },
  };
}

/** Ignored without a copy, and where the object is gone: its deletion is an event of its own. */
export function mapThin(
  json: Json,
  fetched: Fetched | undefined,
  orders: Pick<Told, 'orderSource' | 'orderField'>,
): Mapped<typeof commerce.declaration> | Ignored {
  const thin = thinOf(json);
  const type = textAt(readObject(json, ''), 'type') ?? 'unknown';
  const object = thin === undefined ? undefined : thin.place === undefined ? onlyId(thin.about) : copyOf(fetched);
  if (thin === undefined || object === undefined) return { type: typeName(type) };
  const occurredAt = timeAt(thin.body, 'created');
  return { type, occurredAt, ...thin.topic(object, { ...orders, type: thin.type, at: occurredAt, since: occurredAt }) };
}

/** The other fields of a reference are not the object's. */
function onlyId({ json: { id = null }, path }: Read): Read {
  return { json: { id }, path };
}

function copyOf(fetched: Fetched | undefined): Read | undefined {
  if (fetched?.status !== 200) return undefined;
  const object = readObject(parseJson(fetched.body), 'fetched');
  return object.json['deleted'] === true ? undefined : object;
}

/** Of accounts, those that buy are customers; a platform's merchants are none. */
function accountSaid(account: Read, event: Told): Said {
  const id = required(idAt(account, 'id'), account, 'id');
  if (event.type === CLOSED) return { facts: [{ remove: { node: 'Customer', key: { id } } }] };
  const { applied_configurations: applied } = account.json;
  if (!Array.isArray(applied) || !applied.includes('customer')) return { facts: [] };
  const email = textAt(account, 'contact_email');
  const identity = objectAt(account, 'identity');
  const person = identity === undefined ? undefined : objectAt(identity, 'individual');
  return {
    facts: [
      ...upsertCustomer({
        key: { id },
        set: {
          email,
          firstName: person && textAt(person, 'given_name'),
          lastName: person && textAt(person, 'surname'),
          phone: textAt(account, 'contact_phone'),
          country: identity && textAt(identity, 'country')?.toUpperCase(),
          createdAt: textAt(account, 'created'),
          updatedAt: event.since,
        },
      }),
    ],
  };
}
