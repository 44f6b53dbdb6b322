import { expect, test, vi } from 'vitest';

import { mapEvent, mapEvents, type Intake } from '../../src/map.ts';
import { commerce } from '../../src/model/commerce.ts';
import type { Source } from '../../src/sources/source.ts';
import { woocommerce } from '../../src/sources/woocommerce.ts';
import { NOW_MS, sourceOf } from '../support/deliveries.ts';

const source: Source = {
  name: 'slow',
  model: commerce,
  version: '1',
  keepHeaders: [],
  verify: () => '',
  identify: () => ({ id: '' }),
  map() {
    const until = performance.now() + 10;
    while (performance.now() < until);
    return { type: 'slow' };
  },
};
const options = { sources: new Map([[source.name, source]]), maxFutureMs: 0 };

function intake(n: number): Intake[] {
  return Array.from({ length: n }, (_, index) => ({
    job: 'job',
    index,
    of: n,
    event: { source: 'slow', id: String(index), body: '{}', bodyHash: String(index), headers: {}, receivedAtMs: 0 },
  }));
}

test("an event whose source is not known is nobody's failure: it throws, and a row that is no event does not", () => {
  const event = { source: 'gone', id: '1', body: '{}', bodyHash: '1', headers: {}, receivedAtMs: 0 };
  const one = { job: 'job', index: 0, of: 1, event };
  expect(() => mapEvent(one, options)).toThrow(expect.objectContaining({ code: 'UNKNOWN_SOURCE' }));
  expect(mapEvent({ ...one, unreadable: 'the job has no version' }, options)).toMatchObject({
    state: 'failed',
    error: { code: 'BAD_VALUE' },
  });
});

test('an async map fails its event, and its own failure ends no process', async () => {
  const unheard = vi.fn();
  process.on('unhandledRejection', unheard);
  const own: Source = Object.assign({ ...source }, { map: () => Promise.reject(new Error('no shop')) });
  const [told] = await mapEvents(intake(1), { ...options, sources: new Map([['slow', own]]) });
  await new Promise((done) => setTimeout(done, 10));
  process.off('unhandledRejection', unheard);
  expect(told).toMatchObject({ state: 'failed', error: { code: 'MAPPING_FAILED', message: 'map must not be async' } });
  expect(unheard).not.toHaveBeenCalled();
});

test('a batch of slow mappings lets others have their turn, and keeps its order', async () => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const told = await mapEvents(intake(20), options);
  clearInterval(timer);
  expect(told.map(({ key }) => key)).toEqual(intake(20).map(({ event }) => `slow:${event.id}`));
  expect(told.every(({ state }) => state === 'ignored')).toBe(true);
  expect(turns).toBeGreaterThan(10);
});

test('a removal whose answer came long after the hook waits in quarantine, and no longer than until its time is over', () => {
  const shop = sourceOf(woocommerce({ api: 'https://shop.example/wp-json/wc/v3' }));
  const at = NOW_MS + 601_000;
  const fetched = { status: 404, body: '{"code":"woocommerce_rest_shop_order_invalid_id"}', bodyHash: 'b', at };
  const body = '{"id":7}';
  const headers = { 'x-wc-webhook-topic': 'order.deleted' };
  const one = {
    job: 'job',
    index: 0,
    of: 1,
    event: { source: 'acme', id: '1', body, bodyHash: 'a', headers, receivedAtMs: NOW_MS, fetched },
  };
  const settings = { sources: new Map([['acme', shop]]), maxFutureMs: 600_000 };
  expect(mapEvent(one, settings)).toMatchObject({ state: 'quarantined', error: { code: 'FUTURE_STAMP' } });
  expect(mapEvent(one, { ...settings, asOfMs: at })).toMatchObject({ state: 'mapped' });
});
