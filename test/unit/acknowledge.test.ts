import { afterEach, describe, expect, it } from 'vitest';

import { createAcknowledgement, type Acknowledgement, type AcknowledgementOptions, type Settled } from '../../src/acknowledge.ts';
import type { Outcome } from '../../src/apply.ts';
import { IngestError } from '../../src/errors.ts';
import type { Answer } from '../../src/outbound/outbound.ts';
import type { Left, Report, ReportInHand } from '../../src/queue/reports.ts';
import { facts } from '../../src/sources/facts.ts';
import { acknowledging } from '../../src/sources/gateway.ts';
import { backfillId } from '../../src/sources/pages.ts';
import { shopify } from '../../src/sources/shopify.ts';
import { sourceOf } from '../support/deliveries.ts';
import { hook } from '../support/shop.ts';

const GATE = 'https://gate.example/events';
const OK: Answer = { status: 200, body: Buffer.alloc(0), date: undefined, retryAfter: undefined };
const open: Acknowledgement[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close(0)));
});

/** Lanes over lists in memory; what is posted is answered at once. */
function start(over: Partial<AcknowledgementOptions> = {}, answer: (url: string) => Partial<Answer> = () => ({})) {
  const added: string[] = [];
  const left: Left[] = [];
  const due: ReportInHand[] = [];
  const posted: { url: string; body: string }[] = [];
  const told: string[] = [];
  const gated = acknowledging(facts(), { url: GATE });
  const acknowledgement = createAcknowledgement({
    sources: new Map([
      ['gated', { ...sourceOf(gated), name: 'gated' }],
      ['open', { ...sourceOf(facts()), name: 'open' }],
    ]),
    outbound: {
      post: async (url, _headers, body) => {
        posted.push({ url, body });
        return { ...OK, ...answer(url) };
      },
    },
    reports: {
      add: async (source, reports) => void added.push(...reports.map(({ is, id }) => `${source} ${is} ${id}`)),
      exchange: async (_source, leaving, limit) => {
        left.push(...leaving);
        return due.splice(0, limit);
      },
    },
    whatBecame: async () => ({ state: 'applied' }),
    tokenOf: () => 'token',
    pollMs: 2,
    report: {
      answered: ({ key, verdict, status, means }) => void told.push(`${key} ${verdict} ${status} ${means}`),
      failed: ({ error }) => void told.push(`failed ${error instanceof IngestError ? error.code : String(error)}`),
      lost: ({ reason }) => void told.push(`lost: ${reason}`),
    },
    ...over,
  });
  open.push(acknowledgement);
  const take = (report: Report, tries = 0): void => void due.push({ report, tries, member: JSON.stringify(report), heldUntilMs: 0 });
  return { acknowledgement, added, left, posted, told, take };
}
const settled = (id: string, outcome: Outcome, source = 'gated'): Settled => ({ event: { ...hook('o', 1, source), id }, outcome });
const look = (id: string) => ({ is: 'look', id, bodyHash: 'f'.repeat(64) }) as const satisfies Report;
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((done) => setTimeout(done, 1));
};

describe('of a committed batch', () => {
  it.each([
    ['applied', 'ack'],
    ['superseded', 'ack'],
    ['ignored', 'ack'],
    ['failed', 'look'],
    ['acknowledged', 'look'],
    ['erased', 'look'],
    ['late', 'look'],
    ['repeated', 'look'],
  ] as const)('what is %s is kept to be told: %s', async (outcome, is) => {
    const { acknowledgement, added } = start();
    await acknowledgement.settled([settled('e', outcome), settled('x', outcome, 'open'), settled('y', outcome, 'gone')]);
    expect(added).toEqual([`gated ${is} e`]);
  });

  it('what is in quarantine is not, until it is to be released', async () => {
    const { acknowledgement, added } = start();
    await acknowledgement.settled([settled('e', 'quarantined')]);
    expect(added).toEqual([]);
    await acknowledgement.releasing([settled('e', 'quarantined').event]);
    expect(added).toEqual(['gated release e']);
  });

  it('what a backfill found is not told: the gateway has never seen it', async () => {
    const listed = {
      ...sourceOf(acknowledging(shopify({ api: 'https://acme.myshopify.com/admin/api/2026-01' }), { url: GATE })),
      name: 'shop',
    };
    const { acknowledgement, added } = start({ sources: new Map([['shop', listed]]) });
    await acknowledgement.settled([settled(backfillId('orders', '1', 'f'.repeat(64)), 'applied', 'shop'), settled('e', 'applied', 'shop')]);
    expect(added).toEqual(['shop ack e']);
  });

  it('nothing is done before it is on disk', async () => {
    const away = (): Promise<never> => Promise.reject(new Error('OOM'));
    const { acknowledgement } = start({ reports: { add: away, exchange: away } });
    await expect(acknowledgement.settled([settled('e', 'applied')])).rejects.toThrow('OOM');
  });
});

describe('what is told', () => {
  it.each([
    ['applied', undefined, '/ack', '{}'],
    ['ignored', undefined, '/ack', '{}'],
    ['acknowledged', undefined, '/ack', '{}'],
    ['erased', undefined, '/ack', '{}'],
    ['failed', 'BAD_VALUE: no such property', '/fail', '{"error":"BAD_VALUE: no such property"}'],
  ] as const)('of an event that the ledger has as %s', async (state, error, path, body) => {
    const { acknowledgement, posted, left, take } = start({
      whatBecame: async () => (error === undefined ? { state } : { state, error }),
    });
    take(look('e'));
    acknowledgement.run();
    await until(() => left.length > 0);
    expect([posted, left[0]?.dueMs]).toEqual([[{ url: `https://gate.example/events/e${path}`, body }], 'done']);
  });

  it('of a long reason is its beginning', async () => {
    const { acknowledgement, posted, take } = start({ whatBecame: async () => ({ state: 'failed', error: 'x'.repeat(9_000) }) });
    take(look('e'));
    acknowledgement.run();
    await until(() => posted.length > 0);
    expect(posted[0]?.body.length).toBeLessThan(2_100);
  });

  it('of an event in quarantine is nothing: only its release looks again, of one that the ledger does not know nobody does', async () => {
    const { acknowledgement, posted, left, take } = start({
      whatBecame: async ({ id }) => (id === 'stranger' ? undefined : { state: 'quarantined' }),
    });
    take({ ...look('due'), is: 'release' });
    take(look('again'));
    take(look('stranger'));
    acknowledgement.run();
    await until(() => left.length === 3);
    const due = Object.fromEntries(left.map(({ taken, dueMs }) => [taken.report.id, dueMs]));
    expect([posted, due]).toEqual([[], { due: expect.any(Number), again: 'done', stranger: 'done' }]);
  });

  it('of an id for which a source has no URL is nothing, and that is final; one that throws is no different', async () => {
    const source = sourceOf(acknowledging(facts(), { url: GATE }));
    const urlOf = (id: string): string | undefined => {
      if (id === 'throws') throw new TypeError('no such id');
      return id === 'none' ? undefined : `${GATE}/${id}`;
    };
    const acknowledge = source.acknowledge === undefined ? undefined : { ...source.acknowledge, urlOf };
    if (acknowledge === undefined) throw new Error('it has no gateway');
    const failures: unknown[] = [];
    const { acknowledgement, posted, left, take } = start({
      sources: new Map([['gated', { ...source, name: 'gated', acknowledge }]]),
      report: { failed: ({ error, ...which }) => void failures.push([error instanceof IngestError && error.code, which]) },
    });
    for (const id of ['throws', 'none', 'good']) take({ is: 'ack', id });
    acknowledgement.run();
    await until(() => left.length === 3);
    expect([posted.map(({ url }) => url), left.map(({ dueMs }) => dueMs)]).toEqual([[`${GATE}/good`], ['done', 'done', 'done']]);
    expect(failures).toEqual(['throws', 'none'].map((id) => ['OUTBOUND_REFUSED', { source: 'gated', key: `gated:${id}`, final: true }]));
  });
});

describe('an answer', () => {
  it.each([
    [200, 'taken', 'done'],
    [204, 'taken', 'done'],
    [404, 'refused', 'done'],
    [409, 'refused', 'done'],
    [410, 'refused', 'done'],
    [302, 'failed', 'later'],
    [400, 'failed', 'later'],
    [429, 'failed', 'later'],
    [500, 'failed', 'later'],
  ])('%s means %s', async (status, means, end) => {
    const { acknowledgement, left, told, take } = start({}, () => ({ status }));
    take({ is: 'ack', id: 'e' });
    acknowledgement.run();
    await until(() => left.length > 0);
    expect([told, left[0]?.dueMs === 'done' ? 'done' : 'later']).toEqual([[`gated:e ack ${status} ${means}`], end]);
  });

  it.each([401, 403])('%s means that nothing more is said for a minute', async (status) => {
    const { acknowledgement, left, told, posted, take } = start({ width: 1 }, () => ({ status }));
    take({ is: 'ack', id: 'e' });
    take({ is: 'ack', id: 'f' });
    acknowledgement.run();
    await until(() => left.length > 0);
    expect(told).toEqual([`gated:e ack ${status} denied`, `lost: the sender answered ${status}`]);
    expect([left[0]?.dueMs, posted.length]).toEqual([expect.toSatisfy((ms: number) => ms > 59_000 && ms <= 60_000), 1]);
  });

  it('that does not come puts one report off for longer each time', async () => {
    const { acknowledgement, left, take } = start({}, () => ({ status: 500 }));
    take({ is: 'ack', id: 'e' }, 5);
    acknowledgement.run();
    await until(() => left.length > 0);
    expect(left[0]?.dueMs).toEqual(expect.toSatisfy((ms: number) => ms >= 8_000 && ms <= 16_000));
  });
});

it('a ledger that is away is no outage of the gateway: its other reports go on', async () => {
  const { acknowledgement, left, told, take } = start({
    whatBecame: () => Promise.reject(new IngestError('GRAPH_UNAVAILABLE', 'Neo4j did not answer')),
  });
  for (let i = 0; i < 8; i++) take(look(`e${i}`));
  take({ is: 'ack', id: 'good' });
  acknowledgement.run();
  await until(() => left.length === 9);
  expect(left.filter(({ dueMs }) => dueMs === 'done').map(({ taken }) => taken.report.id)).toEqual(['good']);
  expect(told).toEqual([...Array.from({ length: 8 }, () => 'failed GRAPH_UNAVAILABLE'), 'gated:good ack 200 taken']);
});

it('when it closes, what is under way is broken off and due again at once', async () => {
  const { acknowledgement, left, told, take } = start({
    outbound: {
      post: (_url, _headers, _body, signal) =>
        new Promise((_answered, fail) => {
          signal?.addEventListener('abort', () => fail(new IngestError('SENDER_UNAVAILABLE', 'aborted')));
        }),
    },
  });
  take({ is: 'ack', id: 'e' });
  acknowledgement.run();
  await new Promise((done) => setTimeout(done, 10));
  await acknowledgement.close();
  expect([left.map(({ dueMs }) => dueMs), told]).toEqual([[0], []]);
});
