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
  const tx: Omit<GraphTx, 'judge'> = {
    reclaim: () => Promise.resolve([]),
    lockAndRead: () => Promise.reject(new Error('nothing to read')),
    write: () => Promise.resolve(),
  };
  return {
    sizes,
    forget: () => {},
    forgetOld: () => Promise.resolve(),
    quarantined: () => Promise.resolve([]),
    transaction: (work) =>
      work({
        ...tx,
        judge(told) {
          sizes.push(told.length);
          const code = refuse(told.map((one) => one.key));
          return code === undefined
            ? Promise.resolve(told.map(() => ({ is: 'late' as const })))
            : Promise.reject(new IngestError(code, 'no'));
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

test('a single event that takes too long goes up as an outage', async () => {
  const hung = graph(() => 'GRAPH_TIMEOUT');
  await expect(apply(intake(4), hung, options)).rejects.toMatchObject({ code: 'GRAPH_TIMEOUT', retry: 'retry' });
  expect(hung.sizes).toEqual([4, 2, 1]);
});

test('an outage is not cut into pieces', async () => {
  const away = graph(() => 'GRAPH_UNAVAILABLE');
  await expect(apply(intake(4), away, options)).rejects.toMatchObject({ code: 'GRAPH_UNAVAILABLE' });
  expect(away.sizes).toEqual([4]);
});

test('one refused event in a thousand costs about 2·log2(n) transactions more', async () => {
  let refusals = 0;
  const picky = graph((events) => (events.includes('gone:e617') && refusals++ < 11 ? 'WRITE_REFUSED' : undefined));
  await apply(intake(1_000), picky, options);
  expect(picky.sizes.length - 1).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(1_000)) + 2);
});
