/** `POST /webhooks/:source` over real sockets into a real Redis: what senders send, what they should not, and what they never get: a 5xx for their own mistake. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createHttpServer, type HttpServer } from '../../src/http/server.ts';
import { createWebhooks } from '../../src/http/webhooks.ts';
import { createInbox, type Inbox } from '../../src/queue/inbox.ts';
import { connectRedis, waitUntilReady, type Redis } from '../../src/queue/redis.ts';
import { receive } from '../../src/receive.ts';
import { facts } from '../../src/sources/facts.ts';
import { shopify } from '../../src/sources/shopify.ts';
import { standard } from '../../src/sources/standard.ts';
import { envelope, NO_DOCUMENTS, shopifyDelivery, sourceOf, standardDelivery, type Sign } from '../support/deliveries.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';

let redisServer: RedisServer;
let redis: Redis;
let inbox: Inbox;
let http: HttpServer;
let url: string;
const rejected: string[] = [];

beforeAll(async () => {
  redisServer = await startRedis();
  redis = connectRedis(redisServer.url, { role: 'inbox' });
  await waitUntilReady(redis);
  inbox = createInbox({ redis, prefix: 'http', maxQueued: 5_000 });
  const sources = new Map(
    [sourceOf(facts(), 'facts'), sourceOf(standard(), 'standard'), sourceOf(shopify(), 'shopify')].map((source) => [source.name, source]),
  );
  const webhooks = createWebhooks({
    receive: (delivery) => receive(delivery, { sources, inbox, documents: NO_DOCUMENTS }),
    isSource: (name) => sources.has(name),
    bodyTimeoutMs: 800,
    onRejected: (code) => rejected.push(code),
  });
  http = createHttpServer({
    host: '127.0.0.1',
    port: 0,
    webhooks,
    headersTimeoutMs: 1_000,
    requestTimeoutMs: 5_000,
    onRejected: (code) => rejected.push(code),
    fallback: (_req, res) => res.writeHead(418).end('mounted'),
  });
  url = await http.listen();
});
afterAll(async () => {
  await http.close(500);
  await inbox.close();
  redis.disconnect();
  await redisServer.close();
});

const nowSeconds = (): number => Math.floor(Date.now() / 1000);
const signed = (sign: Sign): Record<string, string> => ({ ...standardDelivery({ atSeconds: nowSeconds(), ...sign }).headers });
const post = (path: string, body: string | Buffer, headers: Record<string, string>): Promise<Response> =>
  fetch(`${url}${path}`, { method: 'POST', body, headers });
const postFacts = (body: string | Buffer, headers = signed({ body })): Promise<Response> => post('/webhooks/facts', body, headers);
const stored = async (): Promise<number> => (await inbox.counts()).accepted;
const port = (): number => Number(new URL(url).port);

/** Speaks raw HTTP and returns everything that comes back until the connection ends. */
async function raw(parts: readonly (string | Buffer)[], { pauseMs = 0 } = {}): Promise<string> {
  const socket: Socket = connect(port(), '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => {});
  for (const part of parts) {
    socket.write(part);
    if (pauseMs > 0) await sleep(pauseMs);
  }
  await Promise.race([once(socket, 'close'), sleep(6_000)]);
  socket.destroy();
  return text;
}

describe('taking in', () => {
  it('answers 202 with the key, then 200 for the redelivery', async () => {
    const body = envelope({ id: 'a%~b' });
    const first = await postFacts(body);
    expect([first.status, first.headers.get('content-type'), await first.json()]).toEqual([
      202,
      'application/json',
      { id: 'facts:a%25%7Eb', status: 'accepted' },
    ]);
    const again = await postFacts(body);
    expect([again.status, await again.json()]).toEqual([200, { id: 'facts:a%25%7Eb', status: 'duplicate' }]);
  });

  it('keeps the exact body, and of the headers only what the source keeps', async () => {
    const body = envelope({ id: 'exact' }).replace('{', '{ \n');
    await postFacts(body, { ...signed({ body, id: 'delivery-9' }), authorization: 'Bearer x' });
    const [job = ''] = await redis.lrange('http:inbox:wait', 0, 0);
    const [event] = (JSON.parse((await redis.hget(`http:inbox:${job}`, 'data')) ?? '') as { events: { body: string; headers: object }[] })
      .events;
    expect(event?.body).toBe(body);
    expect(Object.keys(event?.headers ?? {}).toSorted()).toEqual(['content-type', 'user-agent', 'webhook-id', 'webhook-timestamp']);
  });

  it('takes a Shopify delivery and one with no content type', async () => {
    const body = '{"id":1,"updated_at":"2026-11-21T08:59:00Z"}';
    const answer = await post('/webhooks/shopify?x=1', Buffer.from(body), { ...shopifyDelivery({ body }).headers });
    expect(await answer.json()).toEqual({ id: 'shopify:acme.myshopify.com/orders/create/ev-1', status: 'accepted' });
  });

  it('gives what it does not map to the queue all the same', async () => {
    const body = '{"no":"facts"}';
    expect((await post('/webhooks/standard', body, signed({ body, id: 'm-1' }))).status).toBe(202);
  });

  it('leaves other paths to the application behind it', async () => expect((await fetch(`${url}/health/live`)).status).toBe(418));

  it('counts every 202 of many at once', async () => {
    const before = await stored();
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => postFacts(envelope({ id: `many-${n % 200}` }))));
    expect(answers.filter((answer) => answer.status === 202)).toHaveLength(200);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(100);
    expect(await stored()).toBe(before + 200);
  });
});

describe('what is refused, with nothing stored', () => {
  const good = envelope({ id: 'refused' });
  const deep = '['.repeat(65) + ']'.repeat(65);
  const cases: readonly [string, number, string, () => Promise<Response>][] = [
    ['no signature', 401, 'BAD_SIGNATURE', () => postFacts(good, {})],
    ['a wrong signature', 401, 'BAD_SIGNATURE', () => postFacts(good, signed({ body: `${good} ` }))],
    ['a stale signature', 401, 'STALE_SIGNATURE', () => postFacts(good, signed({ body: good, atSeconds: nowSeconds() - 400 }))],
    ['no webhook-id', 400, 'NO_IDENTITY', () => post('/webhooks/standard', good, { ...signed({ body: good }), 'webhook-id': '' })],
    [
      'no topic',
      400,
      'NO_IDENTITY',
      () =>
        post('/webhooks/shopify', good, {
          'x-shopify-hmac-sha256': shopifyDelivery({ body: good }).headers['x-shopify-hmac-sha256'] ?? '',
        }),
    ],
    ['an unknown source', 404, 'UNKNOWN_SOURCE', () => post('/webhooks/nobody', good, signed({ body: good }))],
    ['an unknown source and no body', 404, 'UNKNOWN_SOURCE', () => post('/webhooks/nobody', '', {})],
    ['a source by a strange name', 404, 'UNKNOWN_SOURCE', () => post('/webhooks/__proto__', good, signed({ body: good }))],
    ['no source', 404, 'UNKNOWN_SOURCE', () => post('/webhooks/', good, signed({ body: good }))],
    ['an empty body', 400, 'BAD_JSON', () => postFacts('')],
    ['an empty body without signature', 401, 'BAD_SIGNATURE', () => postFacts('', {})],
    ['no JSON', 400, 'BAD_JSON', () => postFacts('{')],
    ['no UTF-8', 400, 'BAD_JSON', () => postFacts(Buffer.from([0x22, 0xff, 0x22]))],
    ['a byte order mark', 400, 'BAD_JSON', () => postFacts(`\ufeff${good}`)],
    ['too much depth', 400, 'TOO_DEEP', () => postFacts(deep)],
    ['a number beyond int64', 400, 'BAD_JSON', () => postFacts(good.replace('4200', '9223372036854775808'))],
    ['a lone surrogate', 400, 'BAD_JSON', () => postFacts(good.replace('refused', '\\ud800'))],
    ['a duplicate key', 400, 'BAD_JSON', () => postFacts(good.replace('{', '{"id":"x",'))],
    ['__proto__', 400, 'BAD_ENVELOPE', () => postFacts(good.replace('{', '{"__proto__":{"id":"x"},'))],
    ['a list', 400, 'BAD_ENVELOPE', () => postFacts('[]')],
    ['an empty id', 400, 'BAD_ENVELOPE', () => postFacts(envelope({ id: '' }))],
    [
      'a key too long',
      400,
      'BAD_VALUE',
      () => postFacts(envelope({ facts: [{ upsert: { node: 'Order', key: { id: 'k'.repeat(8_000) } } }] })),
    ],
    [
      'a wrong type',
      400,
      'BAD_VALUE',
      () => postFacts(envelope({ facts: [{ upsert: { node: 'Order', key: { id: '1' }, set: { totalMinor: '1' } } }] })),
    ],
    [
      'a compressed body',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      () => postFacts(gzipSync(good), { ...signed({ body: good }), 'content-encoding': 'gzip' }),
    ],
    ['a body over 1 MB', 413, 'BODY_TOO_LARGE', () => postFacts(`"${'x'.repeat(2 ** 20)}"`)],
    [
      'too many headers',
      431,
      'HEADERS_TOO_LARGE',
      () => postFacts(good, { ...signed({ body: good }), ...Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`x-${n}`, '1'])) }),
    ],
    ['too large headers', 431, 'HEADERS_TOO_LARGE', () => postFacts(good, { ...signed({ body: good }), 'x-large': 'x'.repeat(20_000) })],
  ];

  it.each(cases)('%s: %i %s', async (_what, status, code, send) => {
    const before = await stored();
    const answer = await send();
    const { error } = (await answer.json()) as { error: { code: string; message: string; path?: string } };
    expect([answer.status, error.code]).toEqual([status, code]);
    if (status === 401) expect(Object.keys(error).toSorted()).toEqual(['code', 'message']);
    expect(rejected.at(-1)).toBe(code);
    expect(await stored()).toBe(before);
  });

  it('says where an envelope is wrong', async () => {
    const answer = await postFacts(envelope({ facts: [{ upsert: { node: 'Order', key: { id: '1' }, set: { nope: 1 } } }] }));
    expect(await answer.json()).toMatchObject({ error: { path: 'facts[0].upsert.set.nope' } });
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s is 405 with Allow', async (method) => {
    const answer = await fetch(`${url}/webhooks/facts`, { method });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('what networks do', () => {
  const head = (length: string) => `POST /webhooks/facts HTTP/1.1\r\nHost: x\r\n${length}\r\n\r\n`;

  it('refuses a declared 10 MB before it is sent, and lets the sender read why', async () => {
    const text = await raw([head('Content-Length: 10485760'), Buffer.alloc(3 * 2 ** 20, 0x20)]);
    expect(text).toMatch(/^HTTP\/1.1 413 [^]*connection: close[^]*BODY_TOO_LARGE/i);
  });

  it('refuses an endless chunked body', async () => {
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
    expect(await raw([head('Transfer-Encoding: chunked'), ...Array.from({ length: 40 }, () => chunk)])).toMatch(/^HTTP\/1.1 413 /);
  });

  it('gives a slow body up with 408', async () =>
    expect(await raw([head('Content-Length: 100'), '{'], { pauseMs: 100 })).toMatch(/^HTTP\/1.1 408 [^]*TIMEOUT/));
  it('gives slow headers up with 408', async () =>
    expect(await raw(['POST /webhooks/facts HTTP/1.1\r\nHost: x\r\n'])).toMatch(/^HTTP\/1.1 408 /));
  it('answers whoever expects the unheard-of as it answers anybody', async () =>
    expect(await raw([head('Content-Length: 2\r\nConnection: close\r\nExpect: miracles'), '{}'])).toMatch(
      /^HTTP\/1.1 401 [^]*BAD_SIGNATURE/,
    ));

  it('answers what is no HTTP with 400', async () =>
    expect(await raw(['\x16\x03\x01nonsense\r\n\r\n'])).toMatch(/^HTTP\/1.1 400 [^]*BAD_REQUEST/));

  it('stores nothing of a request that was cut off', async () => {
    const before = await stored();
    const body = envelope({ id: 'cut' });
    const headers = Object.entries(signed({ body }))
      .map(([name, value]) => `${name}: ${value}`)
      .join('\r\n');
    const socket = connect(port(), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`POST /webhooks/facts HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${headers}\r\n\r\n${body.slice(0, -1)}`);
    await sleep(100);
    socket.destroy();
    await sleep(100);
    expect(await stored()).toBe(before);
  });

  it('keeps the connection for the next request after a refusal that it read to its end', async () => {
    const request = 'POST /webhooks/facts HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
    const text = await raw([request, request.replace('Host: x', 'Host: x\r\nConnection: close')], { pauseMs: 50 });
    expect(text.match(/HTTP\/1.1 401/g)).toHaveLength(2);
  });

  it('survives two thousand bodies of noise', async () => {
    let seed = 42;
    const next = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '1e999',
      '-',
      '\\u0000',
      '\\ud800',
      '\u0000',
      'null',
      '"id"',
      '"facts"',
      '\xff',
      '𝕏',
      ' ',
    ];
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(
        Array.from({ length: 100 }, async () => {
          const body = Buffer.from(
            Array.from({ length: next(30) + 1 }, () => pieces[next(pieces.length)]).join(''),
            next(2) === 0 ? 'utf8' : 'latin1',
          );
          return (await postFacts(body)).status;
        }),
      );
      expect(new Set(answers)).toEqual(new Set([400]));
    }
  }, 120_000);
});

describe('when Redis cannot', () => {
  it('answers 503 with Retry-After, stores nothing, and goes on by itself', async () => {
    await redisServer.kill();
    const body = envelope({ id: 'outage' });
    const startedAt = performance.now();
    const answer = await postFacts(body);
    expect(performance.now() - startedAt).toBeLessThan(3_600);
    expect([answer.status, answer.headers.get('retry-after'), ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
      503,
      '5',
      'UNAVAILABLE',
    ]);
    await redisServer.restart();
    await waitUntilReady(redis);
    expect((await postFacts(body)).status).toBe(202);
  });

  it('answers 503 OVERLOADED when the queue is full', async () => {
    const small = createInbox({ redis, prefix: 'small', maxQueued: 1 });
    const source = sourceOf(facts(), 'facts');
    const webhooks = createWebhooks({
      receive: (delivery) => receive(delivery, { sources: new Map([['facts', source]]), inbox: small, documents: NO_DOCUMENTS }),
      isSource: () => true,
    });
    const server = createHttpServer({ host: '127.0.0.1', port: 0, webhooks });
    const at = await server.listen();
    const send = (id: string) =>
      fetch(`${at}/webhooks/facts`, { method: 'POST', body: envelope({ id }), headers: signed({ body: envelope({ id }) }) });
    expect((await send('1')).status).toBe(202);
    const full = await send('2');
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '5']);
    expect((await fetch(`${at}/elsewhere`)).status).toBe(404);
    await server.close(100);
    await small.close();
  });

  it('never answers 5xx for its own bugs but 503', async () => {
    const webhooks = createWebhooks({ receive: () => Promise.reject(new TypeError('bug')), isSource: () => true });
    const server = createHttpServer({ host: '127.0.0.1', port: 0, webhooks });
    const answer = await fetch(`${await server.listen()}/webhooks/x`, { method: 'POST', body: '{}' });
    expect([answer.status, await answer.text()]).toEqual([503, expect.not.stringContaining('bug')]);
    await server.close(100);
  });

  it('lets requests in flight finish when it closes', async () => {
    const webhooks = createWebhooks({
      receive: async () => (await sleep(300), { key: 'x', status: 'accepted' as const, secretId: 's' }),
      isSource: () => true,
    });
    const server = createHttpServer({ host: '127.0.0.1', port: 0, webhooks });
    const answer = fetch(`${await server.listen()}/webhooks/x`, { method: 'POST', body: '{}' });
    await sleep(100);
    await server.close();
    expect((await answer).status).toBe(202);
  });
});
