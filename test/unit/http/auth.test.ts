import { describe, expect, it } from 'vitest';

import { IngestError } from '../../../src/errors.ts';
import { createTokenCheck, type Refusal } from '../../../src/http/auth.ts';

const TOKEN = 'a'.repeat(40);
const NEWER = 'b'.repeat(40);

function guessing(tokens = [TOKEN, NEWER]) {
  const clock = { ms: 5_000 };
  const refusals: Refusal[] = [];
  const check = createTokenCheck(tokens, () => clock.ms);
  const ask = (given: string | undefined, address = '192.0.2.1'): string => {
    try {
      check(given, address, (refusal) => refusals.push(refusal));
      return 'in';
    } catch (error) {
      if (!(error instanceof IngestError)) throw error;
      return error.code === 'RATE_LIMITED' ? `wait ${error.context.retryAfterSeconds}` : error.code;
    }
  };
  return { clock, refusals, ask };
}

describe('a token', () => {
  it('may be either of two', () => {
    const { ask } = guessing();
    expect([ask(TOKEN), ask(NEWER), ask(TOKEN.slice(1)), ask('')]).toEqual(['in', 'in', 'UNAUTHORIZED', 'UNAUTHORIZED']);
  });

  it('that is not configured is no path', () => expect(guessing([]).ask(TOKEN)).toBe('NOT_FOUND'));

  it('may be wrong ten times, then each doubles the wait, to a minute', () => {
    const { ask, clock, refusals } = guessing();
    for (let n = 0; n < 11; n++) expect(ask('wrong')).toBe('UNAUTHORIZED');
    const waits = [];
    for (let n = 0; n < 9; n++) {
      const answer = ask('wrong');
      waits.push(answer);
      clock.ms += Number(answer.slice('wait '.length)) * 1_000;
      expect(ask('wrong')).toBe('UNAUTHORIZED');
    }
    expect(waits).toEqual(['wait 1', 'wait 2', 'wait 4', 'wait 8', 'wait 16', 'wait 32', 'wait 60', 'wait 60', 'wait 60']);
    expect(refusals).toHaveLength(20);
    expect(refusals.at(-1)).toEqual({ address: '192.0.2.1', failures: 20, waitMs: 60_000 });
  });

  it('that is right is heard while wrong ones from its address have to wait, and forgives them nothing', () => {
    const { ask, clock } = guessing();
    for (let n = 0; n < 11; n++) ask('wrong');
    for (let minute = 0; minute < 20; minute++) {
      expect([ask(TOKEN), ask(NEWER)]).toEqual(['in', 'in']);
      expect(ask('wrong')).toMatch(/^wait /);
      clock.ms += 61_000;
      expect([ask(TOKEN), ask('wrong'), ask(TOKEN)]).toEqual(['in', 'UNAUTHORIZED', 'in']);
    }
  });

  it('that is wrong costs nobody else', () => {
    const { ask } = guessing();
    for (let n = 0; n < 12; n++) ask('wrong');
    expect(ask(TOKEN, '192.0.2.2')).toBe('in');
  });

  it('that is missing is no guess, and not in the audit', () => {
    const { ask, refusals } = guessing();
    for (let n = 0; n < 50; n++) expect([ask(undefined), ask('')]).toEqual(['UNAUTHORIZED', 'UNAUTHORIZED']);
    expect([refusals, ask(TOKEN)]).toEqual([[], 'in']);
  });

  it('is forgiven after five quiet minutes', () => {
    const { ask, clock, refusals } = guessing();
    for (let n = 0; n < 11; n++) ask('wrong');
    clock.ms += 300_001;
    ask('wrong');
    expect(refusals.at(-1)).toMatchObject({ failures: 1, waitMs: 0 });
  });

  it('never shows in the audit', () => {
    const { ask, refusals } = guessing();
    ask('a wrong token');
    expect(JSON.stringify(refusals)).not.toContain('wrong token');
  });
});
