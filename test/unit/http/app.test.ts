import type { AddressInfo } from 'node:net';

import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { IngestError } from '../../../src/errors.ts';
import type { EventFilter } from '../../../src/graph/event-filter.ts';
import { createApp, routesOf, type AppOptions } from '../../../src/http/app.ts';
import { createHealth } from '../../../src/http/health.ts';
import { openApi } from '../../../src/http/openapi.ts';
import { createMetrics } from '../../../src/metrics.ts';

const TOKEN = 'a'.repeat(40);
const NEWER = 'b'.repeat(40);
const faults: unknown[] = [];
const asked: EventFilter[] = [];
const metrics = createMetrics();

const NOTHING_KNOWN = {
  state: 'unseen',
  existsBy: null,
  removedBy: null,
  properties: [],
  relationships: [],
  events: [],
  more: false,
} as const;

const options: AppOptions = {
  events: {
    list: async (filter, page) => {
      asked.push({ ...filter, ...page });
      return { events: [], next: null };
    },
    get: async (key) => {
      if (key === 'shop:bug') throw new Error('a secret of ours');
      if (key === 'shop:away') throw new IngestError('GRAPH_UNAVAILABLE', 'bolt://user@10.0.0.1 is away');
      return undefined;
    },
  },
  explainer: { explain: async (entity) => ({ ...NOTHING_KNOWN, entity }) },
  stats: async () => ({
    accepted: 1,
    duplicate: 0,
    duplicateLate: 0,
    queued: 0,
    parked: 0,
    states: { applied: 1, superseded: 0, ignored: 0, quarantined: 0, failed: 0, acknowledged: 0, erased: 0 },
  }),
  health: createHealth('serve', {
    durability: async () => 'always',
    queued: async () => 0,
    graph: async () => undefined,
    queueEpoch: async () => 'e',
    graphEpoch: async () => 'e',
    lastCommitMs: () => undefined,
  }),
  metrics,
  tokens: [TOKEN, NEWER],
  factsOf: () => [],
  version: '1.2.3',
  onFault: (error) => faults.push(error),
};

const closers: (() => void)[] = [];
async function serve(tokens: readonly string[], other: Partial<AppOptions> = {}): Promise<string> {
  const server = createApp({ ...options, ...other, tokens }).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let open: string;
let shut: string;
beforeAll(async () => {
  open = await serve([TOKEN, NEWER]);
  shut = await serve([]);
});
afterAll(() => {
  for (const close of closers) close();
  metrics.close();
});

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${open}${path}`, { ...init, headers: { 'x-admin-token': TOKEN, ...init.headers } });
const errorOf = async (response: Response): Promise<unknown> => ((await response.json()) as { error: unknown }).error;

describe('the token', () => {
  test.each(['/events', '/events/shop%3A1', '/admin/stats', '/admin', '/admin/nothing'])('%s wants it', async (path) => {
    for (const headers of [
      {},
      { 'x-admin-token': '' },
      { 'x-admin-token': TOKEN.slice(1) },
      { 'x-admin-token': `${TOKEN}a` },
      { authorization: `Bearer ${TOKEN}` },
    ]) {
      const response = await fetch(`${open}${path}`, { headers: headers as Record<string, string> });
      expect(response.status).toBe(401);
      expect(await response.json()).toEqual({ error: { code: 'UNAUTHORIZED', message: 'a valid token is required' } });
    }
  });

  test('may be either of two', async () => {
    for (const token of [TOKEN, NEWER])
      expect((await fetch(`${open}/admin/stats`, { headers: { 'x-admin-token': token } })).status).toBe(200);
  });

  test('that is not configured makes the paths unknown', async () => {
    for (const path of ['/events', '/events/x', '/admin/stats']) {
      for (const headers of [{}, { 'x-admin-token': '' }])
        expect((await fetch(`${shut}${path}`, { headers: headers as Record<string, string> })).status).toBe(404);
    }
    expect((await fetch(`${shut}/health/live`)).status).toBe(200);
  });

  test('that was guessed too often is 429 with Retry-After, and each guess is in the audit', async () => {
    const refused: unknown[] = [];
    const url = await serve([TOKEN], { onRefused: (refusal) => refused.push(refusal) });
    const guess = (token: string) => fetch(`${url}/admin/stats`, { headers: { 'x-admin-token': token } });
    for (let n = 0; n < 11; n++) expect((await guess('wrong')).status).toBe(401);
    const answer = await guess('wrong');
    expect([answer.status, answer.headers.get('retry-after'), await errorOf(answer)]).toEqual([
      429,
      '1',
      { code: 'RATE_LIMITED', message: 'too many wrong tokens came from this address; wait' },
    ]);
    expect(refused).toHaveLength(11);
    expect(refused.at(-1)).toEqual({ address: '127.0.0.1', failures: 11, waitMs: 1_000, path: '/admin/stats' });
  });

  test('is asked for before anything is said of a parameter', async () => {
    expect((await fetch(`${open}/events?limit=0`)).status).toBe(401);
  });
});

describe('GET /events', () => {
  test('hands the filter on, times as milliseconds rounded up', async () => {
    asked.length = 0;
    const query =
      'state=parked&source=acme-shopify&type=order.paid&since=2026-11-21T10:00:00.0001Z&until=2026-11-21T12:00:00%2B01:00&entity=Order/acme-shopify/1001&limit=5';
    expect(await (await ask(`/events?${query}`)).json()).toEqual({ events: [], next: null });
    expect(asked).toEqual([
      {
        state: 'parked',
        source: 'acme-shopify',
        type: 'order.paid',
        since: Date.UTC(2026, 10, 21, 10) + 1,
        until: Date.UTC(2026, 10, 21, 11),
        entity: 'Order/acme-shopify/1001',
        limit: 5,
        cursor: undefined,
      },
    ]);
  });

  test.each([
    ['state', 'state=done'],
    ['source', 'source=ACME'],
    ['type', 'type='],
    ['since', 'since=yesterday'],
    ['since', 'since=2026-11-21'],
    ['until', 'until=2026-11-21T12:00:00+01:00'],
    ['entity', 'entity=1001'],
    ['limit', 'limit=0'],
    ['limit', 'limit=1001'],
    ['limit', 'limit=1e2'],
    ['limit', 'limit='],
    ['cursor', 'cursor='],
    ['page', 'page=2'],
    ['limit', 'limit=1&limit=2'],
  ])('names %s where it is wrong: %s', async (path, query) => {
    const response = await ask(`/events?${query}`);
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ code: 'BAD_REQUEST', path, message: expect.stringMatching(new RegExp(`^${path} `)) });
  });
});

describe('errors', () => {
  test('an unknown event and an unknown path are 404', async () => {
    expect(await errorOf(await ask('/events/shop%3Anobody'))).toMatchObject({ code: 'NOT_FOUND' });
    expect((await ask('/nothing')).status).toBe(404);
  });

  test('an explanation wants a node, once, and nothing that it does not know', async () => {
    expect(await (await ask('/admin/explain?entity=Order/s/1&about=status')).json()).toEqual({ ...NOTHING_KNOWN, entity: 'Order/s/1' });
    for (const [query, path] of [
      ['', 'entity'],
      ['?entity=Order', 'entity'],
      ['?entity=Order/s/1&entity=Order/s/2', 'entity'],
      ['?entity=Order/s/1&why=1', 'why'],
    ])
      expect(await errorOf(await ask(`/admin/explain${query}`)), query).toMatchObject({ code: 'BAD_REQUEST', path });
    expect(await errorOf(await ask('/admin/explain'))).toMatchObject({ message: 'entity is missing' });
  });

  test('a path that is badly encoded is 400', async () => {
    expect(await errorOf(await ask('/events/%zz'))).toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('a method that no path knows is 405 with Allow', async () => {
    for (const path of ['/events', '/events/x', '/admin/stats', '/health/live', '/metrics', '/docs', '/openapi.json']) {
      const response = await ask(path, { method: 'DELETE' });
      expect([path, response.status, response.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD']);
    }
  });

  test('a database that is away is 503 without its address', async () => {
    const response = await ask('/events/shop%3Aaway');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.text()).not.toContain('10.0.0.1');
  });

  test('a process without a graph says so', async () => {
    const url = await serve([TOKEN], { events: undefined });
    expect((await fetch(`${url}/events`, { headers: { 'x-admin-token': TOKEN } })).status).toBe(503);
  });

  test('a bug of ours is told to the log and to nobody else', async () => {
    const response = await ask('/events/shop%3Abug');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toMatch(/secret|at .*\.ts/);
    expect(faults).toHaveLength(1);
  });
});

describe('what anyone may read', () => {
  test('the metrics, in the exposition format', async () => {
    metrics.accepted('acme-shopify', 3);
    metrics.rejected('BAD_SIGNATURE');
    metrics.batchApplied({ events: 3, durationMs: 12, outcomes: ['applied', 'applied', 'late'] });
    metrics.watch({ queued: () => 7, parked: async () => Promise.reject(new Error('away')) });
    const response = await fetch(`${open}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const text = await response.text();
    for (const line of [
      'eventgraft_accepted_total{source="acme-shopify"} 1',
      'eventgraft_rejected_total{reason="BAD_SIGNATURE"} 1',
      'eventgraft_outcomes_total{state="applied"} 2',
      'eventgraft_outcomes_total{state="late"} 1',
      'eventgraft_queued 7',
      'eventgraft_ack_seconds_count 1',
      'eventgraft_batch_events_sum 3',
    ])
      expect(text.split('\n')).toContain(line);
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect(text).not.toMatch(/^eventgraft_parked /m);
  });

  test('the documentation, which loads nothing and runs nothing', async () => {
    const response = await fetch(`${open}/docs`);
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
    const html = await response.text();
    expect(html).not.toMatch(/<script|<link|<img|@import|url\(|https?:\/\/(?!json-schema)/);
    expect(html).toContain('<code>/webhooks/{source}</code>');
  });
});

describe('openapi.json', () => {
  const document = openApi('1.2.3');

  test('is served as it is', async () => {
    expect(await (await fetch(`${open}/openapi.json`)).json()).toEqual(JSON.parse(JSON.stringify(document)));
  });

  test('tells of every route, and of none that is not there', () => {
    const told = Object.keys(document.paths)
      .filter((path) => !path.startsWith('/webhooks/'))
      .sort();
    expect(told).toEqual(
      routesOf(options)
        .map(({ path }) => path.replaceAll(/:(\w+)/g, '{$1}'))
        .sort(),
    );
  });

  test('says of each route whether it wants a token', () => {
    for (const { path, admin } of routesOf(options)) {
      const operation = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.['get'];
      expect([path, operation?.['security'] !== undefined]).toEqual([path, admin]);
    }
  });

  test('has only references that lead somewhere', () => {
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) {
      const found = reference
        .slice(2)
        .split('/')
        .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
      expect([reference, typeof found]).toEqual([reference, 'object']);
    }
  });

  test('has schemas that hold what is answered, and refuse what is not', () => {
    const ajv = new Ajv2020({ strict: false });
    formats.default(ajv);
    ajv.addSchema(JSON.parse(JSON.stringify(document)) as object, 'api');
    const holds = (name: string, value: unknown): boolean => ajv.validate({ $ref: `api#/components/schemas/${name}` }, value) === true;
    const event = {
      key: 'shop:1',
      source: 'shop',
      id: '1',
      occurrenceId: null,
      type: 'order.paid',
      subject: 'Order/shop/1',
      entities: ['Order/shop/1'],
      state: 'failed',
      occurredAt: null,
      receivedAt: '2026-11-21T10:00:00.5Z',
      appliedAt: '2026-11-21T10:00:01Z',
      bodyHash: 'ab',
      conflict: false,
      mapping: 'facts@1',
      error: { code: 'BAD_VALUE', message: 'm' },
      attempts: 1,
      parked: false,
    };
    expect(holds('EventPage', { events: [event], next: null })).toBe(true);
    expect(holds('EventPage', { events: [{ ...event, state: 'parked' }], next: null })).toBe(false);
    expect(holds('EventDetail', { ...event, body: '{}', headers: {}, facts: [{ upsert: {} }] })).toBe(true);
    expect(holds('EventDetail', event)).toBe(false);
    expect(holds('Error', { error: { code: 'BAD_REQUEST', message: 'm', path: 'limit' } })).toBe(true);
    expect(
      holds('FactsEnvelope', {
        id: '1',
        type: 't',
        occurredAt: '2026-11-21T10:00:00Z',
        facts: [{ remove: { node: 'Order', key: { id: '1' } } }],
      }),
    ).toBe(true);
    expect(holds('FactsEnvelope', { id: '1', type: 't', occurredAt: '2026-11-21T10:00:00Z', facts: [{ remove: { key: {} } }] })).toBe(
      false,
    );
  });

  test('holds the answers of this very service', async () => {
    const ajv = new Ajv2020({ strict: false });
    formats.default(ajv);
    ajv.addSchema(JSON.parse(JSON.stringify(document)) as object, 'api');
    for (const [path, name] of [
      ['/events', 'EventPage'],
      ['/admin/stats', 'Stats'],
      ['/health/ready', 'Readiness'],
      ['/health/live', 'Live'],
      ['/nothing', 'Error'],
    ] as const) {
      expect([path, ajv.validate({ $ref: `api#/components/schemas/${name}` }, await (await ask(path)).json())]).toEqual([path, true]);
    }
  });

  test('names each operation once, and every parameter of a path', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((operation) => ({ path, operation })),
    );
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { path, operation } of operations) {
      const declared = ((operation['parameters'] ?? []) as { name: string; in: string }[])
        .filter((one) => one.in === 'path')
        .map((one) => one.name);
      expect(declared).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]));
    }
  });
});
