import { expect, test } from 'vitest';

import { mapEvents, type Intake } from '../../src/map.ts';
import { commerce } from '../../src/model/commerce.ts';
import type { Source } from '../../src/sources/source.ts';

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

test('a batch of slow mappings lets others have their turn, and keeps its order', async () => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const told = await mapEvents(intake(20), options);
  clearInterval(timer);
  expect(told.map(({ key }) => key)).toEqual(intake(20).map(({ event }) => `slow:${event.id}`));
  expect(told.every(({ state }) => state === 'ignored')).toBe(true);
  expect(turns).toBeGreaterThan(10);
});
