/**
 * How a sender proves itself, said as plain data, for packs whose senders differ in it: Standard Webhooks, an HMAC over
 * parts that a template names, a token in a header, or a user and password. Whatever is wrong with it is `BAD_CONFIG`.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

import { z } from 'zod';

import { IngestError } from '../errors.ts';
import type { Delivery } from '../event.ts';
import type { Secret } from '../secret.ts';
import { badSignature, checkStamp, digestOf, header, matchHmac, requireSecrets } from './signature.ts';
import { requireKeys, verifyStandard } from './standard-signature.ts';

const text = z.string().exactOptional();

const hmac = z.strictObject({
  header: z.string(),
  /** Default sha256. */
  algorithm: z.enum(['sha256', 'sha512']).exactOptional(),
  /** Default hex. */
  encoding: z.enum(['hex', 'base64']).exactOptional(),
  /** What stands before the digest, e.g. `sha256=`. */
  prefix: text,
  /** What is signed: text with `{body}`, `{timestamp}` and `{name-of-a-header}` in it. Default `{body}`. */
  signed: text,
  /** The header with the signed time in Unix seconds, held to ±300 s; `signed` must name it. */
  timestamp: text,
});
/** By default `Authorization: Bearer <secret>`; the case of a prefix does not matter. */
const token = z.strictObject({ header: text, prefix: text });
/** The secret is this user's password. */
const basic = z.strictObject({ user: z.string() });

/** `'standard'`, or one of the three. */
export const authSchema = z.union(
  [z.literal('standard'), z.strictObject({ hmac }), z.strictObject({ token }), z.strictObject({ basic })],
  'must be standard, or one of hmac, token and basic with their own fields',
);
export type Auth = z.infer<typeof authSchema>;

/** Returns the id of the secret that matched; throws what `Source.verify` may throw. */
export type Verifier = (delivery: Delivery) => string;

const HEADER_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
/** Of a token or password, which is compared with whatever anyone sends. */
const MIN_TOKEN_BYTES = 16;

/** The header that holds the proof, lower-case: it must never be kept. */
export function proofHeader(auth: Auth): string {
  if (auth === 'standard') return 'webhook-signature';
  const given = 'hmac' in auth ? auth.hmac.header : 'token' in auth ? auth.token.header : undefined;
  return (given ?? 'authorization').toLowerCase();
}

/** Throws `BAD_CONFIG` for what cannot be verified, or proves nothing. */
export function createVerifier(name: string, auth: Auth, secrets: readonly Secret[]): Verifier {
  if (auth === 'standard') {
    const keys = requireKeys(name, secrets);
    return (delivery) => verifyStandard(delivery, keys);
  }
  const live = requireSecrets(name, secrets).filter(({ kind }) => kind === 'hmac');
  if ('hmac' in auth) return verifyHmac(name, auth.hmac, live);
  if (live.some(({ key }) => key.length < MIN_TOKEN_BYTES))
    throw bad(name, `a token or password needs at least ${MIN_TOKEN_BYTES} characters; try: openssl rand -hex 32`);
  return 'token' in auth ? verifyToken(name, auth.token, live) : verifyBasic(name, auth.basic, live);
}

function verifyHmac(name: string, given: z.infer<typeof hmac>, live: readonly Secret[]): Verifier {
  const { encoding = 'hex', prefix = '', algorithm = 'sha256', signed = '{body}' } = given;
  const from = headerName(name, given.header);
  const stamp = given.timestamp === undefined ? undefined : headerName(name, given.timestamp);
  const parts = signed.split(/\{([^{}]*)\}/).map((part, index) => (index % 2 === 0 ? part : placeholder(name, part)));
  if (parts.some((part, index) => index % 2 === 0 && /[{}]/.test(part)))
    throw bad(name, 'what is signed has a brace without its other one');
  const named = parts.filter((_, index) => index % 2 === 1);
  if (named.filter((part) => part === 'body').length !== 1) throw bad(name, 'what is signed must name {body}, once');
  if (named.includes('timestamp') !== (stamp !== undefined))
    throw bad(name, 'a signed time needs both: its header in `timestamp`, and {timestamp} in what is signed');
  return (delivery) => {
    const digests = digestOf(delivery, from, encoding, { prefix, algorithm });
    const time = stamp === undefined ? '' : checkStamp(header(delivery, stamp), delivery.receivedAtMs);
    const bytes = parts.map((part, index) => {
      if (index % 2 === 0) return part;
      return part === 'body' ? delivery.body : part === 'timestamp' ? time : signedHeader(delivery, part);
    });
    return matchHmac(live, bytes, digests, algorithm);
  };
}

/** `body`, `timestamp`, or the name of a header as deliveries have it. */
function placeholder(name: string, text: string): string {
  const lower = headerName(name, text);
  if ((lower === 'body' || lower === 'timestamp') && lower !== text) throw bad(name, `what is signed names {${text}}; write {${lower}}`);
  return lower;
}

function signedHeader(delivery: Delivery, name: string): string {
  const text = header(delivery, name);
  if (text === undefined) throw badSignature('a header that is signed is missing');
  return text;
}

function verifyToken(name: string, given: z.infer<typeof token>, live: readonly Secret[]): Verifier {
  const from = headerName(name, given.header ?? 'authorization');
  const prefix = (given.prefix ?? (from === 'authorization' ? 'Bearer ' : '')).toLowerCase();
  return matcher(live, (delivery) => {
    const text = header(delivery, from);
    return text?.slice(0, prefix.length).toLowerCase() === prefix ? text.slice(prefix.length) : undefined;
  });
}

function verifyBasic(name: string, { user }: z.infer<typeof basic>, live: readonly Secret[]): Verifier {
  if (user === '' || user.includes(':')) throw bad(name, 'a user is text without a colon');
  return matcher(live, (delivery) => {
    const text = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header(delivery, 'authorization') ?? '')?.[1];
    const given = text === undefined ? '' : Buffer.from(text, 'base64').toString('utf8');
    return given.startsWith(`${user}:`) ? given.slice(user.length + 1) : undefined;
  });
}

/** Compares hashes, which have one length, in constant time; and all of them, so that the time does not tell which. */
function matcher(live: readonly Secret[], given: (delivery: Delivery) => string | undefined): Verifier {
  // A secret that was written with its prefix may be sent with it.
  const accepted = live.flatMap(({ id, key }) => [key, `whsec_${key.toString('base64')}`].map((text) => ({ id, hash: hashOf(text) })));
  return (delivery) => {
    const text = given(delivery);
    if (text === undefined || text === '') throw badSignature('no token');
    const hash = hashOf(text);
    const [matched] = accepted.filter((one) => timingSafeEqual(one.hash, hash));
    if (matched === undefined) throw badSignature('the token is none of the live ones');
    return matched.id;
  };
}

function hashOf(text: string | Buffer): Buffer {
  return createHash('sha256').update(text).digest();
}

function headerName(name: string, text: string): string {
  const lower = text.toLowerCase();
  if (!HEADER_NAME.test(lower)) throw bad(name, `${JSON.stringify(text)} is no header name`);
  return lower;
}

function bad(name: string, problem: string): IngestError {
  return new IngestError('BAD_CONFIG', `source ${name}: ${problem}`);
}
