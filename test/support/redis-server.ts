/** A Redis of its own for one test file, so that it may be killed, frozen and set otherwise without anybody else noticing. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { connectRedis, waitUntilReady } from '../../src/queue/redis.ts';
import { createRedis } from '../../src/runtime/redis.ts';
import { runServer } from '../../src/runtime/server.ts';
import { freshPrefix } from './runtime.ts';

export interface RedisServer {
  readonly url: string;
  /** As by a power cut. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** While it is down: cuts its file in the last place where these words stand, as a power cut within a write does. */
  tear(words: string): void;
  /** Stops answering without closing connections. */
  freeze(): void;
  thaw(): void;
  /** Takes its data away, too. */
  close(): Promise<void>;
}

/** appendonly yes, appendfsync always, noeviction. */
export async function startRedis(): Promise<RedisServer> {
  const password = randomBytes(12).toString('hex');
  const cacheDir = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'eventgraft');
  const dataDir = mkdtempSync(join(tmpdir(), 'eg-redis-'));
  const server = await runServer(await createRedis({ dataDir, password, ephemeral: true, cacheDir, report: () => {} }));
  const url = `redis://:${password}@127.0.0.1:${server.ports}`;
  let pid = await pidOf(url);
  return {
    url,
    kill: () => server.kill(),
    restart: async () => {
      await server.start();
      pid = await pidOf(url);
    },
    tear(words) {
      // Redis 7 has a directory of files, and writes to the last.
      const files = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.aof'));
      const file = join(dataDir, files.sort().at(-1) ?? '');
      truncateSync(file, readFileSync(file).toString('latin1').toUpperCase().lastIndexOf(words) + Math.floor(words.length / 2));
    },
    freeze: () => void process.kill(pid, 'SIGSTOP'),
    thaw: () => void process.kill(pid, 'SIGCONT'),
    close: async () => {
      await server.kill();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export interface OwnRedis {
  readonly server: RedisServer;
  /** A connection of the role `inbox`, and a prefix: new for each test. */
  readonly redis: Redis;
  readonly prefix: string;
}

/** Called at the top of a file, before its own hooks: the server lives as long as the file. Nothing is there outside hooks and tests. */
export function useRedis(): OwnRedis {
  let server: RedisServer;
  let redis: Redis;
  let prefix: string;
  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    prefix = freshPrefix();
    redis = connectRedis(server.url, { role: 'inbox' });
    await waitUntilReady(redis);
  });
  afterEach(() => redis.disconnect());
  afterAll(() => server.close());
  return {
    get server() {
      return server;
    },
    get redis() {
      return redis;
    },
    get prefix() {
      return prefix;
    },
  };
}

async function pidOf(url: string): Promise<number> {
  const redis = new Redis(url);
  try {
    return Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1]);
  } finally {
    redis.disconnect();
  }
}
