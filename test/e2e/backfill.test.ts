/** What must hold: webhooks and an overlapping backfill at once, the backfill killed twice, receiver and worker once each, and each object is in the graph once. */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { apply } from '../../src/apply.ts';
import { createBolt } from '../../src/graph/driver.ts';
import { applySchema } from '../../src/graph/schema.ts';
import { readGraph } from '../../src/graph/snapshot.ts';
import { createGraphStore } from '../../src/graph/store.ts';
import { commerce } from '../../src/model/commerce.ts';
import { diffGraphs, type PublicGraph } from '../../src/model/graph.ts';
import { woocommerce } from '../../src/sources/woocommerce.ts';
import { createRandom } from '../../src/verify/random.ts';
import { cli, start, type Place } from '../support/cli.ts';
import { secret, SECRET_TEXT, woocommerceDelivery } from '../support/deliveries.ts';
import { FAULTS, openLists, speakWoocommerce, woocommerceText, type Lists, type Thing } from '../support/lists.ts';
import { freshDatabase, freshPrefix, neo4j, redis, scratchPath } from '../support/runtime.ts';
import { ADMIN_TOKEN, drained, startService, type Service, type Where } from '../support/service.ts';

const ORDERS = process.env['EVENTGRAFT_LONG'] === '1' ? 10_000 : 4_000;
/** As the shop hands them out. */
const PAGES = ORDERS / 100;
const FROM = Date.UTC(2026, 10, 1) / 1_000;
const seed = String(Date.now());
const random = createRandom(seed);

let lists: Lists;
let place: Place;
let where: Where;
let service: Service;
let work: Service;
let child: ChildProcess | undefined;

beforeEach(async () => {
  await freshDatabase();
  await withBolt((bolt) => applySchema(bolt, commerce));
  lists = await openLists(speakWoocommerce);
  lists.things.set(
    'orders',
    Array.from({ length: ORDERS }, (_, i) => order(i + 1)),
  );
  where = { neo4j: neo4j(), redisUrl: redis(), prefix: freshPrefix(), secret: SECRET_TEXT };
  const cwd = scratchPath('backfill');
  mkdirSync(cwd, { recursive: true });
  const config = join(cwd, 'eventgraft.config.ts');
  writeFileSync(
    config,
    `import { defineConfig, woocommerce } from 'eventgraft';
export default defineConfig({ sources: { shop: woocommerce({ api: '${lists.origin}/wp-json/wc/v3' }) } });\n`,
  );
  const env = {
    NEO4J_URI: where.neo4j.uri,
    NEO4J_USERNAME: where.neo4j.username,
    NEO4J_PASSWORD: where.neo4j.password,
    REDIS_URL: where.redisUrl,
    EVENTGRAFT_QUEUE_PREFIX: where.prefix,
    EVENTGRAFT_CONFIG: config,
    WEBHOOK_SECRET_SHOP: SECRET_TEXT,
    FETCH_TOKEN_SHOP: 'ck_canary:cs_canary',
    ADMIN_TOKEN,
  };
  place = { cwd, env };
  service = await startService('serve', where, env);
  work = await startService('work', where, env);
});

afterEach(async () => {
  child?.kill('SIGKILL');
  await Promise.all([service, work].map((one) => one.kill('SIGKILL')));
  await lists.close();
});

async function withBolt<T>(use: (bolt: ReturnType<typeof createBolt>) => Promise<T>): Promise<T> {
  const bolt = createBolt(neo4j(), 2);
  try {
    return await use(bolt);
  } finally {
    await bolt.close();
  }
}

function order(n: number): Thing {
  const shows = {
    number: String(n),
    status: 'processing',
    currency: 'EUR',
    total: `${n}.00`,
    customer_id: (n % 500) + 1,
    line_items: [{ id: n, product_id: (n % 200) + 1, quantity: 1, subtotal: `${n}.00`, total: `${n}.00`, name: 'tea', sku: '' }],
  };
  return { id: String(n), changed: FROM + n, shows };
}

let delivered = 0;

async function deliver(thing: Thing): Promise<void> {
  delivered += 1;
  const { headers, body } = woocommerceDelivery({ body: woocommerceText(thing), secretText: SECRET_TEXT }, 'order.updated');
  for (;;) {
    const request = { method: 'POST', headers, body: new Uint8Array(body) };
    const status = await fetch(`${service.url}/webhooks/shop`, request).then(
      (response) => response.status,
      () => 503, // Killed, and not back yet.
    );
    if (status === 200 || status === 202) return;
    await sleep(20);
    if (status !== 503) throw new Error(`the receiver answered ${status}`);
  }
}

/** Orders change all the time, and their webhooks come at once, late, twice, or for some never; each as it was at that moment. */
async function trade(until: () => boolean): Promise<Set<string>> {
  const orders = lists.things.get('orders') ?? [];
  const late: Thing[] = [];
  const changed = new Set<string>();
  for (let tick = 1; !until(); tick++) {
    const thing = orders[random.below(orders.length)];
    if (thing === undefined) continue;
    const status = random.pick(['processing', 'completed', 'on-hold', 'cancelled']);
    Object.assign(thing, { changed: FROM + ORDERS + tick, shows: { ...thing.shows, status } });
    changed.add(thing.id);
    const now = structuredClone(thing);
    if (random.chance(0.3)) late.push(now);
    else await deliver(now);
    if (random.chance(0.1)) await deliver(now);
    if (random.chance(0.2)) await deliver(random.pick(orders));
  }
  for (const thing of random.shuffle(late)) await deliver(thing);
  return changed;
}

/** The graph of the orders as they are in the end, each told once, in order. */
async function expectedGraph(): Promise<PublicGraph> {
  await freshDatabase();
  return withBolt(async (bolt) => {
    await applySchema(bolt, commerce);
    const store = createGraphStore(bolt, commerce);
    const shop = woocommerce()({ name: 'shop', secrets: [secret()], model: commerce });
    const events = (lists.things.get('orders') ?? []).map((thing) => {
      const body = woocommerceText(thing);
      const bodyHash = createHash('sha256').update(body).digest('hex');
      return {
        source: 'shop',
        id: `once/${thing.id}`,
        body,
        bodyHash,
        headers: { 'x-wc-webhook-topic': 'order.updated' },
        receivedAtMs: Date.now(),
      };
    });
    for (let at = 0; at < events.length; at += 1_000) {
      const some = events.slice(at, at + 1_000);
      const intake = some.map((event, index) => ({ job: `once-${at}-${some.length}`, index, of: some.length, event }));
      await apply(intake, store, { sources: new Map([['shop', shop]]), maxFutureMs: 600_000 });
    }
    return readGraph(bolt, commerce);
  });
}

/** Runs until the shop has been asked for so many pages, and is killed like a process whose machine is gone. */
async function backfillUntil(pages: number, ...args: string[]): Promise<void> {
  const killed = start(place, 'backfill', 'shop', '--from', '2026-11-01T00:00:00Z', '--rate', '40', ...args);
  child = killed;
  const gone = new Promise<void>((done) => killed.once('exit', () => done()));
  lists.onAnswer = () => {
    if (lists.asked.length % 9 === 0) lists.faults.push(random.pick(Object.values(FAULTS)));
    if (lists.asked.length >= pages) killed.kill('SIGKILL');
  };
  await gone;
}

test(`${ORDERS} orders, webhooks of them all the while, the backfill killed twice, receiver and worker once: the graph of each once (seed ${seed})`, async () => {
  let over = false;
  const trading = trade(() => over);
  await backfillUntil(PAGES * 0.35);
  expect(lists.asked.length).toBeLessThan(PAGES * 0.35 + 5);
  await work.kill('SIGKILL');
  work = await startService('work', where, place.env);
  await backfillUntil(PAGES * 0.75, '--resume');
  await service.kill('SIGKILL');
  service = await startService('serve', where, place.env);
  lists.onAnswer = undefined;
  const done = await cli(place, 'backfill', 'shop', '--from', '2026-11-01T00:00:00Z', '--rate', '100', '--resume', '--json');
  over = true;
  const changed = await trading;
  expect(done.stderr).toContain('Going on with the run of');
  expect(done.code).toBe(0);
  const [run] = done.rows();
  expect(run).toMatchObject({ state: 'finished', source: 'shop' });
  // Each page once, and some for faults and for what was in hand when it was killed, not each three times.
  expect(lists.asked.length).toBeLessThan(PAGES * 1.6);

  const stats = await drained(service.url);
  const { states } = stats;
  expect(Object.values(states).reduce((a, b) => a + b) + stats.duplicateLate, JSON.stringify(stats)).toBe(stats.accepted);
  expect([states.failed, states.quarantined, states.ignored]).toEqual([0, 0, 0]);
  expect(changed.size).toBeGreaterThan(ORDERS / 100);
  expect(stats.accepted + stats.duplicate).toBeGreaterThanOrEqual(ORDERS + delivered);

  const listed = await cli(place, 'backfill', '--list', '--json');
  expect(listed.rows()).toEqual([run]);
  const found = await withBolt((bolt) => readGraph(bolt, commerce));
  // Orders, their products and customers.
  expect(found.nodes.size).toBe(ORDERS + 200 + 500);
  await work.kill();
  expect(diffGraphs(await expectedGraph(), found)).toEqual([]);
  expect(done.stdout + done.stderr + listed.stdout + service.log() + work.log()).not.toContain('canary');
}, 300_000);

test('a token that is refused, a source that cannot be asked, and Ctrl-C: each says what to do, and what was done stays', async () => {
  const from = ['--from', '2026-11-01T00:00:00Z', '--streams', 'orders'];
  lists.faults.push((_, response) => void response.writeHead(401).end('{"code":"woocommerce_rest_cannot_view"}'));
  const refused = await cli(place, 'backfill', 'shop', ...from);
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toMatch(/the sender answered 401 when asked for orders: set FETCH_TOKEN_SHOP .*\n {2}BAD_CONFIG/);

  const stopped = start(place, 'backfill', 'shop', ...from);
  child = stopped;
  let said = '';
  stopped.stderr?.on('data', (text) => (said += text));
  const end = new Promise<number | null>((done) => stopped.once('exit', done));
  lists.onAnswer = () => void (lists.asked.length === 5 && stopped.kill('SIGINT'));
  expect(await end).toBe(1);
  expect(said).toContain('Stopped. The same command goes on where it was.');

  const listed = await cli(place, 'backfill', '--list');
  expect(listed.stdout).toMatch(/^shop +2026-11-01T00:00:00Z +orders +running +\d /m);
  expect((await cli(place, 'backfill', 'other', '--list', '--json')).stdout).toBe('');
  expect([refused, listed].map(({ stdout, stderr }) => stdout + stderr).join() + said).not.toContain('canary');
});
