/** Bent requests against `serve`, a thousand for each pack; `npm run fuzz` sends as many as you like. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createHttpServer } from '../../src/http/server.ts';
import { createWebhooks } from '../../src/http/webhooks.ts';
import type { Service } from '../../src/main.ts';
import { readCounts } from '../../src/queue/depth.ts';
import { keysOf } from '../../src/queue/keys.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { keepAccount, sheetOf } from '../support/account.ts';
import { BODY_IS_FREE, fuzz, vouches } from '../support/fuzz.ts';
import { SENDERS, startReceiver } from '../support/receiver.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { requestBytes } from '../support/wire.ts';

const seed = String(Date.now());
let redis: RedisServer;
let receiver: Service;
const logged: string[] = [];

beforeAll(async () => {
  redis = await startRedis();
  const queue = { redisUrl: redis.url, prefix: 'fuzz' };
  receiver = await startReceiver({ ...queue, onLog: (line) => logged.push(line) });
  keepAccount(sheetOf(queue));
});
afterAll(async () => {
  await receiver?.close();
  await redis?.close();
});

describe(`bent at random, seed ${seed}`, () => {
  let taken = 0;
  test.each(Object.keys(SENDERS))('%s: no 5xx, no 2xx that is not signed, and good events pass at once', async (source) => {
    const report = await fuzz({ url: receiver.url, seed, source, requests: 1_000 });
    expect(report.broken).toEqual([]);
    expect(report.byStatus['202']).toBeGreaterThan(20);
    expect(report.byStatus['401']).toBeGreaterThan(50);
    expect(report.goodMs.length).toBe(10);
    expect(report.goodMs.at(-1)).toBeLessThan(2_000);
    taken += report.byStatus['202'] ?? 0;
  });

  test('what was answered with 202 is what Redis counted, and nothing was logged as a fault', async () => {
    const connection = connectRedis(redis.url, { role: 'worker' });
    const { accepted } = await readCounts(connection, keysOf('fuzz'));
    connection.disconnect();
    // Good events in between were taken in as well.
    expect(accepted).toBeGreaterThanOrEqual(taken);
    expect(accepted).toBeLessThanOrEqual(taken + 10 * Object.keys(SENDERS).length);
    expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});

describe('the oracle', () => {
  test('notices a receiver that believes everything', async () => {
    const webhooks = createWebhooks({ isSource: () => true, receive: async () => ({ key: 'x', status: 'accepted', secretId: 'x' }) });
    const http = createHttpServer({ host: '127.0.0.1', port: 0, webhooks });
    const report = await fuzz({ url: await http.listen(), seed, source: 'github', requests: 100 });
    await http.close(100);
    expect(report.broken.filter((line) => line.startsWith('202 for a signature that does not hold')).length).toBeGreaterThan(10);
  });

  test.each(Object.entries(SENDERS))('vouches for %s as it is sent, and for nothing else', (source, { sign, bodies: [body = ''] }) => {
    const { headers } = sign({ body, source, atSeconds: Math.floor(Date.now() / 1_000) });
    const bytes = (text: string) => requestBytes(`/webhooks/${source}`, Object.entries(headers), Buffer.from(text));
    expect([vouches(bytes(body), source), vouches(bytes(`${body} `), source)]).toEqual([true, BODY_IS_FREE.has(source)]);
  });
});
