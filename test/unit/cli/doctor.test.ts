import { expect, test } from 'vitest';
import { lineOf } from '../../../src/cli/doctor/check.ts';
import { checkVersion as checkNeo4j, compareEpochs } from '../../../src/cli/doctor/graph.ts';
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

test.each([
  ['a', 'a', 'ok'],
  ['a', 'b', 'bad'],
  [undefined, 'b', 'bad'],
  ['a', undefined, 'none'],
])('an epoch %s in the queue beside %s in the graph is %s', (queue, graph, status) => {
  expect(compareEpochs(queue, graph, '2026-11-21T09:00:00Z').status).toBe(status);
});

test('a loss names where a backfill has to start', () => {
  expect(lineOf(compareEpochs('a', 'b', '2026-11-21T09:00:00Z'))).toMatch(/^✗ epoch .* → .* backfill from 2026-11-21T09:00:00Z\.$/);
});
