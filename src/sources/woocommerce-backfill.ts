/**
 * WooCommerce's lists, by id. There is no "after this id", only an offset, which slips when something before it is deleted
 * while the list is read. So each page begins with the last object of the one before; if it begins later, that many went
 * away, and the page before is read once more. Nothing that merely changes leaves the list: there is no upper bound in time.
 * (class-wc-rest-crud-controller.php and class-wc-rest-customers-v1-controller.php, `get_collection_params`)
 */
import { formatInstant, parseInstant } from '../model/instant.ts';
import { ascendingIn, backfillId, foundAs, listCalled, sha256, textOf, type Listed } from './pages.ts';
import type { Backfill, Found, Page, PageRead, Place, Range } from './source.ts';

interface List {
  readonly path: string;
  readonly topic: string;
  readonly query: Readonly<Record<string, string>>;
  /** Whether it can be asked for what was changed since a time. */
  readonly byTime: boolean;
}

const LISTS: ReadonlyMap<string, List> = new Map<string, List>([
  ['customers', { path: 'customers', topic: 'customer.updated', query: {}, byTime: false }],
  ['products', { path: 'products', topic: 'product.updated', query: { status: 'any' }, byTime: true }],
  ['orders', { path: 'orders', topic: 'order.updated', query: { status: 'any' }, byTime: true }],
  // `any` is every status but the trash.
  ['trashed-orders', { path: 'orders', topic: 'order.deleted', query: { status: 'trash' }, byTime: true }],
]);
const PER_PAGE = 100;
/**
 * `modified_after` is read in the shop's own zone by versions before 5.4, is moved by an hour where that zone skips one, and
 * excludes the second itself. What is too old is left out here.
 */
const SLACK = 86_400n * 1_000_000_000n;

interface Cursor {
  /** Of the last object that was read, and its id. */
  readonly offset: number;
  readonly last: string;
}

export function woocommerceBackfill(root: string, headers: Backfill['headers'], topicHeader: string): Backfill {
  return {
    origin: new URL(root).origin,
    streams: [...LISTS.keys()],
    headers,
    url({ stream, range, cursor }) {
      const { path, query, byTime } = listCalled(LISTS, stream);
      const all = new URLSearchParams({ ...query, orderby: 'id', order: 'asc', per_page: String(PER_PAGE) });
      all.set('offset', String(readCursor(cursor)?.offset ?? 0));
      if (byTime) {
        all.set('modified_after', formatInstant(range.from - SLACK).slice(0, 19));
        all.set('dates_are_gmt', 'true');
      }
      return `${root}/${path}?${all.toString()}`;
    },
    read: (page, place) => read(page, place, topicHeader),
  };
}

function read(page: Page, { stream, range, cursor }: Place, topicHeader: string): PageRead {
  const { topic } = listCalled(LISTS, stream);
  const objects = ascendingIn(page.text);
  const [first] = objects;
  const last = objects.at(-1);
  const before = readCursor(cursor);
  const slipped = before !== undefined && before.offset > 0 && (first === undefined || BigInt(first.id) > BigInt(before.last));
  if (slipped) return { found: [], next: writeCursor({ ...before, offset: Math.max(0, before.offset - PER_PAGE + 1) }) };
  if (last === undefined) return { found: [], next: undefined };
  const fresh = objects.filter(({ id }) => before === undefined || BigInt(id) > BigInt(before.last));
  const reached = fresh.at(-1)?.id ?? before?.last ?? last.id;
  return {
    found: fresh
      .filter((object) => isWithin(range, object))
      .map((object) => (topic === 'order.deleted' ? trashed(object, page, topicHeader) : tell(topic, object, topicHeader))),
    next: objects.length === 1 ? undefined : writeCursor({ offset: (before?.offset ?? 0) + objects.length - 1, last: reached }),
  };
}

function tell(topic: string, { id, text }: Listed, topicHeader: string): Found {
  return foundAs(topic, id, text, { [topicHeader]: topic });
}

/** As the webhook tells it, which is an id; the object is the copy that would be asked for. */
function trashed({ id, text }: Listed, { atMs }: Page, topicHeader: string): Found {
  const topic = 'order.deleted';
  const notice = tell(topic, { id, text: `{"id":${id}}`, members: new Map() }, topicHeader);
  const bodyHash = sha256(text);
  return { ...notice, id: backfillId(topic, id, bodyHash), fetched: { body: text, bodyHash, status: 200, at: atMs } };
}

/** By its last change; what was never changed, by its making. What has no time that can be read is the mapping's to refuse. */
function isWithin({ from, to }: Range, { members }: Listed): boolean {
  const changed = utcOf(members, 'date_modified_gmt') ?? utcOf(members, 'date_created_gmt');
  return changed === undefined || (changed >= from && (to === undefined || changed < to));
}

function utcOf(members: ReadonlyMap<string, string>, name: string): bigint | undefined {
  const text = textOf(members.get(name));
  return text === undefined ? undefined : parseInstant(`${text}Z`);
}

function writeCursor({ offset, last }: Cursor): string {
  return `${offset}/${last}`;
}

function readCursor(text: string | undefined): Cursor | undefined {
  const [, offset, last] = /^(\d+)\/(\d+)$/.exec(text ?? '') ?? [];
  return offset === undefined || last === undefined ? undefined : { offset: Number(offset), last };
}
