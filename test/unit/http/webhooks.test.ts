/** What the webhook route answers by itself, before anything is received; real sockets, a receiver that must not be called. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createHttpServer, type HttpServer } from '../../../src/http/server.ts';
import { createWebhooks } from '../../../src/http/webhooks.ts';
import { IngestError } from '../../../src/errors.ts';
import { woocommerce } from '../../../src/sources/woocommerce.ts';
import { sourceOf, woocommerceDelivery } from '../../support/deliveries.ts';

const source = sourceOf(woocommerce(), 'shop');
const received: string[] = [];
let http: HttpServer;
let url: string;

beforeAll(async () => {
  const webhooks = createWebhooks({
    isSource: (name) => name === 'shop' || name === 'other',
    isPing: (delivery) => delivery.source === 'shop' && source.ping?.(delivery) === true,
    receive(delivery) {
      received.push(delivery.body.toString());
      source.verify(delivery);
      return Promise.reject(new IngestError('BAD_JSON', 'enough seen'));
    },
  });
  http = createHttpServer({ host: '127.0.0.1', port: 0, webhooks, fallback: (_req, res) => res.writeHead(418).end() });
  url = await http.listen();
});
afterAll(() => http.close(500));

const post = async (name: string, body: string, headers: Record<string, string> = {}) => {
  received.length = 0;
  const answer = await fetch(`${url}/webhooks/${name}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });
  return { status: answer.status, body: await answer.text(), received: received.length };
};

describe('a header that is one thing', () => {
  /** `fetch` would join what is repeated; a client that is not so kind sends it as it stands. */
  const postRaw = (headers: readonly string[]) =>
    new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      received.length = 0;
      const { host } = new URL(url);
      const sent = request(
        `${url}/webhooks/shop`,
        { method: 'POST', headers: ['Host', host, 'Content-Length', '2', ...headers] },
        (res) => {
          let body = '';
          res.setEncoding('utf8').on('data', (text: string) => (body += text));
          res.on('end', () => resolve({ status: res.statusCode, body }));
        },
      );
      sent.on('error', reject).end('{}');
    });

  it.each(['Authorization', 'Content-Type', 'User-Agent', 'Proxy-Authorization'])('may not come twice: %s', async (name) => {
    const { status, body } = await postRaw([name, 'one', name.toUpperCase(), 'two']);
    expect({ status, received: received.length }).toEqual({ status: 400, received: 0 });
    expect(body).toContain(`the header ${name.toLowerCase()} came more than once`);
  });
  it('may come once, and what is joined may come again', async () => {
    expect(await postRaw(['Authorization', 'one', 'X-Other', 'a', 'X-Other', 'b'])).toMatchObject({ status: 401 });
    expect(received).toEqual(['{}']);
  });
});

it('a ping that is a promise is said to be one, and its failure is not left to end the process', async () => {
  const unheard: unknown[] = [];
  const listener = (reason: unknown) => void unheard.push(reason);
  process.on('unhandledRejection', listener);
  const logged: unknown[] = [];
  const isPing = (_delivery: unknown): boolean => JSON.parse('{}', () => Promise.reject(new Error('from a configuration in JavaScript')));
  const webhooks = createWebhooks({
    isSource: () => true,
    isPing,
    receive: () => Promise.reject(new IngestError('BAD_JSON', 'received')),
    onRejected: (code) => logged.push(code),
  });
  const server = createHttpServer({ host: '127.0.0.1', port: 0, webhooks });
  try {
    const answer = await fetch(`${await server.listen()}/webhooks/shop`, { method: 'POST', body: '{}' });
    expect([answer.status >= 500, logged, unheard]).toEqual([true, ['UNAVAILABLE'], []]);
  } finally {
    process.off('unhandledRejection', listener);
    await server.close(100);
  }
});

describe('a ping', () => {
  it('gets 200 and is not received', async () =>
    expect(await post('shop', 'webhook_id=12')).toEqual({ status: 200, body: '{"status":"ping"}', received: 0 }));

  it('is nothing special to a source that knows none', async () =>
    expect(await post('other', 'webhook_id=12')).toMatchObject({ status: 401, received: 1 }));

  it.each([
    'webhook_id=',
    'webhook_id=1x',
    'webhook_id=12&x=1',
    ' webhook_id=12',
    'webhook_id=12\n',
    `webhook_id=${'1'.repeat(21)}`,
    '{"webhook_id":12}',
  ])('is not %j', async (body) => expect(await post('shop', body)).toMatchObject({ status: 401, received: 1 }));

  it('bears no signature', async () => {
    const { headers } = woocommerceDelivery({ body: 'webhook_id=12' });
    expect(await post('shop', 'webhook_id=12', { ...headers })).toMatchObject({ status: 400, received: 1 });
  });
});
