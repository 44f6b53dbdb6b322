/** Backfills from a sender on loopback into the real queue, and on into the graph. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { backfill, type BackfillOptions, type Progress } from '../../src/backfill/backfill.ts';
import { commerce } from '../../src/model/commerce.ts';
import { openRuns, type Run } from '../../src/queue/runs.ts';
import { createConsumer } from '../../src/queue/consumer.ts';
import { createInbox } from '../../src/queue/inbox.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { shopify } from '../../src/sources/shopify.ts';
import type { Range, Source, SourceBuilder } from '../../src/sources/source.ts';
import { stripe } from '../../src/sources/stripe.ts';
import { woocommerce } from '../../src/sources/woocommerce.ts';
import { createWorker } from '../../src/worker.ts';
import { secret } from '../support/deliveries.ts';
import { MAX_FUTURE_MS, openGraph, type TestGraph } from '../support/graph.ts';
import { FAULTS, openLists, speakShopify, speakStripe, speakWoocommerce, type Lists, type Thing } from '../support/lists.ts';
import { useRedis } from '../support/redis-server.ts';

const own = useRedis();
let graph: TestGraph;
let lists: Lists;

beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(async () => {
  await graph.wipe();
  graph.feed({ redisUrl: own.server.url, prefix: own.prefix });
});
afterEach(() => lists.close());
afterAll(() => graph.close());

const FROM = Date.UTC(2026, 10, 1) / 1_000;
const RANGE = { from: BigInt(FROM) * 1_000_000_000n, to: undefined };
const build = (builder: SourceBuilder): Source => builder({ name: 'shop', secrets: [secret()], model: commerce });
const run = (source: Source, over: Partial<BackfillOptions> = {}, range: Range = RANGE): Promise<Run> =>
  backfill(source, range, {
    redisUrl: own.server.url,
    prefix: own.prefix,
    token: 'ck_canary:cs_canary',
    rate: 500,
    leaseMs: 600,
    minDelayMs: 10,
    ...over,
  });
const counts = async () => {
  const inbox = createInbox(own);
  try {
    return await inbox.counts();
  } finally {
    await inbox.close();
  }
};

/** Brings what is queued into the graph. */
async function settle(source: Source): Promise<void> {
  const redis = connectRedis(own.server.url, { role: 'worker' });
  const worker = createWorker(graph.store, { sources: new Map([['shop', source]]), maxFutureMs: MAX_FUTURE_MS });
  const consumer = createConsumer({ redis, prefix: own.prefix, handle: (jobs) => worker.handle(jobs) });
  consumer.run();
  while ((await counts()).queued > 0) await sleep(10);
  await consumer.close();
  worker.close();
  redis.disconnect();
}
const totals = async (): Promise<Record<string, number>> => {
  const rows = await graph.run('MATCH (o:Order) WHERE o._gone IS NULL RETURN o.id AS id, o.totalMinor AS total ORDER BY toInteger(o.id)');
  return Object.fromEntries(rows.map((row) => [String(row['id']), Number(row['total'])]));
};

const order = (n: number, changed = FROM + n): Thing => ({
  id: String(n),
  changed,
  shows: { number: String(n), status: 'processing', currency: 'EUR', total: `${n}.00`, customer_id: 0, line_items: [] },
});
const orders = (n: number): Thing[] => Array.from({ length: n }, (_, i) => order(i + 1));
const everyOrder = (n: number): Record<string, number> => Object.fromEntries(orders(n).map(({ id }) => [id, Number(id) * 100]));

describe('WooCommerce', () => {
  let shop: Source;
  beforeEach(async () => {
    lists = await openLists(speakWoocommerce);
    shop = build(woocommerce({ api: `${lists.origin}/wp-json/wc/v3` }));
  });

  it('each page is asked for once, and everything ends in the graph', async () => {
    lists.things.set('orders', orders(250));
    const done = await run(shop);
    expect(done).toMatchObject({
      state: 'finished',
      accepted: 250,
      duplicate: 0,
      streams: ['customers', 'products', 'orders', 'trashed-orders'],
    });
    expect(
      lists.asked.filter((url) => url.includes('/orders?status=any')).map((url) => new URL(url, lists.origin).searchParams.get('offset')),
    ).toEqual(['0', '99', '198', '249']);
    await settle(shop);
    expect(await totals()).toEqual(everyOrder(250));
  });

  it('an id that no event may have stops the run, and nothing of its page is taken in', async () => {
    lists.things.set('customers', [{ id: '7', changed: FROM, shows: { email: 'a@b.example' } }]);
    const { backfill: own } = shop;
    if (own === undefined) throw new Error('the pack has lists');
    const faulty: Source = {
      ...shop,
      backfill: {
        ...own,
        read: (...page) => {
          const { found, next } = own.read(...page);
          return { found: found.map((one) => ({ ...one, id: '' })), next };
        },
      },
    };
    await expect(run(faulty)).rejects.toMatchObject({ code: 'NO_IDENTITY' });
    expect(await counts()).toMatchObject({ accepted: 0, queued: 0 });
  });

  it('a second run finds the same states, which are known', async () => {
    lists.things.set('orders', orders(120));
    await run(shop);
    expect(await run(shop)).toMatchObject({ state: 'finished', accepted: 0, duplicate: 120 });
    const [first] = lists.things.get('orders') ?? [];
    if (first !== undefined) Object.assign(first, { changed: FROM + 5_000, shows: { ...first.shows, total: '99.00' } });
    expect(await run(shop)).toMatchObject({ accepted: 1, duplicate: 119 });
    await settle(shop);
    expect((await totals())['1']).toBe(9_900);
  });

  it('what is older than the range is left out, and what has no time is not', async () => {
    lists.things.set('orders', [order(1, FROM - 1), order(2, FROM), order(3, FROM + 1)]);
    lists.things.set('customers', [{ id: '7', changed: FROM - 9, shows: { email: 'a@b.example' } }]);
    await run(shop);
    await settle(shop);
    expect(await totals()).toEqual({ 2: 200, 3: 300 });
    expect(await graph.run('MATCH (c:Customer) RETURN c')).toEqual([]);
  });

  it('429, 500, a cut, a page of HTML and a closed connection on every page: each is asked for again, and nothing is lost', async () => {
    lists.things.set('orders', orders(300));
    const faults = Object.values(FAULTS);
    lists.faults.push(...faults);
    lists.onAnswer = () => void lists.faults.push(...faults);
    const waits = new Set<string | undefined>();
    const done = await run(shop, { report: ({ waiting }) => waits.add(waiting) });
    expect(done).toMatchObject({ accepted: 300, duplicate: 0 });
    expect([...waits].join()).toContain('answered 429');
    expect([...waits].join()).toContain('not JSON');
    expect([...waits].join()).toContain('ECONNRESET');
    expect([...waits].join()).not.toContain('canary');
    await settle(shop);
    expect(await totals()).toEqual(everyOrder(300));
  });

  it('orders that are deleted, made and changed while the list is read make it miss nothing', async () => {
    const all = orders(1_000);
    lists.things.set('orders', all);
    let answers = 0;
    const gone: string[] = [];
    lists.onAnswer = () => {
      answers += 1;
      // From what was read already, so that everything behind it moves up; and at the end something comes, as long as there is a middle.
      if (answers > 30) return;
      gone.push(...all.splice(0, 7).map(({ id }) => id));
      all.push(order(1_000 + answers));
      const changing = all[Math.floor(all.length / 2)];
      if (changing !== undefined) Object.assign(changing, { changed: FROM + 10_000 + answers });
    };
    const done = await run(shop, { streams: ['orders'] });
    const kept = all.map(({ id }) => id);
    const keys = (await settle(shop), Object.keys(await totals()));
    expect(kept.filter((id) => !keys.includes(id))).toEqual([]);
    expect(done.accepted).toBeLessThan(1_100);
    expect(gone.length).toBeGreaterThan(70);
  });

  it('orders in the trash are removed, at the time of their last change', async () => {
    lists.things.set('orders', [order(1)]);
    await run(shop);
    await settle(shop);
    expect(await totals()).toEqual({ 1: 100 });
    lists.things.set('orders', []);
    lists.things.set('trashed-orders', [{ ...order(1), changed: FROM + 60, shows: { ...order(1).shows, status: 'trash' } }]);
    await run(shop);
    await settle(shop);
    expect(await totals()).toEqual({});
    expect(await run(shop)).toMatchObject({ accepted: 0, duplicate: 1 });
  });
});

describe('a run', () => {
  let shop: Source;
  beforeEach(async () => {
    lists = await openLists(speakWoocommerce);
    shop = build(woocommerce({ api: `${lists.origin}/wp-json/wc/v3` }));
    lists.things.set('orders', orders(1_000));
  });
  const stopAfter = async (pages: number): Promise<Progress> => {
    const stop = new AbortController();
    let last: Progress | undefined;
    const report = (at: Progress): void => {
      last = at;
      if (at.pages === pages) stop.abort();
    };
    await expect(run(shop, { signal: stop.signal, report })).rejects.toThrow();
    if (last === undefined) throw new Error('nothing was reported');
    return last;
  };

  it('that was stopped is gone on with, and asks for no page again', async () => {
    const stopped = await stopAfter(5);
    const before = lists.asked.length;
    let first: Progress | undefined;
    const done = await run(shop, { run: 'resume', report: (at) => (first ??= at) });
    expect(first).toMatchObject({ resumed: true, run: stopped.run, pages: 5 });
    expect(done).toMatchObject({ run: stopped.run, accepted: 1_000, duplicate: 0 });
    expect(new Set(lists.asked).size).toBe(lists.asked.length);
    expect(before).toBeLessThan(8);
  });

  it('of another range is another job, one that is begun anew another run, and a finished one is no longer gone on with', async () => {
    const stopped = await stopAfter(5);
    await expect(run(shop, { run: 'resume', streams: ['orders'] })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    for (const range of [
      { ...RANGE, to: BigInt(Date.now()) * 1_000_000n },
      { ...RANGE, from: RANGE.from + 1n },
    ])
      await expect(run(shop, { run: 'resume' }, range)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    const anew = await run(shop, { run: 'restart' });
    expect(anew.run).not.toBe(stopped.run);
    expect(anew).toMatchObject({ state: 'finished', accepted: 1_000 - stopped.accepted, duplicate: stopped.accepted });
    await expect(run(shop, { run: 'resume' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect((await run(shop)).run).not.toBe(anew.run);
    const { list } = openRuns(own.redis, own.prefix);
    expect((await list()).map(({ state, pages }) => [state, pages > 0])).toEqual([['finished', true]]);
  });

  it('is not run twice at once: the second waits, and says so', async () => {
    const slow = run(shop, { streams: ['orders'], rate: 3 });
    await sleep(300);
    await expect(run(shop, { streams: ['orders'] })).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining('another process'),
    });
    expect(await slow).toMatchObject({ accepted: 1_000, duplicate: 0 });
  });

  it('that lost its job to another stops, and does not write over where the other is', async () => {
    const first = run(shop, { rate: 5 });
    const failed = expect(first).rejects.toMatchObject({ message: expect.stringContaining('another process') });
    await sleep(250);
    const [job = ''] = await own.redis.hkeys(`${own.prefix}:backfills`);
    const runs = openRuns(own.redis, own.prefix, 5_000);
    const before = await runs.find(job);
    await own.redis.del(`${own.prefix}:backfills:${job}`);
    if (before === undefined) throw new Error('there is no run');
    expect(await runs.take(job, 'other', { ...before, holder: 'other', pages: 77 })).toBe(true);
    await failed;
    expect(await runs.find(job)).toMatchObject({ holder: 'other', pages: 77 });
  });

  it('whose last places Redis has lost goes on from what it knows', async () => {
    const places: Progress[] = [];
    const report = (at: Progress): void => {
      places.push(at);
      if (places.length !== 9) return;
      // As after a crash with everysec: the end of the log is missing, of the cursor as of the events.
      const { resumed: _, waiting: __, ...known } = places[4] ?? at;
      void own.redis
        .hkeys(`${own.prefix}:backfills`)
        .then(([job = '']) => own.redis.hset(`${own.prefix}:backfills`, job, JSON.stringify(known)));
    };
    const done = await run(shop, { streams: ['orders'], rate: 20, report });
    expect([done.accepted + done.duplicate, (await counts()).accepted]).toEqual([1_000, 1_000]);
    const pages = places.map((at) => at.pages);
    expect(pages.some((page, index) => page < (pages[index - 1] ?? 0))).toBe(true);
  });

  it('that cannot be resumed keeps nobody else from the job', async () => {
    await expect(run(shop, { run: 'resume', leaseMs: 60_000 })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(await own.redis.keys(`${own.prefix}:backfills:*`)).toEqual([]);
  });

  it('of which Redis has lost everything says so, rather than to leave the beginning out', async () => {
    let reported = 0;
    const report = (): void => {
      reported += 1;
      if (reported === 5) void own.redis.del(`${own.prefix}:backfills`);
    };
    await expect(run(shop, { rate: 20, report })).rejects.toMatchObject({ message: expect.stringContaining('begins anew') });
    expect(await run(shop)).toMatchObject({ state: 'finished' });
  });

  it('waits for Redis, and loses nothing by it', async () => {
    const waits = new Set<string>();
    const going = run(shop, { rate: 5, leaseMs: 30_000, report: ({ waiting }) => void (waiting !== undefined && waits.add(waiting)) });
    await sleep(300);
    await own.server.kill();
    // Longer than what the inbox waits by itself.
    await sleep(3_500);
    await own.server.restart();
    const done = await going;
    expect(done.accepted + done.duplicate).toBeGreaterThanOrEqual(1_000);
    expect(waits.size).toBeGreaterThan(0);
    expect((await counts()).accepted).toBe(1_000);
  });

  it('never fills the queue beyond what everybody may, a page neither', async () => {
    const stop = new AbortController();
    const waits = new Set<string>();
    const report = ({ waiting }: Progress): void => void (waiting !== undefined && waits.add(waiting));
    const ended = expect(run(shop, { maxQueued: 60, report, signal: stop.signal })).rejects.toThrow();
    await sleep(1_200);
    expect([(await counts()).queued, [...waits]]).toEqual([60, ['the queue is full']]);
    stop.abort();
    await ended;
  });

  it('leaves room for live traffic', async () => {
    const waits = new Set<string>();
    const going = run(shop, { maxQueued: 600, report: ({ waiting }) => void (waiting !== undefined && waits.add(waiting)) });
    await sleep(1_200);
    expect((await counts()).queued).toBeLessThan(300 + 100);
    expect([...waits].join()).toContain('eventgraft work');
    while ((await Promise.race([going, sleep(20)])) === undefined) await settle(shop);
    expect(await going).toMatchObject({ accepted: 1_000 });
    await settle(shop);
  });

  it.each([
    [401, 'FETCH_TOKEN_SHOP'],
    [403, 'FETCH_TOKEN_SHOP'],
    [404, 'eventgraft.config.ts'],
    [301, 'eventgraft.config.ts'],
  ])('that is answered %d says what to set, and can be gone on with afterwards', async (status, way) => {
    lists.onAnswer = () => void (lists.asked.length === 3 && lists.faults.push((_, response) => void response.writeHead(status).end('{}')));
    const error: unknown = await run(shop, { streams: ['orders'] }).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'BAD_CONFIG', message: expect.stringContaining(way) });
    expect(String(error)).toContain(String(status));
    expect(String(error)).not.toContain('canary');
    const [failed] = await openRuns(own.redis, own.prefix).list();
    expect(failed).toMatchObject({ state: 'failed', pages: 3, error: expect.stringContaining(String(status)) });
    expect(JSON.stringify(failed)).not.toContain('canary');
    expect(await run(shop, { streams: ['orders'], run: 'resume' })).toMatchObject({ accepted: 1_000, duplicate: 0, error: null });
  });

  it('of what cannot be asked for is refused', async () => {
    await expect(run(build(shopify()))).rejects.toMatchObject({ code: 'BAD_CONFIG', message: expect.stringContaining('needs its shop') });
    await expect(run(shop, { streams: ['coupons'] })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('orders'),
    });
    const backwards = { from: 2n, to: 1n };
    await expect(backfill(shop, backwards, { redisUrl: own.server.url, token: 'x' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(lists.asked).toEqual([]);
  });
});

describe('Shopify', () => {
  it('orders bring their refunds and fulfillments, and a page that comes twice is asked for again', async () => {
    lists = await openLists(speakShopify);
    const shop = build(shopify({ api: `${lists.origin}/admin/api/2026-01` }));
    const gid = (kind: string, id: number): string => `gid://shopify/${kind}/${id}`;
    lists.things.set(
      'orders',
      Array.from({ length: 600 }, (_, i): Thing => {
        const id = 5_000_000_000_000 + i;
        return {
          id: String(id),
          changed: FROM + (i % 60),
          shows: {
            admin_graphql_api_id: gid('Order', id),
            currency: 'EUR',
            total_price: '12.34',
            financial_status: 'paid',
            customer: { id: 9_000 + (i % 10) },
            line_items: [],
            refunds:
              i % 100 === 0
                ? [
                    {
                      id: 700 + i,
                      admin_graphql_api_id: gid('Refund', 700 + i),
                      order_id: id,
                      created_at: '2026-11-02T00:00:00Z',
                      note: null,
                      transactions: [],
                    },
                  ]
                : [],
            fulfillments:
              i % 200 === 0
                ? [{ id: 800 + i, order_id: id, status: 'success', created_at: '2026-11-02T00:00:00Z', updated_at: '2026-11-02T00:00:00Z' }]
                : [],
          },
        };
      }),
    );
    lists.things.set(
      'customers',
      Array.from({ length: 10 }, (_, i) => ({ id: String(9_000 + i), changed: FROM, shows: { email: `c${i}@shop.example` } })),
    );
    let stale = '';
    lists.onAnswer = () => {
      // What a cache in between may do: the page before once more.
      if (lists.asked.filter((url) => url.includes('orders')).length !== 2) return;
      stale = speakShopify(lists, new URL(lists.asked.at(-1) ?? '', lists.origin)) ?? '';
      lists.faults.push((_, response) => void response.end(stale));
    };
    expect(await run(shop)).toMatchObject({ state: 'finished', accepted: 600 + 6 + 3 + 10, duplicate: 0 });
    expect(stale).not.toBe('');
    await settle(shop);
    const [found] = await graph.run(
      `CALL () { MATCH (:Customer)-[:PLACED]->(o:Order) RETURN count(o) AS orders }
       CALL () { MATCH (:Refund)-[:REFUNDS]->(:Order) RETURN count(*) AS refunds }
       CALL () { MATCH (:Fulfillment)-[:FULFILLS]->(:Order) RETURN count(*) AS fulfillments }
       RETURN orders, refunds, fulfillments`,
    );
    expect(found).toEqual({ orders: 600n, refunds: 6n, fulfillments: 3n });
  });
});

describe('Stripe', () => {
  beforeEach(async () => {
    lists = await openLists(speakStripe);
  });

  it('of the last thirty days its own events are taken, of which a webhook may have brought some', async () => {
    const pay = build(stripe({ api: `${lists.origin}/v1` }));
    const nowSeconds = Math.floor(Date.now() / 1_000);
    lists.things.set(
      'events',
      Array.from({ length: 250 }, (_, i) => ({
        id: `evt_${i}`,
        changed: nowSeconds - 5_000 + i,
        shows: { object: 'event', type: 'customer.updated', data: { object: { id: `cus_${i % 50}`, email: `v${i}@pay.example` } } },
      })),
    );
    const range = { from: BigInt(nowSeconds - 86_400) * 1_000_000_000n, to: undefined };
    const options = { redisUrl: own.server.url, prefix: own.prefix, token: 'sk_test_canary', rate: 500 };
    expect(await backfill(pay, range, options)).toMatchObject({ streams: ['events'], accepted: 250, pages: 3 });
    await settle(pay);
    const rows = await graph.run('MATCH (c:Customer) RETURN c.email AS email');
    expect(rows.map((row) => String(row['email'])).sort()).toEqual(Array.from({ length: 50 }, (_, i) => `v${200 + i}@pay.example`).sort());
  });

  it('a list whose last object is gone meanwhile goes on from the second in which that was made', async () => {
    const pay = build(stripe({ api: `${lists.origin}/v1` }));
    const customers = Array.from({ length: 250 }, (_, i) => ({ id: `cus_${i}`, changed: FROM + i, shows: { email: `c${i}@pay.example` } }));
    lists.things.set('customers', customers);
    lists.onAnswer = () => {
      if (lists.asked.length === 1)
        customers.splice(
          customers.findIndex(({ id }) => id === 'cus_150'),
          1,
        );
    };
    const done = await run(pay, { streams: ['customers'] });
    expect(done).toMatchObject({ state: 'finished', accepted: 250, duplicate: 0, pages: 3 });
    expect(lists.asked.map((url) => new URL(url, lists.origin).searchParams.get('starting_after'))).toEqual([
      null,
      'cus_150',
      null,
      'cus_50',
    ]);
  });

  it('for what is older there are the objects, as of the first answer: what happened since is not undone', async () => {
    const pay = build(stripe({ api: `${lists.origin}/v1` }));
    lists.date = Math.floor(Date.now() / 1_000) - 100;
    const old = lists.date - 90 * 86_400;
    lists.things.set('customers', [{ id: 'cus_1', changed: old, shows: { object: 'customer', email: 'old@pay.example' } }]);
    lists.things.set('payment_intents', [
      { id: 'pi_1', changed: old, shows: { status: 'succeeded', amount: 500, amount_received: 500, currency: 'eur' } },
    ]);
    lists.things.set('charges', [
      {
        id: 'ch_1',
        changed: old,
        shows: {
          status: 'succeeded',
          payment_intent: 'pi_1',
          amount: 500,
          amount_captured: 500,
          captured: true,
          refunded: true,
          amount_refunded: 500,
          currency: 'eur',
        },
      },
    ]);
    lists.things.set('events', [
      {
        id: 'evt_1',
        changed: lists.date + 50,
        shows: { object: 'event', type: 'customer.updated', data: { object: { id: 'cus_1', email: 'new@pay.example' } } },
      },
    ]);
    const range = { from: BigInt(old - 1) * 1_000_000_000n, to: undefined };
    const options = { redisUrl: own.server.url, prefix: own.prefix, token: 'sk_test_canary', rate: 500 };
    const date = lists.date;
    // Later pages answer later, and are told as of the first all the same.
    lists.onAnswer = () => void (lists.date = (lists.date ?? 0) + 10);
    expect(await backfill(pay, range, options)).toMatchObject({ state: 'finished', accepted: 4 });
    await settle(pay);
    expect(await graph.run('MATCH (c:Customer) RETURN c.email AS email')).toEqual([{ email: 'new@pay.example' }]);
    expect(await graph.run('MATCH (p:Payment) RETURN p.status AS status')).toEqual([{ status: 'refunded' }]);
    const bodies = (await graph.ledger()).map(({ event }) => event.body).filter((body) => !body.includes('evt_'));
    expect(bodies.map((body) => (JSON.parse(body) as { created: number }).created)).toEqual([date, date, date]);
  });
});
