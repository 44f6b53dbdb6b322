/** Two stores, one life: what the service notices when either has lost its memory. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeEach, expect, test } from 'vitest';

import { matchEpochs, moveWatermark, type Lives } from '../../src/epoch.ts';
import { createBolt } from '../../src/graph/driver.ts';
import { readMeta } from '../../src/graph/meta.ts';
import { keysOf } from '../../src/queue/keys.ts';
import { connectRedis, readEpoch, waitUntilReady } from '../../src/queue/redis.ts';
import { freshDatabase, freshPrefix, neo4j, redis } from '../support/runtime.ts';

const bolt = createBolt(neo4j(), 2);
const connection = connectRedis(redis(), { role: 'worker' });
let lives: Lives;

beforeEach(async () => {
  await freshDatabase();
  await waitUntilReady(connection);
  lives = { redis: connection, prefix: freshPrefix(), bolt };
});

afterAll(async () => {
  connection.disconnect();
  await bolt.close();
});

/** Twenty starts of twenty workers. */
async function live(starts: number): Promise<void> {
  for (let i = 0; i < starts; i++) await moveWatermark(lives);
}

test('a first start, and every start after it, finds one life', async () => {
  expect((await matchEpochs(lives)).verdict).toBe('same');
  await live(3);
  expect((await matchEpochs(lives)).verdict).toBe('same');
});

test('workers that start at once do not take each other for a restored backup', async () => {
  await matchEpochs(lives);
  await Promise.all(Array.from({ length: 8 }, () => moveWatermark(lives)));
  expect((await matchEpochs(lives)).verdict).toBe('same');
});

test('a worker that moves the watermark while another looks is not taken for a restored backup', async () => {
  await matchEpochs(lives);
  await live(1);
  const { watermark } = keysOf(lives.prefix);
  const late = new Proxy(connection, {
    get(target, name) {
      if (name !== 'get') return Reflect.get(target, name, target);
      return async (key: string) => {
        if (key === watermark) {
          await sleep(200); // What is read at the same time is read by now.
          await moveWatermark(lives);
        }
        return target.get(key);
      };
    },
  });
  expect((await matchEpochs({ ...lives, redis: late })).verdict).toBe('same');
});

test('a Redis that lost its data is noticed once', async () => {
  await matchEpochs(lives);
  await live(1);
  const keys = await connection.keys(`${lives.prefix}:*`);
  await connection.del(...keys);
  expect((await matchEpochs(lives)).verdict).toBe('redis-lost');
  expect((await matchEpochs(lives)).verdict).toBe('same');
});

test('a graph that was emptied is noticed like one that was restored', async () => {
  await matchEpochs(lives);
  await live(1);
  await freshDatabase();
  expect((await matchEpochs(lives)).verdict).toBe('graph-restored');
});

test('a graph that was restored from a backup is noticed once, and duplicate marks of before count no more', async () => {
  await matchEpochs(lives);
  await live(1);
  const backup = await readMeta(bolt);
  const epoch = await readEpoch(connection, lives.prefix);
  await live(2);
  await bolt.driver.executeQuery(
    "MATCH (m:_Meta {id: 'meta'}) SET m.watermarks = $watermarks",
    { watermarks: backup.watermarks },
    { database: bolt.database },
  );
  expect((await matchEpochs(lives)).verdict).toBe('graph-restored');
  expect(await readEpoch(connection, lives.prefix)).not.toBe(epoch);
  expect((await matchEpochs(lives)).verdict).toBe('graph-restored');
  await live(1);
  expect((await matchEpochs(lives)).verdict).toBe('same');
});
