/** A real Redis of its own for one test file: started, killed, frozen and restarted on the same data at will. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RedisServer {
  readonly url: string;
  /** As by a power cut. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Stops answering without closing connections. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

const JAR = join(homedir(), '.m2/repository/com/github/codemonstur/embedded-redis/1.4.3/embedded-redis-1.4.3.jar');

function findBinary(): string {
  if (spawnSync('redis-server', ['--version']).status === 0) return 'redis-server';
  const path = join(tmpdir(), 'eventgraft-test-redis-6.2.6');
  if (existsSync(path)) return path;
  if (!existsSync(JAR)) spawnSync('mvn', ['-q', 'dependency:get', '-Dartifact=com.github.codemonstur:embedded-redis:1.4.3', '-Dtransitive=false']);
  const member = process.arch === 'arm64' ? 'redis-server-6.2.7-linux-arm64' : 'redis-server-6.2.6-v5-linux-amd64';
  const { stdout } = spawnSync('unzip', ['-p', JAR, member], { maxBuffer: 64 * 2 ** 20 });
  writeFileSync(path, stdout);
  chmodSync(path, 0o755);
  return path;
}

export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const dir = mkdtempSync(join(tmpdir(), 'eg-redis-'));
  const port = await freePort();
  const all = { port: String(port), dir, bind: '127.0.0.1', save: '', appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction', ...settings };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  let child: ChildProcess | undefined;

  const start = async () => {
    child = spawn(findBinary(), args, { stdio: 'ignore' });
    for (let i = 0; i < 200 && !(await answers(port)); i++) await sleep(25);
  };
  const end = async (signal: NodeJS.Signals) => {
    const dying = child;
    if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
    const gone = new Promise((done) => dying.once('exit', done));
    dying.kill(signal);
    await gone;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    kill: () => end('SIGKILL'),
    restart: start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    close: async () => {
      child?.kill('SIGCONT');
      await end('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (data) => done(data.toString().startsWith('+PONG')) ?? socket.destroy());
    socket.once('error', () => done(false));
    socket.setTimeout(500, () => done(false) ?? socket.destroy());
  });
}
