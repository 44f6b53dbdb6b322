import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Outcome } from '../../../src/apply.ts';
import { createBolt, type Bolt } from '../../../src/graph/driver.ts';
import { createGraphStore } from '../../../src/graph/store.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { diffGraphs, type PublicGraph } from '../../../src/model/graph.ts';
import { createWorker, type Worker } from '../../../src/worker.ts';
import { assertConserved, eventOf, MAX_FUTURE_MS, openGraph, type TestGraph } from '../../support/graph.ts';
import { neo4j } from '../../support/runtime.ts';
import { startBoltProxy, type BoltProxy } from './bolt-proxy.ts';

const SIZE = 300;
/** Orders of thirty customers, some paid, refunds that come before their order, products in sets. */
const EVENTS = Array.from({ length: SIZE }, (_, i) =>
  eventOf({
    id: `e${i}`,
    sequence: i,
    facts: [
      { upsert: { node: 'Order', key: { id: `${i % 100}` }, set: { totalMinor: i, status: i < 200 ? 'pending' : 'paid' } } },
      { link: { relationship: 'PLACED', from: { id: `c${i % 30}` }, to: { id: `${i % 100}` } } },
      {
        replace: {
          relationship: 'CONTAINS',
          from: { id: `${i % 100}` },
          links: [{ to: { id: `p${i % 7}` }, key: { line: '1' }, set: { quantity: i } }],
        },
      },
      { link: { relationship: 'REFUNDS', from: { id: `r${i}` }, to: { id: `${(i * 7) % 150}` } } },
      ...(i % 2 === 0 ? [{ upsert: { node: 'Refund', key: { id: `r${i}` } } }] : []),
    ],
  }),
);

let graph: TestGraph;
let proxy: BoltProxy;
let bolt: Bolt;
let worker: Worker;
let expected: PublicGraph;
const seen: { outcomes: Outcome[]; waits: string[]; resumed: number } = { outcomes: [], waits: [], resumed: 0 };

beforeAll(async () => {
  graph = await openGraph();
  await graph.tell(EVENTS);
  expected = await graph.graph();
  proxy = await startBoltProxy(neo4j().uri);
});
beforeEach(async () => {
  await graph.wipe();
  Object.assign(seen, { outcomes: [], waits: [], resumed: 0 });
  bolt = createBolt({ ...neo4j(), uri: proxy.uri });
  worker = graph.counting(
    createWorker(createGraphStore(bolt, commerce), {
      sources: graph.sources,
      maxFutureMs: MAX_FUTURE_MS,
      report: {
        applied: ({ outcomes }) => void seen.outcomes.push(...outcomes),
        waiting: ({ code }) => void seen.waits.push(code),
        resumed: () => void (seen.resumed += 1),
      },
    }),
  );
});
afterEach(async () => {
  worker.close();
  await bolt.close();
});
afterAll(async () => {
  await proxy.close();
  await graph.close();
});

const jobs = [
  { id: 'j-100', events: EVENTS.slice(0, 100) },
  { id: 'j-200', events: EVENTS.slice(100) },
];

async function assertOnce(): Promise<void> {
  expect(diffGraphs(expected, await graph.graph())).toEqual([]);
  const { late, states } = await assertConserved(graph, SIZE);
  expect([late, states.failed]).toEqual([0, 0]);
}

test('a commit whose acknowledgement is lost counts once: the jobs are done again and found settled', async () => {
  const lost = proxy.loseCommit();
  await worker.handle(jobs);
  await lost;
  expect(seen).toEqual({ outcomes: EVENTS.map(() => 'repeated'), waits: ['GRAPH_UNAVAILABLE'], resumed: 1 });
  await assertOnce();
});

test.each([
  ['of effects', 'MATCH (x:'],
  ['of the ledger', 'CREATE (:_Event'],
  ['of job marks', 'CREATE (j:_Job'],
  ['of locks', 'ON CREATE SET n._clock'],
])('a connection that is cut in the midst of its round %s leaves nothing behind, and the work is done again', async (_, text) => {
  const cut = proxy.cutAt(text);
  await worker.handle(jobs);
  await cut;
  expect(seen.outcomes.every((outcome) => outcome === 'applied' || outcome === 'superseded')).toBe(true);
  expect(seen).toMatchObject({ waits: ['GRAPH_UNAVAILABLE'], resumed: 1 });
  await assertOnce();
});

test('acknowledgements lost one after the other, on jobs that are told in pieces, still count once', async () => {
  for (let start = 0; start < SIZE; start += 50) {
    const lost = proxy.loseCommit();
    const job = { id: `j${start}-50`, events: EVENTS.slice(start, start + 50) };
    await worker.handle([job]);
    await lost;
    await worker.handle([job]);
  }
  expect(seen.outcomes).toEqual(Array.from({ length: 2 * SIZE }, () => 'repeated'));
  await assertOnce();
});

test('while Neo4j refuses connections the worker waits, then goes on where it was, and nothing has failed', async () => {
  await worker.handle(jobs.slice(0, 1));
  await proxy.refuse();
  const handled = worker.handle(jobs.slice(1));
  while (seen.waits.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(seen.outcomes).toHaveLength(100);
  await proxy.accept();
  await handled;
  expect(new Set(seen.waits)).toEqual(new Set(['GRAPH_UNAVAILABLE']));
  expect([seen.resumed, seen.outcomes.length]).toEqual([1, SIZE]);
  await assertOnce();
});

test('a worker that is closed while it waits hands its batch back by an error', async () => {
  await proxy.refuse();
  const handled = worker.handle(jobs);
  const failure = expect(handled).rejects.toMatchObject({ code: 'GRAPH_UNAVAILABLE' });
  while (seen.waits.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  worker.close();
  await failure;
  await proxy.accept();
  expect((await graph.graph()).nodes.size).toBe(0);
});
