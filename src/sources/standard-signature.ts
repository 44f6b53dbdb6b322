/** The Standard Webhooks scheme, which Svix sends under its own header names: HMAC of `id.timestamp.body`. (standard-webhooks.md, "Signature scheme") */
import { IngestError } from '../errors.ts';
import type { Delivery } from '../event.ts';
import type { Secret } from '../secret.ts';
import { badSignature, checkStamp, decodeDigest, header, matchHmac, MAX_SIGNATURES } from './signature.ts';

/** What the text of an id header may be: it is signed as bytes and kept as text, so both must be the same thing. */
const ID = /^[\x21-\x7e]{1,512}$/;

type Family = 'webhook' | 'svix';

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

/** The id of the secret that matched. Unsigned comes first: a missing signature is 401 whatever else is missing. */
export function verifyStandard(delivery: Delivery, secrets: readonly Secret[]): string {
  const family = familyOf(delivery);
  const digests = readSignatures(header(delivery, `${family}-signature`));
  const stamp = checkStamp(header(delivery, `${family}-timestamp`), delivery.receivedAtMs);
  return matchHmac(secrets, [`${deliveryId(delivery)}.${stamp}.`, delivery.body], digests);
}

/** `v1,<base64> v1,<base64>`, also when repeated headers were joined by ", ". Other versions are passed over. */
function readSignatures(text: string | undefined): Buffer[] {
  if (text === undefined) throw badSignature('no signature');
  const entries = text.split(' ', MAX_SIGNATURES + 1).map((entry) => (entry.endsWith(',') ? entry.slice(0, -1) : entry));
  if (entries.length > MAX_SIGNATURES) throw badSignature(`more than ${MAX_SIGNATURES} signatures`);
  return entries.flatMap((entry) => (entry.startsWith('v1,') ? (decodeDigest(entry.slice(3), 'base64') ?? []) : []));
}
