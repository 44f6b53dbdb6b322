/** A shop on loopback that sends thin hooks, and everything between its hooks and the graph: the real queues, worker and store. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { createAcknowledgement } from '../../src/acknowledge.ts';
import type { Event } from '../../src/event.ts';
import { createWhatBecame } from '../../src/graph/became.ts';
import type { GraphStore } from '../../src/graph/store.ts';
import { createHydration } from '../../src/hydrate.ts';
import { isJsonObject, parseJson, type Json } from '../../src/json.ts';
import { createLog } from '../../src/log.ts';
import { commerce } from '../../src/model/commerce.ts';
import { createOutbound } from '../../src/outbound/outbound.ts';
import { createAside } from '../../src/queue/aside.ts';
import { createConsumer } from '../../src/queue/consumer.ts';
import { createInbox, type Inbox } from '../../src/queue/inbox.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { createReports } from '../../src/queue/reports.ts';
import type { Source } from '../../src/sources/source.ts';
import { createWorker } from '../../src/worker.ts';
import { MAX_FUTURE_MS, RECEIVED_MS, type TestGraph } from './graph.ts';
import type { OwnRedis } from './redis-server.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface Shop {
  readonly origin: string;
  /** Requests by object, in the order in which they came. */
  readonly asked: Map<string, number>;
  /** What is asked for, as it is now; each change is a version. Absent: 404. */
  readonly orders: Map<string, number>;
  /** From the request to the answer. The object is read half-way. */
  tookMs: number;
  /** Instead of what it would answer. */
  answer: Answer | undefined;
  close(): Promise<void>;
}

export async function openShop({ tookMs = 0 }: { tookMs?: number } = {}): Promise<Shop> {
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const shop: Shop = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: new Map(),
    orders: new Map(),
    tookMs,
    answer: undefined,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = request.url?.split('/').at(-1) ?? '';
    shop.asked.set(id, (shop.asked.get(id) ?? 0) + 1);
    await new Promise((done) => setTimeout(done, shop.tookMs / 2));
    const version = shop.orders.get(id);
    await new Promise((done) => setTimeout(done, shop.tookMs / 2));
    if (shop.answer !== undefined) shop.answer(request, response);
    else if (version === undefined) response.writeHead(404).end('{}');
    else response.end(JSON.stringify({ id, version }));
  }
  return shop;
}

/** A hook that says nothing but that something happened to an order. */
export function hook(order: string, nth: number, source = 'shop', receivedAtMs = RECEIVED_MS): Event {
  const body = JSON.stringify({ order });
  const bodyHash = createHash('sha256').update(body).digest('hex');
  return { source, id: `${order}/${nth}`, body, bodyHash, headers: {}, receivedAtMs };
}

/** Orders whose total is their version, changed at that second. */
export function thinSource(name: string, origin: string): Source {
  const orderOf = (body: Json): string => (isJsonObject(body) && typeof body['order'] === 'string' ? body['order'] : '');
  return {
    name,
    model: commerce,
    version: 'thin@1',
    keepHeaders: [],
    verify: () => '',
    identify: () => ({ id: '' }),
    hydrate: {
      origin,
      wants(_event, body) {
        const order = orderOf(body());
        return order === '' ? undefined : { url: `${origin}/${order}`, object: order };
      },
      headers: (token) => ({ authorization: `Bearer ${token}` }),
    },
    map(event, body) {
      const { fetched } = event;
      if (fetched === undefined) return { type: 'thin' };
      const id = orderOf(body);
      if (fetched.status !== 200)
        return { type: 'gone', occurredAt: new Date(fetched.at).toISOString(), facts: [{ remove: { node: 'Order', key: { id } } }] };
      const { version } = parseJson(fetched.body) as { version: number };
      const occurredAt = new Date(RECEIVED_MS - 3_600_000 + version * 1_000).toISOString();
      return { type: 'told', occurredAt, facts: [{ upsert: { node: 'Order', key: { id }, set: { totalMinor: BigInt(version) } } }] };
    },
  };
}

export interface Shopfloor {
  readonly inbox: Inbox;
  /** Starts a worker with its own connection. `asking: false`: one that sets aside and applies, and asks nobody; `telling`, of gateways, likewise. */
  work(options?: WorkOptions): Work;
  /** Waits until nothing is queued. */
  drained(withinMs?: number): Promise<void>;
  close(): Promise<void>;
}

export interface WorkOptions {
  readonly asking?: boolean;
  readonly applying?: boolean;
  readonly telling?: boolean;
  readonly wide?: number;
  readonly maxDelayMs?: number;
  readonly lockMs?: number;
  readonly store?: GraphStore;
  /** Those that this worker knows. Default: all. */
  readonly known?: readonly Source[];
}

export interface Work {
  /** Events of which it said that it does not know their source, by source. */
  readonly sourceless: Map<string, number>;
  readonly lost: string[];
  readonly found: string[];
  readonly errors: string[];
  /** What the way out of the queue warned of. */
  readonly log: Record<string, unknown>[];
  /** Cuts its connection for good: what others see of a SIGKILL. */
  kill(): void;
  close(): Promise<void>;
}

export function openShopfloor(own: OwnRedis, graph: TestGraph, sources: readonly Source[]): Shopfloor {
  const inbox = createInbox(own);
  graph.feed({ redisUrl: own.server.url, prefix: own.prefix });
  const running = new Set<Work>();

  function work(options: WorkOptions = {}): Work {
    const {
      asking = true,
      applying = true,
      telling = true,
      wide = 4,
      maxDelayMs = 200,
      lockMs = 5_000,
      store = graph.store,
      known = sources,
    } = options;
    const redis = connectRedis(own.server.url, { role: 'worker' });
    const told: Omit<Work, 'kill' | 'close'> = { sourceless: new Map(), lost: [], found: [], errors: [], log: [] };
    const named = new Map(known.map((source) => [source.name, source]));
    const origins = known.flatMap(({ hydrate, acknowledge }) => [hydrate, acknowledge].flatMap((at) => at?.origin ?? []));
    const outward = {
      sources: named,
      outbound: createOutbound([...new Set(origins)], { timeoutMs: 5_000 }),
      tokenOf: () => 'canary-token',
      minDelayMs: 20,
      maxDelayMs,
    };
    const report = {
      lost: ({ source }: { source: string }) => void told.lost.push(source),
      found: ({ source }: { source: string }) => void told.found.push(source),
      failed: ({ error }: { error: unknown }) => void told.errors.push(String(error)),
    };
    const hydration = createHydration({ ...outward, lanes: wide, report });
    const acknowledgement = createAcknowledgement({
      ...outward,
      reports: createReports({ redis, prefix: own.prefix, holdMs: lockMs }),
      whatBecame: createWhatBecame(graph.bolt),
      width: wide,
      pollMs: 50,
      report,
    });
    const aside = createAside({ redis, prefix: own.prefix, ask: (event, attempt) => hydration.ask(event, attempt), lockMs });
    const worker = createWorker(store, {
      sources: named,
      maxFutureMs: MAX_FUTURE_MS,
      aside: { wants: hydration.wants, add: aside.add },
      gateways: acknowledgement,
      releaseEveryMs: 500,
      report: {
        sourceless: (source, events) => void told.sourceless.set(source, (told.sourceless.get(source) ?? 0) + events),
      },
    });
    const log = createLog({ level: 'warn' }, { write: (line) => void told.log.push(JSON.parse(line)) });
    const consumer = createConsumer({
      redis,
      prefix: own.prefix,
      handle: (jobs) => worker.handle(jobs),
      lockMs,
      minDelayMs: 20,
      maxDelayMs,
      log,
    });
    if (asking) aside.run();
    if (applying) {
      consumer.run();
      worker.start();
    }
    if (telling) acknowledgement.run();
    const one: Work = {
      ...told,
      kill() {
        redis.disconnect();
        hydration.close();
        void acknowledgement.close(0);
        worker.close();
        consumer.close(0).catch(() => {}); // Or it would go on trying to hand over what it holds, into the next test.
        running.delete(one);
      },
      async close() {
        running.delete(one);
        const closing = [consumer.close(2_000), aside.close(2_000), acknowledgement.close(2_000)];
        hydration.close();
        worker.close();
        await Promise.all(closing);
        redis.disconnect();
      },
    };
    running.add(one);
    return one;
  }

  return {
    inbox,
    work,
    async drained(withinMs = 30_000) {
      for (const end = Date.now() + withinMs; ; await new Promise((done) => setTimeout(done, 20))) {
        const counts = await inbox.counts();
        if (counts.queued === 0) break;
        if (Date.now() > end) throw new Error(`not drained: ${JSON.stringify(counts)}`);
      }
    },
    async close() {
      await Promise.all([...running].map((one) => one.close()));
      await inbox.close();
    },
  };
}
