/**
 * `npm run slow -- [--connections 10000] [--seconds 15] [--json]`: honest events at 100 a second, alone and then beside thousands of
 * connections that trickle a byte of a header or a body a second; then what single nasty requests cost. Receiver, Redis and
 * attacker are three processes; honest senders are in this one.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { envelope, standardDelivery } from '../test/support/deliveries.ts';
import { startReceiver } from '../test/support/receiver.ts';
import { startRedis } from '../test/support/redis-server.ts';
import { createWire, requestBytes } from '../test/support/wire.ts';

const HONEST_PER_SECOND = 100;
const HONEST_CONNECTIONS = 16;
/** Every 10 ms, so that ten thousand that are each given up on after 10 s are always there. */
const DIALS_AT_ONCE = 11;

interface Report {
  readonly url: string;
  readonly cpuMs: number;
  readonly rssMb: number;
  /** The longest that the event loop was held up since the last report. */
  readonly heldUpMs: number;
}

async function serve(redisUrl: string): Promise<void> {
  const { url } = await startReceiver({
    redisUrl,
    prefix: 'slow',
    env: { EVENTGRAFT_MAX_LAG: '500', EVENTGRAFT_TRUSTED_PROXIES: '127.0.0.1' },
  });
  const delays = monitorEventLoopDelay({ resolution: 5 });
  delays.enable();
  const report = (): void => {
    const { user, system } = process.cpuUsage();
    const rssMb = Math.round(process.memoryUsage().rss / 2 ** 20);
    process.send?.({ url, cpuMs: (user + system) / 1e3, rssMb, heldUpMs: Math.round(delays.max / 1e6) } satisfies Report);
    delays.reset();
  };
  process.on('message', report);
  process.on('disconnect', () => process.exit());
  report();
}

/** Holds so many connections, each sending a byte a second, and dials again whenever one is given up on. */
async function attack(url: string, connections: number): Promise<void> {
  // Attackers have machines of their own: this one must not take the processor from the receiver.
  setPriority(constants.priority.PRIORITY_LOW);
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  const dial = (n: number): void => {
    const socket = connect(Number(port), hostname).on('error', () => {});
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // Half of them never end their headers, half never end their body.
    const head = n % 2 === 0 ? 'x-slow: ' : 'content-length: 1000\r\n\r\n';
    socket.write(`POST /webhooks/facts HTTP/1.1\r\nhost: x\r\n${head}`);
  };
  const fill = async (): Promise<void> => {
    for (;;) {
      for (let n = 0; n < DIALS_AT_ONCE && open.size < connections; n++) dial(n);
      await sleep(10);
    }
  };
  // A hundredth of them at a time: each has its own second.
  let turn = 0;
  setInterval(() => {
    turn = (turn + 1) % 100;
    let n = 0;
    for (const socket of open) if ((n += 1) % 100 === turn) socket.write('a');
  }, 10);
  process.on('message', () => process.send?.(open.size));
  process.on('disconnect', () => process.exit());
  await fill();
}

function child(...args: string[]): ChildProcess {
  const jiti = createRequire(import.meta.url)
    .resolve('jiti/package.json')
    .replace('package.json', 'lib/jiti-cli.mjs');
  return fork(jiti, [fileURLToPath(import.meta.url), ...args]);
}

async function ask<T>(process: ChildProcess): Promise<T> {
  process.send('report');
  const [answer] = (await once(process, 'message')) as [T];
  return answer;
}

let sent = 0;
function honest(): Buffer {
  const id = `honest-${process.pid}-${(sent += 1)}`;
  const body = envelope({ id });
  const { headers } = standardDelivery({ body, id, atSeconds: Math.floor(Date.now() / 1_000) });
  return requestBytes('/webhooks/facts', Object.entries(headers), Buffer.from(body));
}

/** Open loop: events leave on time whether earlier ones are answered or not; every tenth on a connection of its own. */
async function measure(url: string, seconds: number): Promise<{ p50: number; p99: number; max: number; failed: number }> {
  const free = Array.from({ length: HONEST_CONNECTIONS }, () => createWire(url));
  const times: number[] = [];
  let failed = 0;
  const started = performance.now();
  const pending: Promise<void>[] = [];
  for (let n = 0; n < seconds * HONEST_PER_SECOND; n++) {
    const bytes = honest();
    while (performance.now() < started + (n * 1_000) / HONEST_PER_SECOND) await sleep(1);
    const one = async (): Promise<void> => {
      const wire = (n % 10 === 0 ? undefined : free.pop()) ?? createWire(url);
      const left = performance.now();
      const { status } = await wire.send(bytes).catch(() => ({ status: 0 }));
      times.push(performance.now() - left);
      if (status !== 202) failed += 1;
      if (free.length < HONEST_CONNECTIONS) free.push(wire);
      else wire.drop();
    };
    pending.push(one());
  }
  await Promise.all(pending);
  for (const wire of free) wire.drop();
  times.sort((a, b) => a - b);
  const at = (share: number): number => Number((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1));
  return { p50: at(0.5), p99: at(0.99), max: at(1), failed };
}

const MB = 2 ** 20;
/** What one request may cost at most, whoever signs it: the last is signed, so that it is read. */
function nasty(): readonly (readonly [what: string, bytes: Buffer])[] {
  const post = (body: Buffer, more: Readonly<Record<string, string>> = {}): Buffer => {
    const { headers } = standardDelivery({ body, atSeconds: Math.floor(Date.now() / 1_000) });
    return requestBytes('/webhooks/facts', Object.entries({ ...headers, ...more }), body);
  };
  return [
    ['gzip bomb, 1 GB when unpacked', post(gzipSync(Buffer.alloc(1_000 * MB)), { 'content-encoding': 'gzip' })],
    ['five million brackets', post(Buffer.alloc(5_000_000, '['))],
    ['a megabyte of brackets', post(Buffer.alloc(MB, '['))],
    ['a megabyte of pairs of brackets', post(Buffer.from(`[${'[],'.repeat(349_000)}[]]`))],
    ['a megabyte of keys', post(Buffer.from(`{${Array.from({ length: 90_000 }, (_, n) => `"k${n}":0`).join(',')}}`))],
    ['a megabyte of digits', post(Buffer.alloc(MB, '9'))],
    ['a megabyte of escapes', post(Buffer.from(`"${'\\u0061'.repeat(174_000)}"`))],
  ];
}

async function run(connections: number, seconds: number): Promise<Record<string, unknown>> {
  const redis = await startRedis();
  const receiver = child('--serve', redis.url);
  const [{ url }] = (await once(receiver, 'message')) as [Report];
  let attacker: ChildProcess | undefined;
  try {
    await measure(url, 2); // Warm.
    const alone = await measure(url, seconds);
    const calm = await ask<Report>(receiver);
    attacker = child('--attack', url, '--connections', String(connections));
    let held = 0;
    for (let waited = 0; held < connections && waited < 60; waited++) {
      await sleep(1_000);
      held = await ask<number>(attacker);
    }
    await ask<Report>(receiver);
    const besides = await measure(url, seconds);
    held = Math.min(held, await ask<number>(attacker));
    const busy = await ask<Report>(receiver);
    attacker.disconnect();
    await sleep(2_000);
    const cpuMs: Record<string, number> = {};
    for (const [what, bytes] of nasty()) {
      const costs: number[] = [];
      for (let n = 0; n < 5; n++) {
        const before = await ask<Report>(receiver);
        const wire = createWire(url);
        await wire.send(bytes);
        wire.drop();
        costs.push((await ask<Report>(receiver)).cpuMs - before.cpuMs);
      }
      cpuMs[what] = Math.round(costs.toSorted((a, b) => a - b)[2] ?? 0);
    }
    return {
      connections: held,
      alone,
      besides,
      p99MovedMs: Number((besides.p99 - alone.p99).toFixed(1)),
      loopHeldUpMs: busy.heldUpMs,
      rssMb: { before: calm.rssMb, besides: busy.rssMb },
      cpuMs,
    };
  } finally {
    attacker?.kill();
    receiver.disconnect();
    await redis.close();
  }
}

const { values: flags } = parseArgs({
  options: {
    serve: { type: 'string' },
    attack: { type: 'string' },
    connections: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
  },
});
if (flags.serve !== undefined) await serve(flags.serve);
else if (flags.attack !== undefined) await attack(flags.attack, Number(flags.connections));
else console.log(JSON.stringify(await run(Number(flags.connections), Number(flags.seconds)), null, flags.json ? 0 : 2));
