/** What every source must satisfy, whoever the sender is. A new source is one row. */
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, it } from 'vitest';

import { IngestError } from '../../src/errors.ts';
import type { Delivery } from '../../src/event.ts';
import { parseJson } from '../../src/json.ts';
import { commerce } from '../../src/model/commerce.ts';
import { facts } from '../../src/sources/facts.ts';
import { shopify } from '../../src/sources/shopify.ts';
import type { SourceBuilder } from '../../src/sources/source.ts';
import { standard } from '../../src/sources/standard.ts';
import {
  envelope,
  NOW_MS,
  OTHER_SECRET_TEXT,
  SECRET_TEXT,
  secret,
  shopifyDelivery,
  sourceOf,
  standardDelivery,
  withHeader,
  type Sign,
} from '../support/deliveries.ts';

interface Row {
  readonly builder: SourceBuilder;
  readonly sign: (sign: Sign) => Delivery;
  readonly signature: string;
  readonly stamp?: string;
  readonly body: string;
}

const ROWS: Readonly<Record<string, Row>> = {
  facts: {
    builder: facts(),
    sign: (s) => standardDelivery(s),
    signature: 'webhook-signature',
    stamp: 'webhook-timestamp',
    body: envelope(),
  },
  'facts over Svix headers': {
    builder: facts(),
    sign: (s) => standardDelivery(s, 'svix'),
    signature: 'svix-signature',
    stamp: 'svix-timestamp',
    body: envelope(),
  },
  standard: {
    builder: standard(),
    sign: (s) => standardDelivery(s),
    signature: 'webhook-signature',
    stamp: 'webhook-timestamp',
    body: '{"type":"a","data":{}}',
  },
  'standard over Svix headers': {
    builder: standard(),
    sign: (s) => standardDelivery(s, 'svix'),
    signature: 'svix-signature',
    stamp: 'svix-timestamp',
    body: '{"type":"a","data":{}}',
  },
  shopify: {
    builder: shopify(),
    sign: (s) => shopifyDelivery(s),
    signature: 'x-shopify-hmac-sha256',
    body: '{"id":1,"updated_at":"2026-11-21T08:59:00Z"}',
  },
};

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error, 'nothing but IngestError may come out').toBeInstanceOf(IngestError);
    return error instanceof IngestError ? error.code : 'none';
  }
  return 'accepted';
};

describe.each(Object.entries(ROWS))('%s', (_name, { builder, sign, signature, stamp, body }) => {
  const source = sourceOf(builder);
  const good = sign({ body });

  it('accepts a signed delivery and names the secret that matched', () => {
    expect(source.verify(good)).toBe(secret().id);
  });

  it('accepts the old and the new secret during a rotation', () => {
    const both = sourceOf(builder, 'acme', OTHER_SECRET_TEXT, SECRET_TEXT);
    expect(both.verify(good)).toBe(secret(SECRET_TEXT).id);
    expect(both.verify(sign({ body, secretText: OTHER_SECRET_TEXT }))).toBe(secret(OTHER_SECRET_TEXT).id);
  });

  it('refuses another secret', () => {
    expect(codeOf(() => source.verify(sign({ body, secretText: OTHER_SECRET_TEXT })))).toBe('BAD_SIGNATURE');
  });

  it('refuses a body with any one bit flipped', () => {
    for (let at = 0; at < good.body.length; at++) {
      const flipped = Buffer.from(good.body);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect(codeOf(() => source.verify({ ...good, body: flipped }))).toBe('BAD_SIGNATURE');
    }
  });

  it('verifies bytes, not text: two bodies that decode alike are two bodies', () => {
    const bytes = Buffer.concat([Buffer.from(body), Buffer.from([0xff])]);
    expect(source.verify(sign({ body: bytes }))).toBe(secret().id);
    expect(codeOf(() => source.verify({ ...sign({ body: bytes }), body: Buffer.concat([Buffer.from(body), Buffer.from('\ufffd')]) }))).toBe(
      'BAD_SIGNATURE',
    );
  });

  it.each([
    ['missing', () => undefined],
    ['empty', () => ''],
    ['truncated', (s: string) => s.slice(0, -4)],
    ['without its padding', (s: string) => s.slice(0, -1)],
    ['with junk that a lenient decoder skips', (s: string) => `${s.slice(0, -4)}!!${s.slice(-4)}`],
    ['with a newline', (s: string) => `${s}\n`],
    ['of another length', (s: string) => s.replace(/.{44}$/, Buffer.alloc(20).toString('base64'))],
    ['in hex', (s: string) => s.replace(/.{44}$/, 'a'.repeat(64))],
    ['of no bytes', (s: string) => s.replace(/.{44}$/, '')],
    ['behind ten others', (s: string) => `${Array.from({ length: 10 }, () => s.replace(/.{44}$/, `${'A'.repeat(43)}=`)).join(', ')}, ${s}`],
  ])('refuses a signature that is %s', (_how, change) => {
    const changed = withHeader(good, signature, change(good.headers[signature] ?? ''));
    expect(codeOf(() => source.verify(changed))).toBe('BAD_SIGNATURE');
  });

  it('accepts a header that came twice, joined as Node joins it', () => {
    const wrong = (good.headers[signature] ?? '').replace(/.{44}$/, `${'A'.repeat(43)}=`);
    expect(source.verify(withHeader(good, signature, `${wrong}, ${good.headers[signature]}`))).toBe(secret().id);
  });

  it.runIf(stamp !== undefined)('holds the signed time to 300 s both ways', () => {
    const now = NOW_MS / 1000;
    for (const seconds of [now - 300, now, now + 300]) expect(source.verify(sign({ body, atSeconds: seconds }))).toBe(secret().id);
    for (const seconds of [now - 301, now + 301])
      expect(codeOf(() => source.verify(sign({ body, atSeconds: seconds })))).toBe('STALE_SIGNATURE');
  });

  it
    .runIf(stamp !== undefined)
    .each(['', '1795251600abc', '01795251600', ' 1795251600', '1795251600.0', '1.8e9', '1795251600, 1795251600', '-795251600'])(
    'refuses the time %j',
    (text) => {
      expect(codeOf(() => source.verify(withHeader(good, stamp ?? '', text)))).toBe('BAD_SIGNATURE');
    },
  );

  it('is not built without a shared secret', () => {
    expect(codeOf(() => builder({ name: 'acme', model: commerce, secrets: [] }))).toBe('BAD_CONFIG');
    const publicKey = secret(`whpk_${Buffer.alloc(32, 7).toString('base64')}`);
    expect(codeOf(() => builder({ name: 'acme', model: commerce, secrets: [publicKey] }))).toBe('BAD_CONFIG');
  });

  it('never signs with a public key', () => {
    const text = `whpk_${Buffer.alloc(32, 7).toString('base64')}`;
    const mixed = sourceOf(builder, 'acme', text, SECRET_TEXT);
    expect(codeOf(() => mixed.verify(sign({ body, secretText: text })))).toBe('BAD_SIGNATURE');
  });

  it('gives a redelivery the same identity, never an empty one', () => {
    const identify = (d: Delivery) => source.identify(d, parseJson(body), 'a'.repeat(64)).id;
    expect(identify(good)).toBe(identify(sign({ body, atSeconds: NOW_MS / 1000 - 60 })));
    expect(identify(good)).not.toBe('');
    expect(identify(good).length).toBeLessThanOrEqual(512);
  });

  it('keeps no signature and no credential', () => {
    for (const name of source.keepHeaders) expect(name).not.toMatch(/signature|hmac|authorization|cookie|token/);
  });
});

describe('official libraries as oracles', () => {
  const at = new Date(NOW_MS);

  it('accepts what standardwebhooks signs', () => {
    const signature = new StandardWebhook(SECRET_TEXT).sign('msg_9', at, envelope());
    const delivery = { ...standardDelivery({ body: envelope(), id: 'msg_9' }) };
    expect(sourceOf(facts()).verify(withHeader(delivery, 'webhook-signature', signature))).toBe(secret().id);
  });

  it('accepts what svix signs', () => {
    const signature = new SvixWebhook(SECRET_TEXT).sign('msg_9', at, envelope());
    const delivery = standardDelivery({ body: envelope(), id: 'msg_9' }, 'svix');
    expect(sourceOf(standard()).verify(withHeader(delivery, 'svix-signature', signature))).toBe(secret().id);
  });

  it('signs what standardwebhooks accepts', () => {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const { headers } = standardDelivery({ body: envelope(), atSeconds: nowSeconds });
    expect(() => new StandardWebhook(SECRET_TEXT).verify(envelope(), { ...headers })).not.toThrow();
  });
});
