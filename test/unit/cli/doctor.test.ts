import { expect, test } from 'vitest';
import { lineOf } from '../../../src/cli/doctor/check.ts';
import { checkVersion as checkNeo4j, compareLives } from '../../../src/cli/doctor/graph.ts';
import { checkVersion as checkRedis } from '../../../src/cli/doctor/queue.ts';
import { checkNode } from '../../../src/cli/doctor.ts';

test.each([
  ['20.18.9', 'bad'],
  ['20.19.0', 'ok'],
  ['22.0.0', 'ok'],
])('Node %s is %s', (version, status) => {
  expect(checkNode(version).status).toBe(status);
});

test.each([
  ['5.25.1', 'bad'],
  ['5.26.30', 'ok'],
  ['2026.09.0', 'ok'],
  ['4.4.0', 'bad'],
])('Neo4j %s is %s', (version, status) => {
  expect(checkNeo4j(version, 'community', 'bolt://x').status).toBe(status);
});

test.each([
  ['6.0.16', 'bad'],
  ['6.2.0', 'ok'],
  ['7.4.1', 'ok'],
])('Redis %s is %s', (version, status) => {
  expect(checkRedis(version, 'redis://x').status).toBe(status);
});

const LAST_MS = Date.UTC(2026, 10, 21, 9);

test.each([
  ['the same epoch', { epoch: 'a', watermark: undefined }, 'a', 'ok'],
  ['a watermark that the graph has seen', { epoch: 'a', watermark: 'w2' }, 'a', 'ok'],
  ['a watermark that the graph has not seen', { epoch: 'a', watermark: 'w3' }, 'a', 'bad'],
  ['another epoch', { epoch: 'a', watermark: undefined }, 'b', 'bad'],
  ['an empty Redis', { epoch: undefined, watermark: undefined }, 'b', 'bad'],
  ['a graph that was never written', { epoch: 'a', watermark: undefined }, undefined, 'none'],
])('%s is told', (_, queue, epoch, status) => {
  const check = compareLives(queue, { epoch, watermarks: ['w2', 'w1'], lastAppliedAtMs: LAST_MS });
  expect(check.status).toBe(status);
  if (status === 'bad') expect(lineOf(check)).toMatch(/^✗ epoch .* → .*backfill from 2026-11-21T09:00:00Z\.$/);
});
