/** A shop's deletions through the whole service: signed hooks over HTTP, the shop's REST API on loopback, the graph. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';

import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { startService, type Service } from '../../src/main.ts';
import { commerce } from '../../src/model/commerce.ts';
import { woocommerce } from '../../src/sources/woocommerce.ts';
import { SECRET_TEXT, secret, woocommerceDelivery } from '../support/deliveries.ts';
import { openGraph, type TestGraph } from '../support/graph.ts';
import { useRedis } from '../support/redis-server.ts';
import { neo4j } from '../support/runtime.ts';
import { openShop, type Shop } from '../support/shop.ts';
import { ADMIN_TOKEN, drained, statsOf } from '../support/service.ts';

const own = useRedis();
let graph: TestGraph;
let shop: Shop;
let service: Service | undefined;
const lines: string[] = [];

const start = (env: Readonly<Record<string, string>>): Promise<Service> => {
  const config = loadConfig({ PORT: '0', ADMIN_TOKEN, EVENTGRAFT_QUEUE_PREFIX: own.prefix, ...env });
  const source = woocommerce({ api: `${shop.origin}/wp-json/wc/v3` })({ name: 'tea-shop', secrets: [secret()], model: commerce });
  return startService({
    config,
    setup: { model: commerce, sources: new Map([['tea-shop', source]]), file: undefined },
    roles: ['serve', 'work'],
    redisUrl: own.server.url,
    neo4j: neo4j(),
    log: createLog({ level: 'trace' }, { write: (line) => void lines.push(line) }),
  });
};
const TOKEN = { FETCH_TOKEN_TEA_SHOP: 'ck_canary:cs_canary' };

beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(async () => {
  await graph.wipe();
  graph.feed({ redisUrl: own.server.url, prefix: own.prefix });
  shop = await openShop();
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await shop.close();
});
afterAll(() => graph.close());

let deliveries = 0;
async function deliver(topic: string, body: object): Promise<number> {
  const { headers, body: bytes } = woocommerceDelivery({ body: JSON.stringify(body), secretText: SECRET_TEXT }, topic, {
    'x-wc-webhook-delivery-id': String((deliveries += 1)).padStart(32, '0'),
  });
  const response = await fetch(`${service?.url}/webhooks/tea-shop`, { method: 'POST', headers, body: new Uint8Array(bytes) });
  return response.status;
}
const order = (second: number, over: object = {}) => ({
  id: 727,
  number: '727',
  status: 'processing',
  currency: 'EUR',
  date_created_gmt: '2026-11-21T08:00:00',
  date_modified_gmt: `2026-11-21T08:00:${String(second).padStart(2, '0')}`,
  total: '29.35',
  ...over,
});
const orders = async (): Promise<number> => (await graph.run('MATCH (o:Order) RETURN o.id AS id')).length;
const says = (status: number, body: object): void => {
  shop.answer = (request, response) => {
    expect([request.method, request.url]).toEqual(['GET', '/wp-json/wc/v3/orders/727']);
    expect(request.headers.authorization).toBe(`Basic ${Buffer.from(TOKEN.FETCH_TOKEN_TEA_SHOP).toString('base64')}`);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
};

it('an order goes into the trash, comes back, goes again, and is gone for good', async () => {
  service = await start(TOKEN);
  const settle = async (): Promise<number> => {
    await drained(service?.url ?? '', 20_000);
    return orders();
  };
  expect(await deliver('order.created', order(1))).toBe(202);
  expect(await settle()).toBe(1);

  // The trash is a change within the second of the last update.
  says(200, order(1, { status: 'trash' }));
  expect(await deliver('order.deleted', { id: 727 })).toBe(202);
  expect(await settle()).toBe(0);

  expect(await deliver('order.restored', order(2))).toBe(202);
  expect(await settle()).toBe(1);

  says(200, order(3, { status: 'trash' }));
  expect(await deliver('order.deleted', { id: 727 })).toBe(202);
  expect(await settle()).toBe(0);

  says(200, order(4));
  expect(await deliver('order.deleted', { id: 727 })).toBe(202);
  expect(await settle(), 'restored before it could be asked about').toBe(1);

  says(404, { code: 'woocommerce_rest_shop_order_invalid_id', message: 'Invalid ID.' });
  expect(await deliver('order.deleted', { id: 727 })).toBe(202);
  expect(await settle()).toBe(0);

  const { accepted, queued, duplicateLate, states } = await statsOf(service.url);
  expect([accepted, queued, duplicateLate, states.applied]).toEqual([6, 0, 0, 6]);
  expect(shop.asked.get('727')).toBe(4);
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  expect(metrics).toContain('eventgraft_fetches_total{source="tea-shop",answer="200"} 3');
  expect(metrics).toContain('eventgraft_hydrating 0');
  const shown = await fetch(`${service.url}/events?source=tea-shop`, { headers: { 'x-admin-token': ADMIN_TOKEN } });
  expect(lines.join('') + metrics + (await shown.text())).not.toContain('canary');
  expect(lines.join('')).not.toContain(Buffer.from('ck_canary').toString('base64').slice(0, 10));
});

it('a shop that is away is no failure and no stall: its events stay queued, and are not what the graph is waited for', async () => {
  shop.answer = (request) => request.socket.destroy();
  service = await start(TOKEN);
  expect(await deliver('order.deleted', { id: 727 })).toBe(202);
  await new Promise((done) => setTimeout(done, 500));
  expect(await statsOf(service.url)).toMatchObject({ accepted: 1, queued: 1, states: { ignored: 0, failed: 0 } });
  const health = (await (await fetch(`${service.url}/health/ready`)).json()) as { queue: { queued: number } };
  expect(health.queue.queued).toBe(0);
});

it('a source that asks its sender does not start without a token', async () => {
  await expect(start({})).rejects.toMatchObject({ code: 'BAD_CONFIG', message: expect.stringContaining('FETCH_TOKEN_TEA_SHOP') });
});
