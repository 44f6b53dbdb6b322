/**
 * The only way out: requests to hosts that the configuration names, and to nobody else. https, except to loopback; no
 * redirects; the name is resolved once, every address it has must be public, and the connection goes to what was
 * checked. Time and size are capped.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';

import { IngestError } from '../errors.ts';
import { isLoopback, isPublic, namesLoopback, withoutBrackets } from './address.ts';

export interface OutboundOptions {
  /** All addresses of a name. Default: the system's resolver. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
  /** From the look-up to the last byte. Default 15,000. */
  readonly timeoutMs?: number;
  /** Of the answer's body. Default 2 MiB. */
  readonly maxBytes?: number;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** The headers `Date` and `Retry-After` as sent. */
  readonly date: string | undefined;
  readonly retryAfter: string | undefined;
}

export interface Outbound {
  /**
   * GETs a URL of one of the origins. Any status is an answer, 3xx too. Throws `OUTBOUND_REFUSED` where the guard does
   * not let it out, `SENDER_UNAVAILABLE` where there is no whole answer. No message holds the path, a header or a body.
   */
  get(url: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Answer>;
  /** The same, with a body of JSON. Without an answer nobody knows whether it was heard. */
  post(url: string, headers: Readonly<Record<string, string>>, body: string, signal?: AbortSignal): Promise<Answer>;
}

/** `origins` such as `https://shop.example`. Throws `BAD_CONFIG` for one that no request may go to. */
export function createOutbound(
  origins: readonly string[],
  { resolve = resolveAll, timeoutMs = 15_000, maxBytes = 2 * 2 ** 20 }: OutboundOptions = {},
): Outbound {
  const allowed = new Set(origins.map(checkOrigin));

  async function addressesOf(hostname: string, signal: AbortSignal): Promise<readonly string[]> {
    const host = withoutBrackets(hostname);
    const addresses = isIP(host) === 0 ? await untilAborted(resolve(host), signal) : [host];
    const may = namesLoopback(hostname) ? isLoopback : isPublic;
    if (addresses.length === 0) throw unavailable(hostname, 'has no address');
    // One bad address is enough: a name that has both kinds is somebody's trick.
    if (!addresses.every(may)) throw refused(`${hostname} resolves to an address that is not public`);
    return addresses;
  }

  async function request({ url, ...message }: Message & { url: string }, signal: AbortSignal | undefined): Promise<Answer> {
    const to = URL.canParse(url) ? new URL(url) : undefined;
    if (to === undefined || !allowed.has(to.origin) || to.username !== '' || to.password !== '')
      throw refused('the URL is not of a host that the configuration names');
    const { signal: within, timedOut, done } = limit(timeoutMs, signal);
    try {
      return await send(to, await addressesOf(to.hostname, within), message, { signal: within, maxBytes });
    } catch (error) {
      if (error instanceof IngestError) throw error;
      const reason = timedOut() ? `did not answer within ${timeoutMs} ms` : `could not be asked (${codeOf(error)})`;
      throw unavailable(to.hostname, reason);
    } finally {
      done();
    }
  }

  return {
    get: (url, headers, signal) => request({ url, method: 'GET', headers }, signal),
    post(url, headers, body, signal) {
      const json = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
      return request({ url, method: 'POST', headers: { ...json, ...headers }, body }, signal);
    },
  };
}

interface Message {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Aborts after a time, or with another signal. By hand, since AbortSignal.any leaves something behind on a signal that lives long. */
function limit(ms: number, outer: AbortSignal | undefined): { signal: AbortSignal; timedOut: () => boolean; done: () => void } {
  const controller = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, ms);
  const abort = (): void => controller.abort();
  outer?.addEventListener('abort', abort, { once: true });
  if (outer?.aborted === true) abort();
  return {
    signal: controller.signal,
    timedOut: () => timedOut,
    done() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', abort);
    },
  };
}

/** The origin in its normal form. Throws `BAD_CONFIG`. */
function checkOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && !(url.protocol === 'http:' && namesLoopback(url.hostname))))
    throw new IngestError(
      'BAD_CONFIG',
      'a source is to send requests to something other than an https:// URL; only loopback may be http://',
    );
  if (isIP(withoutBrackets(url.hostname)) !== 0 && !isLoopback(withoutBrackets(url.hostname)) && !isPublic(withoutBrackets(url.hostname)))
    throw new IngestError('BAD_CONFIG', 'a source is to send requests to an address that is not public');
  return url.origin;
}

interface Caps {
  readonly signal: AbortSignal;
  readonly maxBytes: number;
}

async function send(
  to: URL,
  addresses: readonly string[],
  { method, headers, body: text }: Message,
  { signal, maxBytes }: Caps,
): Promise<Answer> {
  const options: RequestOptions = {
    method,
    headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'eventgraft', ...headers },
    agent: false, // A kept connection would outlive the check of its address.
    signal,
    lookup: (_hostname, { all }, answer) => {
      const found = addresses.map((address) => ({ address, family: isIP(address) }));
      const [first] = found;
      if (all === true) answer(null, found);
      else answer(null, first?.address ?? '', first?.family);
    },
  };
  const response = await new Promise<IncomingMessage>((answered, fail) => {
    const request = (to.protocol === 'https:' ? httpsRequest : httpRequest)(to, options, answered);
    request.on('error', fail);
    request.end(text);
  });
  const body = await readBody(response, maxBytes);
  return { status: response.statusCode ?? 0, body, date: response.headers.date, retryAfter: response.headers['retry-after'] };
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new IngestError('SENDER_UNAVAILABLE', `the answer has more than ${maxBytes} bytes`, { isRefused: true }); // Leaving the loop closes the connection.
    chunks.push(chunk);
  }
  if (!response.complete) throw Object.assign(new Error('cut'), { code: 'cut short' });
  return Buffer.concat(chunks);
}

async function resolveAll(hostname: string): Promise<string[]> {
  return (await dnsLookup(hostname, { all: true })).map(({ address }) => address);
}

/** The system's resolver cannot be interrupted; its answer is then no longer waited for. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => {};
  const aborted = new Promise<never>((_resolve, fail) => {
    abort = () => fail(new Error('aborted'));
  });
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Messages of sockets and TLS may quote what was sent; their codes do not. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no reason given';
}

function refused(message: string): IngestError {
  return new IngestError('OUTBOUND_REFUSED', message);
}

function unavailable(hostname: string, problem: string): IngestError {
  return new IngestError('SENDER_UNAVAILABLE', `${hostname} ${problem}`);
}
