/** Neo4j and Redis as child processes over one data directory. */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { IngestError } from '../errors.ts';
import { tryLock } from './lock.ts';
import { createNeo4j, type Ports } from './neo4j.ts';
import { createRedis } from './redis.ts';
import { runServer, type LocalServer, type RunningServer } from './server.ts';
import type { Started, StartOptions } from './runtime.ts';

/** What a kept data directory must remember so that a second start can open it, at the same address if it is free. */
const memory = z.object({
  neo4jPassword: z.string(),
  redisPassword: z.string(),
  bolt: z.number().optional(),
  http: z.number().optional(),
  redis: z.number().optional(),
});
type Memory = z.infer<typeof memory>;

/** Starts what `wanted` names, in parallel. Throws NO_RUNTIME with the reason; nothing is left running then. */
export async function startLocal(wanted: { neo4j: boolean; redis: boolean }, options: StartOptions): Promise<Started> {
  const { report, cacheDir, javaHome, heapMb, pageCacheMb, brief, http } = options;
  const ephemeral = options.dataDir === undefined;
  const dataDir = options.dataDir === undefined ? await mkdtemp(join(tmpdir(), 'eventgraft-')) : resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true });
  // A fresh directory is nobody else's, and must hold nothing but what the servers' own supervisors remove.
  const release = ephemeral ? async () => {} : await tryLock(join(dataDir, 'lock'));
  if (release === undefined)
    throw new IngestError('BAD_CONFIG', `${dataDir} is in use by another process: stop that one, or name another directory.`);

  const running: RunningServer<unknown>[] = [];
  const keep = <P>(server: RunningServer<P>): RunningServer<P> => {
    running.push(server);
    return server;
  };
  const close = async (): Promise<void> => {
    await Promise.all(running.map((server) => (ephemeral ? server.kill() : server.stop())));
    if (ephemeral) await rm(dataDir, { recursive: true, force: true });
    await release();
  };

  const known = ephemeral ? newPasswords() : await recall(dataDir);
  const installNeo4j = () => {
    const { neo4jPassword: password } = known;
    return createNeo4j({
      cacheDir,
      report,
      homeDir: join(dataDir, 'neo4j'),
      ephemeral,
      javaHome,
      heapMb,
      pageCacheMb,
      brief,
      http,
      password,
    });
  };
  const installRedis = () => createRedis({ cacheDir, report, ephemeral, dataDir: join(dataDir, 'redis'), password: known.redisPassword });

  let servers: { neo4j: LocalServer<Ports> | undefined; redis: LocalServer<number> | undefined };
  try {
    // One after the other, since two Mavens at once get into each other's way; the small one first.
    const redis = wanted.redis ? await installRedis() : undefined;
    servers = { redis, neo4j: wanted.neo4j ? await installNeo4j() : undefined };
  } catch (error) {
    await close();
    throw error;
  }
  const preferred = known.bolt === undefined ? undefined : { bolt: known.bolt, http: known.http };
  // Both to their end before anything is thrown, so that no server comes up behind the cleaning.
  const [neo4j, redis] = await Promise.allSettled([
    servers.neo4j && runServer(servers.neo4j, preferred).then(keep),
    servers.redis && runServer(servers.redis, known.redis).then(keep),
  ]);
  if (neo4j.status === 'rejected' || redis.status === 'rejected') {
    await close();
    throw neo4j.status === 'rejected' ? neo4j.reason : redis.status === 'rejected' ? redis.reason : undefined;
  }
  const ports = neo4j.value?.ports;
  if (!ephemeral)
    await remember(dataDir, {
      ...known,
      bolt: ports?.bolt ?? known.bolt,
      http: ports?.http ?? known.http,
      redis: redis.value?.ports ?? known.redis,
    });
  return {
    neo4j: neo4j.value && {
      server: neo4j.value,
      access: {
        uri: `bolt://127.0.0.1:${neo4j.value.ports.bolt}`,
        username: 'neo4j',
        password: known.neo4jPassword,
        database: 'neo4j',
      },
      browserUrl: ports?.http === undefined ? undefined : `http://127.0.0.1:${ports.http}`,
    },
    redis: redis.value && { server: redis.value, url: `redis://:${known.redisPassword}@127.0.0.1:${redis.value.ports}` },
    close,
  };
}

async function recall(dataDir: string): Promise<Memory> {
  const file = join(dataDir, 'runtime.json');
  if (existsSync(file)) return memory.parse(JSON.parse(await readFile(file, 'utf8')));
  const fresh = newPasswords();
  await remember(dataDir, fresh);
  return fresh;
}

function newPasswords(): Memory {
  return { neo4jPassword: randomBytes(18).toString('hex'), redisPassword: randomBytes(18).toString('hex') };
}

async function remember(dataDir: string, what: { [K in keyof Memory]: Memory[K] | undefined }): Promise<void> {
  await writeFile(join(dataDir, 'runtime.json'), `${JSON.stringify(what, undefined, 2)}\n`, { mode: 0o600 });
}
