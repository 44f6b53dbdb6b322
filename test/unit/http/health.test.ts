import { expect, test } from 'vitest';

import { createHealth, type Probes } from '../../../src/http/health.ts';

const NOW = Date.UTC(2026, 10, 21, 10);
const well: Probes = {
  durability: async () => 'always',
  queued: async () => 5,
  graph: async () => undefined,
  queueEpoch: async () => 'one',
  graphEpoch: async () => 'one',
  lastCommitMs: () => NOW - 1_000,
};
const away = async (): Promise<never> => Promise.reject(new Error('away'));
const readiness = (role: 'serve' | 'work' | 'dev', probes: Partial<Probes>) =>
  createHealth(role, { ...well, ...probes }, { now: () => NOW, timeoutMs: 20 }).readiness();

test('a receiver is ready while events can be made durable, and shows that Neo4j is away', async () => {
  expect(await readiness('serve', { graph: away, graphEpoch: away })).toEqual({
    status: 'ready',
    role: 'serve',
    reasons: ['Neo4j is away'],
    queue: { reachable: true, durability: 'always', queued: 5 },
    graph: { reachable: false },
    epoch: { agrees: null },
    lastCommitAt: '2026-11-21T09:59:59Z',
  });
});

test('a receiver without Redis is not ready', async () => {
  for (const role of ['serve', 'dev'] as const)
    expect((await readiness(role, { durability: away, queued: away, queueEpoch: away })).status).toBe('unready');
});

test('a probe that hangs counts as away', async () => {
  expect((await readiness('serve', { durability: () => new Promise(() => undefined) })).status).toBe('unready');
});

test('a worker is unready when there is work and nothing was committed for a minute', async () => {
  expect((await readiness('work', { lastCommitMs: () => NOW - 61_000 })).status).toBe('unready');
  expect((await readiness('work', { lastCommitMs: () => NOW - 59_000 })).status).toBe('ready');
  expect((await readiness('work', { lastCommitMs: () => NOW - 61_000, queued: async () => 0 })).status).toBe('ready');
});

test('a worker that was idle a moment ago is not stalled by the first event after a quiet hour', async () => {
  let queued = 0;
  let now = NOW;
  const health = createHealth('work', { ...well, queued: async () => queued, lastCommitMs: () => NOW - 3_600_000 }, { now: () => now });
  await health.readiness();
  queued = 1;
  now += 10_000;
  expect((await health.readiness()).status).toBe('ready');
  now += 60_000;
  expect((await health.readiness()).status).toBe('unready');
});

test('two epochs that differ are said loudly and do not stop the service', async () => {
  const answer = await readiness('dev', { graphEpoch: async () => 'two' });
  expect([answer.status, answer.epoch.agrees, answer.reasons.length]).toEqual(['ready', false, 1]);
});
