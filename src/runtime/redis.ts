/** A real redis-server as a child process: loopback only, every write on disk before it is answered. */

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IngestError } from '../errors.ts';
import { install, type InstallOptions } from './install.ts';
import { answerOf } from './java.ts';
import { fetchByMaven, shipped } from './maven.ts';
import { findFreePort, redisAnswers, untilReady } from './net.ts';
import type { LocalServer } from './server.ts';
import { startSupervised, type Supervised } from './supervised.ts';
import { readZipEntry } from './zip.ts';

const START_TIMEOUT_MS = 60_000;
const NEED_MB = 60;
const BINARIES: Readonly<Record<string, string>> = {
  'linux-x64': 'redis-server-6.2.6-v5-linux-amd64',
  'linux-arm64': 'redis-server-6.2.7-linux-arm64',
  'darwin-x64': 'redis-server-6.2.6-v5-darwin-amd64',
  'darwin-arm64': 'redis-server-6.2.6-v5-darwin-arm64',
};

export interface RedisOptions extends InstallOptions {
  readonly dataDir: string;
  readonly password: string;
  readonly ephemeral: boolean;
}

/** The redis-server of the PATH (6.2 or newer), else the one inside a jar on Maven Central. Throws NO_RUNTIME. */
export async function createRedis(options: RedisOptions): Promise<LocalServer<number>> {
  const binary = (await onPath()) ?? (await embedded(options));
  const { dataDir, password, ephemeral } = options;
  await mkdir(dataDir, { recursive: true });

  return {
    name: 'Redis',
    pickPorts: findFreePort,
    async start(port): Promise<Supervised> {
      const file = join(dataDir, 'redis.conf');
      // A file, since arguments are public to everybody on the machine.
      await writeFile(file, settings(dataDir, port, password), { mode: 0o600 });
      await mendFile(binary, dataDir);
      const server = startSupervised({ command: binary, args: [file], cwd: dataDir, ...(ephemeral ? { scratchDir: dataDir } : {}) });
      await untilReady('Redis', server, () => redisAnswers(port, password), START_TIMEOUT_MS);
      return server;
    },
  };
}

/**
 * After a kill within a write, Redis drops the last command but keeps the torn half of its transaction, and hears that half
 * again at the start after next (mended in Valkey: valkey-io/valkey#4342). Its own tool, the same program under another name, cuts it off.
 */
async function mendFile(binary: string, dataDir: string): Promise<void> {
  // Redis 7 has a directory of files.
  const file = ['appendonlydir/appendonly.aof.manifest', 'appendonly.aof'].map((name) => join(dataDir, name)).find(existsSync);
  if (file === undefined) return;
  const tool = spawn(binary, ['--fix', file], { argv0: 'redis-check-aof', stdio: ['pipe', 'ignore', 'ignore'] });
  tool.stdin.on('error', () => {}); // A whole file asks nothing.
  tool.stdin.end('y\n');
  await new Promise((done) => tool.once('close', done).once('error', done));
}

async function onPath(): Promise<string | undefined> {
  const [, major = 0, minor = 0] = (/v=(\d+)\.(\d+)/.exec((await answerOf('redis-server', ['--version'])) ?? '') ?? []).map(Number);
  return major > 6 || (major === 6 && minor >= 2) ? 'redis-server' : undefined;
}

async function embedded(options: InstallOptions): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const entry = BINARIES[platform];
  if (entry === undefined) {
    throw new IngestError('NO_RUNTIME', `No redis-server can be fetched for ${platform}: put redis-server 6.2 or newer on the PATH.`);
  }
  const manifest = readFileSync(shipped('redis.sha256'), 'utf8');
  const jar = manifest.trim().slice(66);
  const version = /-(\d[\d.]*)\.jar$/.exec(jar)?.[1] ?? '';
  const dir = await install(
    {
      name: `redis-${platform}`,
      manifest,
      needMb: NEED_MB,
      fetch: (into) =>
        fetchByMaven('copy', { artifact: `com.github.codemonstur:embedded-redis:${version}` }, into, {
          name: 'redis-server',
          report: options.report,
        }),
      unpack: async (into) => {
        const target = join(into, 'redis-server');
        await writeFile(target, readZipEntry(await readFile(join(into, jar)), entry));
        await chmod(target, 0o755);
      },
    },
    options,
  );
  const binary = join(dir, 'redis-server');
  // It is linked against OpenSSL 3, which an old or very small system may lack.
  if ((await answerOf(binary, ['--version'])) === undefined) {
    throw new IngestError('NO_RUNTIME', 'The fetched redis-server does not run on this system: put redis-server 6.2 or newer on the PATH.');
  }
  return binary;
}

function settings(dataDir: string, port: number, password: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir "${dataDir}"`,
    'appendonly yes',
    'appendfsync always',
    'maxmemory-policy noeviction',
    'save ""',
    'daemonize no',
    '',
  ].join('\n');
}
