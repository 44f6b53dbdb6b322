/** Signed deliveries, as the senders of each source make them. */
import { createHmac, createPrivateKey, createPublicKey, sign as signWith, type KeyObject } from 'node:crypto';

import type { Documents } from '../../src/documents.ts';
import type { Delivery } from '../../src/event.ts';
import { commerce } from '../../src/model/commerce.ts';
import { parseSecret, type Secret } from '../../src/secret.ts';
import type { Source, SourceBuilder } from '../../src/sources/source.ts';

export const SECRET_TEXT = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
export const OTHER_SECRET_TEXT = `whsec_${Buffer.from('another secret of the same length').toString('base64')}`;
/** The 32 bytes that an ed25519 key pair is made of. */
const SEED = Buffer.alloc(32, 'a seed');
const OTHER_SEED = Buffer.alloc(32, 'another seed');
export const PUBLIC_KEY_TEXT = publicKeyText(SEED);
export const OTHER_PUBLIC_KEY_TEXT = publicKeyText(OTHER_SEED);
/** 2026-11-21T09:00:00Z */
export const NOW_MS = 1_795_251_600_000;

export function secret(text = SECRET_TEXT): Secret {
  const read = parseSecret(text);
  if ('problem' in read) throw new Error(read.problem);
  return read;
}

export function sourceOf(builder: SourceBuilder, name = 'acme', ...secrets: readonly string[]): Source {
  return builder({ name, model: commerce, secrets: (secrets.length === 0 ? [SECRET_TEXT] : secrets).map((text) => secret(text)) });
}

export interface Sign {
  readonly body: string | Buffer;
  readonly id?: string;
  readonly atSeconds?: number;
  readonly secretText?: string;
  readonly source?: string;
}

function privateKey(seed: Buffer): KeyObject {
  // PKCS #8 of ed25519 is a fixed head, then the seed. (RFC 8410, section 7)
  return createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
}

/** `whpk_` and the public half. */
export function publicKeyText(seed: Buffer): string {
  const { x = '' } = createPublicKey(privateKey(seed)).export({ format: 'jwk' });
  return `whpk_${Buffer.from(x, 'base64url').toString('base64')}`;
}

/** Standard Webhooks signed by the private key whose public one is `secretText`. */
export function privateDelivery({ body, id = 'msg_1', atSeconds = NOW_MS / 1000, secretText, source }: Sign, family = 'webhook'): Delivery {
  const bytes = Buffer.from(body);
  const key = privateKey(secretText === OTHER_PUBLIC_KEY_TEXT ? OTHER_SEED : SEED);
  const signature = signWith(null, Buffer.concat([Buffer.from(`${id}.${atSeconds}.`), bytes]), key).toString('base64');
  const unsigned = standardDelivery({ body, id, atSeconds, ...(source === undefined ? {} : { source }) }, family);
  return withHeader(unsigned, `${family}-signature`, `v1a,${signature}`);
}

/** Standard Webhooks, or Svix by `family`. */
export function standardDelivery(
  { body, id = 'msg_1', atSeconds = NOW_MS / 1000, secretText = SECRET_TEXT, source = 'acme' }: Sign,
  family = 'webhook',
): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha256', secret(secretText).key).update(`${id}.${atSeconds}.`).update(bytes).digest('base64');
  return {
    source,
    body: bytes,
    headers: {
      [`${family}-id`]: id,
      [`${family}-timestamp`]: String(atSeconds),
      [`${family}-signature`]: `v1,${signature}`,
      'content-type': 'application/json',
    },
    receivedAtMs: NOW_MS,
  };
}

export function shopifyDelivery(
  { body, secretText = SECRET_TEXT, source = 'acme' }: Sign,
  topic = 'orders/create',
  extra: Readonly<Record<string, string>> = {},
): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha256', secret(secretText).key).update(bytes).digest('base64');
  return {
    source,
    body: bytes,
    headers: {
      'x-shopify-topic': topic,
      'x-shopify-shop-domain': 'acme.myshopify.com',
      'x-shopify-hmac-sha256': signature,
      'x-shopify-event-id': 'ev-1',
      'x-shopify-webhook-id': 'wh-1',
      'x-shopify-triggered-at': '2026-11-21T08:59:59.123456789Z',
      ...extra,
    },
    receivedAtMs: NOW_MS,
  };
}

/** GitHub, or whoever signs like it. */
export function githubDelivery(
  { body, id = '72d3162e-cc78-11e3-81ab-4c9367dc0958', secretText = SECRET_TEXT, source = 'acme' }: Sign,
  event = 'issues',
): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha256', secret(secretText).key).update(bytes).digest('hex');
  return {
    source,
    body: bytes,
    headers: { 'x-github-event': event, 'x-github-delivery': id, 'x-hub-signature-256': `sha256=${signature}` },
    receivedAtMs: NOW_MS,
  };
}

/** Stripe: the secret is the text itself, prefix and all. */
export function stripeDelivery({ body, atSeconds = NOW_MS / 1000, secretText = SECRET_TEXT, source = 'acme' }: Sign): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha256', secretText).update(`${atSeconds}.`).update(bytes).digest('hex');
  return {
    source,
    body: bytes,
    headers: { 'stripe-signature': `t=${atSeconds},v1=${signature}`, 'content-type': 'application/json; charset=utf-8' },
    receivedAtMs: NOW_MS,
  };
}

/** Standard Webhooks around a CloudEvent, in structured mode. */
export function cloudeventDelivery(sign: Sign): Delivery {
  return withHeader(standardDelivery(sign), 'content-type', 'application/cloudevents+json; charset=utf-8');
}

/** An HMAC of the body under whatever header. */
export function hmacDelivery({ body, secretText = SECRET_TEXT, source = 'acme' }: Sign, name: string, prefix = ''): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha256', secret(secretText).key).update(bytes).digest('hex');
  return { source, body: bytes, headers: { [name]: `${prefix}${signature}` }, receivedAtMs: NOW_MS };
}

/** Segment's Webhooks destination: SHA-1, in hex. */
export function segmentDelivery({ body, secretText = SECRET_TEXT, source = 'acme' }: Sign): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha1', secret(secretText).key).update(bytes).digest('hex');
  return { source, body: bytes, headers: { 'x-signature': signature }, receivedAtMs: NOW_MS };
}

/** SHA-512 of `timestamp.body` in base64, as a description can ask for. */
export function stampedDelivery({ body, atSeconds = NOW_MS / 1000, secretText = SECRET_TEXT, source = 'acme' }: Sign): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha512', secret(secretText).key).update(`${atSeconds}.`).update(bytes).digest('base64');
  return { source, body: bytes, headers: { 'x-signature': `v1=${signature}`, 'x-time': String(atSeconds) }, receivedAtMs: NOW_MS };
}

export const SQUARE_URL = 'https://shop.example/webhooks/square';

export function squareDelivery({ body, secretText = SECRET_TEXT, source = 'acme' }: Sign, url = SQUARE_URL): Delivery {
  const bytes = Buffer.from(body);
  const signature = createHmac('sha256', secret(secretText).key).update(url).update(bytes).digest('base64');
  return { source, body: bytes, headers: { 'x-square-hmacsha256-signature': signature }, receivedAtMs: NOW_MS };
}

export function woocommerceDelivery(
  { body, secretText = SECRET_TEXT, source = 'acme' }: Sign,
  topic = 'order.created',
  extra: Readonly<Record<string, string>> = {},
): Delivery {
  const bytes = Buffer.from(body);
  const [resource = '', event = ''] = topic.split('.');
  return {
    source,
    body: bytes,
    headers: {
      'x-wc-webhook-topic': topic,
      'x-wc-webhook-resource': resource,
      'x-wc-webhook-event': event,
      'x-wc-webhook-source': 'https://shop.example/',
      'x-wc-webhook-id': '7',
      'x-wc-webhook-delivery-id': '36e520ebabc2fa725092ff4a47acedf2',
      'x-wc-webhook-signature': createHmac('sha256', secret(secretText).key).update(bytes).digest('base64'),
      ...extra,
    },
    receivedAtMs: NOW_MS,
  };
}

/** The delivery with a header set, or taken away. */
export function withHeader(delivery: Delivery, name: string, value: string | undefined): Delivery {
  const { [name]: _gone, ...rest } = delivery.headers;
  return { ...delivery, headers: value === undefined ? rest : { ...rest, [name]: value } };
}

export const envelope = (over: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    id: 'evt_1',
    type: 'order.paid',
    occurredAt: '2026-11-21T08:59:00Z',
    facts: [{ upsert: { node: 'Order', key: { id: '1001' }, set: { status: 'paid', totalMinor: 4200 } } }],
    ...over,
  });

/** For sources whose signatures need none. */
export const NO_DOCUMENTS: Pick<Documents, 'get'> = { get: () => Promise.reject(new Error('nobody should ask for a document')) };
