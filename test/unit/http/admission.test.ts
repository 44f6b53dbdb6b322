/** Who is let in: rates, addresses, the lag of the loop, and that each is asked at its place. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';

import { afterEach, describe, expect, it } from 'vitest';

import { IngestError } from '../../../src/errors.ts';
import { createAddressOf, createHolderOf } from '../../../src/http/address.ts';
import { createAdmission, limitSources } from '../../../src/http/admission.ts';
import { watchLag } from '../../../src/http/lag.ts';
import { createRate } from '../../../src/http/rate.ts';
import { createHttpServer } from '../../../src/http/server.ts';
import { createWebhooks } from '../../../src/http/webhooks.ts';
import { facts } from '../../../src/sources/facts.ts';
import { envelope, sourceOf, standardDelivery } from '../../support/deliveries.ts';

const request = (remoteAddress: string | undefined, forwarded?: string) =>
  ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }) as IncomingMessage;

describe('a rate', () => {
  function rateAt(perSecond: number) {
    const clock = { ms: 1_000 };
    const rate = createRate(perSecond, () => clock.ms);
    return {
      clock,
      takeAll: (name: string, n: number) => Array.from({ length: n }, () => rate.take(name)).filter((ms) => ms === 0).length,
    };
  }

  it('lets two seconds’ worth in at once, and then so many a second', () => {
    const { clock, takeAll } = rateAt(10);
    expect(takeAll('a', 100)).toBe(20);
    clock.ms += 500;
    expect(takeAll('a', 100)).toBe(5);
    clock.ms += 60_000;
    expect(takeAll('a', 100)).toBe(20);
  });

  it('is one for each name', () => {
    const { takeAll } = rateAt(1);
    expect(takeAll('a', 9)).toBe(2);
    expect(takeAll('b', 9)).toBe(2);
  });

  it('holds over any time: whatever is forgotten was whole again', () => {
    const { clock, takeAll } = rateAt(5);
    let taken = 0;
    for (let n = 0; n < 10_000; n++) {
      clock.ms += 7;
      taken += takeAll('a', 1);
    }
    expect(taken).toBeGreaterThanOrEqual(350);
    expect(taken).toBeLessThanOrEqual(350 + 10);
  });

  it('says how long to wait', () => {
    const rate = createRate(1, () => 0);
    expect([rate.take('a'), rate.take('a'), rate.take('a')]).toEqual([0, 0, 1_000]);
  });

  it('of 0 is none', () => expect(rateAt(0).takeAll('a', 100_000)).toBe(100_000));
});

describe('an address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:0:1:ffff::1', '2001:db8:0:1::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [undefined, ''],
  ])('of %s is %s', (socket, address) => expect(createAddressOf()(request(socket))).toBe(address));

  const behind = createAddressOf(['127.0.0.1', '10.0.0.0/8', 'fd00::/8']);

  it.each<[string, string, string | undefined, string]>([
    ['is what the proxy says', '127.0.0.1', '192.0.2.7', '192.0.2.7'],
    ['is what the first of two proxies says', '127.0.0.1', '192.0.2.7, 10.1.2.3', '192.0.2.7'],
    ['is never what the client says', '127.0.0.1', '203.0.113.9, 192.0.2.7', '192.0.2.7'],
    ['is the socket’s where that is no proxy', '192.0.2.7', '203.0.113.9', '192.0.2.7'],
    ['is the proxy’s where it says nothing', '127.0.0.1', undefined, '127.0.0.1'],
    ['is the proxy’s where it says no address', '127.0.0.1', 'unknown', '127.0.0.1'],
    ['is the last that is known where all are trusted', '127.0.0.1', '10.0.0.9', '10.0.0.9'],
    ['may bear a port', '127.0.0.1', '192.0.2.7:4711', '192.0.2.7'],
    ['may bear brackets', '127.0.0.1', '[2001:db8::1]:4711', '2001:db8:0:0::/64'],
    ['may come by IPv6', 'fd00::1', '2001:DB8::1', '2001:db8:0:0::/64'],
  ])('%s', (_what, socket, forwarded, address) => expect(behind(request(socket, forwarded))).toBe(address));

  it('is not believed from a header while no proxy is trusted', () =>
    expect(createAddressOf()(request('127.0.0.1', '192.0.2.7'))).toBe('127.0.0.1'));
});

describe('the lag of the loop', () => {
  const block = (ms: number): void => {
    for (const until = performance.now() + ms; performance.now() < until;);
  };
  const turn = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  it('is noticed while it lasts', async () => {
    const lag = watchLag(60);
    try {
      expect(lag.isLate()).toBe(false);
      for (let n = 0; n < 8; n++) {
        block(150);
        await turn();
      }
      expect(lag.isLate()).toBe(true);
      await turn(1_200);
      expect(lag.isLate()).toBe(false);
    } finally {
      lag.close();
    }
  });

  it('of 0 ms is never too much', async () => {
    const lag = watchLag(0);
    for (let n = 0; n < 4; n++) {
      block(150);
      await turn();
    }
    expect(lag.isLate()).toBe(false);
    lag.close();
  });
});

describe('admission', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function serve({ addressRate = 0, sourceRate = 0, late = false, trusted = [] as string[] }) {
    const sources = limitSources(
      new Map([['facts', sourceOf(facts(), 'facts')]]),
      createRate(sourceRate, () => 0),
    );
    const rejected: string[] = [];
    const webhooks = createWebhooks({
      admit: createAdmission({
        addressOf: createAddressOf(trusted),
        rate: createRate(addressRate, () => 0),
        lag: { isLate: () => late },
      }),
      isSource: (name) => sources.has(name),
      receive: async (delivery) => ({ key: 'x', status: 'accepted', secretId: sources.get(delivery.source)?.verify(delivery) ?? '' }),
      onRejected: (code) => rejected.push(code),
    });
    const http = createHttpServer({ host: '127.0.0.1', port: 0, webhooks });
    const url = await http.listen();
    closers.push(() => http.close(100));
    const body = envelope();
    return {
      rejected,
      async post(headers: Record<string, string> = {}, signedBody = body) {
        const signed = { ...standardDelivery({ body: signedBody, atSeconds: Math.floor(Date.now() / 1_000) }).headers };
        const answer = await fetch(`${url}/webhooks/facts`, { method: 'POST', body, headers: { ...signed, ...headers } });
        const { error } = (await answer.json()) as { error?: { code: string } };
        return [answer.status, error?.code, answer.headers.get('retry-after')];
      },
    };
  }

  it('answers an address that sends too much with 429 and Retry-After, verified or not', async () => {
    const { post, rejected } = await serve({ addressRate: 1 });
    expect(await post()).toEqual([202, undefined, null]);
    expect(await post({ 'webhook-signature': '' })).toEqual([401, 'BAD_SIGNATURE', null]);
    expect(await post()).toEqual([429, 'RATE_LIMITED', '1']);
    expect(rejected).toEqual(['BAD_SIGNATURE', 'RATE_LIMITED']);
  });

  it('tells addresses behind a trusted proxy apart', async () => {
    const { post } = await serve({ addressRate: 1, trusted: ['127.0.0.0/8'] });
    for (const client of ['192.0.2.1', '192.0.2.2'])
      expect([await post({ 'x-forwarded-for': client }), await post({ 'x-forwarded-for': client })].map(([status]) => status)).toEqual([
        202, 202,
      ]);
    expect((await post({ 'x-forwarded-for': '192.0.2.1' }))[0]).toBe(429);
  });

  it('counts for a source only what it has signed', async () => {
    const { post } = await serve({ sourceRate: 1 });
    for (let n = 0; n < 5; n++) expect((await post({}, `${envelope()} `))[0]).toBe(401);
    expect((await post())[0]).toBe(202);
    expect((await post())[0]).toBe(202);
    expect(await post()).toEqual([429, 'RATE_LIMITED', '1']);
    expect((await post({}, `${envelope()} `))[0]).toBe(401);
  });

  it('answers everybody with 503 and Retry-After while the loop is late', async () => {
    const { post } = await serve({ late: true });
    expect(await post()).toEqual([503, 'OVERLOADED', '5']);
  });

  it('cuts connections off beyond so many, and counts them', async () => {
    const rejected: string[] = [];
    const options = { host: '127.0.0.1', port: 0, maxConnections: 2, webhooks: () => false };
    const http = createHttpServer({ ...options, onRejected: (code) => rejected.push(code) });
    const port = Number(new URL(await http.listen()).port);
    closers.push(() => http.close(100));
    const sockets = [];
    for (let n = 0; n < 2; n++) {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      sockets.push(socket);
    }
    const third = connect(port, '127.0.0.1').on('error', () => {});
    await once(third, 'close');
    expect(rejected).toEqual(['OVERLOADED']);
    for (const socket of sockets) socket.destroy();
  });

  it('cuts off whoever holds a quarter of all connections, until one of them closes, and no trusted proxy', async () => {
    const rejected: string[] = [];
    const holders = ['guest', 'guest', 'guest', 'other', undefined, undefined, undefined, 'guest'];
    const options = { host: '127.0.0.1', port: 0, maxConnections: 8, webhooks: () => false };
    const http = createHttpServer({ ...options, holderOf: () => holders.shift(), onRejected: (code) => rejected.push(code) });
    const port = Number(new URL(await http.listen()).port);
    closers.push(() => http.close(100));
    // Whoever is let in gets an answer.
    const dial = async () => {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      const isIn = await Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
      return { socket, isIn };
    };
    const dialled = [];
    for (let n = 0; n < 7; n++) dialled.push(await dial());
    expect(dialled.map(({ isIn }) => isIn)).toEqual([true, true, false, true, true, true, true]);
    expect(rejected).toEqual(['OVERLOADED']);
    dialled[0]?.socket.end();
    if (dialled[0] !== undefined) await once(dialled[0].socket, 'close');
    const again = await dial();
    expect(again.isIn).toBe(true);
    for (const { socket } of [...dialled, again]) socket.destroy();
  });

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['10.1.2.3', undefined],
    [undefined, ''],
  ])('holds a connection of %s against %s', (remoteAddress, holder) =>
    expect(createHolderOf(['10.0.0.0/8'])({ remoteAddress })).toBe(holder),
  );

  it('throws nothing but IngestError', () => {
    const admit = createAdmission({ addressOf: createAddressOf(), rate: createRate(1, () => 0), lag: { isLate: () => false } });
    admit(request(undefined));
    admit(request(undefined));
    expect(() => admit(request(undefined))).toThrow(IngestError);
  });
});
