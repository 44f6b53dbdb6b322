import { describe, expect, it } from 'vitest';

import { IngestError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';

function lines(write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const written: string[] = [];
  write(createLog({ level: 'info', role: 'serve' }, { write: (line) => void written.push(line) }));
  return written.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  it('is one wide line with the level as a word', () => {
    expect(lines((log) => log.info({ key: 'a:1', tookMs: 3 }, 'event.accepted'))).toMatchObject([
      { level: 'info', role: 'serve', key: 'a:1', tookMs: 3, msg: 'event.accepted' },
    ]);
  });
  it('hides secrets, signatures and bodies', () => {
    const text = JSON.stringify(
      lines((log) =>
        log.info(
          {
            password: 'hide-me',
            neo4j: { password: 'hide-me' },
            delivery: { body: 'hide-me', headers: { 'webhook-signature': 'hide-me' } },
            headers: { authorization: 'hide-me' },
          },
          'x.done',
        ),
      ),
    );
    expect(text).not.toContain('hide-me');
    expect(text).toContain('[redacted]');
  });
  it('cuts credentials from URLs in errors, with the cause', () => {
    const cause = new Error('connect redis://:hide-me@host:1 failed');
    const [line] = lines((log) => log.error({ err: new IngestError('QUEUE_UNAVAILABLE', 'away', {}, cause) }, 'redis.lost'));
    expect(line).toMatchObject({ err: { code: 'QUEUE_UNAVAILABLE', cause: { message: 'connect redis://host:1 failed' } } });
    expect(JSON.stringify(line)).not.toContain('hide-me');
  });
});
