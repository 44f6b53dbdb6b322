import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';

import { createOutbound, type OutboundOptions } from '../../../src/outbound/outbound.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server on loopback: its origin, and the requests that it saw. */
async function serve(answer: RequestListener): Promise<{ origin: string; port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} of ${request.headers.host}`);
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://localhost:${port}`, port, seen };
}

const LOOPBACK: Pick<OutboundOptions, 'resolve'> = { resolve: async () => ['127.0.0.1'] };
const ok: RequestListener = (_request, response) => void response.end('{}');
const refusal = expect.objectContaining({ code: 'OUTBOUND_REFUSED' });
const unavailable = (text: string) => expect.objectContaining({ code: 'SENDER_UNAVAILABLE', message: expect.stringContaining(text) });

describe('what goes out', () => {
  it('is a GET to the address that was looked up, under the name that was asked for', async () => {
    const { origin, port, seen } = await serve((_request, response) => {
      response.writeHead(404, { date: 'Sat, 21 Nov 2026 09:00:00 GMT', 'retry-after': '7' });
      response.end('{"code":"gone"}');
    });
    const answer = await createOutbound([origin], LOOPBACK).get(`${origin}/a?b=c`, { authorization: 'Bearer x' });
    expect(seen).toEqual([`GET /a?b=c of localhost:${port}`]);
    expect({ ...answer, body: answer.body.toString() }).toEqual({
      status: 404,
      body: '{"code":"gone"}',
      date: 'Sat, 21 Nov 2026 09:00:00 GMT',
      retryAfter: '7',
    });
  });

  it('goes to the address that was checked, whatever the name resolves to by the time of the connection', async () => {
    const { origin, port, seen } = await serve((_request, response) => void response.end('"looked up again"'));
    const checked = createServer((_request, response) => void response.end('"checked"'));
    servers.push(checked);
    await new Promise<void>((done) => checked.listen(port, '127.0.0.2', done));
    const asked: string[] = [];
    // To the system, localhost is 127.0.0.1.
    const resolve = async (hostname: string) => (asked.push(hostname), ['127.0.0.2']);
    expect((await createOutbound([origin], { resolve }).get(`${origin}/a`, {})).body.toString()).toBe('"checked"');
    expect([asked, seen]).toEqual([['localhost'], []]);
  });

  it('is a POST with its body of JSON, whole and with its length, in whatever script', async () => {
    const bodies: string[] = [];
    const { origin, port, seen } = await serve((request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => bodies.push(`${request.headers['content-type']} ${text}`));
      request.on('end', () => response.writeHead(204, { 'retry-after': '3' }).end());
    });
    const answer = await createOutbound([origin], LOOPBACK).post(`${origin}/a/fail`, { 'x-admin-token': 'x' }, '{"error":"Grüße"}');
    expect(seen).toEqual([`POST /a/fail of localhost:${port}`]);
    expect(bodies).toEqual(['application/json {"error":"Grüße"}']);
    expect([answer.status, answer.retryAfter]).toEqual([204, '3']);
    await expect(createOutbound([origin], LOOPBACK).post('https://evil.example/', {}, '{}')).rejects.toEqual(refusal);
  });

  it('does not follow a redirect, not even to a host that is allowed', async () => {
    const { origin, seen } = await serve((_request, response) => response.writeHead(302, { location: '/elsewhere' }).end());
    const answer = await createOutbound([origin], LOOPBACK).get(`${origin}/a`, {});
    expect([answer.status, seen.length]).toEqual([302, 1]);
  });
});

describe('a URL', () => {
  it.each([
    ['of another host', 'https://evil.example/'],
    ['of another port', 'https://shop.example:8443/'],
    ['of another scheme', 'http://shop.example/'],
    ['of a host that only begins so', 'https://shop.example.evil.example/'],
    ['with the host as its user', 'https://shop.example@evil.example/'],
    ['with credentials', 'https://user:password@shop.example/'],
    ['that is none', 'shop.example'],
    ['of a file', 'file:///etc/passwd'],
  ])('%s goes nowhere', async (_what, url) => {
    let asked = 0;
    const resolve = async () => [`192.0.2.${(asked += 1)}`];
    await expect(createOutbound(['https://shop.example'], { resolve }).get(url, {})).rejects.toEqual(refusal);
    expect(asked).toBe(0);
  });
});

describe('a name', () => {
  it.each([['10.0.0.7'], ['169.254.169.254'], ['127.0.0.1'], ['::1'], ['::ffff:10.0.0.7'], ['fd00:ec2::254'], ['0.0.0.0']])(
    'that resolves to %s is refused',
    async (address) =>
      expect(createOutbound(['https://shop.example'], { resolve: async () => [address] }).get('https://shop.example/', {})).rejects.toEqual(
        refusal,
      ),
  );

  it('with one bad address among good ones is refused', async () =>
    expect(
      createOutbound(['https://shop.example'], { resolve: async () => ['93.184.216.34', '10.0.0.7'] }).get('https://shop.example/', {}),
    ).rejects.toEqual(refusal));

  it('is resolved once: what it says the second time (DNS rebinding) is not heard', async () => {
    const { origin, port, seen } = await serve(ok);
    let asked = 0;
    const rebinding = async () => [(asked += 1) === 1 ? '127.0.0.1' : '10.0.0.7'];
    expect((await createOutbound([origin], { resolve: rebinding }).get(`${origin}/`, {})).status).toBe(200);
    expect([asked, seen.length]).toEqual([1, 1]);

    // The other way round: public when it is checked, loopback when it would be used.
    asked = 0;
    const inward = async () => [(asked += 1) === 1 ? '93.184.216.34' : '127.0.0.1'];
    const url = `https://shop.example:${port}/`;
    await expect(createOutbound([url], { resolve: inward, timeoutMs: 300 }).get(url, {})).rejects.toEqual(unavailable('shop.example'));
    expect([asked, seen.length]).toEqual([1, 1]);
  });

  it('of loopback stays on loopback', async () => {
    const { origin, seen } = await serve(ok);
    await expect(createOutbound([origin], { resolve: async () => ['93.184.216.34'] }).get(`${origin}/`, {})).rejects.toEqual(refusal);
    expect(seen).toEqual([]);
  });

  it('that is not found is an outage', async () => {
    const resolve = () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }));
    await expect(createOutbound(['https://shop.example'], { resolve }).get('https://shop.example/', {})).rejects.toEqual(
      unavailable('ENOTFOUND'),
    );
  });
});

describe('an origin', () => {
  it.each(['http://shop.example', 'ftp://shop.example', 'https://10.0.0.7', 'https://[::ffff:a00:7]', 'http://0x0a000007', 'shop.example'])(
    '%s is refused at the start',
    (origin) => expect(() => createOutbound([origin])).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' })),
  );

  it.each(['https://shop.example', 'https://shop.example/wp-json', 'http://127.0.0.1:8080', 'http://[::1]:8080', 'http://2130706433'])(
    '%s is taken',
    (origin) => expect(() => createOutbound([origin])).not.toThrow(),
  );
});

describe('an answer', () => {
  it('larger than the cap is none, and is not read to its end', async () => {
    let written = 0;
    const { origin } = await serve((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && written < 2 ** 30 && response.write(Buffer.alloc(65_536))) written += 65_536;
      };
      response.on('drain', more);
      more();
    });
    await expect(createOutbound([origin], { ...LOOPBACK, maxBytes: 100_000 }).get(`${origin}/`, {})).rejects.toEqual(
      unavailable('more than 100000 bytes'),
    );
    expect(written).toBeLessThan(50 * 2 ** 20);
  });

  it('that is cut short is none', async () => {
    const { origin } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"half":');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(createOutbound([origin], LOOPBACK).get(`${origin}/`, {})).rejects.toEqual(unavailable('could not be asked'));
  });

  it('that does not come, or does not end, is given up', async () => {
    const { origin } = await serve((request, response) => void (request.url === '/slow' && response.write('{')));
    const outbound = createOutbound([origin], { ...LOOPBACK, timeoutMs: 100 });
    await expect(outbound.get(`${origin}/`, {})).rejects.toEqual(unavailable('within 100 ms'));
    await expect(outbound.get(`${origin}/slow`, {})).rejects.toEqual(unavailable('within 100 ms'));
    await expect(createOutbound([origin], { resolve: () => new Promise(() => {}), timeoutMs: 100 }).get(`${origin}/`, {})).rejects.toEqual(
      unavailable('within 100 ms'),
    );
  });
});

it('no message tells of the path, the query or a header', async () => {
  const { origin } = await serve((request) => request.socket.destroy());
  const message = await createOutbound([origin], LOOPBACK)
    .get(`${origin}/secret-path?key=secret-query`, { authorization: 'secret-header' })
    .catch((error: Error) => `${error.message} ${JSON.stringify(error)} ${String(error.cause)}`);
  expect(message).toContain('localhost could not be asked');
  expect(message).not.toContain('secret');
});
