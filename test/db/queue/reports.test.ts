/** What gateways are still to be told, on a real Redis. */
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { keysOf } from '../../../src/queue/keys.ts';
import { countReports, createReports, type Report, type Reports } from '../../../src/queue/reports.ts';
import { useRedis } from '../../support/redis-server.ts';

const own = useRedis();
const open = (holdMs = 5_000): Reports => createReports({ redis: own.redis, prefix: own.prefix, holdMs });
const ack = (id: string): Report => ({ is: 'ack', id });
const waiting = (...sources: string[]): Promise<number> => countReports(own.redis, own.prefix, sources);

describe('a report', () => {
  it('is there once, however often it was added, and each verdict and body is one of its own', async () => {
    const reports = open();
    const looks = ['a', 'b'].map((digit): Report => ({ is: 'look', id: 'e', bodyHash: digit.repeat(64) }));
    await reports.add('shop', [ack('e'), ack('e'), ...looks]);
    await reports.add('shop', [ack('e')]);
    await reports.add('other', [ack('e')]);
    expect([await waiting('shop'), await waiting('shop', 'other', 'none')]).toEqual([3, 4]);
    expect((await reports.exchange('shop', [], 9)).map(({ report }) => report)).toEqual(expect.arrayContaining([ack('e'), ...looks]));
  });

  it('is taken by one taker, the oldest first, and comes again when that one does not leave it', async () => {
    const reports = open(300);
    await reports.add('shop', [ack('first')]);
    await sleep(5);
    await reports.add('shop', [ack('second'), ack('third')]);
    const [taken] = await reports.exchange('shop', [], 1);
    expect(taken?.report).toEqual(ack('first'));
    expect((await reports.exchange('shop', [], 9)).map(({ report }) => report.id)).toEqual(['second', 'third']);
    expect(await reports.exchange('shop', [], 9)).toEqual([]);
    await sleep(350);
    expect(await reports.exchange('shop', [], 9)).toHaveLength(3);
  });

  it('that is put off comes when it is due, and tells how often that was so', async () => {
    const reports = open();
    await reports.add('shop', [ack('e')]);
    for (let tries = 0; tries < 3; tries++) {
      const [taken] = await reports.exchange('shop', [], 1);
      if (taken === undefined) throw new Error('nothing is due');
      expect(taken.tries).toBe(tries);
      expect(await reports.exchange('shop', [{ taken, dueMs: 50 }], 1)).toEqual([]);
      await sleep(80);
    }
    const [taken] = await reports.exchange('shop', [], 1);
    if (taken !== undefined) await reports.exchange('shop', [{ taken, dueMs: 'done' }], 0);
    const keys = keysOf(own.prefix);
    expect([await waiting('shop'), await own.redis.exists(keys.reports('shop'), keys.reportTries('shop'))]).toEqual([0, 0]);
  });

  it('that is added while somebody has it is told once more', async () => {
    const reports = open();
    await reports.add('shop', [ack('e')]);
    const [taken] = await reports.exchange('shop', [], 1);
    await reports.add('shop', [ack('e')]);
    if (taken === undefined) throw new Error('nothing is due');
    expect((await reports.exchange('shop', [{ taken, dueMs: 'done' }], 9)).map(({ report }) => report)).toEqual([ack('e')]);
  });

  it('of a later release is left to that release', async () => {
    const reports = open();
    await own.redis.zadd(keysOf(own.prefix).reports('shop'), 1, '["nack","e"]', 2, 'what');
    await reports.add('shop', [ack('e')]);
    expect((await reports.exchange('shop', [], 9)).map(({ report }) => report)).toEqual([ack('e')]);
    expect(await waiting('shop')).toBe(3);
  });
});

it('thousands are added in one command', async () => {
  const reports = open();
  await reports.add(
    'shop',
    Array.from({ length: 5_000 }, (_, i) => ack(`e${i}`)),
  );
  await reports.add('shop', []);
  expect(await waiting('shop')).toBe(5_000);
});
