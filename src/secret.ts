/** A source's secrets as people write them. The text of a secret never reaches an error, a log or the ledger. */
import { createHash } from 'node:crypto';

/** One live secret. `id` may be logged (first 8 hex of SHA-256 of the key), `key` never. */
export interface Secret {
  readonly id: string;
  /** `hmac`: shared with the sender. `ed25519`: the sender's public key (`whpk_`), which anyone may know and nothing may be HMACed with. */
  readonly kind: 'hmac' | 'ed25519';
  readonly key: Buffer;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const ED25519_KEY_BYTES = 32;

/**
 * `whsec_` and `whpk_` are base64, anything else is its UTF-8 bytes. Returns a sentence about what is wrong, without the value.
 * An empty key is refused: HMAC would take it, and then anyone could sign.
 */
export function parseSecret(text: string): Secret | { readonly problem: string } {
  if (text === '') return { problem: 'is empty' };
  if (text.startsWith('whsec_')) return fromBase64(text.slice('whsec_'.length), 'hmac');
  if (text.startsWith('whpk_')) return fromBase64(text.slice('whpk_'.length), 'ed25519');
  return secretOf('hmac', Buffer.from(text, 'utf8'));
}

export function secretOf(kind: Secret['kind'], key: Buffer): Secret {
  return { id: createHash('sha256').update(key).digest('hex').slice(0, 8), kind, key };
}

/** Buffer.from skips what is not base64, so the form is checked first and the round trip after. */
function fromBase64(text: string, kind: Secret['kind']): Secret | { readonly problem: string } {
  const key = Buffer.from(text, 'base64');
  if (!BASE64.test(text) || key.toString('base64') !== text) return { problem: 'is not padded base64 after its prefix' };
  if (key.length === 0) return { problem: 'is empty after its prefix' };
  if (kind === 'ed25519' && key.length !== ED25519_KEY_BYTES)
    return { problem: `is a public key of ${key.length} bytes, not ${ED25519_KEY_BYTES}` };
  return secretOf(kind, key);
}
