/**
 * Signed requests of every pack, bent at random and sent as bytes. Two things must hold whatever is sent: no 5xx but
 * 503 `OVERLOADED`, and no 2xx unless the oracle, which shares no code with the product, finds a signature that holds.
 */
import { createHmac, verify as verifyWith } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { createRandom, type Random } from '../../src/verify/random.ts';
import { SECRET_TEXT, SQUARE_URL } from './deliveries.ts';
import { USER } from './described.ts';
import { PAYPAL_CERT_PATH, PAYPAL_WEBHOOK, paypalAuthority } from './paypal.ts';
import { SENDERS } from './receiver.ts';
import { createWire, requestBytes, Silence, type WireAnswer } from './wire.ts';

export interface FuzzOptions {
  readonly url: string;
  readonly seed: string;
  readonly source: string;
  readonly requests: number;
  readonly connections?: number;
}

export interface FuzzReport {
  readonly source: string;
  readonly byStatus: Readonly<Record<string, number>>;
  /** Of those answered with 2xx: how many the oracle had to vouch for. */
  readonly vouched: number;
  /** What must not be, with the request that did it. */
  readonly broken: readonly string[];
  /** Answer times of an untouched event after every hundredth bent one, in ms, ascending. */
  readonly goodMs: readonly number[];
}

interface Bent {
  path: string;
  method: string;
  headers: [string, string][];
  body: Buffer;
}

export async function fuzz({ url, seed, source, requests, connections = 16 }: FuzzOptions): Promise<FuzzReport> {
  const byStatus: Record<string, number> = {};
  const broken: string[] = [];
  const goodMs: number[] = [];
  let vouched = 0;
  let next = 0;
  const work = async (): Promise<void> => {
    const wire = createWire(url);
    for (let n = next++; n < requests; n = next++) {
      const random = createRandom(`${seed}/${source}/${n}`);
      const bytes = make(random, source, `${seed}-${n}`);
      // Who waits for more is not kept waiting for: whoever sent half a request goes away.
      const patienceMs = isWhole(bytes) ? undefined : 100;
      const answer = await wire.send(bytes, patienceMs).catch((error: unknown) => {
        if (!(error instanceof Silence)) throw error;
        return { status: patienceMs === undefined ? -1 : 0, body: error.message };
      });
      if (patienceMs !== undefined) wire.drop();
      const problem = answer.status === 0 && patienceMs === undefined ? 'a whole request, and no answer' : judge(answer, bytes, source);
      if (problem !== undefined) broken.push(`${problem} · seed ${seed}, ${source} ${n}\n${bytes.toString('latin1').slice(0, 2_000)}`);
      if (answer.status === 200 || answer.status === 202) vouched += 1;
      byStatus[String(answer.status)] = (byStatus[String(answer.status)] ?? 0) + 1;
      if (n % 100 === 99) goodMs.push(await timeGood(wire, source, `${seed}-good-${n}`, broken));
    }
    wire.drop();
  };
  await Promise.all(Array.from({ length: connections }, work));
  return { source, byStatus, vouched, broken, goodMs: goodMs.toSorted((a, b) => a - b) };
}

async function timeGood(wire: ReturnType<typeof createWire>, source: string, id: string, broken: string[]): Promise<number> {
  const random = createRandom(id);
  const { path, headers, body } = signed(random, source, id);
  wire.drop();
  const started = performance.now();
  const { status, body: text } = await wire.send(requestBytes(path, headers, body));
  if (status !== 202 && status !== 200 && !isOverloaded({ status, body: text })) broken.push(`a good event got ${status} ${text} · ${id}`);
  return performance.now() - started;
}

function isOverloaded({ status, body }: WireAnswer): boolean {
  return status === 503 && body.includes('"OVERLOADED"');
}

/** Where a certificate is named that PayPal's host does not have, nobody can tell: PayPal is asked to come again. */
function isElsewhere({ status, body }: WireAnswer, bytes: Buffer): boolean {
  const url = read(bytes)?.headers['paypal-cert-url'];
  return status === 503 && body.includes('"UNAVAILABLE"') && url !== undefined && !url.endsWith(PAYPAL_CERT_PATH);
}

function judge(answer: WireAnswer, bytes: Buffer, source: string): string | undefined {
  if (answer.status === -1) return answer.body;
  // To a HEAD nobody says why.
  const isHead = bytes.subarray(0, 5).toString('latin1') === 'HEAD ';
  if (answer.status >= 500 && !isOverloaded(answer) && !isElsewhere(answer, bytes) && !(isHead && answer.status === 503))
    return `${answer.status} ${answer.body}`;
  if (answer.status >= 200 && answer.status < 300 && answer.body !== '{"status":"ping"}' && !vouches(bytes, source))
    return `${answer.status} for a signature that does not hold`;
  return undefined;
}

/** A request as its sender would send it, under an id of its own. */
function signed(random: Random, source: string, id: string, change: (body: Buffer) => Buffer = (body) => body): Bent {
  const sender = SENDERS[source];
  if (sender === undefined) throw new Error(`no sender for ${source}`);
  const body = change(Buffer.from(random.pick(sender.bodies)));
  const { headers } = sender.sign({ body, id, atSeconds: Math.floor(Date.now() / 1_000), source });
  return { path: `/webhooks/${source}`, method: 'POST', headers: Object.entries(headers), body };
}

function make(random: Random, source: string, id: string): Buffer {
  // Half are signed after they were bent, and so get as far as parser and identity.
  const bent = signed(random, source, id, random.chance(0.5) ? (body) => bendBody(random, body) : undefined);
  for (let n = random.below(3); n > 0; n--) random.pick(BENDS)(random, bent);
  let bytes = requestBytes(bent.path, bent.headers, bent.body, bent.method);
  if (random.chance(0.1)) bytes = flip(random, bytes);
  return random.chance(0.02) ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}

const NASTY = [
  '',
  '\u0000',
  '\ufeff',
  '\ud800',
  '"',
  '\\',
  '__proto__',
  'constructor',
  '../../etc',
  '%00',
  "' OR 1=1",
  '${1}',
  '{{x}}',
  '\u202e',
  '💥',
  'a'.repeat(9_000),
  '9'.repeat(40),
  '-0',
  '1e999',
  'NaN',
  'null',
  '[]',
  '{}',
];
const FRAGMENTS = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '"',
  '""',
  '{"a":',
  '[[[[',
  '1e400',
  '-',
  '\\u0000',
  '\\ud800',
  '\u0000',
  ' ',
  'true',
  '"id":"x",',
  '9223372036854775808',
  '['.repeat(100),
  '{"a":'.repeat(70),
];

function bendBody(random: Random, body: Buffer): Buffer {
  let bytes = body;
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = random.below(bytes.length + 1);
    const to = Math.min(bytes.length, at + random.below(20));
    bytes = random.pick([
      () => flip(random, bytes),
      () => splice(bytes, at, to, Buffer.alloc(0)),
      () => splice(bytes, at, at, Buffer.from(random.pick(FRAGMENTS))),
      () => splice(bytes, at, at, bytes.subarray(at, to)),
      () => bytes.subarray(0, at),
      () => Buffer.from(random.pick([...FRAGMENTS, ...NASTY])),
      () => bendString(random, bytes),
      () =>
        Buffer.from(
          bytes
            .toString('utf8')
            .replaceAll(/\d+/g, (digits) => (random.chance(0.2) ? random.pick(['-1', '0', '1e5', '1.5', '9'.repeat(25)]) : digits)),
        ),
      () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]),
      () => Buffer.from(bytes.toString('utf8'), 'utf16le'),
    ])();
  }
  return bytes;
}

/** Puts something nasty in the place of one string, be it key or value: the body stays JSON. */
function bendString(random: Random, bytes: Buffer): Buffer {
  const text = bytes.toString('utf8');
  const strings = [...text.matchAll(/"(?:[^"\\]|\\.)*"/g)];
  if (strings.length === 0) return bytes;
  const { index, 0: old } = random.pick(strings);
  return Buffer.from(`${text.slice(0, index)}${JSON.stringify(random.pick(NASTY))}${text.slice(index + old.length)}`);
}

function flip(random: Random, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  const out = Buffer.from(bytes);
  const at = random.below(out.length);
  out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
  return out;
}

function splice(bytes: Buffer, from: number, to: number, put: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(to)]);
}

const HEADER_VALUES = [
  '',
  ' ',
  '0',
  '-1',
  'a'.repeat(300),
  'a, b',
  'v1,',
  'sha256=',
  't=1,v1=',
  'é',
  '\u0001',
  'gzip',
  'chunked',
  'application/json; charset=utf-16',
  '100-continue',
  '1700000000',
  '99999999999',
  'null',
];

type Bend = (random: Random, bent: Bent) => void;
const BENDS: readonly Bend[] = [
  (random, bent) => void (bent.body = bendBody(random, bent.body)),
  (random, bent) => void bent.headers.splice(random.below(bent.headers.length), 1),
  (random, bent) => void bent.headers.push(random.pick([...bent.headers, ['x', '']])),
  (random, bent) =>
    bendValue(random, bent, (value) =>
      flip(random, Buffer.from(value))
        .toString('latin1')
        .replaceAll(/[\r\n]/g, ''),
    ),
  (random, bent) => bendValue(random, bent, (value) => value.slice(0, random.below(value.length + 1))),
  (random, bent) => bendValue(random, bent, (value) => `${value}${random.pick(['=', ' ', ',', '0', value, `, ${value}`, ` ${value}`])}`),
  (random, bent) =>
    bendValue(random, bent, (value) => random.pick([value.toUpperCase(), value.toLowerCase(), [...value].toReversed().join('')])),
  (random, bent) => bendValue(random, bent, () => random.pick(HEADER_VALUES)),
  (random, bent) =>
    bendValue(random, bent, (value) =>
      value.replace(/\d{10}/, (stamp) => String(Number(stamp) + random.pick([-301, -302, 302, 400, -1, 1, 86_400]))),
    ),
  (random, bent) =>
    void bent.headers.push([
      random.pick([
        'content-encoding',
        'transfer-encoding',
        'expect',
        'content-type',
        'content-length',
        'x-http-method-override',
        'webhook-signature',
        'svix-signature',
        'connection',
      ]),
      random.pick(HEADER_VALUES),
    ]),
  (random, bent) =>
    void (bent.path = random.pick([
      `/webhooks/${random.pick(Object.keys(SENDERS))}`,
      `${bent.path}/`,
      `${bent.path}?a=b`,
      '/webhooks/..%2fadmin',
      `/webhooks/${encodeURIComponent(random.pick(NASTY).toWellFormed()).slice(0, 200)}`,
      '/webhooks/__proto__',
    ])),
  (random, bent) => void (bent.method = random.pick(['GET', 'PUT', 'post', 'TRACE', 'HEAD', 'DELETE'])),
];

function bendValue(random: Random, bent: Bent, change: (value: string) => string): void {
  const at = random.below(bent.headers.length);
  const [name, value] = bent.headers[at] ?? ['x', ''];
  if (bent.headers.length > 0) bent.headers[at] = [name, change(value)];
}

const KEY = Buffer.from(SECRET_TEXT.slice('whsec_'.length), 'base64');
const hmac = (algorithm: string, key: Buffer | string, ...parts: (Buffer | string)[]): Buffer => {
  const made = createHmac(algorithm, key);
  for (const part of parts) made.update(part);
  return made.digest();
};
const isNow = (stamp: string | undefined): boolean => Math.abs(Date.now() / 1_000 - Number(stamp)) <= 302;

type Headers = Readonly<Record<string, string>>;
const holdsStandard = (headers: Headers, body: Buffer): boolean =>
  ['webhook', 'svix'].some((family) => {
    const [id = '', stamp = '', list = ''] = ['id', 'timestamp', 'signature'].map((part) => headers[`${family}-${part}`]);
    return isNow(stamp) && list.includes(`v1,${hmac('sha256', KEY, `${id}.${stamp}.`, body).toString('base64')}`);
  });
const holdsBody = (name: string, algorithm: string, encoding: 'hex' | 'base64') => (headers: Headers, body: Buffer) => {
  const digest = hmac(algorithm, KEY, body).toString(encoding);
  const given = headers[name] ?? '';
  return encoding === 'hex' ? given.toLowerCase().includes(digest) : given.includes(digest);
};

/** A secret that was written with its prefix may be sent without. */
const isSecret = (text: string): boolean => text === SECRET_TEXT || text === KEY.toString();

/** What proves a sender and nothing of what it says. */
export const BODY_IS_FREE: ReadonlySet<string> = new Set(['token', 'basic']);

/** Each sender's scheme once more, told by its documentation and not by our code: does a digest of these bytes stand in the header? */
const ORACLES: Readonly<Record<string, (headers: Headers, body: Buffer) => boolean>> = {
  facts: holdsStandard,
  standard: holdsStandard,
  cloudevents: holdsStandard,
  shopify: holdsBody('x-shopify-hmac-sha256', 'sha256', 'base64'),
  woocommerce: holdsBody('x-wc-webhook-signature', 'sha256', 'base64'),
  github: holdsBody('x-hub-signature-256', 'sha256', 'hex'),
  segment: holdsBody('x-signature', 'sha1', 'hex'),
  plain: holdsBody('x-signature', 'sha256', 'hex'),
  square: (headers, body) =>
    (headers['x-square-hmacsha256-signature'] ?? '').includes(hmac('sha256', KEY, SQUARE_URL, body).toString('base64')),
  named: (headers, body) =>
    (headers['x-signature'] ?? '').toLowerCase().includes(hmac('sha256', KEY, `${headers['x-event-id']}.`, body).toString('hex')),
  stamped(headers, body) {
    const { 'x-time': stamp = '', 'x-signature': given = '' } = headers;
    return isNow(stamp) && given.includes(hmac('sha512', KEY, `${stamp}.`, body).toString('base64'));
  },
  token: ({ authorization = '' }) => /^bearer /i.test(authorization) && isSecret(authorization.slice('Bearer '.length)),
  basic({ authorization = '' }) {
    const given = Buffer.from(authorization.slice('Basic '.length), 'base64').toString();
    return /^basic /i.test(authorization) && given.startsWith(`${USER}:`) && isSecret(given.slice(USER.length + 1));
  },
  stripe(headers, body) {
    const given = headers['stripe-signature'] ?? '';
    const stamp = /t=(\d+)/.exec(given)?.[1];
    return isNow(stamp) && given.toLowerCase().includes(hmac('sha256', SECRET_TEXT, `${stamp}.`, body).toString('hex'));
  },
  paypal(headers, body) {
    const [id = '', time = '', given = ''] = ['id', 'time', 'sig'].map((part) => headers[`paypal-transmission-${part}`]);
    const days = (Date.now() - Date.parse(time)) / 86_400_000;
    const signed = Buffer.from(`${id}|${time}|${PAYPAL_WEBHOOK}|${crc32(body)}`);
    return days > -0.01 && days < 4.01 && verifyWith('sha256', signed, paypalAuthority().keys.publicKey, Buffer.from(given, 'base64'));
  },
};

interface Plain {
  readonly first: string;
  readonly headers: Headers;
  readonly rest: Buffer;
}

/** The plainest of HTTP parsers; undefined while the head has no end. */
function read(bytes: Buffer): Plain | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { first, headers, rest: bytes.subarray(end + 4) };
}

/** Whether a receiver has all that it waits for. */
function isWhole(bytes: Buffer): boolean {
  const plain = read(bytes);
  return (
    plain !== undefined && plain.headers['transfer-encoding'] === undefined && plain.headers['content-length'] === String(plain.rest.length)
  );
}

/** Whether the request bears a signature for the source in its path. */
export function vouches(bytes: Buffer, source: string): boolean {
  const plain = read(bytes);
  if (plain === undefined) return false;
  const length = Number(/^\d+/.exec(plain.headers['content-length'] ?? '')?.[0] ?? 0);
  const named = /^POST \/webhooks\/([a-z]+)/.exec(plain.first)?.[1] ?? source;
  return ORACLES[named]?.(plain.headers, plain.rest.subarray(0, length)) === true;
}
