import { expect, it } from 'vitest';

import { patiently } from '../../../src/backfill/patiently.ts';
import { IngestError } from '../../../src/errors.ts';

const forever = new AbortController().signal;

it('waits while Redis is away, and says so', async () => {
  const failures = [new IngestError('QUEUE_UNAVAILABLE', 'away'), new Error('Connection is closed.')];
  const said: string[] = [];
  const work = async (): Promise<string> => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return 'done';
  };
  expect(await patiently(work, forever, (reason) => void said.push(reason))).toBe('done');
  expect(said).toEqual(['Redis: away', 'Redis: Connection is closed.']);
});

it('a bug of ours ends it at once, with its message', async () => {
  let tries = 0;
  const work = async (): Promise<never> => {
    tries += 1;
    throw new TypeError('a bug of ours');
  };
  await expect(patiently(work, forever, () => {})).rejects.toThrow('a bug of ours');
  expect(tries).toBe(1);
});

it('whoever stops it is heard while it waits', async () => {
  const stop = new AbortController();
  const away = (): Promise<never> => Promise.reject(new IngestError('QUEUE_UNAVAILABLE', 'away'));
  await expect(patiently(away, stop.signal, () => stop.abort(new Error('stopped')))).rejects.toThrow();
});
