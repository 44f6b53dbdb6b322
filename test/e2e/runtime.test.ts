import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { tryLock } from '../../src/runtime/lock.ts';
import { startRuntime } from '../../src/runtime/runtime.ts';
import { startSupervised } from '../../src/runtime/supervised.ts';
import { scratchPath } from '../support/runtime.ts';

const MAIN = new URL('../../dist/runtime/runtime.js', import.meta.url).href;

/** The command lines of all processes that mention `text`. */
function processesOf(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(text));
}

async function until(holds: () => boolean, timeoutMs: number): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !holds() && Date.now() < deadline;) await sleep(50);
}

/** A process that starts a local runtime in `dir` and then waits. */
async function startHolder(dir: string): Promise<{ holder: ChildProcess; redisUrl: string }> {
  const code = `const { startRuntime } = await import('${MAIN}');
    const { redisUrl } = await startRuntime({ kind: 'local', dataDir: process.argv[1], heapMb: 512 });
    console.log(redisUrl); setInterval(() => {}, 1e6);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', code, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [redisUrl] = z.tuple([z.string()]).parse(await once(createInterface(holder.stdout), 'line'));
  return { holder, redisUrl };
}

test.runIf(process.platform === 'linux')('killed with SIGKILL, the parent takes Neo4j and Redis with it', async () => {
  const dir = scratchPath('held');
  const { holder } = await startHolder(dir);
  expect(processesOf(dir).filter((line) => line.includes('CommunityEntryPoint') && !line.includes('supervise.sh'))).toHaveLength(1);
  holder.kill('SIGKILL');
  await until(() => processesOf(dir).length === 0, 15_000);
  expect(processesOf(dir)).toEqual([]);
});

test('a kept directory opens again with the same passwords at the same addresses, also after a crash', async () => {
  const options = { kind: 'local', dataDir: scratchPath('kept'), heapMb: 512 } as const;
  const first = await startRuntime(options);
  await expect(startRuntime(options)).rejects.toThrow('in use by another process');
  await first.killRedis();
  await first.startRedis();
  await first.close();
  const second = await startRuntime(options);
  onTestFinished(() => second.close());
  expect({ ...second.neo4j, redis: second.redisUrl }).toEqual({ ...first.neo4j, redis: first.redisUrl });
});

test('an orphan with a scratch directory is killed at once and leaves nothing behind', async () => {
  const dir = scratchPath('orphan');
  const code = `const { startSupervised } = await import('${new URL('supervised.js', MAIN).href}');
    const { mkdirSync } = await import('node:fs'); mkdirSync('${dir}/server', { recursive: true });
    startSupervised({ command: 'sleep', args: ['86399'], scratchDir: '${dir}/server' });
    console.log('up'); setInterval(() => {}, 1e6);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(createInterface(holder.stdout), 'line');
  expect(existsSync(dir)).toBe(true);
  holder.kill('SIGKILL');
  await until(() => !existsSync(dir), 5_000);
  expect(existsSync(dir)).toBe(false);
});

test.runIf(process.platform === 'linux')(
  'a child has a session of its own, so that Ctrl-C reaches the app and not the server',
  async () => {
    const sessionOf = (stat: string) => stat.split(') ')[1]?.split(' ')[3];
    const child = startSupervised({ command: 'cat', args: ['/proc/self/stat'] });
    expect(await child.exited).toBe(0);
    expect(sessionOf(child.output().join(''))).not.toBe(sessionOf(readFileSync('/proc/self/stat', 'utf8')));
  },
);

test('a lock is held by one, and taken over from the dead', async () => {
  const path = scratchPath('lock');
  const release = await tryLock(path);
  expect(release).toBeDefined();
  expect(await tryLock(path)).toBeUndefined();
  await release?.();
  const dead = spawn(process.execPath, ['-e', `require('node:fs').writeFileSync('${path}', String(process.pid))`]);
  await once(dead, 'exit');
  const again = await tryLock(path);
  expect(again).toBeDefined();
  await again?.();
});

test('databases that are given are used as they are and never stopped', async () => {
  const neo4j = { uri: 'bolt://127.0.0.1:1', username: 'neo4j', password: 'x', database: 'neo4j' };
  const runtime = await startRuntime({ neo4j, redisUrl: 'redis://127.0.0.1:1' });
  expect(runtime).toMatchObject({ kind: 'given', neo4j, redisUrl: 'redis://127.0.0.1:1' });
  await expect(runtime.stopNeo4j()).rejects.toThrow('not ours to stop');
  await runtime.close();
});
