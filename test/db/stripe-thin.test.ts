/** Stripe's thin events through the whole service: signed hooks over HTTP, Stripe's API on loopback, the graph. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';

import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { startService, type Service } from '../../src/main.ts';
import { commerce } from '../../src/model/commerce.ts';
import { stripe } from '../../src/sources/stripe.ts';
import { secret, stripeDelivery } from '../support/deliveries.ts';
import { openGraph, type TestGraph } from '../support/graph.ts';
import { useRedis } from '../support/redis-server.ts';
import { neo4j } from '../support/runtime.ts';
import { ADMIN_TOKEN, drained, statsOf } from '../support/service.ts';
import { openShop, type Shop } from '../support/shop.ts';

const own = useRedis();
const TOKEN = 'rk_test_canary';
let graph: TestGraph;
let api: Shop;
let service: Service | undefined;
const lines: string[] = [];

const start = (env: Readonly<Record<string, string>>): Promise<Service> => {
  const source = stripe({ api: `${api.origin}/v1`, thin: true })({ name: 'stripe', secrets: [secret()], model: commerce });
  return startService({
    config: loadConfig({ PORT: '0', ADMIN_TOKEN, EVENTGRAFT_QUEUE_PREFIX: own.prefix, ...env }),
    setup: { model: commerce, sources: new Map([['stripe', source]]), file: undefined },
    roles: ['serve', 'work'],
    redisUrl: own.server.url,
    neo4j: neo4j(),
    log: createLog({ level: 'trace' }, { write: (line) => void lines.push(line) }),
  });
};

beforeAll(async () => {
  graph = await openGraph();
});
beforeEach(async () => {
  await graph.wipe();
  graph.feed({ redisUrl: own.server.url, prefix: own.prefix });
  api = await openShop();
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await api.close();
});
afterAll(() => graph.close());

async function deliver(id: string, type: string, about: string, created: string): Promise<number> {
  const related_object = { id: about, type: 'x', url: 'http://169.254.169.254/latest' };
  const text = JSON.stringify({ id, object: 'v2.core.event', type, created, context: null, related_object });
  const { headers, body } = stripeDelivery({ body: text, atSeconds: Math.floor(Date.now() / 1_000) });
  return (await fetch(`${service?.url}/webhooks/stripe`, { method: 'POST', headers, body: new Uint8Array(body) })).status;
}
const settle = () => drained(service?.url ?? '', 20_000);
const emails = async () => (await graph.run('MATCH (c:Customer) RETURN c.email AS email')).map(({ email }) => email);

it('a customer is asked for where they are named, changes twice at once, and goes', async () => {
  const asked: string[] = [];
  let email = 'first@example.com';
  api.answer = (request, response) => {
    asked.push(request.url ?? '');
    expect(request.headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'stripe-version': expect.stringMatching(/^\d{4}-/) });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: 'cus_1', object: 'customer', email }));
  };
  service = await start({ FETCH_TOKEN_STRIPE: TOKEN });
  expect(await deliver('evt_1', 'v1.customer.created', 'cus_1', '2026-11-21T08:00:00.100Z')).toBe(202);
  await settle();
  expect(await emails()).toEqual(['first@example.com']);

  api.tookMs = 300;
  email = 'last@example.com';
  const both = ['2026-11-21T08:00:01.100Z', '2026-11-21T08:00:01.200Z'].map((at, n) =>
    deliver(`evt_2${n}`, 'v1.customer.updated', 'cus_1', at),
  );
  expect(await Promise.all(both)).toEqual([202, 202]);
  await settle();
  expect(await emails()).toEqual(['last@example.com']);
  expect(new Set(asked)).toEqual(new Set(['/v1/customers/cus_1']));
  expect(asked.length).toBeLessThanOrEqual(3);

  const before = asked.length;
  expect(await deliver('evt_3', 'v1.customer.deleted', 'cus_1', '2026-11-21T08:00:02.000Z')).toBe(202);
  expect(await deliver('evt_4', 'v1.billing.meter.error_report_triggered', 'mtr_1', '2026-11-21T08:00:02.000Z')).toBe(202);
  await settle();
  expect(await emails()).toEqual([]);
  expect(asked).toHaveLength(before);
  const { accepted, states } = await statsOf(service.url);
  expect([accepted, states.ignored, states.failed]).toEqual([5, 1, 0]);
  expect(lines.join('')).not.toContain(TOKEN);
});

it('without a key `work` does not start: it could do nothing but wait', async () => {
  await expect(start({})).rejects.toMatchObject({ code: 'BAD_CONFIG', message: expect.stringContaining('FETCH_TOKEN_STRIPE') });
});
