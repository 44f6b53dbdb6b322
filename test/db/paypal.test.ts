/** PayPal's deliveries through the whole service: what a certificate that is there, missing or made up comes to, and what is in the graph. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { tellStory } from '../../src/cli/sample.ts';
import { openGraph, type TestGraph } from '../support/graph.ts';
import { PAYPAL_CERT_PATH, paypalBody, paypalDelivery } from '../support/paypal.ts';
import { startReceiver } from '../support/receiver.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { neo4j } from '../support/runtime.ts';
import { ADMIN_TOKEN, drained } from '../support/service.ts';

let redis: RedisServer;
let graph: TestGraph;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
const logged: string[] = [];

beforeAll(async () => {
  redis = await startRedis();
  graph = await openGraph();
  await graph.wipe();
  graph.feed({ redisUrl: redis.url, prefix: 'paypal' });
  receiver = await startReceiver({
    redisUrl: redis.url,
    prefix: 'paypal',
    neo4j: neo4j(),
    env: { ADMIN_TOKEN, EVENTGRAFT_MAX_LAG: '0' },
    onLog: (line) => logged.push(line),
  });
});
afterAll(async () => {
  await receiver?.close();
  await redis?.close();
  await graph?.close();
});

const notice = (id: string): string => JSON.stringify({ id, event_type: 'INVOICING.INVOICE.PAID' });

async function deliver(id: string, extra: Readonly<Record<string, string>> = {}, body = notice(id)) {
  const { headers } = paypalDelivery({ body, atSeconds: Math.floor(Date.now() / 1_000) }, extra);
  const answer = await fetch(`${receiver.url}/webhooks/paypal`, { method: 'POST', body, headers });
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), code: /"code":"(\w+)"/.exec(await answer.text())?.[1] };
}

test('many at once are taken in, and the certificate is asked for once', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => deliver(`WH-${n}`)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  expect((await deliver('WH-0')).status).toBe(200);
  expect(receiver.askedOfPaypal).toEqual([PAYPAL_CERT_PATH]);
});

test('a certificate that is not there is 503 with Retry-After, since the next try may find it', async () => {
  const missing = { 'paypal-cert-url': 'https://api.paypal.com/v1/notifications/certs/CERT-gone' };
  for (let n = 0; n < 3; n++)
    expect(await deliver('WH-x', missing)).toEqual({ status: 503, retryAfter: expect.any(String), code: 'UNAVAILABLE' });
  expect(receiver.askedOfPaypal.filter((path) => path.endsWith('CERT-gone'))).toHaveLength(1);
  expect((await deliver('WH-y')).status).toBe(202);
});

test.each([
  'https://evil.example/v1/notifications/certs/CERT-1',
  'http://169.254.169.254/latest/meta-data',
  `https://api.paypal.com${PAYPAL_CERT_PATH}?x`,
])('for %s nobody is asked', async (url) => {
  const before = receiver.askedOfPaypal.length;
  expect(await deliver('WH-z', { 'paypal-cert-url': url })).toMatchObject({ status: 401, code: 'BAD_SIGNATURE' });
  expect(receiver.askedOfPaypal).toHaveLength(before);
});

test('a shop’s story is in the graph, and its signatures are nowhere', async () => {
  const bodies = tellStory('paypal', 60).map(paypalBody);
  const answers = await Promise.all(bodies.map((body) => deliver('', {}, body)));
  expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
  await drained(receiver.url, 20_000);
  const [count] = await graph.run(`MATCH (c:Customer)-[:PLACED]->(o:Order)-[:CONTAINS]->(:Product)
    RETURN count(DISTINCT o) AS orders, count { (:Payment)-[:PAYS]->(:Order) } AS payments`);
  expect([Number(count?.['orders']) > 3, Number(count?.['payments']) > 1]).toEqual([true, true]);
  const { id = '' } = JSON.parse(bodies[0] ?? '{}') as { id?: string };
  const shown = await fetch(`${receiver.url}/events/${encodeURIComponent(`paypal:${id}`)}`, { headers: { 'x-admin-token': ADMIN_TOKEN } });
  const { headers } = (await shown.json()) as { headers: Record<string, string> };
  expect(Object.keys(headers).toSorted()).toEqual([
    'content-type',
    'paypal-auth-algo',
    'paypal-cert-url',
    'paypal-transmission-id',
    'paypal-transmission-time',
    'user-agent',
  ]);
});

test('nothing of it is a fault of ours, and what was asked is counted', async () => {
  expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  const metrics = await (await fetch(`${receiver.url}/metrics`)).text();
  expect(metrics).toContain('eventgraft_fetches_total{source="paypal",answer="200"} 1');
  expect(metrics).toContain('eventgraft_fetches_total{source="paypal",answer="404"} 1');
});
