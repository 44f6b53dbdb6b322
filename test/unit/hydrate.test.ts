import { describe, expect, it } from 'vitest';

import { IngestError } from '../../src/errors.ts';
import { createHydration, type HydrationOptions } from '../../src/hydrate.ts';
import type { Answer } from '../../src/outbound/outbound.ts';
import { hook, thinSource } from '../support/shop.ts';

const ORIGIN = 'https://shop.example';
const OK: Answer = { status: 200, body: Buffer.from('{"version":1}'), date: 'Sat, 21 Nov 2026 09:00:00 GMT', retryAfter: undefined };
const NOW = Date.UTC(2026, 10, 21, 10);

/** A hydration whose requests are answered by hand, in a time that only moves when it is told to. */
function open(options: Partial<HydrationOptions> = {}) {
  const requests: { url: string; answer: (answer: Partial<Answer>) => void; fail: () => void }[] = [];
  const told: string[] = [];
  const clock = { ms: NOW };
  const hydration = createHydration({
    sources: new Map(['shop', 'other'].map((name) => [name, thinSource(name, ORIGIN)])),
    outbound: {
      get: (url) =>
        new Promise((resolve, reject) => {
          requests.push({
            url,
            answer: (over) => resolve({ ...OK, ...over }),
            fail: () => reject(new IngestError('SENDER_UNAVAILABLE', 'shop.example could not be asked')),
          });
        }),
    },
    tokenOf: () => 'token',
    now: () => clock.ms,
    report: {
      lost: ({ source, delayMs }) => void told.push(`lost ${source}${delayMs >= 1_000 ? ` for ${delayMs} ms` : ''}`),
      found: ({ source }) => void told.push(`found ${source}`),
    },
    ...options,
  });
  const ask = (order: string, nth = 1, source = 'shop') => hydration.ask(hook(order, nth, source), 1);
  return { hydration, requests, told, clock, ask };
}
const turn = (): Promise<void> => new Promise((done) => setTimeout(done, 1));

it('an event whose source is async about what it wants says everything itself, and nothing is left unheard', async () => {
  const shop = thinSource('shop', ORIGIN);
  const hydrate = Object.assign({ ...shop.hydrate }, { wants: () => Promise.reject(new Error('no shop')) });
  const { hydration } = open({ sources: new Map([['shop', Object.assign({ ...shop }, { hydrate })]]) });
  expect(hydration.wants(hook('o', 1))).toBe(false);
  await turn();
});

describe('one flight an object', () => {
  it('those who want it before it has begun share it', async () => {
    const { requests, ask } = open();
    const both = [ask('o', 1), ask('o', 2)];
    await turn();
    expect(requests.map(({ url }) => url)).toEqual([`${ORIGIN}/o`]);
    requests[0]?.answer({});
    const [first, second] = await Promise.all(both);
    expect(first).toEqual({ is: 'fetched', copy: expect.objectContaining({ body: '{"version":1}', at: NOW - 3_600_000 }) });
    expect(second).toEqual(first);
  });

  it('those who come after it has begun share the next, which begins when it is over', async () => {
    const { requests, ask } = open();
    const first = ask('o', 1);
    await turn();
    const later = [ask('o', 2), ask('o', 3)];
    await turn();
    expect(requests).toHaveLength(1);
    requests[0]?.answer({});
    await first;
    await turn();
    expect(requests).toHaveLength(2);
    requests[1]?.answer({ body: Buffer.from('{"version":2}') });
    for (const asked of await Promise.all(later)) expect(asked).toMatchObject({ copy: { body: '{"version":2}' } });
  });

  it('a first that fails does not take the second with it', async () => {
    const { requests, ask } = open();
    const first = ask('o', 1);
    await turn();
    const second = ask('o', 2);
    requests[0]?.fail();
    expect(await first).toMatchObject({ is: 'later' });
    await turn();
    requests[1]?.answer({});
    expect(await second).toMatchObject({ is: 'fetched' });
  });

  it('the same id at two sources is two objects', async () => {
    const { requests, ask } = open();
    void ask('o', 1);
    void ask('o', 1, 'other');
    await turn();
    expect(requests).toHaveLength(2);
  });
});

describe('a lane', () => {
  it('goes on, however many objects are forbidden', async () => {
    const { requests, told, ask } = open();
    const forbidden = Array.from({ length: 4 }, (_, i) => ask(`o${i}`));
    await turn();
    for (const { answer } of requests) answer({ status: 403 });
    for (const asked of await Promise.all(forbidden)) expect(asked).toMatchObject({ is: 'later' });
    const good = ask('good');
    await turn();
    requests.at(-1)?.answer({});
    expect(await good).toMatchObject({ is: 'fetched' });
    expect(told).toEqual([]);
  });

  it('has so many requests at once, as many again waiting twice, and sends the rest to wait in Redis, one after the other', async () => {
    const { requests, ask } = open({ lanes: 2 });
    const asked = Array.from({ length: 10 }, (_, i) => ask(`o${i}`));
    await turn();
    expect(requests).toHaveLength(2);
    const later = await Promise.all(asked.slice(6));
    const times = later.map((one) => (one.is === 'later' ? one.atMs : 0));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect([new Set(times).size, (times[0] ?? 0) > NOW]).toEqual([4, true]);
    requests[0]?.answer({});
    await turn();
    expect(requests).toHaveLength(3);
  });

  it('does not hold up another', async () => {
    const { requests, ask } = open({ lanes: 1 });
    for (let i = 0; i < 20; i++) void ask(`o${i}`);
    await turn();
    void ask('x', 1, 'other');
    await turn();
    expect(requests.map(({ url }) => url)).toEqual([`${ORIGIN}/o0`, `${ORIGIN}/x`]);
  });

  it('closes when three objects have no answer, asks one at a time when it is time, and opens with an answer', async () => {
    const { requests, told, clock, ask } = open();
    const failing = ['a', 'b', 'c'].map((order) => ask(order));
    await turn();
    for (const request of requests.splice(0)) request.fail();
    await Promise.all(failing);
    expect(told).toEqual(['lost shop']);
    const shut = await ask('d');
    expect(shut).toMatchObject({ is: 'later' });
    expect(requests).toEqual([]);
    clock.ms = shut.is === 'later' ? shut.atMs : 0;
    const probing = [ask('d'), ask('e')];
    await turn();
    expect(requests).toHaveLength(1);
    requests[0]?.answer({});
    await probing[0];
    await turn();
    requests[1]?.answer({});
    expect((await Promise.all(probing)).map(({ is }) => is)).toEqual(['fetched', 'fetched']);
    expect(told).toEqual(['lost shop', 'found shop']);
  });

  it('stays open for one object that never has an answer', async () => {
    const { requests, told, ask } = open();
    for (let i = 0; i < 5; i++) {
      const asked = ask('poison', i);
      await turn();
      requests.splice(0)[0]?.answer({ status: 500 });
      expect(await asked).toMatchObject({ is: 'later' });
    }
    void ask('good');
    await turn();
    expect([told, requests.map(({ url }) => url)]).toEqual([[], [`${ORIGIN}/good`]]);
  });

  it.each([
    ['seconds', '90', 90_000],
    ['a date', new Date(NOW + 90_000).toUTCString(), 90_000],
    ['a year', '31536000', 3_600_000],
  ])('is closed for as long as the sender says, in %s, but never for more than an hour', async (_how, retryAfter, ms) => {
    const { requests, told, ask } = open();
    const first = ask('o');
    await turn();
    requests[0]?.answer({ status: 429, retryAfter });
    const asked = await first;
    expect(told).toEqual([`lost shop for ${ms} ms`]);
    expect(asked.is === 'later' && asked.atMs >= NOW + ms && asked.atMs < NOW + ms + 5_000).toBe(true);
  });
});

describe('an answer', () => {
  it.each([
    ['200', {}],
    ['404', { status: 404, body: Buffer.from('<html>') }],
    ['410', { status: 410, body: Buffer.alloc(0) }],
  ])('%s is kept', async (_what, answer) => {
    const { requests, ask } = open();
    const asked = ask('o');
    await turn();
    requests[0]?.answer(answer);
    expect(await asked).toMatchObject({ is: 'fetched' });
  });

  it.each([
    ['204', { status: 204 }],
    ['301', { status: 301 }],
    ['401', { status: 401 }],
    ['500', { status: 500 }],
    ['200 that is no JSON', { body: Buffer.from('<html>') }],
    ['200 that is no UTF-8', { body: Buffer.from([0x22, 0xff, 0x22]) }],
  ])('%s is none', async (_what, answer) => {
    const { requests, ask } = open();
    const asked = ask('o');
    await turn();
    requests[0]?.answer(answer);
    expect(await asked).toMatchObject({ is: 'later' });
  });

  it('without a usable Date is dated by our clock', async () => {
    const { requests, ask } = open();
    const asked = ask('o');
    await turn();
    requests[0]?.answer({ date: 'yesterday' });
    expect(await asked).toMatchObject({ copy: { at: NOW } });
  });
});

describe('wanting', () => {
  const { hydration } = open();
  it('is for events that have no copy', () => {
    expect(hydration.wants(hook('o', 1))).toBe(true);
    expect(hydration.wants({ ...hook('o', 1), fetched: { body: '{}', bodyHash: '', status: 200, at: 0 } })).toBe(false);
  });
  it.each([
    ['says all itself', { ...hook('o', 1), body: '{}' }],
    ['cannot be read', { ...hook('o', 1), body: '{' }],
    ['is of a source that is gone', hook('o', 1, 'gone')],
  ])('is not for an event that %s', async (_what, event) => {
    expect(hydration.wants(event)).toBe(false);
    expect(await hydration.ask(event, 1)).toEqual({ is: 'unwanted' });
  });
});

it('when it closes, nobody waits any longer', async () => {
  const { hydration, requests, ask } = open({ lanes: 1 });
  const asked = ['a', 'b', 'c'].map((order) => ask(order));
  await turn();
  hydration.close();
  requests[0]?.fail();
  expect((await Promise.all(asked)).map(({ is }) => is)).toEqual(['later', 'later', 'later']);
  expect(await ask('d')).toMatchObject({ is: 'later' });
});
