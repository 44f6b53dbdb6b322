import { describe, expect, test } from 'vitest';
import { lineOf } from '../../../src/cli/doctor/check.ts';
import { checkVersion as checkNeo4j, compareLives } from '../../../src/cli/doctor/graph.ts';
import { checkMemory, checkVersion as checkRedis } from '../../../src/cli/doctor/queue.ts';
import { checkNode, checkRequests, checkTokens } from '../../../src/cli/doctor.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { facts } from '../../../src/sources/facts.ts';
import { acknowledging } from '../../../src/sources/gateway.ts';
import { secret } from '../../support/deliveries.ts';

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

const MB = 2 ** 20;

test.each([
  ['no limit', { used_memory: MB, maxmemory: 0, total_system_memory: 4_096 * MB }, /^✓ memory .*1 MB of the machine's 4096 MB$/],
  ['no limit, of a Redis that does not tell its machine', { used_memory: MB, maxmemory: 0 }, /^✓ memory .*1 MB, no maxmemory$/],
  ['a limit with room', { used_memory: MB, maxmemory: 1_024 * MB }, /^✓ memory .*1 MB of maxmemory 1024 MB$/],
  [
    'a limit at which events are evicted',
    { used_memory: MB, maxmemory: 1_024 * MB, maxmemory_policy: 'allkeys-lru' },
    /^✗ .*allkeys-lru.* → /,
  ],
  ['no limit, so nothing to evict for', { used_memory: MB, maxmemory: 0, maxmemory_policy: 'allkeys-lru' }, /^✓ /],
  ['a limit that is nearly reached', { used_memory: 850 * MB, maxmemory: 1_024 * MB }, /^✗ .*850 MB .* → .*raise maxmemory/],
  [
    'a limit below the longest queue',
    { used_memory: MB, maxmemory: 512 * MB },
    /^✗ .*1000000 queued events need 977 MB.* → .*EVENTGRAFT_MAX_QUEUED/,
  ],
  ['a machine below the longest queue', { used_memory: MB, maxmemory: 0, total_system_memory: 512 * MB }, /^✗ .* → .*larger machine/],
])('%s is told of the memory', (_, memory, line) => {
  const fields = Object.entries({ maxmemory_policy: 'noeviction', used_memory_human: '7G', maxmemory_human: '9G', ...memory });
  const info = ['# Memory', ...fields.map(([name, value]) => `${name}:${value}`), ''].join('\r\n');
  expect(lineOf(checkMemory(info, 1_000_000))).toMatch(line);
});

test('the tokens are told for what they open, and no more', () => {
  const token = 'a token for tests';
  expect(checkTokens({ adminTokens: [], producerTokens: [] }, false).detail).toBe('ADMIN_TOKEN is not set: /events and /admin answer 404');
  expect(checkTokens({ adminTokens: [token], producerTokens: [token] }, false)).toMatchObject({
    status: 'ok',
    detail: 'ADMIN_TOKEN is set; PRODUCER_TOKEN is set, and used by nothing yet',
  });
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
  if (status === 'bad') expect(lineOf(check)).toMatch(/^✗ epoch .* → .*eventgraft backfill <source> --from 2026-11-21T09:00:00Z`\.$/);
});

describe('sources that send requests', () => {
  const told = (token: string | undefined) => {
    const gated = acknowledging(facts(), { url: 'https://gate.example/events' })({ name: 'gated', secrets: [secret()], model: commerce });
    return lineOf(
      checkRequests({ sources: new Map([['gated', gated]]) }, { fetchTokenOf: () => undefined, acknowledgeTokenOf: () => token }),
    );
  };

  test('are listed with whom they ask and tell', () =>
    expect(told('token')).toMatch(/^✓ requests +gated reports to https:\/\/gate\.example$/));
  test('need their tokens', () =>
    expect(told(undefined)).toMatch(/^✗ requests .*→ Set ACKNOWLEDGE_TOKEN_GATED, or work does not start\.$/));
  test('are none mostly', () => {
    const config = { fetchTokenOf: () => undefined, acknowledgeTokenOf: () => undefined };
    expect(checkRequests({ sources: new Map() }, config).status).toBe('none');
  });
});
