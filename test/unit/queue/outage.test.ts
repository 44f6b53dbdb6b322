import { createServer, type AddressInfo } from 'node:net';

import { describe, expect, it } from 'vitest';

import { IngestError } from '../../../src/errors.ts';
import { isOutage } from '../../../src/queue/outage.ts';
import { connectRedis } from '../../../src/queue/redis.ts';

const replied = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

describe('an outage is waited for', () => {
  it.each([
    new IngestError('QUEUE_UNAVAILABLE', 'Redis could not be asked'),
    new IngestError('UNAVAILABLE', 'Redis did not confirm the event in time'),
    new IngestError('OVERLOADED', 'the queue is full'),
    new Error('Connection is closed.'),
    new Error("Stream isn't writeable and enableOfflineQueue options is false"),
    Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }),
    replied('LOADING Redis is loading the dataset in memory'),
    replied("OOM command not allowed when used memory > 'maxmemory'."),
    replied("ERR Error running script (call to f_1): @user_script:9: -OOM command not allowed when used memory > 'maxmemory'."),
    replied('ERR max number of clients reached'),
  ])('%s', (error) => expect(isOutage(error)).toBe(true));

  it('whatever ioredis says of a Redis that hangs up', async () => {
    const server = createServer((socket) => void socket.on('data', () => socket.destroy()));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const redis = connectRedis(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`, { role: 'inbox' });
    try {
      for (let n = 0; n < 5; n++) {
        const error: unknown = await redis.ping().catch((failure: unknown) => failure);
        expect([String(error), isOutage(error)]).toEqual([expect.any(String), true]);
        await new Promise((done) => setTimeout(done, 20));
      }
    } finally {
      redis.disconnect();
      server.close();
    }
  });
});

describe('what no waiting mends is none', () => {
  it.each([
    new IngestError('BAD_CONFIG', 'Redis holds a backfill of another release'),
    new TypeError("Cannot read properties of undefined (reading 'run')"),
    new SyntaxError('Unexpected token'),
    replied('WRONGTYPE Operation against a key holding the wrong kind of value'),
    replied("NOPERM this user has no permissions to run the 'eval' command"),
    replied('ERR Error compiling script (new function)'),
    'a text',
  ])('%s', (error) => expect(isOutage(error)).toBe(false));
});
