/**
 * `paypal`: signed with a key of PayPal's, whose certificate a header names; the signature holds for one webhook, by its
 * id. The certificate is fetched from PayPal's own hosts and nowhere else, and believed only if its chain ends at a root.
 * Of the body no more than its CRC-32 is signed: docs/guides/paypal.md says what that is worth. What the events say is in
 * paypal-mapping.ts. (developer.paypal.com/api/rest/webhooks/rest, "Verify messages"; the names are those of PayPal's Java SDK)
 */
import { verify as verifyWith, type KeyObject } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { IngestError } from '../errors.ts';
import type { Delivery } from '../event.ts';
import { readRoots, trustedLeaf } from './certificates.ts';
import { identityAt } from './identity.ts';
import { mapPaypal } from './paypal-mapping.ts';
import { badSignature, decodeDigest, header, requireSecrets, TOLERANCE_SECONDS } from './signature.ts';
import type { SourceBuilder } from './source.ts';

export interface PaypalOptions {
  /** PEM certificates that PayPal's chain may end at. Default: those that Node trusts. */
  readonly roots?: readonly string[];
}

const HEADERS = {
  id: 'paypal-transmission-id',
  time: 'paypal-transmission-time',
  signature: 'paypal-transmission-sig',
  certificate: 'paypal-cert-url',
  algorithm: 'paypal-auth-algo',
} as const;

const ORIGINS = ['https://api.paypal.com', 'https://api.sandbox.paypal.com'];
const CERTIFICATE_HOSTS = ['messageverificationcerts.paypal.com', 'messageverificationcerts.sandbox.paypal.com'];
const CERTIFICATE_URL = /^https:\/\/api\.(?:sandbox\.)?paypal\.com\/v1\/notifications\/certs\/[\w-]{1,100}$/;
const ALGORITHM = /^SHA256withRSA$/;
/** Neither may hold the `|` that parts what is signed, nor the `, ` of a header that came twice. */
const TRANSMISSION_ID = /^[\w.:-]{1,64}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const BASE64 = /^[A-Za-z0-9+/]{300,700}={0,2}$/;
const MIN_KEY_BITS = 2_048;
/** PayPal tries for three days; whether a later try has a later time is not documented. */
const MAX_AGE_SECONDS = 4 * 86_400;

/** The secret is the webhook's id, e.g. `8PT597110X687430LKGECATA`, as the dashboard shows it. Identity: the event's `id`, the same on every try. */
export function paypal({ roots: trusted }: PaypalOptions = {}): SourceBuilder {
  return ({ name, secrets, model }) => {
    const webhooks = requireSecrets(name, secrets).filter(({ kind }) => kind === 'hmac');
    const roots = rootsOf(name, trusted);
    const keyOf = checkOnceAMinute((document, atMs) => trustedLeaf(document, { roots, hosts: CERTIFICATE_HOSTS, atMs })?.publicKey);
    return {
      name,
      model,
      version: 'paypal@1',
      keepHeaders: [HEADERS.id, HEADERS.time, HEADERS.certificate, HEADERS.algorithm, 'content-type', 'user-agent'],
      evidence: {
        origins: ORIGINS,
        urlOf: (delivery) => readProof(delivery).url,
        trusts: (document, atMs) => keyOf(document, atMs) !== undefined,
      },
      verify(delivery, document = '') {
        const { id, time, signature } = readProof(delivery);
        const key = keyOf(document, delivery.receivedAtMs);
        if (key === undefined) throw badSignature('the certificate is none that PayPal signs with');
        const bytes = bytesOf(signature, key);
        const checksum = crc32(delivery.body);
        const match = webhooks.find(({ key: webhook }) =>
          verifyWith('sha256', Buffer.concat([Buffer.from(`${id}|${time}|`), webhook, Buffer.from(`|${checksum}`)]), key, bytes),
        );
        if (match === undefined) throw badSignature('the signature is not for a live webhook id and this body');
        return match.id;
      },
      identify: (_delivery, body) => identityAt(body, 'id'),
      map: (_event, body) => mapPaypal(body),
    };
  };
}

type KeyOf = (document: string, atMs: number) => KeyObject | undefined;

/** To check a chain takes 0.5 ms, to check a signature 0.1 ms: so forgers who name a good certificate would be dear. Those of PayPal's are few. */
function checkOnceAMinute(keyOf: KeyOf): KeyOf {
  let minute = 0;
  const keys = new Map<string, KeyObject>();
  return (document, atMs) => {
    if (Math.floor(atMs / 60_000) !== minute) keys.clear();
    minute = Math.floor(atMs / 60_000);
    const key = keys.get(document) ?? keyOf(document, atMs);
    if (key !== undefined) keys.set(document, key);
    return key;
  };
}

function rootsOf(name: string, pems: readonly string[] | undefined) {
  try {
    return readRoots(pems);
  } catch (cause) {
    throw new IngestError('BAD_CONFIG', `source ${name}: roots must be certificates in PEM form`, {}, cause);
  }
}

interface Proof {
  readonly id: string;
  readonly time: string;
  readonly signature: string;
  readonly url: string;
}

/** What PayPal sends beside the body, each of it in its one form. Throws `BAD_SIGNATURE`, or `STALE_SIGNATURE`. */
function readProof(delivery: Delivery): Proof {
  const read = (name: string, pattern: RegExp): string => {
    const text = header(delivery, name);
    if (text === undefined || !pattern.test(text)) throw badSignature(`the header ${name} is missing or malformed`);
    return text;
  };
  read(HEADERS.algorithm, ALGORITHM);
  const time = read(HEADERS.time, TIME);
  const ageSeconds = (delivery.receivedAtMs - Date.parse(time)) / 1_000;
  if (!(ageSeconds >= -TOLERANCE_SECONDS && ageSeconds <= MAX_AGE_SECONDS))
    throw new IngestError('STALE_SIGNATURE', 'the signed time is days before receipt, or after it');
  return {
    id: read(HEADERS.id, TRANSMISSION_ID),
    time,
    signature: read(HEADERS.signature, BASE64),
    url: read(HEADERS.certificate, CERTIFICATE_URL),
  };
}

/** The signature, as long as such a key's are. Throws `BAD_SIGNATURE` for another length or kind of key. */
function bytesOf(signature: string, key: KeyObject): Buffer {
  const bits = key.asymmetricKeyType === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  const bytes = bits < MIN_KEY_BITS ? undefined : decodeDigest(signature, 'base64', Math.ceil(bits / 8));
  if (bytes === undefined) throw badSignature('no well-formed signature of the certificate’s key');
  return bytes;
}
