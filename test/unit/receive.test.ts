import { expect, test, vi } from 'vitest';

import type { Delivery, Event } from '../../src/event.ts';
import { commerce } from '../../src/model/commerce.ts';
import { receive, type Entrance } from '../../src/receive.ts';
import type { Source } from '../../src/sources/source.ts';
import { NO_DOCUMENTS } from '../support/deliveries.ts';

const delivery: Delivery = { source: 'own', body: Buffer.from('{}'), headers: {}, receivedAtMs: 0 };

/** A way in for one source, which is a user's and in JavaScript: what it says may be of any type. */
function open(said: { verify?: unknown; identify?: unknown }) {
  const stored: Event[] = [];
  const own: Source = {
    name: 'own',
    model: commerce,
    version: '1',
    keepHeaders: [],
    verify: () => 'secret',
    identify: () => ({ id: 'e1' }),
    map: () => ({ type: 'told' }),
  };
  for (const [name, value] of Object.entries(said)) Object.assign(own, { [name]: () => value });
  const inbox: Entrance['inbox'] = {
    add(event) {
      stored.push(event);
      return Promise.resolve('accepted');
    },
  };
  return { stored, receive: () => receive(delivery, { sources: new Map([['own', own]]), inbox, documents: NO_DOCUMENTS }) };
}

test.each([[''], ['x'.repeat(1_025)], ['\ud800'], [undefined], [7]])(
  'an identity of %j is none: it is refused, and never taken in and unreadable then',
  async (id) => {
    const { stored, receive } = open({ identify: { id } });
    await expect(receive()).rejects.toMatchObject({ code: 'NO_IDENTITY', status: 400 });
    expect(stored).toEqual([]);
  },
);

test.each([['x'], ['x'.repeat(1_024)], ['😀']])('an identity of %j is one', async (id) => {
  const { stored, receive } = open({ identify: { id } });
  expect(await receive()).toMatchObject({ key: `own:${id}`, status: 'accepted' });
  expect(stored).toHaveLength(1);
});

test.each([['verify'], ['identify']])('an async %s proves nothing: nothing is stored, and its failure ends no process', async (name) => {
  const unheard = vi.fn();
  process.on('unhandledRejection', unheard);
  const { stored, receive } = open({ [name]: Promise.reject(new Error('a forger')) });
  await expect(receive()).rejects.toThrow(`${name} of own must not be async`);
  await new Promise((done) => setTimeout(done, 10));
  process.off('unhandledRejection', unheard);
  expect([stored, unheard.mock.calls]).toEqual([[], []]);
});
