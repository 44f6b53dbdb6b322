import { describe, expect, it } from 'vitest';

import { isUnreadable, jobId, readJob, sizeOf, type Row } from '../../../src/queue/job.ts';
import { jobEvent } from '../../support/events.ts';

function rowsOf(data: unknown): readonly Row[] {
  const rows = readJob(data);
  if (rows === 'newer') throw new Error('a job of a newer release');
  return rows;
}

const COPY = { body: '{}', bodyHash: 'a'.repeat(64), status: 200, at: 1 };

describe('readJob', () => {
  it('reads the copy of an object that was fetched for an event', () => {
    const event = { ...jobEvent(1), fetched: COPY };
    expect(readJob({ v: 1, events: [event] })).toEqual([event]);
  });
  it('reads its own version', () => expect(readJob({ v: 1, events: [jobEvent(1), jobEvent(2)] })).toEqual([jobEvent(1), jobEvent(2)]));
  it.each([[null], ['text'], [5], [{}], [{ v: 0, events: [] }], [{ v: '2' }], [{ v: 1.5 }], [{ v: 1 }], [{ v: 1, events: {} }]])(
    'gives %j out as unreadable, with its text',
    (data) => {
      const [row] = rowsOf(data);
      expect(row !== undefined && isUnreadable(row) && row.unreadable).toMatch(/job/);
      expect(row).toMatchObject({ raw: typeof data === 'string' ? data : JSON.stringify(data) });
    },
  );
  it.each([[{ v: 2, events: [jobEvent(1)] }], [{ v: 3 }]])('leaves %j to a newer release', (data) => expect(readJob(data)).toBe('newer'));
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
    const rows = rowsOf({ v: 1, events: [jobEvent(1), { ...jobEvent(2), [name]: value }, jobEvent(3)] });
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
  expect(jobId('123-4', 50)).toMatch(/-50$/);
  expect(String(Number.parseInt(jobId('123', 5), 10))).toBe('NaN');
});
