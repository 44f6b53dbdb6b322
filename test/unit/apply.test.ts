/** How a batch is cut when the graph will not have it: the graph is a stand-in here, only the cutting is looked at. */
import { expect, test } from 'vitest';

import { apply } from '../../src/apply.ts';
import { IngestError, type ErrorCode } from '../../src/errors.ts';
import type { GraphStore, GraphTx } from '../../src/graph/store.ts';
import type { Intake } from '../../src/map.ts';

const options = { sources: new Map(), maxFutureMs: 600_000 };

function intake(n: number): Intake[] {
  return Array.from({ length: n }, (_, index) => ({
    job: 'j',
    index,
    of: n,
    event: { source: 'gone', id: `e${index}`, body: '{}', bodyHash: 'ab', headers: {}, receivedAtMs: 0 },
  }));
}

/** Refuses every transaction that `refuse` names a code for, given how many events it holds. */
function graph(refuse: (events: readonly string[]) => ErrorCode | undefined): GraphStore & { readonly sizes: number[] } {
  const sizes: number[] = [];
  const nothing = (): Promise<void> => Promise.resolve();
  const tx: Omit<GraphTx, 'judge' | 'lockAndRead'> = {
    reclaim: () => Promise.resolve([]),
    record: nothing,
    write: nothing,
    conclude: nothing,
  };
  return {
    sizes,
    forgetOldJobs: nothing,
    quarantined: () => Promise.resolve([]),
    transaction: (work) =>
      work({
        ...tx,
        judge(told) {
          sizes.push(told.length);
          const code = refuse(told.map((one) => one.key));
          if (code !== undefined) return Promise.reject(new IngestError(code, 'no'));
          return Promise.resolve(told.map((one) => ({ told: one, is: 'late' as const })));
        },
        lockAndRead: () =>
          Promise.resolve({ nodes: new Map(), edges: new Map(), edgesOf: () => [] } as unknown as Awaited<
            ReturnType<GraphTx['lockAndRead']>
          >),
      }),
  };
}

test('a batch that takes too long is halved until it fits, and nothing fails for that', async () => {
  const slow = graph((events) => (events.length > 2 ? 'GRAPH_TIMEOUT' : undefined));
  expect(await apply(intake(8), slow, options)).toEqual(Array.from({ length: 8 }, () => 'late'));
  expect(slow.sizes).toEqual([8, 4, 2, 2, 4, 2, 2]);
});

test('a single event that takes too long goes up as an outage, and one of those behind it tells whether it is one', async () => {
  const hung = graph(() => 'GRAPH_TIMEOUT');
  await expect(apply(intake(4), hung, options)).rejects.toMatchObject({ code: 'GRAPH_TIMEOUT', retry: 'retry' });
  expect(hung.sizes).toEqual([4, 2, 1, 1, 1]);
});

test('one event that is too slow even alone holds up none behind it', async () => {
  const done = new Set<string>();
  const slow = graph((events) => {
    if (events.includes('gone:e1')) return 'GRAPH_TIMEOUT';
    for (const event of events) done.add(event);
    return undefined;
  });
  await expect(apply(intake(8), slow, options)).rejects.toMatchObject({ code: 'GRAPH_TIMEOUT' });
  expect([...done].sort()).toEqual(['gone:e0', 'gone:e2', 'gone:e3', 'gone:e4', 'gone:e5', 'gone:e6', 'gone:e7']);
});

test('nor do several, in whatever half they stand', async () => {
  const done = new Set<string>();
  const slow = graph((events) => {
    if (events.some((event) => ['gone:e1', 'gone:e4', 'gone:e15'].includes(event))) return 'GRAPH_TIMEOUT';
    for (const event of events) done.add(event);
    return undefined;
  });
  // As the worker does, until all that can be done is done.
  for (let tries = 0; tries < 50 && done.size < 13; tries++)
    await expect(apply(intake(16), slow, options)).rejects.toMatchObject({ code: 'GRAPH_TIMEOUT' });
  expect(done.size).toBe(13);
});

test('an event that stands alone is heard once more before it is kept as failed', async () => {
  let refusals = 0;
  const moody = graph((events) => (events.includes('gone:e2') && refusals++ < 3 ? 'WRITE_REFUSED' : undefined));
  expect(await apply(intake(4), moody, options)).toEqual(Array.from({ length: 4 }, () => 'late'));
  expect(moody.sizes).toEqual([4, 2, 2, 1, 1, 1]);
});

test('an outage is not cut into pieces', async () => {
  const away = graph(() => 'GRAPH_UNAVAILABLE');
  await expect(apply(intake(4), away, options)).rejects.toMatchObject({ code: 'GRAPH_UNAVAILABLE' });
  expect(away.sizes).toEqual([4]);
});

test('one refused event in a thousand costs about 2·log2(n) transactions more', async () => {
  let refusals = 0;
  const picky = graph((events) => (events.includes('gone:e617') && refusals++ < 12 ? 'WRITE_REFUSED' : undefined));
  await apply(intake(1_000), picky, options);
  expect(picky.sizes.length - 1).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(1_000)) + 3);
});
