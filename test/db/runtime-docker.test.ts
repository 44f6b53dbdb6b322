/** The Docker way of the local runtime. With containers only where asked for, since it needs a daemon, its images and a minute: EVENTGRAFT_TEST_DOCKER=1. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import neo4j from 'neo4j-driver';
import { expect, onTestFinished, test } from 'vitest';
import { startRuntime } from '../../src/runtime/runtime.ts';

const MINUTE_MS = 60_000;
const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
/** Running and stopped ones, whoever made them. */
const containers = (): string[] =>
  execFileSync('docker', ['ps', '--all', '--quiet', '--no-trunc'], { encoding: 'utf8' }).split('\n').toSorted();

test('containers are of the images that docker-compose.yml runs in production', () => {
  const used = [...read('src/runtime/docker.ts').matchAll(/^const \w+_IMAGE = '(.+)';$/gm)].map((m) => m[1]);
  const deployed = [...read('docker-compose.yml').matchAll(/^ {4}image: ((?:neo4j|redis):.+)$/gm)].map((m) => m[1]);
  expect(used).toHaveLength(2);
  expect(used).toEqual(deployed);
});

test.runIf(process.env['EVENTGRAFT_TEST_DOCKER'] === '1')(
  'what was stopped or killed comes back at the same address with its data, and close leaves no container behind',
  async () => {
    const before = containers();
    const runtime = await startRuntime({ kind: 'docker', heapMb: 512, pageCacheMb: 64 });
    onTestFinished(() => runtime.close());
    const redis = new Redis(runtime.redisUrl);
    redis.on('error', () => undefined);
    onTestFinished(() => redis.disconnect());
    const { uri, username, password } = runtime.neo4j;
    const driver = neo4j.driver(uri, neo4j.auth.basic(username, password));
    onTestFinished(() => driver.close());
    const count = async (): Promise<readonly number[]> => {
      const { records } = await driver.executeQuery('MERGE (a:A) SET a.n = coalesce(a.n, 0) + 1 RETURN a.n AS n');
      return [await redis.incr('n'), Number(records[0]?.get('n'))];
    };

    expect(await count()).toEqual([1, 1]);
    await Promise.all([runtime.stopRedis(), runtime.stopNeo4j()]);
    await Promise.all([runtime.startRedis(), runtime.startNeo4j()]);
    expect(await count()).toEqual([2, 2]);
    await Promise.all([runtime.killRedis(), runtime.killNeo4j()]);
    await Promise.all([runtime.startRedis(), runtime.startNeo4j()]);
    expect(await count()).toEqual([3, 3]);
    await runtime.close();
    expect(containers()).toEqual(before);
  },
  5 * MINUTE_MS,
);
