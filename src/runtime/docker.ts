/** Neo4j and Redis in containers, where a Docker daemon runs and the images can be had. */

import { randomBytes } from 'node:crypto';
import type { StartedTestContainer } from 'testcontainers';
import { IngestError } from '../errors.ts';
import { findFreePort } from './net.ts';
import type { Started, StartOptions } from './runtime.ts';

// The same as in docker-compose.yml: one pull serves both.
const NEO4J_IMAGE = 'neo4j:5.26-community';
const REDIS_IMAGE = 'redis:7-bookworm';
const START_TIMEOUT_MS = 300_000;
/** Neo4j writes its pages out first. */
const STOP_GRACE_S = 60;

type Containers = typeof import('testcontainers');

/** Starts what `wanted` names. `dataDir` is not kept in this way. Throws NO_RUNTIME with the reason. */
export async function startDocker(wanted: { neo4j: boolean; redis: boolean }, options: StartOptions): Promise<Started> {
  const lib = await load();
  options.report('Starting containers …');
  const [neo4j, redis] = await Promise.allSettled([
    wanted.neo4j ? startNeo4j(lib, options) : undefined,
    wanted.redis ? startRedis(lib) : undefined,
  ]);
  const close = async (): Promise<void> => {
    const started = [neo4j, redis].flatMap((result) =>
      result.status === 'fulfilled' && result.value !== undefined ? [result.value.container] : [],
    );
    await Promise.all(started.map(async (container) => (await handleOf(lib, container)).remove({ force: true, v: true })));
  };
  if (neo4j.status === 'rejected' || redis.status === 'rejected') {
    await close();
    const cause: unknown = neo4j.status === 'rejected' ? neo4j.reason : redis.status === 'rejected' ? redis.reason : undefined;
    throw new IngestError(
      'NO_RUNTIME',
      `The containers did not start: ${cause instanceof Error ? cause.message : String(cause)}`,
      {},
      cause,
    );
  }
  return {
    neo4j: neo4j.value && { server: control(lib, neo4j.value.container), access: neo4j.value.access, browserUrl: neo4j.value.browserUrl },
    redis: redis.value && { server: control(lib, redis.value.container), url: redis.value.url },
    close,
  };
}

async function load(): Promise<Containers> {
  let lib: Containers;
  try {
    lib = await import('testcontainers');
  } catch (cause) {
    throw new IngestError('NO_RUNTIME', 'The npm package testcontainers is not installed.', {}, cause);
  }
  try {
    await lib.getContainerRuntimeClient();
  } catch (cause) {
    throw new IngestError('NO_RUNTIME', 'No Docker daemon answers.', {}, cause);
  }
  return lib;
}

async function startNeo4j({ GenericContainer, Wait }: Containers, { heapMb, pageCacheMb, http }: StartOptions) {
  const password = randomBytes(18).toString('hex');
  // Fixed ports: Docker would pick others when a container is started again, and an outage test needs the same.
  const [bolt, browser] = [await findFreePort(), http ? await findFreePort() : undefined];
  const container = await new GenericContainer(NEO4J_IMAGE)
    .withEnvironment({
      NEO4J_AUTH: `neo4j/${password}`,
      NEO4J_dbms_usage__report_enabled: 'false',
      NEO4J_server_memory_heap_max__size: `${heapMb}m`,
      NEO4J_server_memory_pagecache_size: `${pageCacheMb}m`,
      NEO4J_server_bolt_advertised__address: `127.0.0.1:${bolt}`,
    })
    .withExposedPorts({ container: 7687, host: bolt }, ...(browser === undefined ? [] : [{ container: 7474, host: browser }]))
    .withWaitStrategy(Wait.forLogMessage(/Started\./))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  const access = { uri: `bolt://${container.getHost()}:${bolt}`, username: 'neo4j', password, database: 'neo4j' };
  return { container, access, browserUrl: browser === undefined ? undefined : `http://${container.getHost()}:${browser}` };
}

async function startRedis({ GenericContainer, Wait }: Containers) {
  const password = randomBytes(18).toString('hex');
  const port = await findFreePort();
  const container = await new GenericContainer(REDIS_IMAGE)
    .withCommand([
      'redis-server',
      '--requirepass',
      password,
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--maxmemory-policy',
      'noeviction',
      '--save',
      '',
    ])
    .withExposedPorts({ container: 6379, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  return { container, url: `redis://:${password}@${container.getHost()}:${port}` };
}

function control(lib: Containers, container: StartedTestContainer) {
  return {
    stop: async () => void (await (await handleOf(lib, container)).stop({ t: STOP_GRACE_S })),
    kill: async () => void (await (await handleOf(lib, container)).kill()),
    start: () => container.restart(),
  };
}

/**
 * Past testcontainers' own `stop`, which kills at once and happens once in a container's life: after a stop and a start
 * it does nothing, and the container would stay behind.
 */
async function handleOf(lib: Containers, container: StartedTestContainer) {
  return (await lib.getContainerRuntimeClient()).container.getById(container.getId());
}
