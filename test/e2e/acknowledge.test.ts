/** A gateway and a real worker that is killed -9 at any moment: each event is told of, none of them wrongly, and the token is nowhere to be seen. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { createBolt } from '../../src/graph/driver.ts';
import { applySchema } from '../../src/graph/schema.ts';
import { commerce } from '../../src/model/commerce.ts';
import { openGateway, type Gateway } from '../support/gateway.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { freshDatabase, freshPrefix, neo4j, scratchPath } from '../support/runtime.ts';
import { createSender, drained, newSecret, startService, type Service, type Where } from '../support/service.ts';

const EVENTS = process.env['EVENTGRAFT_LONG'] === '1' ? 300 : 200;
const TOKEN = 'canary-of-the-gateway';

let redis: RedisServer;
let gateway: Gateway;
let where: Where;
let serve: Service;
let env: Readonly<Record<string, string>>;
let log = '';

beforeAll(async () => {
  await freshDatabase();
  [redis, gateway] = await Promise.all([startRedis(), openGateway()]);
  where = { neo4j: neo4j(), redisUrl: redis.url, prefix: freshPrefix(), secret: newSecret() };
  const bolt = createBolt(where.neo4j, 2);
  await applySchema(bolt, commerce);
  await bolt.close();
  const config = scratchPath('acknowledge.config.mjs');
  writeFileSync(
    config,
    `import { acknowledging, defineConfig, standard } from 'eventgraft';
     export default defineConfig({ sources: { facts: acknowledging(standard(), { url: ${JSON.stringify(gateway.url)} }) } });`,
  );
  env = { EVENTGRAFT_CONFIG: config, EVENTGRAFT_LOG_LEVEL: 'trace', ACKNOWLEDGE_TOKEN_FACTS: TOKEN };
  serve = await startService('serve', where, env);
});

afterAll(async () => {
  await serve?.kill('SIGKILL');
  await gateway?.close();
  await redis?.close();
});

test('a worker that is killed -9 again and again leaves no event untold', async () => {
  gateway.answer = (_heard, response) => {
    const dice = Math.random();
    if (dice < 0.8) return 204;
    if (dice < 0.9) return 500;
    response.destroy();
    return false;
  };
  const sender = createSender(where.secret, () => serve.url);
  const ids = Array.from({ length: EVENTS }, (_, i) => `e${i}`);
  const isBad = (id: string): boolean => id.endsWith('0');
  const sending = Promise.all(
    ids.map(async (id, i) => {
      await sleep(i * 40);
      const set = isBad(id) ? { colour: 'red' } : { totalMinor: i };
      const body = { type: 'order', timestamp: '2026-11-21T09:00:00Z', data: { facts: [{ upsert: { node: 'Order', key: { id }, set } }] } };
      return sender.deliver(id, JSON.stringify(body));
    }),
  );
  for (let death = 0; death < 4; death++) {
    const work = await startService('work', where, env);
    await sleep(300 + Math.random() * 700);
    await work.kill('SIGKILL');
    log += work.log();
  }
  expect(new Set((await sending).map(({ status }) => status))).toEqual(new Set([202]));
  sender.close();
  const work = await startService('work', where, env);
  const { states } = await drained(serve.url);
  await expect.poll(() => Object.keys(gateway.verdicts()).length, { timeout: 60_000, interval: 200 }).toBe(EVENTS);
  const metrics = await (await fetch(`${work.url}/metrics`)).text();
  await work.kill();
  log += work.log() + serve.log();

  expect([states.applied, states.failed]).toEqual([0.9 * EVENTS, 0.1 * EVENTS]);
  expect(gateway.verdicts()).toEqual(Object.fromEntries(ids.map((id) => [id, isBad(id) ? 'POST fail' : 'POST ack'])));
  expect(metrics).toMatch(/eventgraft_reports_total\{source="facts",answer="204"\} \d+/);
  expect(metrics).toMatch(/eventgraft_reports_waiting \d+/);
  expect(log + metrics).not.toContain(TOKEN);
}, 180_000);
