/** The way into the queue, on a Redis of its own that is killed, frozen and made to refuse. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it } from 'vitest';

import { createInbox, type Inbox, type InboxOptions } from '../../../src/queue/inbox.ts';
import { checkDurability, connectRedis, readEpoch, renewEpoch, waitUntilReady } from '../../../src/queue/redis.ts';
import { jobEvent, jobEvents } from '../../support/events.ts';
import { useRedis } from '../../support/redis-server.ts';

const own = useRedis();
const inboxes: Inbox[] = [];

const open = (options: Partial<InboxOptions> = {}): Inbox => {
  const inbox = createInbox({ ...own, ...options });
  inboxes.push(inbox);
  return inbox;
};
const jobIds = (): Promise<string[]> => own.redis.lrange(`${own.prefix}:inbox:wait`, 0, -1);
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'taken in',
    (error: { code: string }) => error.code,
  );

/** What a job's id says of how many events it has. */
const countIn = (id: string): number => Number(/-(\d+)$/.exec(id)?.[1]);

afterEach(async () => {
  await Promise.all(inboxes.splice(0).map((inbox) => inbox.close()));
});

describe('taking in', () => {
  it('accepts once and knows a redelivery', async () => {
    const inbox = open();
    expect(await inbox.add(jobEvent(1))).toBe('accepted');
    expect(await inbox.add(jobEvent(1))).toBe('duplicate');
    expect(await inbox.counts()).toEqual({ accepted: 1, duplicate: 1, queued: 1, hydrating: 0 });
  });

  it('takes another body under the same id for another event', async () => {
    const inbox = open();
    await inbox.add(jobEvent(1));
    expect(await inbox.add(jobEvent(1, 'other'))).toBe('accepted');
  });

  it('accepts one of two at the same moment', async () => {
    const taken = await open().addAll([jobEvent(1), jobEvent(1), jobEvent(2), jobEvent(1)]);
    expect(taken).toEqual(['accepted', 'duplicate', 'accepted', 'duplicate']);
  });

  it('puts what comes while a flight is in the air into few jobs, with their counts in the ids', async () => {
    const inbox = open({ maxJobEvents: 50 });
    await Promise.all(jobEvents(0, 230).map((event) => inbox.add(event)));
    const ids = await jobIds();
    expect(ids.map(countIn).reduce((sum, n) => sum + n, 0)).toBe(230);
    expect(Math.max(...ids.map(countIn))).toBe(50);
    expect(ids.length).toBeLessThanOrEqual(6);
  });

  it('keeps a job below its bytes', async () => {
    await open({ maxJobBytes: 10_000 }).addAll(Array.from({ length: 10 }, (_, n) => jobEvent(n, `${n}`.padEnd(4_000))));
    expect((await jobIds()).map(countIn)).toEqual([2, 2, 2, 2, 2]);
  });

  it('keeps it below them with the copies that come along', async () => {
    const fetched = { body: 'x'.repeat(4_000), bodyHash: 'a'.repeat(64), status: 200, at: 1 };
    await open({ maxJobBytes: 10_000 }).addAll(jobEvents(0, 6).map((event) => ({ ...event, fetched })));
    expect((await jobIds()).map(countIn)).toEqual([2, 2, 2]);
  });

  it('keeps a mark for seven days', async () => {
    await open().add(jobEvent(1));
    const [mark = ''] = await own.redis.keys(`${own.prefix}:m:*`);
    expect(await own.redis.ttl(mark)).toBeGreaterThan(7 * 86_400 - 60);
    expect(await own.redis.ttl(mark)).toBeLessThanOrEqual(7 * 86_400);
  });

  it('does not count marks of another epoch', async () => {
    const inbox = open();
    await inbox.add(jobEvent(1));
    await renewEpoch(own.redis, own.prefix);
    expect(await inbox.add(jobEvent(1))).toBe('accepted');
    expect(await inbox.add(jobEvent(1))).toBe('duplicate');
  });

  it('has an epoch again after Redis lost everything', async () => {
    const inbox = open();
    const before = await readEpoch(own.redis, own.prefix);
    expect(await readEpoch(own.redis, own.prefix)).toBe(before);
    await inbox.add(jobEvent(1));
    await own.redis.flushall();
    expect(await inbox.add(jobEvent(1))).toBe('accepted');
    expect(await readEpoch(own.redis, own.prefix)).not.toBe(before);
  });

  it('sets no mark where the job could not be added', async () => {
    const inbox = open({ deadlineMs: 400 });
    await inbox.add(jobEvent(0));
    const held = await own.redis.lrange(`${own.prefix}:inbox:wait`, 0, -1);
    await own.redis.set(`${own.prefix}:inbox:wait`, 'not a list'); // BullMQ's script fails on it, in the midst of the MULTI.
    expect(await codeOf(inbox.add(jobEvent(1)))).toBe('UNAVAILABLE');
    expect(await own.redis.keys(`${own.prefix}:m:*`)).toHaveLength(1);
    await own.redis.del(`${own.prefix}:inbox:wait`);
    await own.redis.rpush(`${own.prefix}:inbox:wait`, ...held);
    await sleep(100);
    expect(await inbox.add(jobEvent(1))).toBe('accepted');
  });

  it('gets over scripts that Redis forgot', async () => {
    const inbox = open();
    await inbox.add(jobEvent(1));
    await own.redis.script('FLUSH');
    expect(await inbox.add(jobEvent(2))).toBe('accepted');
    expect(await inbox.counts()).toMatchObject({ accepted: 2, queued: 2 });
  });
});

describe('back-pressure', () => {
  it('refuses beyond the limit, and takes in again when there is room', async () => {
    const inbox = open({ maxQueued: 3 });
    const results = await Promise.all(jobEvents(0, 5).map((event) => codeOf(inbox.add(event))));
    expect(results.filter((code) => code === 'taken in')).toHaveLength(3);
    expect(results.filter((code) => code === 'OVERLOADED')).toHaveLength(2);
    expect((await inbox.counts()).queued).toBe(3);
    await own.redis.del(`${own.prefix}:inbox:wait`);
    await sleep(300);
    expect(await inbox.add(jobEvent(9))).toBe('accepted');
  });

  it('does not take a refused event for known', async () => {
    const inbox = open({ maxQueued: 1 });
    await inbox.add(jobEvent(1));
    expect(await codeOf(inbox.add(jobEvent(2)))).toBe('OVERLOADED');
    await own.redis.del(`${own.prefix}:inbox:wait`);
    await sleep(300);
    expect(await inbox.add(jobEvent(2))).toBe('accepted');
  });
});

describe('when Redis goes away', () => {
  it('keeps what it accepted through kill -9', async () => {
    const inbox = open();
    await inbox.addAll(jobEvents(0, 40));
    await own.server.kill();
    const late = codeOf(inbox.add(jobEvent(100)));
    await own.server.restart();
    expect(await late).toBe('taken in');
    expect(await inbox.counts()).toEqual({ accepted: 41, duplicate: 0, queued: 41, hydrating: 0 });
    expect(await inbox.add(jobEvent(7))).toBe('duplicate');
  });

  it('says UNAVAILABLE within its deadline, and recovers', async () => {
    const inbox = open({ deadlineMs: 500 });
    await inbox.add(jobEvent(0));
    await own.server.kill();
    const started = performance.now();
    expect(await codeOf(inbox.add(jobEvent(1)))).toBe('UNAVAILABLE');
    expect(performance.now() - started).toBeLessThan(1_000);
    await own.server.restart();
    await waitUntilReady(own.redis);
    expect(await inbox.add(jobEvent(1))).toBe('accepted');
  });

  it('starts before Redis does', async () => {
    await own.server.kill();
    const early = connectRedis(own.server.url, { role: 'inbox' });
    const inbox = createInbox({ redis: early, prefix: own.prefix, deadlineMs: 300 });
    expect(await codeOf(inbox.add(jobEvent(1)))).toBe('UNAVAILABLE');
    await own.server.restart();
    await waitUntilReady(early);
    expect(await inbox.add(jobEvent(1))).toBe('accepted');
    await inbox.close();
    early.disconnect();
  });

  it('says so too when Redis is frozen, and an event that got through after all is known then', async () => {
    const inbox = open({ deadlineMs: 500 });
    await inbox.add(jobEvent(0));
    own.server.freeze();
    expect(await codeOf(inbox.add(jobEvent(1)))).toBe('UNAVAILABLE');
    own.server.thaw();
    await sleep(500);
    await inbox.add(jobEvent(1));
    const { accepted, queued } = await inbox.counts();
    expect([accepted, queued]).toEqual([2, 2]);
  });

  it('conserves events through a storm of kills', async () => {
    const inbox = open();
    const answers: Promise<string>[] = [];
    for (let round = 0; round < 3; round++) {
      for (const event of jobEvents(round * 1_000, 300)) answers.push(codeOf(inbox.add(event)));
      await sleep(10);
      await own.server.kill();
      await own.server.restart();
    }
    const taken = (await Promise.all(answers)).filter((code) => code === 'taken in').length;
    await waitUntilReady(own.redis); // All may have been taken in before the last kill.
    const { accepted, duplicate, queued } = await inbox.counts();
    expect(queued).toBe(accepted);
    expect(accepted + duplicate).toBeGreaterThanOrEqual(taken);
    expect(taken).toBe(900);
  });
});

describe('when Redis is killed within a write', () => {
  it('the local runtime cuts the torn transaction off, or its half would be heard again at the start after next', async () => {
    const inbox = open();
    await inbox.addAll(jobEvents(0, 300));
    await own.server.kill();
    own.server.tear('INCRBY'); // The last job is there, and not counted.
    await own.server.restart();
    await waitUntilReady(own.redis);
    expect(await inbox.counts()).toMatchObject({ accepted: 0, queued: 0 });

    await inbox.addAll(jobEvents(0, 300));
    await own.server.kill();
    await own.server.restart();
    await waitUntilReady(own.redis);
    expect(await inbox.counts()).toMatchObject({ accepted: 300, queued: 300 });
  });
});

describe('checkDurability', () => {
  it('reports what Redis does, and refuses less than was asked for, naming the way out', async () => {
    expect(await checkDurability(own.redis, 'always')).toMatchObject({ tier: 'always' });
    await own.redis.config('SET', 'appendfsync', 'everysec');
    expect(await checkDurability(own.redis, 'everysec')).toMatchObject({ tier: 'everysec' });
    await expect(checkDurability(own.redis, 'always')).rejects.toMatchObject({
      code: 'NOT_DURABLE',
      message: expect.stringContaining('EVENTGRAFT_DURABILITY=everysec'),
    });
    await own.redis.config('SET', 'appendonly', 'no');
    await expect(checkDurability(own.redis, 'everysec')).rejects.toMatchObject({
      code: 'NOT_DURABLE',
      message: expect.stringContaining('appendonly'),
    });
    await own.redis.config('SET', 'appendonly', 'yes');
    await own.redis.config('SET', 'appendfsync', 'always');
    await own.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(checkDurability(own.redis, 'always')).rejects.toMatchObject({ message: expect.stringContaining('noeviction') });
    await own.redis.config('SET', 'maxmemory-policy', 'noeviction');
  });

  it('knows that it does not know where CONFIG is forbidden', async () => {
    await own.redis.call('ACL', 'SETUSER', 'tenant', 'on', '>pw', '~*', '+@all', '-config');
    const tenant = connectRedis(own.server.url.replace(/:\/\/[^@]*@/, '://tenant:pw@'), { role: 'inbox' });
    await waitUntilReady(tenant);
    expect(await checkDurability(tenant, 'unknown-ok')).toMatchObject({ tier: 'unknown' });
    await expect(checkDurability(tenant, 'always')).rejects.toMatchObject({
      message: expect.stringContaining('EVENTGRAFT_DURABILITY=unknown-ok'),
    });
    tenant.disconnect();
  });
});
