import { expect, test } from 'vitest';

import { createLog } from '../../src/log.ts';
import { createSourcelessSaying } from '../../src/work.ts';

test('events whose source is not known are said of loudly, with what to do: once a minute for each source, with all that came since', () => {
  const lines: Record<string, unknown>[] = [];
  let nowMs = 0;
  const say = createSourcelessSaying(createLog({ level: 'error' }, { write: (line) => void lines.push(JSON.parse(line)) }), () => nowMs);
  say('acme', 3);
  say('acme', 4);
  say('other', 1);
  nowMs += 60_000;
  say('acme', 5);
  expect(lines.map(({ msg, source, events }) => [msg, source, events])).toEqual([
    ['source.unknown', 'acme', 3],
    ['source.unknown', 'other', 1],
    ['source.unknown', 'acme', 9],
  ]);
  expect(lines[0]).toMatchObject({ level: 'error', advice: expect.stringContaining("Give this worker the source's configuration") });
});
