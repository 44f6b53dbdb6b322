/** Vitest's global setup of `db`, `e2e` and `contract`: for each lane a Neo4j and a Redis, for the whole run. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { loadConfig } from '../../src/config.ts';
import { startRuntime, type Runtime } from '../../src/runtime/runtime.ts';
import { LANES } from './lanes.ts';
import type { RunInfo } from './runtime.ts';

// Each project loads this file by itself; they share the process, and so they share the servers through it.
const shared = globalThis as { eventgraftRuntime?: { users: number; locks: string; started: Promise<Runtime[]> } };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.eventgraftRuntime ??= { users: 0, locks: mkdtempSync(join(tmpdir(), 'eventgraft-lanes-')), started: startAll() };
  const entry = shared.eventgraftRuntime;
  entry.users += 1;
  const runtimes = await entry.started;
  const scratch = mkdtempSync(join(tmpdir(), 'eventgraft-test-'));
  project.provide('runtime', {
    lanes: runtimes.map(({ kind, neo4j, redisUrl }) => ({ kind, neo4j, redisUrl })),
    locks: entry.locks,
    scratch,
  });
  return async () => {
    rmSync(scratch, { recursive: true, force: true });
    entry.users -= 1;
    if (entry.users > 0) return;
    await Promise.all((await entry.started).map((runtime) => runtime.close()));
    rmSync(entry.locks, { recursive: true, force: true });
  };
}

/** The first alone: it fetches what is missing. */
async function startAll(): Promise<Runtime[]> {
  const first = await start();
  return [first, ...(await Promise.all(Array.from({ length: LANES - 1 }, start)))];
}

function start(): Promise<Runtime> {
  const { neo4j, redisUrl, runtime } = loadConfig(process.env);
  const { JAVA_HOME, XDG_CACHE_HOME } = process.env;
  return startRuntime({
    brief: true,
    neo4j,
    redisUrl,
    kind: runtime,
    javaHome: JAVA_HOME,
    cacheDir: XDG_CACHE_HOME === undefined || XDG_CACHE_HOME === '' ? undefined : join(XDG_CACHE_HOME, 'eventgraft'),
    report: (line) => process.stderr.write(`${line}\n`),
  });
}

declare module 'vitest' {
  export interface ProvidedContext {
    runtime: RunInfo;
  }
}
