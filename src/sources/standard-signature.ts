/**
 * The Standard Webhooks scheme, which Svix sends under its own header names: `id.timestamp.body` is signed, by a shared
 * secret (`v1`, HMAC-SHA256) or by the sender's private key (`v1a`, ed25519). (standard-webhooks.md, "Signature scheme")
 */
import { createPublicKey, verify, type KeyObject } from 'node:crypto';

import { IngestError } from '../errors.ts';
import type { Delivery } from '../event.ts';
import type { Secret } from '../secret.ts';
import { badSignature, checkStamp, decodeDigest, header, matchHmac, MAX_SIGNATURES } from './signature.ts';
import type { Source } from './source.ts';

/** What a source verifies with. `v1` is held against shared secrets only and `v1a` against public keys only; a request brings neither. */
export interface Keys {
  readonly shared: readonly Secret[];
  readonly public: readonly PublicKey[];
}

interface PublicKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** What the text of an id header may be: it is signed as bytes and kept as text, so both must be the same thing. */
const ID = /^[\x21-\x7e]{1,512}$/;
const ED25519_BYTES = 64;

type Family = 'webhook' | 'svix';

/** At least one shared secret or public key, or `BAD_CONFIG`. */
export function requireKeys(name: string, secrets: readonly Secret[]): Keys {
  const shared = secrets.filter(({ kind, key }) => kind === 'hmac' && key.length > 0);
  const keys = secrets.filter(({ kind }) => kind === 'ed25519').map(publicKeyOf);
  if (shared.length + keys.length === 0)
    throw new IngestError('BAD_CONFIG', `source ${name} has neither a shared secret nor a public key; set its WEBHOOK_SECRET_…`);
  return { shared, public: keys };
}

function publicKeyOf({ id, key }: Secret): PublicKey {
  return { id, key: createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: key.toString('base64url') } }) };
}

/** Which names the sender used; never a mixture. `webhook-*` wins. */
function familyOf(delivery: Delivery): Family {
  return header(delivery, 'webhook-signature') === undefined && header(delivery, 'svix-signature') !== undefined ? 'svix' : 'webhook';
}

/** `webhook-id` (or `svix-id`): the same on every retry. Throws `NO_IDENTITY` without one, `BAD_HEADER` for a malformed one. */
export function deliveryId(delivery: Delivery): string {
  const name = `${familyOf(delivery)}-id`;
  const id = header(delivery, name);
  if (id === undefined) throw new IngestError('NO_IDENTITY', `the header ${name} is missing`);
  if (!ID.test(id))
    throw new IngestError('BAD_HEADER', `the header ${name} must be 1 to 512 printable ASCII characters without spaces, once`);
  return id;
}

/** The id of the secret or public key that matched. Unsigned comes first: a missing signature is 401 whatever else is missing. */
export function verifyStandard(delivery: Delivery, keys: Keys): string {
  const family = familyOf(delivery);
  const { v1, v1a } = readSignatures(header(delivery, `${family}-signature`));
  const stamp = checkStamp(header(delivery, `${family}-timestamp`), delivery.receivedAtMs);
  const signed = `${deliveryId(delivery)}.${stamp}.`;
  const matched = v1a.length === 0 ? undefined : matchPublic(keys.public, Buffer.concat([Buffer.from(signed), delivery.body]), v1a);
  if (matched !== undefined) return matched;
  if (v1.length === 0 && v1a.length > 0) throw badSignature('no signature matches a live public key');
  return matchHmac(keys.shared, [signed, delivery.body], v1);
}

/** What sources of this scheme have in common: how they verify, and the headers that they keep. Throws `BAD_CONFIG` as `requireKeys` does. */
export function signedByStandard(name: string, secrets: readonly Secret[]): Pick<Source, 'keepHeaders' | 'verify'> {
  const keys = requireKeys(name, secrets);
  return {
    keepHeaders: ['webhook-id', 'webhook-timestamp', 'svix-id', 'svix-timestamp', 'content-type', 'user-agent'],
    verify: (delivery) => verifyStandard(delivery, keys),
  };
}

/** Nothing here is secret, so nothing has to take constant time. */
function matchPublic(keys: readonly PublicKey[], signed: Buffer, signatures: readonly Buffer[]): string | undefined {
  return keys.find(({ key }) => signatures.some((signature) => verify(null, signed, key, signature)))?.id;
}

/** `v1,<base64> v1a,<base64>`, also when repeated headers were joined by ", ". Other versions are passed over. */
function readSignatures(text: string | undefined): { readonly v1: readonly Buffer[]; readonly v1a: readonly Buffer[] } {
  if (text === undefined) throw badSignature('no signature');
  const entries = text.split(' ', MAX_SIGNATURES + 1).map((entry) => (entry.endsWith(',') ? entry.slice(0, -1) : entry));
  if (entries.length > MAX_SIGNATURES) throw badSignature(`more than ${MAX_SIGNATURES} signatures`);
  const of = (version: string, bytes?: number) =>
    entries.flatMap((entry) => (entry.startsWith(version) ? (decodeDigest(entry.slice(version.length), 'base64', bytes) ?? []) : []));
  return { v1: of('v1,'), v1a: of('v1a,', ED25519_BYTES) };
}
