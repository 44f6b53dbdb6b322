/** How a batch is cut when the graph will not have it, and what is done with whom it will not: the graph is a stand-in here, only that is looked at. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { apply } from '../../src/apply.ts';
import { IngestError, type ErrorCode, type ErrorContext } from '../../src/errors.ts';
import type { GraphStore, GraphTx } from '../../src/graph/store.ts';
import type { Intake } from '../../src/map.ts';
import { commerce } from '../../src/model/commerce.ts';
import { facts } from '../../src/sources/facts.ts';
import { secret } from '../support/deliveries.ts';

const gone = facts()({ name: 'gone', secrets: [secret()], model: commerce });
const options = { sources: new Map([[gone.name, gone]]), maxFutureMs: 600_000 };

function intake(n: number): Intake[] {
  return Array.from({ length: n }, (_, index) => ({
    job: 'j',
    index,
    of: n,
    event: { source: 'gone', id: `e${index}`, body: '{}', bodyHash: 'ab', headers: {}, receivedAtMs: 0 },
  }));
}

/** What a transaction that was refused had been given: of the deadline, but not less than a twelfth, as 5 s are of a minute. */
interface Refused {
  readonly size: number;
  readonly share: number;
}

interface Refusing extends GraphStore {
  readonly sizes: number[];
  readonly refused: Refused[];
}

/**
 * Refuses every transaction that `refuse` names a code for, given its events, and whether the only one is to be kept as failed. An
 * event that comes again is repeated.
 */
function graph(refuse: (events: readonly string[], keeping: boolean) => ErrorCode | IngestError | undefined): Refusing {
  const sizes: number[] = [];
  const refused: Refused[] = [];
  const known = new Set<string>();
  const nothing = (): Promise<void> => Promise.resolve();
  const tx: Omit<GraphTx, 'judge' | 'lockAndRead'> = {
    reclaim: () => Promise.resolve([]),
    record: nothing,
    write: nothing,
    conclude: nothing,
  };
  return {
    sizes,
    refused,
    lastCommitMs: () => 0,
    forgetOldJobs: nothing,
    quarantined: () => Promise.resolve([]),
    transaction: (work, share = 1) =>
      work({
        ...tx,
        judge(told) {
          sizes.push(told.length);
          const keeping = told.some(({ error }) => error?.code === 'WRITE_REFUSED');
          const no = refuse(
            told.map((one) => one.key),
            keeping,
          );
          if (no !== undefined) {
            refused.push({ size: told.length, share: Math.max(share, 1 / 12) });
            return Promise.reject(no instanceof IngestError ? no : new IngestError(no, 'no'));
          }
          if (keeping) return Promise.resolve(told.map((one) => ({ told: one, is: 'fresh', key: one.key, conflict: false, row: 'new' })));
          const judged = told.map((one) => ({ told: one, is: known.has(one.key) ? ('repeated' as const) : ('late' as const) }));
          for (const { key } of told) known.add(key);
          return Promise.resolve(judged);
        },
        lockAndRead: () =>
          Promise.resolve({ nodes: new Map(), edges: new Map(), edgesOf: () => [] } as unknown as Awaited<
            ReturnType<GraphTx['lockAndRead']>
          >),
      }),
  };
}

test('a batch that takes too long is halved until it fits, and nothing fails for that', async () => {
  const slow = graph((events) => (events.length > 2 ? 'GRAPH_TIMEOUT' : undefined));
  expect(await apply(intake(8), slow, options)).toEqual(Array.from({ length: 8 }, () => 'late'));
  expect(slow.sizes).toEqual([8, 0, 4, 0, 2, 2, 4, 0, 2, 2]);
});

test('a database that is too slow even for an empty transaction is an outage, which goes up at once', async () => {
  const hung = graph(() => 'GRAPH_TIMEOUT');
  await expect(apply(intake(4), hung, options)).rejects.toMatchObject({ code: 'GRAPH_TIMEOUT', retry: 'retry' });
  expect(hung.sizes).toEqual([4, 0]);
});

test('so is one that is lost while what is slow is looked for: nothing is taken for slow', async () => {
  let transactions = 0;
  const lost = graph((events) => {
    transactions += 1;
    return events.includes('gone:e1') || transactions > 9 ? 'GRAPH_TIMEOUT' : undefined;
  });
  await expect(apply(intake(8), lost, options)).rejects.toMatchObject({ code: 'GRAPH_TIMEOUT' });
});

test('an event that is too slow even alone is slow, and holds up no other', async () => {
  const slow = graph((events) => (events.includes('gone:e1') ? 'GRAPH_TIMEOUT' : undefined));
  expect(await apply(intake(4), slow, options)).toEqual(['late', 'slow', 'late', 'late']);
});

test('so is the only one of its batch, where the database answers', async () => {
  const slow = graph((events) => (events.length > 0 ? 'GRAPH_TIMEOUT' : undefined));
  expect(await apply(intake(1), slow, options)).toEqual(['slow']);
  expect(slow.sizes).toEqual([1, 0]);
});

describe('where Neo4j has no memory', () => {
  const none = (...named: string[]): Refusing =>
    graph((events) => (events.some((event) => named.includes(event)) ? 'GRAPH_OUT_OF_MEMORY' : undefined));
  const full = (): Refusing => graph((events) => (events.length > 0 ? 'GRAPH_OUT_OF_MEMORY' : undefined));

  test('a batch that is too large is halved', async () => {
    const crowded = graph((events) => (events.length > 1 ? 'GRAPH_OUT_OF_MEMORY' : undefined));
    expect(await apply(intake(4), crowded, options)).toEqual(Array.from({ length: 4 }, () => 'late'));
  });

  test.each([
    [['gone:e0'], ['slow', 'late', 'late', 'late']],
    [['gone:e3'], ['late', 'late', 'late', 'slow']],
    [
      ['gone:e0', 'gone:e1'],
      ['slow', 'slow', 'late', 'late'],
    ],
  ])('for %j alone, they are slow and hold up no other', async (named, expected) => {
    expect(await apply(intake(4), none(...named), options)).toEqual(expected);
  });

  test('for the only one of its batch, that is put off: it may be too large for this database', async () => {
    expect(await apply(intake(1), full(), options)).toEqual(['slow']);
  });

  test('for any of a batch, it is full: that goes up, after few transactions, and nothing is put off', async () => {
    for (const size of [2, 4, 1_000]) {
      const crowded = full();
      await expect(apply(intake(size), crowded, options)).rejects.toMatchObject({ code: 'GRAPH_OUT_OF_MEMORY', retry: 'retry' });
      expect(crowded.sizes.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(size)) + 1);
    }
  });

  test('for any of those that were put off before, they are put off again: each of them is too large', async () => {
    expect(await apply(intake(2), full(), { ...options, patient: true })).toEqual(['slow', 'slow']);
  });
});

test('a conflict that lasts is of one event, which comes again; the others pass', async () => {
  const torn = graph((events) => (events.includes('gone:e2') ? 'GRAPH_CONFLICT' : undefined));
  expect(await apply(intake(8), torn, options)).toEqual(['late', 'late', 'slow', ...Array.from({ length: 5 }, () => 'late')]);
  expect(
    await apply(
      intake(1),
      graph(() => 'GRAPH_CONFLICT'),
      options,
    ),
  ).toEqual(['slow']);
});

describe('where every event of a batch is refused', () => {
  const refusing = (context?: ErrorContext): Refusing =>
    graph((events, keeping) => (events.length > 0 && !keeping ? new IngestError('WRITE_REFUSED', 'no', context) : undefined));

  test.each([
    ['by ourselves', undefined],
    ['by the database', { code: 'Neo.DatabaseError.Statement.ExecutionFailed' }],
  ])('for one reason, %s, that goes up, and nothing is kept as failed', async (_, context) => {
    await expect(apply(intake(9), refusing(context), options)).rejects.toMatchObject({
      code: 'GRAPH_REFUSED',
      retry: 'retry',
      message: 'all 9 events of a batch are refused, the first: no',
    });
  });

  test.each([
    ['and they are few', 8, undefined],
    ['by a constraint, which speaks of their values', 9, { code: 'Neo.ClientError.Schema.ConstraintValidationFailed' }],
  ])('%s, each is kept as failed', async (_, size, context) => {
    expect(await apply(intake(size), refusing(context), options)).toEqual(Array.from({ length: size }, () => 'failed'));
  });

  test('but one, the others are kept as failed', async () => {
    const picky = graph((events, keeping) => (!keeping && events.some((event) => event !== 'gone:e7') ? 'WRITE_REFUSED' : undefined));
    expect(await apply(intake(9), picky, options)).toEqual(Array.from({ length: 9 }, (_, i) => (i === 7 ? 'late' : 'failed')));
  });
});

describe('an event that was refused, and then meets something else,', () => {
  const refusedThen = (code: ErrorCode, atItsRow: boolean): Refusing => {
    let heard = 0;
    return graph((events, keeping) => {
      if (!events.includes('gone:e2')) return undefined;
      if (keeping) return code;
      heard += events.length === 1 ? 1 : 0;
      return heard > 1 && !atItsRow ? code : 'WRITE_REFUSED';
    });
  };

  test.each([
    ['too little time when it is heard once more', 'GRAPH_TIMEOUT', false],
    ['too little time when it is kept as failed', 'GRAPH_TIMEOUT', true],
    ['no memory when it is heard once more', 'GRAPH_OUT_OF_MEMORY', false],
    ['a conflict when it is kept as failed', 'GRAPH_CONFLICT', true],
  ] as const)('%s, comes again, and holds up no other', async (_, code, atItsRow) => {
    expect(await apply(intake(4), refusedThen(code, atItsRow), options)).toEqual(['late', 'late', 'slow', 'late']);
  });

  test('an outage, waits with all others', async () => {
    await expect(apply(intake(4), refusedThen('GRAPH_UNAVAILABLE', true), options)).rejects.toMatchObject({ code: 'GRAPH_UNAVAILABLE' });
  });

  test('a refusal of its row as failed, is heard of', async () => {
    await expect(apply(intake(4), refusedThen('WRITE_REFUSED', true), options)).rejects.toMatchObject({ code: 'WRITE_REFUSED' });
  });
});

test('any events may be slow, wherever they stand: what comes again ends with all others done, and nothing is lost between', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(39), { maxLength: 8 }), async (n, places) => {
      const names = new Set(places.map((place) => `gone:e${place}`));
      const slow = graph((events) => (events.some((event) => names.has(event)) ? 'GRAPH_TIMEOUT' : undefined));
      const expected = intake(n).filter(({ event }) => !names.has(`gone:${event.id}`));
      let left = intake(n);
      const done: Intake[] = [];
      for (let times = 0; times < 200 && done.length < expected.length; times++) {
        const tried = await apply(left, slow, options);
        expect(tried).toHaveLength(left.length);
        done.push(...left.filter((_, i) => tried[i] !== 'slow'));
        left = left.filter((_, i) => tried[i] === 'slow');
      }
      expect(done.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(expected.map(({ index }) => index));
    }),
  );
});

test('where everything is slow but the database, no more than two deadlines a halving are waited for', async () => {
  const slow = graph((events) => (events.length > 0 ? 'GRAPH_TIMEOUT' : undefined));
  expect(new Set(await apply(intake(1_000), slow, options))).toEqual(new Set(['slow']));
  expect(slow.sizes.filter((size) => size > 0).length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(1_000)) + 1);
});

/** What the lane waits for, in deadlines. */
const deadlines = ({ refused }: Refusing): number => refused.reduce((sum, { share }) => sum + share, 0);

test('halves have half the time: one slow event in two thousand costs 2.5 deadlines, not 12, and twenty cost 17, not 171', async () => {
  const costOf = async (many: number, patient: boolean): Promise<string> => {
    const isSlow = (event: string): boolean => Number(event.slice('gone:e'.length)) % (2_000 / many) === 7;
    const slow = graph((events) => (events.some(isSlow) ? 'GRAPH_TIMEOUT' : undefined));
    const tried = await apply(intake(2_000), slow, { ...options, patient });
    expect(tried.filter((one) => one === 'slow')).toHaveLength(many);
    expect(tried.filter((one) => one === 'late')).toHaveLength(2_000 - many);
    return deadlines(slow).toFixed(2);
  };
  expect([await costOf(1, false), await costOf(20, false)]).toEqual(['2.54', '17.00']);
  expect([await costOf(1, true), await costOf(20, true)]).toEqual(['12.00', '171.00']);
});

test('wherever twenty of two thousand are slow, their lane waits for no longer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(1_999), { minLength: 20, maxLength: 20 }), async (places) => {
      const names = new Set(places.map((place) => `gone:e${place}`));
      const slow = graph((events) => (events.some((event) => names.has(event)) ? 'GRAPH_TIMEOUT' : undefined));
      await apply(intake(2_000), slow, options);
      expect(deadlines(slow)).toBeLessThan(17.01);
    }),
    { numRuns: 20 },
  );
});

test('with patience each has the whole deadline, however small its half', async () => {
  const slow = graph((events) => (events.includes('gone:e5') ? 'GRAPH_TIMEOUT' : undefined));
  await apply(intake(16), slow, { ...options, patient: true });
  expect(slow.refused).toEqual([16, 8, 4, 2, 1].map((size) => ({ size, share: 1 })));
});

test('time is halved for lack of time only: a refused event does not hurry its neighbours', async () => {
  const picky = graph((events) => (events.includes('gone:e5') && events.length > 1 ? 'WRITE_REFUSED' : undefined));
  await apply(intake(16), picky, options);
  expect(picky.refused).toEqual([16, 8, 4, 2].map((size) => ({ size, share: 1 })));
});

test('the one that answers for its half keeps its outcome, in its place', async () => {
  const slow = graph((events) => (events.some((event) => event < 'gone:e4') ? 'GRAPH_TIMEOUT' : undefined));
  expect(await apply(intake(8), slow, options)).toEqual([
    ...Array.from({ length: 4 }, () => 'slow'),
    ...Array.from({ length: 4 }, () => 'late'),
  ]);
});

test('an event that stands alone is heard once more before it is kept as failed', async () => {
  let refusals = 0;
  const moody = graph((events) => (events.includes('gone:e2') && refusals++ < 3 ? 'WRITE_REFUSED' : undefined));
  expect(await apply(intake(4), moody, options)).toEqual(Array.from({ length: 4 }, () => 'late'));
  expect(moody.sizes).toEqual([4, 2, 2, 1, 1, 1]);
});

test('an outage is not cut into pieces', async () => {
  const away = graph(() => 'GRAPH_UNAVAILABLE');
  await expect(apply(intake(4), away, options)).rejects.toMatchObject({ code: 'GRAPH_UNAVAILABLE' });
  expect(away.sizes).toEqual([4]);
});

test('one refused event in a thousand costs about 2·log2(n) transactions more', async () => {
  let refusals = 0;
  const picky = graph((events) => (events.includes('gone:e617') && refusals++ < 12 ? 'WRITE_REFUSED' : undefined));
  await apply(intake(1_000), picky, options);
  expect(picky.sizes.length - 1).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(1_000)) + 3);
});
