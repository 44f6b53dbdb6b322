/** Senders on loopback that list what they have, as WooCommerce, Shopify and Stripe do, and fail as anybody does. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Something a shop has: Unix seconds, and what is shown beside id and times. */
export interface Thing {
  readonly id: string;
  changed: number;
  readonly shows: Record<string, unknown>;
}

type Fault = (request: IncomingMessage, response: ServerResponse) => void;

export interface Lists {
  readonly origin: string;
  /** By list, e.g. `orders`; each in the order of ids. */
  readonly things: Map<string, Thing[]>;
  /** URLs in the order in which they were asked for, without origin. */
  readonly asked: string[];
  /** What happens instead of the next answers, one each. */
  readonly faults: Fault[];
  /** After each whole answer. */
  onAnswer: (() => void) | undefined;
  /** The `Date` of answers, Unix seconds; undefined: now. */
  date: number | undefined;
  close(): Promise<void>;
}

export const FAULTS: Readonly<Record<string, Fault>> = {
  busy: (_, response) => void response.writeHead(429, { 'retry-after': '0' }).end('{"errors":"Exceeded 2 calls per second"}'),
  broken: (_, response) => void response.writeHead(500).end('<html>it is broken</html>'),
  maintenance: (_, response) => void response.writeHead(200).end('<html>back soon</html>'),
  cut: (_, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('[{"id":1');
    setTimeout(() => response.destroy(), 5);
  },
  gone: (request) => void request.socket.destroy(),
};

export async function openLists(speak: (lists: Lists, url: URL) => string | undefined): Promise<Lists> {
  const server = createServer((request, response) => {
    lists.asked.push(request.url ?? '');
    const fault = lists.faults.shift();
    if (fault !== undefined) return fault(request, response);
    const said = speak(lists, new URL(request.url ?? '', lists.origin));
    const headers = lists.date === undefined ? {} : { date: new Date(lists.date * 1_000).toUTCString() };
    if (said === undefined) response.writeHead(404, headers).end('{}');
    else response.writeHead(200, headers).end(said);
    lists.onAnswer?.();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const lists: Lists = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    things: new Map(),
    asked: [],
    faults: [],
    onAnswer: undefined,
    date: undefined,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return lists;
}

const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString();
const secondsOf = (text: string | null): number => Date.parse(`${text?.replace(/Z$/, '')}Z`) / 1_000;

/** `/wp-json/wc/v3/<list>`: by id and offset, `modified_after` in whole seconds and exclusive. */
export function speakWoocommerce({ things }: Pick<Lists, 'things'>, { pathname, searchParams: query }: URL): string | undefined {
  const list = pathname.startsWith('/wp-json/wc/v3/') ? pathname.slice('/wp-json/wc/v3/'.length) : '';
  const all = things.get(query.get('status') === 'trash' ? `trashed-${list}` : list);
  if (query.get('orderby') !== 'id' || query.get('order') !== 'asc') return undefined;
  const after = query.has('modified_after') ? secondsOf(query.get('modified_after')) : -Infinity;
  const offset = Number(query.get('offset'));
  const page = (all ?? []).filter(({ changed }) => changed > after).slice(offset, offset + Number(query.get('per_page')));
  return `[${page.map(woocommerceText).join(',')}]`;
}

/** What its webhooks bring, too. */
export function woocommerceText({ id, changed, shows }: Thing): string {
  const time = iso(changed).slice(0, 19);
  return `{"id":${id},"date_created_gmt":"2026-01-01T00:00:00","date_modified_gmt":"${time}",${JSON.stringify(shows).slice(1)}`;
}

/** `/admin/api/2026-01/<list>.json`: by id, after `since_id`. */
export function speakShopify({ things }: Pick<Lists, 'things'>, { pathname, searchParams: query }: URL): string | undefined {
  const list = /^\/admin\/api\/2026-01\/(\w+)\.json$/.exec(pathname)?.[1];
  if (list === undefined || (list === 'orders' && query.get('status') !== 'any')) return undefined;
  const from = secondsOf(query.get('updated_at_min'));
  const to = query.has('updated_at_max') ? secondsOf(query.get('updated_at_max')) : Infinity;
  const since = BigInt(query.get('since_id') ?? '0');
  const page = (things.get(list) ?? [])
    .filter(({ id, changed }) => BigInt(id) > since && changed >= from && changed <= to)
    .slice(0, Number(query.get('limit')));
  return `{"${list}":[${page.map(shopifyText).join(',')}]}`;
}

export function shopifyText({ id, changed, shows }: Thing): string {
  return `{"id":${id},"created_at":"2026-01-01T00:00:00Z","updated_at":"${iso(changed)}",${JSON.stringify(shows).slice(1)}`;
}

/** `/v1/<list>`: newest first, after `starting_after`; `changed` is when it was made. */
export function speakStripe({ things }: Pick<Lists, 'things'>, { pathname, searchParams: query }: URL): string | undefined {
  const list = things.get(pathname.replace('/v1/', '')) ?? [];
  const from = Number(query.get('created[gte]'));
  const to = Number(query.get('created[lt]') ?? Infinity);
  const last = Number(query.get('created[lte]') ?? Infinity);
  const newest = list.filter(({ changed }) => changed >= from && changed < to && changed <= last).toSorted((a, b) => b.changed - a.changed);
  const after = query.get('starting_after');
  if (after !== null && !newest.some(({ id }) => id === after)) return undefined;
  const start = newest.findIndex(({ id }) => id === after) + 1;
  const limit = Number(query.get('limit'));
  const data = newest.slice(start, start + limit).map(stripeText);
  return `{"object":"list","url":"${pathname}","has_more":${newest.length > start + limit},"data":[${data.join(',')}]}`;
}

function stripeText({ id, changed, shows }: Thing): string {
  return `{\n  "id": "${id}",\n  "created": ${changed},\n  ${JSON.stringify(shows).slice(1)}`;
}
