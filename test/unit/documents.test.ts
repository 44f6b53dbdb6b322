import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { createDocuments, type DocumentsOptions } from '../../src/documents.ts';
import { IngestError } from '../../src/errors.ts';
import type { Delivery } from '../../src/event.ts';
import type { Answer } from '../../src/outbound/outbound.ts';
import type { Evidence } from '../../src/sources/source.ts';
import { createRandom } from '../../src/verify/random.ts';

const evidence: Evidence = {
  origins: ['https://api.example'],
  urlOf: ({ headers }) => headers['url'] ?? '',
  trusts: (document) => document.startsWith('good'),
};
const naming = (url: string): Delivery => ({ source: 'pay', body: Buffer.from(''), headers: { url }, receivedAtMs: 0 });
const ok = (text: string): Answer => ({ status: 200, body: Buffer.from(text), date: undefined, retryAfter: undefined });
const none: Answer = { ...ok(''), status: 404 };
const code = (wanted: string) => expect.objectContaining({ code: wanted });

/** Documents over a host that the test answers for, by hand or at once. */
function over(answer: (url: string) => Answer | Promise<Answer>, options: Partial<DocumentsOptions> = {}) {
  const asked: string[] = [];
  let nowMs = 1_000;
  const documents = createDocuments({
    outbound: {
      async get(url) {
        asked.push(url);
        return answer(url);
      },
    },
    now: () => nowMs,
    ...options,
  });
  return { asked, get: (url: string) => documents.get(evidence, naming(url)), documents, pass: (ms: number) => void (nowMs += ms) };
}

function deferred() {
  let settle = (_answer: Answer): void => undefined;
  const promise = new Promise<Answer>((resolve) => (settle = resolve));
  return { promise, settle };
}

describe('a document that is trusted', () => {
  it('is asked for once for all who want it at once, and kept for a day', async () => {
    const { asked, get, pass } = over(() => ok('good'));
    expect(await Promise.all([get('a'), get('a'), get('a')])).toEqual(['good', 'good', 'good']);
    pass(86_399_999);
    expect(await get('a')).toBe('good');
    expect(asked).toEqual(['a']);
    pass(1);
    await get('a');
    expect(asked).toEqual(['a', 'a']);
  });

  it('is asked for again as soon as it is trusted no longer', async () => {
    const inForce: Evidence = { ...evidence, trusts: (document, atMs) => document === 'renewed' || atMs < 5_000 };
    const { asked, documents, pass } = over(() => ok(asked.length === 1 ? 'first' : 'renewed'));
    const get = () => documents.get(inForce, naming('a'));
    expect(await get()).toBe('first');
    pass(3_999);
    expect(await get()).toBe('first');
    pass(1);
    expect(await get()).toBe('renewed');
    expect(asked).toEqual(['a', 'a']);
  });

  it('is asked for again at once when its day is over, though strangers fill every lane and all the room', async () => {
    const crowd = deferred();
    const { asked, get, pass } = over((url) => (url === 'a' ? ok('good') : crowd.promise));
    await get('a');
    pass(86_400_000);
    const strangers = Promise.allSettled(Array.from({ length: 1_000 }, (_, n) => get(`evil-${n}`)));
    expect(await get('a')).toBe('good');
    expect(asked.filter((url) => url === 'a')).toHaveLength(2);
    crowd.settle(none);
    await strangers;
  });

  it('is not pushed out by any number of others', async () => {
    const { asked, get } = over((url) => (url === 'a' ? ok('good') : ok('bad')));
    await get('a');
    for (let n = 0; n < 3_000; n++) await expect(get(`evil-${n}`)).rejects.toEqual(code('BAD_SIGNATURE'));
    expect(await get('a')).toBe('good');
    expect(asked.filter((url) => url === 'a')).toHaveLength(1);
  });

  it('is one of 64 at most: the one that was longest not asked for goes', async () => {
    const { asked, get } = over((url) => ok(`good ${url}`));
    for (let n = 0; n < 64; n++) await get(`${n}`);
    await get('0');
    await get('64');
    await get('0');
    expect(asked.filter((url) => url === '0')).toHaveLength(1);
    await get('1');
    expect(asked.filter((url) => url === '1')).toHaveLength(2);
  });
});

describe('a document that cannot be had', () => {
  it.each([
    ['is not there', () => none],
    ['moved', () => ({ ...none, status: 302 })],
    ['is behind a fault', () => ({ ...none, status: 500 })],
    ['is on a host that does not answer', () => Promise.reject(new IngestError('SENDER_UNAVAILABLE', 'api.example did not answer'))],
    ['is where nothing may be asked', () => Promise.reject(new IngestError('OUTBOUND_REFUSED', 'not public'))],
  ])('because it %s is UNAVAILABLE, and not asked for again for ten seconds', async (_why, answer) => {
    const { asked, get, pass } = over(answer);
    for (let n = 0; n < 50; n++) await expect(get('a')).rejects.toEqual(code('UNAVAILABLE'));
    expect(asked).toHaveLength(1);
    pass(10_000);
    await expect(get('a')).rejects.toEqual(code('UNAVAILABLE'));
    expect(asked).toHaveLength(2);
  });

  it('in time is UNAVAILABLE, and there for the next delivery', async () => {
    const slow = deferred();
    const { asked, get } = over(() => slow.promise, { timeoutMs: 20 });
    await expect(get('a')).rejects.toEqual(code('UNAVAILABLE'));
    slow.settle(ok('good'));
    await turn();
    expect(await get('a')).toBe('good');
    expect(asked).toHaveLength(1);
  });

  it('tells how each request ended', async () => {
    const told: string[] = [];
    const { get } = over((url) => (url === 'a' ? ok('bad') : Promise.reject(new IngestError('SENDER_UNAVAILABLE', 'x'))), {
      onFetched: ({ source, answer }) => told.push(`${source} ${answer}`),
    });
    await Promise.allSettled([get('a'), get('b')]);
    expect(told.toSorted()).toEqual(['pay 200', 'pay SENDER_UNAVAILABLE']);
  });

  it('leaves no request behind when it is closed', async () => {
    let aborted = false;
    const documents = createDocuments({
      outbound: {
        get: (_url, _headers, signal) =>
          new Promise((_resolve, fail) =>
            signal?.addEventListener('abort', () => {
              aborted = true;
              fail(new IngestError('SENDER_UNAVAILABLE', 'aborted'));
            }),
          ),
      },
    });
    const asking = documents.get(evidence, naming('a'));
    await turn();
    documents.close();
    await expect(asking).rejects.toEqual(code('UNAVAILABLE'));
    expect(aborted).toBe(true);
  });
});

describe('somebody who names thousands', () => {
  it('causes four requests at once, and 256 that wait', async () => {
    let running = 0;
    let most = 0;
    const { get, asked } = over(async () => {
      most = Math.max(most, (running += 1));
      await turn();
      running -= 1;
      return none;
    });
    const ends = await Promise.allSettled(Array.from({ length: 2_000 }, (_, n) => get(`${n}`)));
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
    expect([most, asked.length]).toEqual([4, 260]);
  });

  it.each(['one', 'two', 'three'])(
    'shuts nobody out: a good document is there after some tries, though all the room is full (seed %s)',
    async (seed) => {
      const random = createRandom(seed);
      const { get } = over(
        async (url) => {
          await turn();
          return url === 'good' ? ok('good') : none;
        },
        { maxWaiting: 32, random: () => random.below(1_000_000) / 1_000_000 },
      );
      let n = 0;
      let isFlooding = true;
      const flood = async (): Promise<void> => {
        while (isFlooding) await get(`evil-${n++}`).catch(() => turn());
      };
      const forgers = Array.from({ length: 200 }, flood);
      let document: string | undefined;
      for (let attempt = 0; attempt < 500 && document === undefined; attempt++) {
        document = await get('good').catch(async () => {
          await turn();
          return undefined;
        });
      }
      isFlooding = false;
      await Promise.all(forgers);
      expect(document).toBe('good');
    },
  );

  it('is not asked for what nobody waits for any more', async () => {
    const first = deferred();
    const { get, asked, pass } = over((url) => (url === 'first' ? first.promise : ok('good')), { lanes: 1, timeoutMs: 1_000 });
    const [one, two] = [get('first'), get('late')];
    pass(1_001);
    first.settle(ok('good'));
    expect(await one).toBe('good');
    await expect(two).rejects.toEqual(code('UNAVAILABLE'));
    expect(asked).toEqual(['first']);
    expect(await get('next')).toBe('good');
  });
});
