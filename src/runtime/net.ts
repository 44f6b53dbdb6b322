/** Loopback ports: picking a free one, and asking a server whether it answers. */

import { createServer, connect } from 'node:net';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { IngestError } from '../errors.ts';
import type { Supervised } from './supervised.ts';

const HOST = '127.0.0.1';
// Below the ephemeral ranges of Linux (32768) and macOS (49152): a client that keeps dialling a stopped server on an
// ephemeral port may be given that very port as its own and connect to itself, and the server can never come back.
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const ATTEMPTS = 50;
const PROBE_TIMEOUT_MS = 2_000;

/** A loopback port that was free a moment ago; `preferred` if that one is. */
export async function findFreePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await isFree(port)) return port;
  }
  throw new IngestError('NO_RUNTIME', `No free port was found between ${FIRST_PORT} and ${LAST_PORT} on ${HOST}.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** True if Bolt on this port agrees on a protocol version. */
export async function boltAnswers(port: number): Promise<boolean> {
  // Preamble, then four proposals of which one is enough: version 5.8 down to 5.0.
  const hello = Buffer.from('6060b01700080805000000000000000000000000', 'hex');
  const answer = await ask(port, hello, (got) => got.length >= 4);
  return answer !== undefined && answer.readUInt32BE(0) !== 0;
}

/** True if Redis on this port accepts the password and has loaded its data. */
export async function redisAnswers(port: number, password: string): Promise<boolean> {
  const answer = await ask(port, Buffer.from(`AUTH ${password}\r\nPING\r\n`), (got) => got.toString('latin1').split('\r\n').length > 2);
  return answer?.toString('latin1').startsWith('+OK\r\n+PONG') ?? false;
}

function ask(port: number, question: Buffer, enough: (got: Buffer) => boolean): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let got = Buffer.alloc(0);
    const socket = connect({ port, host: HOST }, () => socket.write(question));
    const finish = (answer: Buffer | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(undefined));
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk]);
      if (enough(got)) finish(got);
    });
  });
}

/** Polls until `answers`; throws NO_RUNTIME with the last output if the server exits or the time is up. */
export async function untilReady(name: string, server: Supervised, answers: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (server.running() && (await answers())) return;
    if (!server.running()) {
      const code = await server.exited;
      throw new IngestError('NO_RUNTIME', `${name} exited with code ${code} while starting: ${lastWords(server)}`, {
        output: server.output(),
      });
    }
    await sleep(50);
  }
  await server.kill();
  throw new IngestError('NO_RUNTIME', `${name} did not answer within ${timeoutMs / 1000} s: ${lastWords(server)}`, {
    output: server.output(),
  });
}

/** True if the output of a server that failed to start says that somebody else took its port. */
export function lostThePort(error: unknown): boolean {
  return (
    error instanceof IngestError &&
    /address already in use|bindexception|could not bind/i.test(JSON.stringify(error.context['output'] ?? ''))
  );
}

function lastWords(server: Supervised): string {
  return server.output().slice(-5).join(' | ') || 'it said nothing';
}
