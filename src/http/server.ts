/** The HTTP server: webhooks first, everything else to the application mounted behind them. */
import { createServer, STATUS_CODES, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { IngestError, type ErrorCode } from '../errors.ts';
import { answerCode, type ErrorAnswer } from './answer.ts';
import type { WebhookHandler } from './webhooks.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly webhooks: WebhookHandler;
  /** Gets every request that is no webhook, e.g. an Express application. Default: 404. */
  readonly fallback?: RequestListener;
  /** From the connection to the last header. Default 10,000. */
  readonly headersTimeoutMs?: number;
  /** From the first byte to the last of a request. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Sockets at once; whoever comes then is cut off without an answer. Default 16,384. */
  readonly maxConnections?: number;
  /** Whose socket it is: one holder has a quarter of `maxConnections` at most, undefined has no bound of its own. Default: undefined. */
  readonly holderOf?: (socket: Socket) => string | undefined;
  readonly onRejected?: (code: ErrorCode, source: string | undefined) => void;
}

export interface HttpServer {
  /** Resolves with the URL when connections are accepted. Throws `BAD_CONFIG` where host and port cannot be had. */
  listen(): Promise<string>;
  /** Accepts nobody else, lets requests in flight finish within `graceMs`, then cuts. */
  close(graceMs?: number): Promise<void>;
}

/** Longer than a load balancer's own idle time, usually 60 s: whoever closes first must not be us, or requests get lost between. */
const KEEP_ALIVE_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** So that nobody alone can hold all of them. */
const HOLDER_SHARE = 1 / 4;
/** How often slow connections are looked for. Thousands that are given up on at once would hold up everybody else (measured: bench/slow.ts). */
const CHECK_MS = 100;
/** Connections that wait to be accepted; beyond, the kernel lets a sender try again after a second. Node's own 511 is one burst. */
const BACKLOG = 4_096;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const {
    host,
    port,
    webhooks,
    fallback = notFound,
    headersTimeoutMs = 10_000,
    requestTimeoutMs = 30_000,
    maxConnections = 16_384,
    holderOf = () => undefined,
  } = options;
  const answer: RequestListener = (req, res) => {
    if (closing) res.shouldKeepAlive = false;
    answering.set(req.socket, res);
    if (!webhooks(req, res)) fallback(req, res);
  };
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_MS,
      noDelay: true,
    },
    answer,
  );
  let closing = false;
  const answering = new WeakMap<Socket, ServerResponse>();
  // What nobody knows how to expect is ignored, as RFC 9110 allows: Node's own 417 would be no answer of ours.
  server.on('checkExpectation', answer);
  server.maxConnections = maxConnections;
  server.on('drop', () => options.onRejected?.('OVERLOADED', undefined));
  const take = countSockets(Math.ceil(maxConnections * HOLDER_SHARE));
  server.on('connection', (socket) => {
    const holder = holderOf(socket);
    if (holder === undefined || take(holder, socket)) return;
    socket.destroy();
    options.onRejected?.('OVERLOADED', undefined);
  });
  server.maxHeadersCount = 0; // Node would drop the surplus silently; bytes bound them here, the webhook handler counts.
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const code = codeOf(error);
    if (code !== undefined) options.onRejected?.(code, undefined);
    // Bytes of an answer already under way must not be followed by another one.
    const res = answering.get(socket);
    const midway = res !== undefined && res.headersSent && !res.writableFinished;
    if (code === undefined || !socket.writable || midway) socket.destroy();
    else socket.end(rawAnswer(answerCode(code)), () => socket.destroySoon());
  });

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', (cause) =>
          reject(new IngestError('BAD_CONFIG', `cannot listen on HOST ${host}, PORT ${port}: ${cause.message}`, {}, cause)),
        );
        server.listen({ port, host, backlog: BACKLOG }, () => {
          const { address, family, port: bound } = server.address() as AddressInfo;
          const reachable = address === '0.0.0.0' || address === '::' ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
          resolve(`http://${reachable}:${bound}`);
        });
      }),
    close: async (graceMs = 10_000) => {
      closing = true;
      if (!server.listening) return;
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Counts a socket until it closes and returns true, or false where its holder has so many already. */
function countSockets(limit: number): (holder: string, socket: Socket) => boolean {
  const open = new Map<string, number>();
  return (holder, socket) => {
    const held = open.get(holder) ?? 0;
    if (held >= limit) return false;
    open.set(holder, held + 1);
    socket.once('close', () => {
      const left = (open.get(holder) ?? 1) - 1;
      if (left === 0) open.delete(holder);
      else open.set(holder, left);
    });
    return true;
  };
}

/** What Node's parser found; undefined when there is nobody left to tell. */
function codeOf(error: NodeJS.ErrnoException): ErrorCode | undefined {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return 'HEADERS_TOO_LARGE';
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'TIMEOUT';
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined;
    default:
      return 'BAD_REQUEST';
  }
}

function rawAnswer({ status, body }: ErrorAnswer): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}

const notFound: RequestListener = (req, res) => {
  req.resume();
  const { status, body } = answerCode('NOT_FOUND');
  res.writeHead(status, { 'content-type': 'application/json' }).end(body);
};
