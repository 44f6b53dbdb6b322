/**
 * Stripe's lists, newest first, each page after the last id of the one before; where that is gone, from its second on. Its events are kept for thirty days; for what is
 * older there are the objects themselves, which say what they are now and not since when. So they are told as of the first
 * answer of the run, whatever page they are on: never later than they were read, or they would undo what happened meanwhile. What
 * several kinds of object have a word about is told at a time of the object's own, or by one of them (stripe-payments.ts).
 * (docs.stripe.com/api/events/list and /api/pagination)
 */
import { fromMs } from '../model/instant.ts';
import { readBaseUrl } from './base-url.ts';
import { foundAs, listCalled, listedIn, membersOf, noPage, textOf, type Listed } from './pages.ts';
import { STRIPE_VERSION } from './stripe-thin.ts';
import type { Backfill, Page, PageRead, Place } from './source.ts';

/** The type of the event that an object of a list is wrapped into; undefined for what no event tells of. */
type TypeOf = (object: ReadonlyMap<string, string>) => string | undefined;

interface List {
  readonly path: string;
  /** Undefined: the list is of events. */
  readonly typeOf: TypeOf | undefined;
}

const INTENTS: Readonly<Record<string, string>> = {
  succeeded: 'succeeded',
  canceled: 'canceled',
  processing: 'processing',
  requires_action: 'requires_action',
  requires_capture: 'amount_capturable_updated',
};
const SESSIONS: Readonly<Record<string, string>> = { complete: 'completed', expired: 'expired' };
const CLOSED = new Set(['won', 'lost', 'warning_closed', 'prevented']);

const LISTS: ReadonlyMap<string, List> = new Map<string, List>([
  ['events', { path: 'events', typeOf: undefined }],
  ['customers', { path: 'customers', typeOf: () => 'customer.updated' }],
  ['products', { path: 'products', typeOf: () => 'product.updated' }],
  ['sessions', { path: 'checkout/sessions', typeOf: (session) => under('checkout.session', SESSIONS[stateOf(session)]) }],
  ['intents', { path: 'payment_intents', typeOf: (intent) => `payment_intent.${INTENTS[stateOf(intent)] ?? triedOf(intent)}` }],
  ['charges', { path: 'charges', typeOf: (charge) => `charge.${stateOf(charge) === 'succeeded' ? settledOf(charge) : stateOf(charge)}` }],
  ['refunds', { path: 'refunds', typeOf: (refund) => (stateOf(refund) === 'failed' ? 'refund.failed' : 'refund.updated') }],
  [
    'disputes',
    { path: 'disputes', typeOf: (dispute) => (CLOSED.has(stateOf(dispute)) ? 'charge.dispute.closed' : 'charge.dispute.updated') },
  ],
]);
/** What an object shows only when it is asked to. */
const SHOWN: ReadonlyMap<string, string> = new Map([
  ['sessions', 'line_items'],
  ['charges', 'refunds'],
]);
const LIMIT = 100;
const SECOND = 1_000_000_000n;
const EVENTS_KEPT = 30n * 86_400n * SECOND;

/** `api` such as `https://api.stripe.com/v1`. Throws `BAD_CONFIG`. */
export function stripeBackfill(api: string): Backfill {
  const root = readBaseUrl('stripe: api', api, 'https://api.stripe.com/v1');
  return {
    origin: new URL(root).origin,
    streams: [...LISTS.keys()],
    // Objects first: their events are the better word, and come after them.
    streamsFor: ({ from }, nowMs) =>
      from >= fromMs(nowMs) - EVENTS_KEPT ? ['events'] : [...LISTS.keys()].filter((name) => name !== 'events').concat('events'),
    headers: (token) => ({ authorization: `Bearer ${token}`, 'stripe-version': STRIPE_VERSION }),
    url({ stream, range, cursor }) {
      const query = new URLSearchParams({ limit: String(LIMIT), 'created[gte]': secondsOf(range.from) });
      const shown = SHOWN.get(stream);
      if (shown !== undefined) query.set('expand[0]', `data.${shown}`);
      const last = readCursor(cursor);
      if (last?.id === '') query.set('created[lte]', last.created);
      else if (range.to !== undefined) query.set('created[lt]', secondsOf(range.to));
      if (last !== undefined && last.id !== '') query.set('starting_after', last.id);
      return `${root}/${listCalled(LISTS, stream).path}?${query.toString()}`;
    },
    recover(cursor) {
      const last = readCursor(cursor);
      return last === undefined || last.id === '' || last.created === '' ? undefined : `/${last.created}`;
    },
    read,
  };
}

function read({ text, firstMs }: Page, { stream, cursor }: Place): PageRead {
  const { typeOf } = listCalled(LISTS, stream);
  const page = membersOf(text);
  const objects = listedIn(page?.get('data'));
  const before = readCursor(cursor)?.id;
  if (objects.some(({ id }) => id === before)) throw noPage('a page that was asked for before');
  const tell = ({ id, text: object, members }: Listed) => {
    if (typeOf === undefined) return [foundAs('event', id, object, {})];
    const type = typeOf(members);
    return type === undefined ? [] : [foundAs(type, id, wrapped(type, object, firstMs), {})];
  };
  return { found: objects.flatMap(tell), next: page?.get('has_more') === 'true' ? writeCursor(objects.at(-1)) : undefined };
}

/** The last object's id and the second in which it was made; without the id, all of that second comes again. */
interface Cursor {
  readonly id: string;
  readonly created: string;
}

function writeCursor(last: Listed | undefined): string | undefined {
  return last === undefined ? undefined : `${last.id}/${textOf(last.members.get('created')) ?? ''}`;
}

function readCursor(cursor: string | undefined): Cursor | undefined {
  const [, id, created] = /^(.*)\/(\d*)$/.exec(cursor ?? '') ?? [];
  return id === undefined || created === undefined ? undefined : { id, created };
}

/** An event as Stripe writes it, but for its id: this one never happened. */
function wrapped(type: string, object: string, firstMs: number): string {
  return `{"object":"event","type":"${type}","created":${Math.floor(firstMs / 1_000)},"data":{"object":${object}}}`;
}

/** Stripe's times are whole seconds, so a bound between two is the later one. */
function secondsOf(instant: bigint): string {
  return String((instant + SECOND - 1n) / SECOND);
}

function under(object: string, verb: string | undefined): string | undefined {
  return verb === undefined ? undefined : `${object}.${verb}`;
}

function stateOf(object: ReadonlyMap<string, string>): string {
  return textOf(object.get('status')) ?? '';
}

/** An intent that waits for a way to pay: one was declined, or there was none yet. */
function triedOf(intent: ReadonlyMap<string, string>): string {
  return (intent.get('last_payment_error') ?? 'null') === 'null' ? 'created' : 'payment_failed';
}

function settledOf(charge: ReadonlyMap<string, string>): string {
  if ((charge.get('amount_refunded') ?? '0') !== '0') return 'refunded';
  return charge.get('captured') === 'false' ? 'succeeded' : 'captured';
}
