/** The way out of the queue: group commit, retries for ever, and jobs that outlive their worker. */
import { setTimeout as sleep } from 'node:timers/promises';

import { Queue } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createLog } from '../../../src/log.ts';
import { createConsumer, type Consumer, type ConsumerOptions, type Gathered, type LaterJob } from '../../../src/queue/consumer.ts';
import { createInbox, type Inbox } from '../../../src/queue/inbox.ts';
import { isUnreadable } from '../../../src/queue/job.ts';
import { connectRedis, waitUntilReady, type Redis } from '../../../src/queue/redis.ts';
import { jobEvent, jobEvents } from '../../support/events.ts';
import { useRedis } from '../../support/redis-server.ts';

const own = useRedis();
let inbox: Inbox;
const running: { consumer: Consumer; connection: Redis }[] = [];

const start = (work: (jobs: readonly Gathered[]) => Promise<void>, options: Partial<ConsumerOptions> = {}): Consumer => {
  const connection = connectRedis(own.server.url, { role: 'worker' });
  const handle: ConsumerOptions['handle'] = async (jobs) => {
    await work(jobs);
    return [];
  };
  const consumer = createConsumer({ redis: connection, prefix: own.prefix, handle, ...options });
  running.push({ consumer, connection });
  consumer.run();
  return consumer;
};
const ids = (jobs: readonly Gathered[]): string[] =>
  jobs.flatMap((job) => job.events.map((row) => (isUnreadable(row) ? `unreadable: ${row.raw}` : row.id)));
const until = async (holds: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> => {
  for (const end = Date.now() + withinMs; !(await holds()); await sleep(10))
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${holds.toString()}`);
};
const empty = async (): Promise<boolean> => (await inbox.counts()).queued === 0;
const failed = (): Promise<number> => own.redis.zcard(`${own.prefix}:inbox:failed`);

beforeEach(() => {
  inbox = createInbox(own);
});
afterEach(async () => {
  for (const { consumer, connection } of running.splice(0)) {
    await consumer.close(500);
    connection.disconnect();
  }
  await inbox.close();
});

describe('handing over', () => {
  it('hands every event over once, and leaves nothing behind', async () => {
    const seen: string[] = [];
    start(async (jobs) => void seen.push(...ids(jobs)));
    await inbox.addAll(jobEvents(0, 500));
    await until(empty);
    expect(seen.toSorted()).toEqual(
      jobEvents(0, 500)
        .map((event) => event.id)
        .toSorted(),
    );
    expect(await own.redis.keys(`${own.prefix}:inbox:j*`)).toEqual([]);
    expect(await own.redis.exists(`${own.prefix}:inbox:completed`)).toBe(0);
  });

  it('handles a lone job at once', async () => {
    let handledAt = 0;
    start(async () => void (handledAt = performance.now()));
    await sleep(300);
    const addedAt = performance.now();
    await inbox.add(jobEvent(1));
    await until(() => handledAt > 0);
    expect(handledAt - addedAt).toBeLessThan(100);
  });

  it('gathers while a batch is in flight, up to its limit of events', async () => {
    const sizes: number[] = [];
    let release = (): void => {};
    const first = new Promise<void>((done) => (release = done));
    start(
      async (jobs) => {
        sizes.push(ids(jobs).length);
        await first;
      },
      { maxBatchEvents: 100, lanes: 1 },
    );
    await inbox.add(jobEvent(0));
    await until(() => sizes.length === 1);
    for (let n = 1; n <= 250; n++) await inbox.add(jobEvent(n));
    release();
    await until(empty);
    expect(sizes.slice(0, 3)).toEqual([1, 100, 100]);
    expect(sizes.length).toBeLessThan(10);
  });

  it('has two batches in flight, and no more', async () => {
    let inFlight = 0;
    let most = 0;
    start(
      async () => {
        most = Math.max(most, (inFlight += 1));
        await sleep(30);
        inFlight -= 1;
      },
      { maxBatchEvents: 10 },
    );
    for (let n = 1; n <= 200; n++) await inbox.add(jobEvent(n));
    await until(empty);
    expect(most).toBe(2);
  });

  it('completes a job only after its batch', async () => {
    let release = (): void => {};
    start(() => new Promise((done) => (release = done)));
    await inbox.add(jobEvent(1));
    await until(async () => (await own.redis.llen(`${own.prefix}:inbox:active`)) === 1);
    await sleep(100);
    expect((await inbox.counts()).queued).toBe(1);
    release();
    await until(empty);
  });
});

describe('when handling fails', () => {
  it('hands the same batch over again until it does not, and the failed set stays empty', async () => {
    let attempts = 0;
    start(async () => {
      attempts += 1;
      if (attempts < 4) throw new Error('no database');
    });
    await inbox.addAll(jobEvents(0, 10));
    await until(empty);
    expect(attempts).toBe(4);
    expect(await failed()).toBe(0);
  });

  it('gives jobs back to the queue when it closes in the midst of it', async () => {
    const broken = start(() => Promise.reject(new Error('no database')));
    await inbox.addAll(jobEvents(0, 10));
    await sleep(200);
    await broken.close();
    expect((await inbox.counts()).queued).toBe(10);
    expect(await own.redis.llen(`${own.prefix}:inbox:active`)).toBe(0);
    const seen: string[] = [];
    start(async (jobs) => void seen.push(...ids(jobs)));
    await until(empty);
    expect(seen).toHaveLength(10);
    expect(await failed()).toBe(0);
  });
});

describe('a job that is slow', () => {
  const slowJobs = (jobs: readonly Gathered[]): LaterJob[] =>
    jobs.map(({ id, events }) => ({ id, why: 'slow', key: 'acme:slow', left: [...events.keys()] }));
  const idle = (): Promise<void> => Promise.resolve();

  it('comes again after a back-off that grows, counts as queued meanwhile, and goes when it is done', async () => {
    const handedAt: number[] = [];
    const logged: Record<string, unknown>[] = [];
    start(idle, {
      minDelayMs: 200,
      maxDelayMs: 60_000,
      log: createLog({ level: 'warn' }, { write: (line) => void logged.push(JSON.parse(line)) }),
      handle: async (jobs) => {
        handedAt.push(Date.now());
        return handedAt.length < 4 ? slowJobs(jobs) : [];
      },
    });
    await inbox.add(jobEvent(1));
    await until(async () => (await own.redis.zcard(`${own.prefix}:inbox:delayed`)) === 1);
    expect((await inbox.counts()).queued).toBe(1);
    await until(empty);
    const gaps = handedAt.slice(1).map((at, i) => at - (handedAt[i] ?? 0));
    for (const [i, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(100 * 2 ** i);
    expect(logged.map(({ msg, key, delays }) => [msg, key, delays])).toEqual([1, 2, 3].map((n) => ['event.slow', 'acme:slow', n]));
    expect(await failed()).toBe(0);
  });

  it('is delayed in Redis: a worker that is started later finds it, and knows how often it came', async () => {
    const first = start(idle, { minDelayMs: 400, maxDelayMs: 60_000, handle: async (jobs) => slowJobs(jobs) });
    await inbox.add(jobEvent(1));
    await until(async () => (await own.redis.zcard(`${own.prefix}:inbox:delayed`)) > 0);
    await first.close();
    const delays: unknown[] = [];
    const log = createLog({ level: 'warn' }, { write: (line) => void delays.push(JSON.parse(line).delays) });
    start(idle, { minDelayMs: 20, log, handle: async (jobs) => (delays.length === 0 ? slowJobs(jobs) : []) });
    await until(empty);
    expect(delays).toEqual([2]);
  });

  it('says what is left of it, and comes in a batch by itself', async () => {
    const again: unknown[] = [];
    start(idle, {
      minDelayMs: 100,
      handle: async (jobs) => {
        if (jobs.every(({ left }) => left === undefined)) return slowJobs(jobs).map((job) => ({ ...job, left: [2, 5] }));
        again.push(jobs.map(({ events, left }) => [events.length, left]));
        return [];
      },
    });
    for (let n = 0; n < 40; n += 10) await inbox.addAll(jobEvents(n, 10));
    await until(empty);
    expect(again).toEqual(Array.from({ length: 4 }, () => [[10, [2, 5]]]));
  });

  it('is delayed all the same by a Redis that has no memory to note what is left, and then comes again whole', async () => {
    const handed: unknown[] = [];
    const warned: unknown[] = [];
    try {
      start(idle, {
        minDelayMs: 400,
        log: createLog({ level: 'warn' }, { write: (line) => void warned.push(JSON.parse(line).msg) }),
        handle: async (jobs) => {
          handed.push(jobs.map(({ left }) => left));
          if (handed.length > 1) return [];
          await own.redis.config('SET', 'maxmemory', '1');
          return slowJobs(jobs);
        },
      });
      await inbox.add(jobEvent(1));
      await until(async () => (await own.redis.zcard(`${own.prefix}:inbox:delayed`)) === 1);
      await own.redis.config('SET', 'maxmemory', '0');
      await until(empty);
    } finally {
      await own.redis.config('SET', 'maxmemory', '0');
    }
    expect(handed).toEqual([[undefined], [undefined]]);
    expect([warned, await failed()]).toEqual([['event.slow', 'progress.refused'], 0]);
  });

  it('takes turns with first-comers where there is one lane for all', async () => {
    const turns: string[] = [];
    const three = createInbox({ ...own, maxJobEvents: 3 });
    start(idle, {
      lanes: 1,
      maxBatchEvents: 3,
      minDelayMs: 500,
      handle: async (jobs) => {
        const comesAgain = jobs.some(({ left }) => left !== undefined);
        if (!comesAgain && turns.length === 0) return slowJobs(jobs);
        if (turns.length === 0) {
          await three.addAll(jobEvents(10, 9));
          await sleep(600); // By then the others are there, too.
        }
        turns.push(comesAgain ? 'again' : 'first');
        return [];
      },
    });
    for (let n = 0; n < 3; n++) await inbox.add(jobEvent(n));
    await until(empty);
    expect(turns).toEqual(['again', 'first', 'again', 'first', 'again', 'first']);
    await three.close();
  });

  it('shares a lane with its like, and however many there are they take no room from others', async () => {
    const slow = new Set<string>();
    const seen: string[] = [];
    let inHand = 0;
    let most = 0;
    let release = (): void => {};
    const released = new Promise<void>((done) => (release = done));
    start(idle, {
      maxBatchEvents: 20,
      minDelayMs: 20,
      maxDelayMs: 50,
      handle: async (jobs) => {
        if (jobs.some(({ id }) => slow.has(id))) {
          most = Math.max(most, (inHand += 1));
          await released;
          inHand -= 1;
        } else if (ids(jobs).every((id) => Number(id.slice('evt_'.length)) < 200)) {
          for (const { id } of jobs) slow.add(id);
          return slowJobs(jobs).map((job) => ({ ...job, left: [0] }));
        }
        seen.push(...ids(jobs));
        return [];
      },
    });
    for (let n = 0; n < 200; n += 2) await inbox.addAll(jobEvents(n, 2));
    await until(() => inHand === 1 && slow.size === 100);
    for (let n = 200; n < 250; n++) await inbox.add(jobEvent(n));
    await until(() => seen.length === 50);
    await until(async () => (await inbox.counts()).queued === 200);
    release();
    await until(empty);
    expect([seen.length, new Set(seen).size, most, await failed()]).toEqual([250, 250, 1, 0]);
  });
});

describe('batches of which nothing is done', () => {
  it('are taken ever more slowly: what makes all slow at once does not put off the whole queue', async () => {
    let batches = 0;
    start(() => Promise.resolve(), {
      maxBatchEvents: 1,
      lanes: 1,
      minDelayMs: 60_000,
      handle: async (jobs) => {
        batches += 1;
        return jobs.map(({ id, events }) => ({ id, why: 'slow', key: 'acme:slow', left: [...events.keys()] }));
      },
    });
    for (let n = 0; n < 100; n++) await inbox.add(jobEvent(n));
    await until(() => batches > 2);
    await sleep(1_000);
    expect(batches).toBeLessThan(12);
    expect((await inbox.counts()).queued).toBe(100);
  });
});

describe('batches of which every job wants a source that is not known here', () => {
  it('are taken as fast as ever: others may come behind them', async () => {
    let batches = 0;
    const logged: unknown[] = [];
    start(() => Promise.resolve(), {
      maxBatchEvents: 1,
      lanes: 1,
      minDelayMs: 60_000,
      log: createLog({ level: 'warn' }, { write: (line) => void logged.push(JSON.parse(line).msg) }),
      handle: async (jobs) => {
        batches += 1;
        return jobs.map(({ id, events }) => ({ id, why: 'sourceless', key: 'gone:1', left: [...events.keys()] }));
      },
    });
    for (let n = 0; n < 50; n++) await inbox.add(jobEvent(n));
    await until(() => batches === 50, 2_000);
    await until(async () => (await own.redis.zcard(`${own.prefix}:inbox:delayed`)) === 50);
    expect(new Set(logged)).toEqual(new Set(['event.sourceless']));
  });
});

describe('when a worker dies', () => {
  it('its jobs are taken over within seconds, however often', async () => {
    await inbox.addAll(jobEvents(0, 30));
    // A connection cut for good is what the others see of a SIGKILL: locks that nobody renews.
    for (let death = 0; death < 3; death++) {
      const connection = connectRedis(own.server.url, { role: 'worker' });
      let reached = 0;
      const handle = (jobs: readonly Gathered[]) => {
        reached = jobs.length;
        return new Promise<never>(() => {});
      };
      const victim = createConsumer({ redis: connection, prefix: own.prefix, handle, lockMs: 600 });
      victim.run();
      await until(() => reached > 0);
      connection.disconnect();
      void victim.close(0);
    }
    const seen: string[] = [];
    start(async (jobs) => void seen.push(...ids(jobs)), { lockMs: 600 });
    const startedAt = Date.now();
    await until(empty);
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    expect(new Set(seen).size).toBe(30);
    expect(await failed()).toBe(0);
  });
});

describe('when Redis goes away', () => {
  it('goes on by itself when it is back', async () => {
    const seen = new Set<string>();
    start(
      async (jobs) => {
        for (const id of ids(jobs)) seen.add(id);
        await sleep(20);
      },
      { maxBatchEvents: 50, lockMs: 1_000 },
    );
    await inbox.addAll(jobEvents(0, 1_000));
    await sleep(50);
    await own.server.kill();
    await sleep(300);
    await own.server.restart();
    await waitUntilReady(own.redis);
    await inbox.add(jobEvent(5_000));
    await until(empty, 30_000);
    expect(seen.size).toBe(1_001);
    expect(await failed()).toBe(0);
  });
});

describe('a job of a newer release', () => {
  it('waits for a worker that can read it, is said of as an error, and goes whole', async () => {
    const newer = { v: 2, events: jobEvents(0, 3) };
    const queue = new Queue('inbox', { connection: own.redis, prefix: own.prefix });
    await queue.add('events', newer, { jobId: 'jnewer-3' });
    const logged: Record<string, unknown>[] = [];
    const seen: string[] = [];
    const old = start(async (jobs) => void seen.push(...ids(jobs)), {
      minDelayMs: 100,
      log: createLog({ level: 'warn' }, { write: (line) => void logged.push(JSON.parse(line)) }),
    });
    await inbox.add(jobEvent(9));
    await until(() => logged.length >= 2 && seen.length === 1);
    await old.close();
    expect(logged[0]).toMatchObject({ level: 'error', msg: 'job.unread', job: 'jnewer-3', comesAgainAt: expect.stringMatching(/Z$/) });
    expect((await inbox.counts()).queued).toBe(3);
    // What its own release sees: nothing of it was done, and nothing is left out.
    await own.redis.hset(`${own.prefix}:inbox:jnewer-3`, 'data', JSON.stringify({ ...newer, v: 1 }));
    const left: unknown[] = [];
    start(async (jobs) => {
      seen.push(...ids(jobs));
      left.push(...jobs.map((one) => one.left));
    });
    await until(empty);
    expect([seen.length, left]).toEqual([4, [undefined]]);
    await queue.close();
  });
});

describe('rows that are no events', () => {
  it('come out with their text, whatever somebody put into the queue', async () => {
    const queue = new Queue('inbox', { connection: own.redis, prefix: own.prefix });
    await queue.add('events', { what: 'nothing' });
    await queue.add('events', 'text');
    const broken = await queue.add('events', {});
    const seen: string[] = [];
    await own.redis.hset(`${own.prefix}:inbox:${broken.id}`, 'data', '{not json');
    start(async (jobs) => void seen.push(...ids(jobs)));
    await until(empty);
    await sleep(50);
    expect(seen.toSorted()).toEqual(['unreadable: text', 'unreadable: {"what":"nothing"}', 'unreadable: {not json'].toSorted());
    expect(await failed()).toBe(0);
    await queue.close();
  });
});
