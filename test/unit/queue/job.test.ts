import { describe, expect, it } from 'vitest';

import { countOf, isUnreadable, jobId, readJob, sizeOf } from '../../../src/queue/job.ts';
import { jobEvent } from '../../support/events.ts';

const COPY = { body: '{}', bodyHash: 'a'.repeat(64), status: 200, at: 1 };

describe('readJob', () => {
  it('reads the copy of an object that was fetched for an event', () => {
    const event = { ...jobEvent(1), fetched: COPY };
    expect(readJob({ v: 1, events: [event] })).toEqual([event]);
  });
  it('reads its own version', () => expect(readJob({ v: 1, events: [jobEvent(1), jobEvent(2)] })).toEqual([jobEvent(1), jobEvent(2)]));
  it.each([[null], ['text'], [5], [{}], [{ v: 2, events: [] }], [{ v: 1 }], [{ v: 1, events: {} }]])(
    'gives %j out as unreadable, with its text',
    (data) => {
      const [row] = readJob(data);
      expect(row !== undefined && isUnreadable(row) && row.unreadable).toMatch(/job/);
      expect(row).toMatchObject({ raw: typeof data === 'string' ? data : JSON.stringify(data) });
    },
  );
  it.each([
    ['source', 'Bad Source'],
    ['id', ''],
    ['id', '\ud800'],
    ['body', 5],
    ['body', '\ud800'],
    ['bodyHash', 'x'],
    ['headers', { a: 1 }],
    ['headers', null],
    ['receivedAtMs', -1],
    ['receivedAtMs', '1'],
    ['fetched', null],
    ['fetched', { ...COPY, body: '\ud800' }],
    ['fetched', { ...COPY, bodyHash: 'x' }],
    ['fetched', { ...COPY, status: 0 }],
    ['fetched', { ...COPY, at: 1.5 }],
  ])('puts a row with a wrong %s in its place, and reads the others', (name, value) => {
    const rows = readJob({ v: 1, events: [jobEvent(1), { ...jobEvent(2), [name]: value }, jobEvent(3)] });
    expect(rows.map(isUnreadable)).toEqual([false, true, false]);
    expect(rows[1]).toMatchObject({ unreadable: expect.stringContaining(name) });
  });
});

it('an event weighs its body and the copy that was fetched for it', () => {
  const event = jobEvent(1, 'x'.repeat(10));
  expect(sizeOf(event)).toBe(10);
  expect(sizeOf({ ...event, fetched: { ...COPY, body: 'x'.repeat(500) } })).toBe(510);
});

it('a job id carries its count and is never an integer', () => {
  expect(countOf(jobId('123-4', 50))).toBe(50);
  expect(String(Number.parseInt(jobId('123', 5), 10))).toBe('NaN');
  expect(countOf('17')).toBe(1);
});
