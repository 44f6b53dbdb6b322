/**
 * HMAC-SHA256 over the exact bytes, and nothing lenient about it: digests decode strictly or not at all, lengths are
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

const DIGEST_BYTES = 32;
const BASE64_DIGEST = /^[A-Za-z0-9+/]{43}=$/;
const HEX_DIGEST = /^[0-9a-fA-F]{64}$/;
const STAMP = /^\d{10}$/;

/** The header, or undefined when it is missing or empty. A header that came twice is one text joined by ", ". */
export function header(delivery: Delivery, name: string): string | undefined {
  const value = Object.hasOwn(delivery.headers, name) ? delivery.headers[name] : undefined;
  return value === '' ? undefined : value;
}

/** The 32 bytes, or undefined: wrong alphabet, length or padding, or bits beyond the last byte. */
export function decodeDigest(text: string, encoding: 'base64' | 'hex'): Buffer | undefined {
  if (!(encoding === 'base64' ? BASE64_DIGEST : HEX_DIGEST).test(text)) return undefined;
  const bytes = Buffer.from(text, encoding);
  if (bytes.length !== DIGEST_BYTES) return undefined;
  return encoding === 'base64' && bytes.toString('base64') !== text ? undefined : bytes;
}

/**
 * The id of the first secret under which one of the digests signs the parts in a row. Throws `BAD_SIGNATURE`.
 * Secrets that are not for HMAC are passed over: a public key must never be used as a shared one.
 */
export function matchHmac(secrets: readonly Secret[], parts: readonly (string | Buffer)[], digests: readonly Buffer[]): string {
  if (digests.length === 0) throw badSignature('no well-formed signature');
  for (const secret of secrets) {
    if (secret.kind !== 'hmac' || secret.key.length === 0) continue;
    const hmac = createHmac('sha256', secret.key);
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
      `source ${name} has no shared secret; set its WEBHOOK_SECRET_… (public keys, whpk_, are not verified yet)`,
    );
  }
  return secrets;
}

export function badSignature(problem: string): IngestError {
  return new IngestError('BAD_SIGNATURE', problem);
}
