/** Reading a request's exact bytes within limits, and answering one that will not be read to its end. */
import type { IncomingMessage, ServerResponse } from 'node:http';

import { IngestError } from '../errors.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** After a refusal: so much, or so long, is read and thrown away, so that the sender gets to read the answer. */
const LINGER_BYTES = 16 * 2 ** 20;
const LINGER_MS = 2_000;

/**
 * The whole body; undefined when the sender went away. Throws `BODY_TOO_LARGE` as soon as it is known, and `TIMEOUT`.
 */
export function readBody(req: IncomingMessage, { maxBytes, timeoutMs }: BodyLimits): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    if (Number(req.headers['content-length'] ?? 0) > maxBytes) return reject(tooLarge(maxBytes));
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => leave(() => reject(new IngestError('TIMEOUT', 'the body did not arrive in time'))), timeoutMs);
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) leave(() => reject(tooLarge(maxBytes)));
      else chunks.push(chunk);
    };
    const onEnd = () => leave(() => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size)));
    const onGone = () => leave(() => resolve(undefined));
    const leave = (then: () => void) => {
      clearTimeout(timer);
      req.off('data', onData).off('end', onEnd).off('close', onGone);
      then();
    };
    // `close` without `end` is an abort; an error always comes with a close, and without a listener Node would throw it.
    req
      .on('data', onData)
      .on('end', onEnd)
      .on('close', onGone)
      .on('error', () => {});
  });
}

/**
 * Answers now. Where the request is not read to its end, the connection is closed after the sender had time to read the
 * answer: closing with unread bytes would reset it, and the answer with it.
 */
export function respond(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  if (res.headersSent || res.destroyed) return;
  const bytes = Buffer.from(body);
  const head = { 'content-type': 'application/json', 'content-length': bytes.length, ...headers };
  if (req.complete || !expectsBody(req)) {
    res.writeHead(status, head).end(bytes);
    return;
  }
  res.writeHead(status, { ...head, connection: 'close' });
  res.write(bytes);
  linger(req, res);
}

function linger(req: IncomingMessage, res: ServerResponse): void {
  let size = 0;
  const timer = setTimeout(() => finish(), LINGER_MS);
  const finish = () => {
    clearTimeout(timer);
    res.end();
    req.destroy();
  };
  req.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > LINGER_BYTES) finish();
  });
  req
    .once('end', finish)
    .once('close', finish)
    .on('error', () => {});
  req.resume();
}

function expectsBody(req: IncomingMessage): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}

function tooLarge(maxBytes: number): IngestError {
  return new IngestError('BODY_TOO_LARGE', `the body is larger than ${maxBytes} bytes`);
}
