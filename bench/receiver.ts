/**
 * The receiver: signed requests a second on one core with Redis `always` (32 keep-alive connections, no pipelining), then
 * ack times at 500/s, open loop: alone, and while a worker writes the same events to Neo4j. Each part is a process.
 *   jiti bench/receiver.ts [--requests 40000] [--seconds 10] [--no-worker] [--json]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createHmac, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { runtimeOptions } from '../src/cli/runtime.ts';
import { loadConfig, readEnvironment, type Environment } from '../src/config.ts';
import { createBolt } from '../src/graph/driver.ts';
import { applySchema } from '../src/graph/schema.ts';
import { createHttpServer } from '../src/http/server.ts';
import { createWebhooks } from '../src/http/webhooks.ts';
import { loadSetup } from '../src/load-config.ts';
import { createLog } from '../src/log.ts';
import { startService } from '../src/main.ts';
import { commerce } from '../src/model/commerce.ts';
import { createInbox } from '../src/queue/inbox.ts';
import { checkDurability, connectRedis, waitUntilReady } from '../src/queue/redis.ts';
import { receive } from '../src/receive.ts';
import { startRuntime } from '../src/runtime/runtime.ts';
import { secretOf } from '../src/secret.ts';
import { facts } from '../src/sources/facts.ts';
import { NO_DOCUMENTS } from '../test/support/deliveries.ts';
import { startRedis } from '../test/support/redis-server.ts';

const KEY = Buffer.from('a secret of the benchmark, 32 b.');
const CONNECTIONS = 32;
const OPEN_LOOP_PER_SECOND = 500;
/** A new Neo4j compiles on both cores; after so long at the same load its answers are those of a server that has run for a while. */
const WARM_SECONDS = 20;

interface Report {
  readonly url: string;
  readonly cpuSeconds: number;
}

async function serve(redisUrl: string): Promise<void> {
  const redis = connectRedis(redisUrl, { role: 'inbox' });
  await waitUntilReady(redis);
  await checkDurability(redis, 'always');
  const inbox = createInbox({ redis, prefix: 'bench' });
  const source = facts()({ name: 'facts', model: commerce, secrets: [secretOf('hmac', KEY)] });
  const sources = new Map([['facts', source]]);
  const server = createHttpServer({
    host: '127.0.0.1',
    port: 0,
    webhooks: createWebhooks({
      receive: (delivery) => receive(delivery, { sources, inbox, documents: NO_DOCUMENTS }),
      isSource: (name) => sources.has(name),
    }),
  });
  const url = await server.listen();
  const report = (): void => {
    const { user, system } = process.cpuUsage();
    process.send?.({ url, cpuSeconds: (user + system) / 1e6 } satisfies Report);
  };
  process.on('message', report);
  process.on('disconnect', () => process.exit());
  report();
}

/** A worker as `eventgraft work` starts it, on the queue of the bench. */
async function work(environment: Environment): Promise<void> {
  const config = loadConfig(environment);
  const setup = await loadSetup(config);
  if (config.neo4j === undefined || config.redisUrl === undefined) throw new Error('the bench gives both');
  const bolt = createBolt(config.neo4j);
  await applySchema(bolt, setup.model);
  await bolt.close();
  await startService({
    config,
    setup,
    roles: ['work'],
    redisUrl: config.redisUrl,
    neo4j: config.neo4j,
    log: createLog({ level: 'silent' }),
  });
  process.on('disconnect', () => process.exit());
  process.send?.('working');
}

/** An order of three lines, of as many customers and products as ten days of groceries have. */
function request(): string {
  const id = randomBytes(12).toString('hex');
  const lines = Array.from({ length: 3 }, (_, n) => ({
    to: { id: `p${randomInt(14_000)}` },
    key: { line: String(n) },
    set: { quantity: n + 1, unitPriceMinor: 2100, title: 'Organic bananas' },
  }));
  const body = JSON.stringify({
    id,
    type: 'order.placed',
    occurredAt: new Date().toISOString(),
    facts: [
      {
        upsert: {
          node: 'Order',
          key: { id },
          set: { status: 'pending', totalMinor: 4200, currency: 'USD', createdAt: new Date().toISOString() },
        },
      },
      { link: { relationship: 'PLACED', from: { id: `c${randomInt(1_500)}` }, to: { id } } },
      { replace: { relationship: 'CONTAINS', from: { id }, links: lines } },
    ],
  });
  const at = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', KEY).update(`${id}.${at}.${body}`).digest('base64');
  return `POST /webhooks/facts HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nwebhook-id: ${id}\r\nwebhook-timestamp: ${at}\r\nwebhook-signature: v1,${signature}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** One keep-alive connection: sends, and resolves with the status when the whole answer is there. */
async function dial(url: string): Promise<(text: string) => Promise<number>> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.setNoDelay(true).setEncoding('latin1').unref();
  let answer = '';
  let done = (_status: number): void => {};
  socket.on('data', (chunk: string) => {
    answer += chunk;
    const end = answer.indexOf('\r\n\r\n');
    const length = /content-length: (\d+)/i.exec(answer)?.[1];
    if (end < 0 || length === undefined || answer.length < end + 4 + Number(length)) return;
    const status = Number(answer.slice(9, 12));
    answer = '';
    done(status);
  });
  return (text) => {
    socket.write(text);
    return new Promise((resolve) => (done = resolve));
  };
}

async function closedLoop(url: string, total: number): Promise<{ perSecond: number; failed: number }> {
  const requests = Array.from({ length: total }, request);
  let failed = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const send = await dial(url);
      for (let next = requests.pop(); next !== undefined; next = requests.pop()) if ((await send(next)) !== 202) failed += 1;
    }),
  );
  return { perSecond: Math.round((total / (performance.now() - started)) * 1000), failed };
}

/** Requests leave on schedule (timers allowing) whether earlier ones are answered or not. */
async function openLoop(url: string, seconds: number): Promise<{ p50: number; p99: number; max: number; failed: number }> {
  const free = await Promise.all(Array.from({ length: CONNECTIONS }, () => dial(url)));
  const times: number[] = [];
  const pending: Promise<void>[] = [];
  let failed = 0;
  const started = performance.now();
  for (let n = 0; n < seconds * OPEN_LOOP_PER_SECOND; n++) {
    const due = started + (n * 1000) / OPEN_LOOP_PER_SECOND;
    const text = request();
    while (performance.now() < due) await sleep(1);
    const one = async (): Promise<void> => {
      const left = performance.now();
      const send = free.shift() ?? (await dial(url));
      if ((await send(text)) !== 202) failed += 1;
      times.push(performance.now() - left);
      free.push(send);
    };
    pending.push(one());
  }
  await Promise.all(pending);
  times.sort((a, b) => a - b);
  const at = (share: number): number => Number((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(2));
  return { p50: at(0.5), p99: at(0.99), max: at(1), failed };
}

async function ask(child: ChildProcess): Promise<Report> {
  child.send('report');
  const [report] = (await once(child, 'message')) as [Report];
  return report;
}

function start(...args: string[]): ChildProcess {
  const jiti = createRequire(import.meta.url)
    .resolve('jiti/package.json')
    .replace('package.json', 'lib/jiti-cli.mjs');
  // As they are deployed: a large young generation is faster for a worker, and longer pauses for a receiver.
  return fork(jiti, [fileURLToPath(import.meta.url), ...args], { execArgv: args[0] === '--work' ? ['--max-semi-space-size=64'] : [] });
}

/** Starts its own Redis and receiver (and Neo4j and a worker, for the last figures), measures, and stops all. */
export async function benchReceiver({ requests = 40_000, seconds = 10, worker = true } = {}): Promise<Readonly<Record<string, number>>> {
  const server = await startRedis();
  const child = start('--serve', server.url);
  try {
    const [{ url }] = (await once(child, 'message')) as [Report];
    await closedLoop(url, Math.ceil(requests / 4)); // Warm.
    const before = await ask(child);
    const { perSecond, failed } = await closedLoop(url, requests);
    const cpuSeconds = (await ask(child)).cpuSeconds - before.cpuSeconds;
    const open = await openLoop(url, seconds);
    const beside = worker ? await besideWorker(url, server.url, seconds) : {};
    return {
      requestsPerSecond: perSecond,
      requestsPerCpuSecond: Math.round(requests / cpuSeconds),
      ackP50Ms: open.p50,
      ackP99Ms: open.p99,
      ackMaxMs: open.max,
      failed: failed + open.failed,
      ...beside,
    };
  } finally {
    child.disconnect();
    await server.close();
  }
}

async function besideWorker(url: string, redisUrl: string, seconds: number): Promise<Readonly<Record<string, number>>> {
  const runtime = await startRuntime({ ...runtimeOptions(loadConfig(readEnvironment())), heapMb: 2_048, pageCacheMb: 512 });
  const { uri, username, password, database } = runtime.neo4j;
  const child = start(
    '--work',
    JSON.stringify({
      NEO4J_URI: uri,
      NEO4J_USERNAME: username,
      NEO4J_PASSWORD: password,
      NEO4J_DATABASE: database,
      REDIS_URL: redisUrl,
      EVENTGRAFT_QUEUE_PREFIX: 'bench',
      WEBHOOK_SECRET_FACTS: `whsec_${KEY.toString('base64')}`,
    }),
  );
  try {
    await once(child, 'message');
    const queue = await watchDepth(redisUrl);
    await queue.drained(); // What the closed loop left.
    await openLoop(url, WARM_SECONDS);
    const open = await openLoop(url, seconds);
    const left = await queue.depth();
    await queue.close();
    return { besideP50Ms: open.p50, besideP99Ms: open.p99, besideMaxMs: open.max, besideFailed: open.failed, besideLeft: left };
  } finally {
    child.disconnect();
    await runtime.close();
  }
}

/** Events that are still in the queue. */
async function watchDepth(redisUrl: string): Promise<{ depth(): Promise<number>; drained(): Promise<void>; close(): Promise<void> }> {
  const redis = connectRedis(redisUrl, { role: 'inbox' });
  await waitUntilReady(redis);
  const inbox = createInbox({ redis, prefix: 'bench' });
  const depth = async (): Promise<number> => (await inbox.counts()).queued;
  return {
    depth,
    async drained() {
      while ((await depth()) > 0) await sleep(200);
    },
    async close() {
      await inbox.close();
      redis.disconnect();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      serve: { type: 'string' },
      work: { type: 'string' },
      'no-worker': { type: 'boolean' },
      requests: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  if (values.serve !== undefined) await serve(values.serve);
  else if (values.work !== undefined) await work(JSON.parse(values.work) as Environment);
  else {
    const result = await benchReceiver({
      requests: Number(values.requests ?? 40_000),
      seconds: Number(values.seconds ?? 10),
      worker: values['no-worker'] !== true,
    });
    process.stdout.write(
      values.json === true
        ? `${JSON.stringify(result)}\n`
        : Object.entries(result)
            .map(([name, value]) => `${name.padEnd(24)}${value}\n`)
            .join(''),
    );
  }
}
