/**
 * HMAC over the exact bytes, and nothing lenient about it: digests decode strictly or not at all, lengths are
 * compared before contents (`timingSafeEqual` throws otherwise), every live secret is tried, and whatever a request
 * holds, the only thing that comes out is an `IngestError`. Each of these was somebody's CVE.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

import { IngestError } from '../errors.ts';
import type { Delivery } from '../event.ts';
import type { Secret } from '../secret.ts';

/** A signed time may be this far from receipt, before or after. */
export const TOLERANCE_SECONDS = 300;
/** More in one header is no rotation, it is somebody guessing. */
export const MAX_SIGNATURES = 10;

export type Algorithm = 'sha1' | 'sha256' | 'sha512';
export type Encoding = 'base64' | 'hex';

const DIGEST_BYTES: Readonly<Record<Algorithm, number>> = { sha1: 20, sha256: 32, sha512: 64 };
const STAMP = /^\d{10}$/;

/** The header, or undefined when it is missing or empty. A header that came twice is one text joined by ", ". */
export function header(delivery: Delivery, name: string): string | undefined {
  const value = Object.hasOwn(delivery.headers, name) ? delivery.headers[name] : undefined;
  return value === '' ? undefined : value;
}

/**
 * A header that nobody signs and that means something all the same: undefined when missing, else exactly one well-formed
 * value. Two of a kind are joined by ", ", which no pattern may allow. Throws `BAD_HEADER`.
 */
export function pinnedHeader(delivery: Delivery, name: string, pattern: RegExp): string | undefined {
  const text = header(delivery, name);
  if (text !== undefined && !pattern.test(text)) throw new IngestError('BAD_HEADER', `the header ${name} is malformed or repeated`);
  return text;
}

/** The one digest in a header, after its prefix; a header that came twice is none. Throws `BAD_SIGNATURE` where it is missing. */
export function digestOf(
  delivery: Delivery,
  name: string,
  encoding: Encoding,
  { prefix = '', algorithm = 'sha256' }: { readonly prefix?: string; readonly algorithm?: Algorithm } = {},
): readonly Buffer[] {
  const text = header(delivery, name);
  if (text === undefined) throw badSignature('no signature');
  const digest = text.startsWith(prefix) ? decodeDigest(text.slice(prefix.length), encoding, DIGEST_BYTES[algorithm]) : undefined;
  return digest === undefined ? [] : [digest];
}

/** So many bytes, or undefined: wrong alphabet, length or padding, or bits beyond the last byte. What a decoder would skip does not come back. */
export function decodeDigest(text: string, encoding: Encoding, bytes = DIGEST_BYTES.sha256): Buffer | undefined {
  if (text.length !== (encoding === 'hex' ? 2 * bytes : 4 * Math.ceil(bytes / 3))) return undefined;
  const digest = Buffer.from(text, encoding);
  return digest.length === bytes && digest.toString(encoding) === (encoding === 'hex' ? text.toLowerCase() : text) ? digest : undefined;
}

/**
 * The id of the first secret under which one of the digests signs the parts in a row. Throws `BAD_SIGNATURE`.
 * Secrets that are not for HMAC are passed over: a public key must never be used as a shared one.
 */
export function matchHmac(
  secrets: readonly Secret[],
  parts: readonly (string | Buffer)[],
  digests: readonly Buffer[],
  algorithm: Algorithm = 'sha256',
): string {
  if (digests.length === 0) throw badSignature('no well-formed signature');
  for (const secret of secrets) {
    if (secret.kind !== 'hmac' || secret.key.length === 0) continue;
    const hmac = createHmac(algorithm, secret.key);
    for (const part of parts) hmac.update(part);
    const expected = hmac.digest();
    for (const digest of digests) if (digest.length === expected.length && timingSafeEqual(digest, expected)) return secret.id;
  }
  throw badSignature('no signature matches a live secret');
}

/** Ten digits of Unix seconds within the tolerance of receipt, both ways. Throws `BAD_SIGNATURE` or `STALE_SIGNATURE`. */
export function checkStamp(stamp: string | undefined, receivedAtMs: number): string {
  if (stamp === undefined || !STAMP.test(stamp)) throw badSignature('no signed time of ten digits');
  if (Math.abs(Math.floor(receivedAtMs / 1000) - Number(stamp)) > TOLERANCE_SECONDS) {
    throw new IngestError('STALE_SIGNATURE', `the signed time is more than ${TOLERANCE_SECONDS} s from receipt`);
  }
  return stamp;
}

/** At least one secret that can sign, or `BAD_CONFIG`: a source without one would have to trust everybody. */
export function requireSecrets(name: string, secrets: readonly Secret[]): readonly Secret[] {
  if (!secrets.some((secret) => secret.kind === 'hmac' && secret.key.length > 0)) {
    throw new IngestError(
      'BAD_CONFIG',
      `source ${name} has no shared secret; set its WEBHOOK_SECRET_… (a public key, whpk_, is for Standard Webhooks only)`,
    );
  }
  return secrets;
}

export function badSignature(problem: string): IngestError {
  return new IngestError('BAD_SIGNATURE', problem);
}
