/**
 * Shopify's lists, by id: `since_id` gives what comes after an id, in the order of ids, so that nothing which changes on the
 * way is passed over, and a run can go on after any pause, which Shopify's own `page_info` does not survive.
 * (shopify.dev, REST Admin API: orders, customers, products)
 */
import { formatInstant } from '../model/instant.ts';
import { readBaseUrl } from './base-url.ts';
import { ascendingIn, foundAs, itemsOf, listCalled, listed, membersOf, noPage, type Listed } from './pages.ts';
import type { Backfill, Found, Page, Place } from './source.ts';

/** List → the topic under which a webhook would tell of the same object. */
const STREAMS: ReadonlyMap<string, string> = new Map([
  ['customers', 'customers/update'],
  ['products', 'products/update'],
  ['orders', 'orders/updated'],
]);
/** What an order brings along: lists of their own that need a request for each order. */
const WITHIN_ORDERS: ReadonlyMap<string, string> = new Map([
  ['refunds', 'refunds/create'],
  ['fulfillments', 'fulfillments/update'],
]);
const LIMIT = 250;

/** `api` such as `https://acme.myshopify.com/admin/api/2026-01`. Throws `BAD_CONFIG`. */
export function shopifyBackfill(api: string, topicHeader: string): Backfill {
  const root = readBaseUrl('shopify: api', api, 'https://acme.myshopify.com/admin/api/2026-01');
  return {
    origin: new URL(root).origin,
    streams: [...STREAMS.keys()],
    headers: (token) => ({ 'x-shopify-access-token': token }),
    url({ stream, range, cursor = '0' }) {
      const query = new URLSearchParams({ limit: String(LIMIT), since_id: cursor, updated_at_min: formatInstant(range.from) });
      if (range.to !== undefined) query.set('updated_at_max', formatInstant(range.to));
      if (stream === 'orders') query.set('status', 'any');
      return `${root}/${stream}.json?${query.toString()}`;
    },
    read(page, place) {
      const topic = listCalled(STREAMS, place.stream);
      const objects = read(page, place);
      return {
        found: objects.flatMap((object) => [
          foundAs(topic, object.id, object.text, { [topicHeader]: topic }),
          ...(place.stream === 'orders' ? withinOrder(object, topicHeader) : []),
        ]),
        // A page may be short for reasons of Shopify's own; only an empty one is the end.
        next: objects.at(-1)?.id,
      };
    },
  };
}

function read({ text }: Page, { stream, cursor = '0' }: Place): Listed[] {
  const objects = ascendingIn(membersOf(text)?.get(stream));
  const [first] = objects;
  if (first !== undefined && BigInt(first.id) <= BigInt(cursor)) throw noPage('a page that was asked for before');
  return objects;
}

/** What has no id is in the order's own body still. */
function withinOrder({ members }: Listed, topicHeader: string): Found[] {
  return [...WITHIN_ORDERS].flatMap(([name, topic]) => {
    const objects = (itemsOf(members.get(name) ?? '') ?? []).flatMap((item) => listed(item) ?? []);
    return objects.map(({ id, text }) => foundAs(topic, id, text, { [topicHeader]: topic }));
  });
}
