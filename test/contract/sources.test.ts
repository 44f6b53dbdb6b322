/** What every source must satisfy, whoever the sender is. A new source is one row. */
import { sign as signAsGithub, verify as verifyAsGithub } from '@octokit/webhooks-methods';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, it } from 'vitest';

import { IngestError } from '../../src/errors.ts';
import type { Delivery } from '../../src/event.ts';
import { parseJson } from '../../src/json.ts';
import { commerce } from '../../src/model/commerce.ts';
import { cloudevents } from '../../src/sources/cloudevents.ts';
import { facts } from '../../src/sources/facts.ts';
import { generic } from '../../src/sources/generic.ts';
import { github } from '../../src/sources/github.ts';
import { paypal } from '../../src/sources/paypal.ts';
import { segment } from '../../src/sources/segment.ts';
import { shopify } from '../../src/sources/shopify.ts';
import type { SourceBuilder } from '../../src/sources/source.ts';
import { square } from '../../src/sources/square.ts';
import { standard } from '../../src/sources/standard.ts';
import { stripe } from '../../src/sources/stripe.ts';
import { woocommerce } from '../../src/sources/woocommerce.ts';
import {
  cloudeventDelivery,
  envelope,
  githubDelivery,
  hmacDelivery,
  NOW_MS,
  OTHER_PUBLIC_KEY_TEXT,
  OTHER_SECRET_TEXT,
  privateDelivery,
  PUBLIC_KEY_TEXT,
  publicKeyText,
  SECRET_TEXT,
  secret,
  segmentDelivery,
  shopifyDelivery,
  sourceOf,
  SQUARE_URL,
  squareDelivery,
  stampedDelivery,
  standardDelivery,
  stripeDelivery,
  withHeader,
  woocommerceDelivery,
  type Sign,
} from '../support/deliveries.ts';
import { OTHER_PAYPAL_WEBHOOK, PAYPAL_WEBHOOK, paypalAuthority, paypalDelivery } from '../support/paypal.ts';

interface Row {
  readonly builder: SourceBuilder;
  readonly sign: (sign: Sign) => Delivery;
  readonly signature: string;
  /** Where the digest stands in that header. Default: 32 bytes in base64 at its end. */
  readonly digest?: RegExp;
  /** A digest of the right form that signs nothing. */
  readonly wrong?: string;
  /** Whether the header may hold several signatures. */
  readonly list?: true;
  readonly stamp?: string;
  /** How the signed time is written, where it is no header of its own. */
  readonly restamp?: (delivery: Delivery, text: string) => Delivery;
  /** The secret and the one it is rotated with, as configured. */
  readonly secrets?: readonly [string, string];
  /** Whether a public key is enough. */
  readonly publicKeys?: true;
  /** What the signature is checked against beside the secret. */
  readonly document?: string;
  readonly body: string;
}

const binaryHeaders = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/shop', 'ce-type': 'a', 'content-type': 'application/json' };
const withHeaders = (delivery: Delivery, headers: Readonly<Record<string, string>>): Delivery => ({
  ...delivery,
  headers: { ...delivery.headers, ...headers },
});

const description = { identity: { body: 'id' }, type: 'type', time: 'at', events: [] };
const stamped = {
  header: 'x-signature',
  algorithm: 'sha512',
  encoding: 'base64',
  prefix: 'v1=',
  signed: '{timestamp}.{body}',
  timestamp: 'x-time',
} as const;

const ROWS: Readonly<Record<string, Row>> = {
  facts: {
    builder: facts(),
    sign: (s) => standardDelivery(s),
    signature: 'webhook-signature',
    list: true,
    publicKeys: true,
    stamp: 'webhook-timestamp',
    body: envelope(),
  },
  'facts over Svix headers': {
    builder: facts(),
    sign: (s) => standardDelivery(s, 'svix'),
    signature: 'svix-signature',
    list: true,
    publicKeys: true,
    stamp: 'svix-timestamp',
    body: envelope(),
  },
  standard: {
    builder: standard(),
    sign: (s) => standardDelivery(s),
    signature: 'webhook-signature',
    list: true,
    publicKeys: true,
    stamp: 'webhook-timestamp',
    body: '{"type":"a","data":{}}',
  },
  'standard over Svix headers': {
    builder: standard(),
    sign: (s) => standardDelivery(s, 'svix'),
    signature: 'svix-signature',
    list: true,
    publicKeys: true,
    stamp: 'svix-timestamp',
    body: '{"type":"a","data":{}}',
  },
  'facts signed by a private key': {
    builder: facts(),
    sign: (s) => privateDelivery(s),
    signature: 'webhook-signature',
    digest: /.{88}$/,
    wrong: `${'A'.repeat(86)}==`,
    list: true,
    stamp: 'webhook-timestamp',
    secrets: [PUBLIC_KEY_TEXT, OTHER_PUBLIC_KEY_TEXT],
    publicKeys: true,
    body: envelope(),
  },
  'standard signed by a private key, over Svix headers': {
    builder: standard(),
    sign: (s) => privateDelivery(s, 'svix'),
    signature: 'svix-signature',
    digest: /.{88}$/,
    wrong: `${'A'.repeat(86)}==`,
    list: true,
    stamp: 'svix-timestamp',
    secrets: [PUBLIC_KEY_TEXT, OTHER_PUBLIC_KEY_TEXT],
    publicKeys: true,
    body: '{"type":"a","data":{}}',
  },
  shopify: {
    builder: shopify(),
    sign: (s) => shopifyDelivery(s),
    signature: 'x-shopify-hmac-sha256',
    body: '{"id":1,"updated_at":"2026-11-21T08:59:00Z"}',
  },
  github: {
    builder: github(),
    sign: (s) => githubDelivery(s),
    signature: 'x-hub-signature-256',
    digest: /.{64}$/,
    wrong: '0'.repeat(64),
    body: '{"action":"opened","issue":{"number":1}}',
  },
  stripe: {
    builder: stripe(),
    sign: (s) => stripeDelivery(s),
    signature: 'stripe-signature',
    digest: /.{64}$/,
    wrong: '0'.repeat(64),
    stamp: 'stripe-signature',
    restamp: (delivery, text) =>
      withHeader(delivery, 'stripe-signature', (delivery.headers['stripe-signature'] ?? '').replace(/t=\d+/, `t=${text}`)),
    body: '{"id":"evt_1","object":"event","type":"customer.created"}',
  },
  square: {
    builder: square({ notificationUrl: SQUARE_URL }),
    sign: (s) => squareDelivery(s),
    signature: 'x-square-hmacsha256-signature',
    body: '{"type":"payment.created","event_id":"e-1"}',
  },
  paypal: {
    builder: paypal({ roots: [paypalAuthority().root.pem] }),
    sign: (s) => paypalDelivery(s),
    signature: 'paypal-transmission-sig',
    digest: /.{344}$/,
    wrong: `${'A'.repeat(342)}==`,
    secrets: [PAYPAL_WEBHOOK, OTHER_PAYPAL_WEBHOOK],
    document: paypalAuthority().document,
    body: '{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED"}',
  },
  woocommerce: {
    builder: woocommerce(),
    sign: (s) => woocommerceDelivery(s),
    signature: 'x-wc-webhook-signature',
    body: '{"id":1,"date_modified_gmt":"2026-11-21T08:59:00"}',
  },
  cloudevents: {
    builder: cloudevents(),
    sign: (s) => cloudeventDelivery(s),
    signature: 'webhook-signature',
    list: true,
    publicKeys: true,
    stamp: 'webhook-timestamp',
    body: '{"specversion":"1.0","id":"1","source":"/shop","type":"a"}',
  },
  'cloudevents in binary mode, by a shared key': {
    builder: cloudevents({ binary: true, auth: { hmac: { header: 'X-Signature', prefix: 'sha256=' } } }),
    sign: (s) => withHeaders(hmacDelivery(s, 'x-signature', 'sha256='), binaryHeaders),
    signature: 'x-signature',
    digest: /.{64}$/,
    wrong: '0'.repeat(64),
    body: '{"facts":[]}',
  },
  segment: {
    builder: segment(),
    sign: (s) => segmentDelivery(s),
    signature: 'x-signature',
    digest: /.{40}$/,
    wrong: '0'.repeat(40),
    body: '{"type":"page","messageId":"m-1"}',
  },
  generic: {
    builder: generic({ ...description, auth: { hmac: { header: 'x-signature', prefix: 'sha256=' } } }),
    sign: (s) => hmacDelivery(s, 'x-signature', 'sha256='),
    signature: 'x-signature',
    digest: /.{64}$/,
    wrong: '0'.repeat(64),
    body: '{"id":1}',
  },
  'generic with a signed time': {
    builder: generic({ ...description, auth: { hmac: stamped } }),
    sign: (s) => stampedDelivery(s),
    signature: 'x-signature',
    digest: /.{88}$/,
    wrong: `${'A'.repeat(86)}==`,
    stamp: 'x-time',
    body: '{"id":1}',
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

describe.each(Object.entries(ROWS))('%s', (_name, row) => {
  const { builder, signature, stamp, body, digest = /.{44}$/, wrong = `${'A'.repeat(43)}=` } = row;
  const restamp = row.restamp ?? ((delivery: Delivery, text: string) => withHeader(delivery, stamp ?? '', text));
  const [ours, other] = row.secrets ?? [SECRET_TEXT, OTHER_SECRET_TEXT];
  const sign = (how: Sign) => row.sign({ secretText: ours, ...how });
  const source = sourceOf(builder, 'acme', ours);
  const good = sign({ body });
  const verify = (delivery: Delivery, by = source): string => by.verify(delivery, row.document);

  it('accepts a signed delivery and names the secret that matched', () => {
    expect(verify(good)).toBe(secret(ours).id);
  });

  it('accepts the old and the new secret during a rotation', () => {
    const both = sourceOf(builder, 'acme', other, ours);
    expect(verify(good, both)).toBe(secret(ours).id);
    expect(verify(sign({ body, secretText: other }), both)).toBe(secret(other).id);
  });

  it('refuses another secret', () => {
    expect(codeOf(() => verify(sign({ body, secretText: other })))).toBe('BAD_SIGNATURE');
  });

  it('refuses a body with any one bit flipped', () => {
    for (let at = 0; at < good.body.length; at++) {
      const flipped = Buffer.from(good.body);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect(codeOf(() => verify({ ...good, body: flipped }))).toBe('BAD_SIGNATURE');
    }
  });

  it('verifies bytes, not text: two bodies that decode alike are two bodies', () => {
    const bytes = Buffer.concat([Buffer.from(body), Buffer.from([0xff])]);
    expect(verify(sign({ body: bytes }))).toBe(secret(ours).id);
    expect(codeOf(() => verify({ ...sign({ body: bytes }), body: Buffer.concat([Buffer.from(body), Buffer.from('\ufffd')]) }))).toBe(
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
    ['of another length', (s: string) => s.replace(digest, Buffer.alloc(19).toString('base64'))],
    [
      'in another encoding',
      (s: string) =>
        s.replace(digest, (d) =>
          /^[0-9a-f]+$/.test(d) ? Buffer.from(d, 'hex').toString('base64') : Buffer.from(d, 'base64').toString('hex'),
        ),
    ],
    ['of no bytes', (s: string) => s.replace(digest, '')],
    ['behind ten others', (s: string) => `${Array.from({ length: 10 }, () => s.replace(digest, wrong)).join(', ')}, ${s}`],
  ])('refuses a signature that is %s', (_how, change) => {
    const changed = withHeader(good, signature, change(good.headers[signature] ?? ''));
    expect(codeOf(() => verify(changed))).toBe('BAD_SIGNATURE');
  });

  it(`${row.list === true ? 'accepts' : 'refuses'} a header that came twice, joined as Node joins it`, () => {
    const text = good.headers[signature] ?? '';
    for (const twice of [`${text.replace(digest, wrong)}, ${text}`, `${text}, ${text}`]) {
      const answer = codeOf(() => verify(withHeader(good, signature, twice)));
      expect(answer).toBe(row.list === true ? 'accepted' : 'BAD_SIGNATURE');
    }
  });

  it.runIf(stamp !== undefined)('holds the signed time to 300 s both ways', () => {
    const now = NOW_MS / 1000;
    for (const seconds of [now - 300, now, now + 300]) expect(verify(sign({ body, atSeconds: seconds }))).toBe(secret(ours).id);
    for (const seconds of [now - 301, now + 301]) expect(codeOf(() => verify(sign({ body, atSeconds: seconds })))).toBe('STALE_SIGNATURE');
  });

  it
    .runIf(stamp !== undefined)
    .each(['', '1795251600abc', '01795251600', ' 1795251600', '1795251600.0', '1.8e9', '1795251600, 1795251600', '-795251600'])(
    'refuses the time %j',
    (text) => {
      expect(codeOf(() => verify(restamp(good, text)))).toBe('BAD_SIGNATURE');
    },
  );

  it('is not built without a secret that it can verify with', () => {
    const build = (...secrets: readonly string[]) => codeOf(() => sourceOf(builder, 'acme', ...secrets));
    expect(codeOf(() => builder({ name: 'acme', model: commerce, secrets: [] }))).toBe('BAD_CONFIG');
    expect(build(PUBLIC_KEY_TEXT)).toBe(row.publicKeys === true ? 'accepted' : 'BAD_CONFIG');
  });

  it.runIf(row.secrets === undefined)('never takes a public key for a shared secret', () => {
    const mixed = sourceOf(builder, 'acme', PUBLIC_KEY_TEXT, SECRET_TEXT);
    expect(codeOf(() => mixed.verify(sign({ body, secretText: PUBLIC_KEY_TEXT })))).toBe('BAD_SIGNATURE');
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

  it('accepts what the Go library signs with a private key (its own test vector)', () => {
    const seed = Buffer.from('VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=', 'base64');
    const delivery: Delivery = {
      source: 'acme',
      body: Buffer.from('{"test": 2432232314}'),
      headers: {
        'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
        'webhook-timestamp': '1614265330',
        'webhook-signature': 'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==',
      },
      receivedAtMs: 1_614_265_330_000,
    };
    const text = publicKeyText(seed);
    expect(sourceOf(standard(), 'acme', text).verify(delivery)).toBe(secret(text).id);
  });

  it('signs what standardwebhooks accepts', () => {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const { headers } = standardDelivery({ body: envelope(), atSeconds: nowSeconds });
    expect(() => new StandardWebhook(SECRET_TEXT).verify(envelope(), { ...headers })).not.toThrow();
  });

  it('signs what @octokit/webhooks-methods accepts, and accepts what it signs', async () => {
    const text = 'a plain secret';
    const body = '{"action":"opened","title":"é"}';
    const ours = githubDelivery({ body, secretText: text });
    const signature = await signAsGithub(text, body);
    expect(await verifyAsGithub(text, body, ours.headers['x-hub-signature-256'] ?? '')).toBe(true);
    expect(sourceOf(github(), 'acme', text).verify(withHeader(ours, 'x-hub-signature-256', signature))).toBe(secret(text).id);
  });

  describe('stripe', () => {
    const { webhooks } = new Stripe('sk_test_x');
    const body = '{"id":"evt_1","object":"event","type":"product.created","data":{"object":{"name":"é"}}}';
    const sign = (timestamp: number, extra: object = {}) =>
      webhooks.generateTestHeaderString({ payload: body, secret: SECRET_TEXT, timestamp, ...extra });
    const verify = (text: string) => sourceOf(stripe()).verify(withHeader(stripeDelivery({ body }), 'stripe-signature', text));

    it('accepts what the library signs', () => expect(verify(sign(NOW_MS / 1000))).toBe(secret().id));

    it('signs what the library accepts', () => {
      const { headers } = stripeDelivery({ body });
      const event = webhooks.constructEvent(body, headers['stripe-signature'] ?? '', SECRET_TEXT, undefined, undefined, NOW_MS);
      expect(event.id).toBe('evt_1');
    });

    it('passes over the test scheme v0, alone and beside v1', () => {
      const v0 = sign(NOW_MS / 1000, { scheme: 'v0' });
      expect(codeOf(() => verify(v0))).toBe('BAD_SIGNATURE');
      expect(verify(`${sign(NOW_MS / 1000)},${v0.split(',')[1]}`)).toBe(secret().id);
    });

    it('finds the right one among the signatures of a rotation', () => {
      const other = webhooks.generateTestHeaderString({ payload: body, secret: OTHER_SECRET_TEXT, timestamp: NOW_MS / 1000 });
      expect(verify(`${other},${sign(NOW_MS / 1000).split(',')[1]}`)).toBe(secret().id);
    });

    it('refuses ten years ahead, which the library accepts', () => {
      const later = NOW_MS / 1000 + 315_360_000;
      expect(() => webhooks.constructEvent(body, sign(later), SECRET_TEXT, undefined, undefined, NOW_MS)).not.toThrow();
      expect(codeOf(() => verify(sign(later)))).toBe('STALE_SIGNATURE');
    });

    it.each([
      ['two times', (s: string) => s.replace(',', ',t=1795251600,')],
      ['no time', (s: string) => s.replace(/t=\d+,/, '')],
      ['spaces', (s: string) => s.replace(',', ', ')],
      ['eleven signatures', (s: string) => `${s}${`,v1=${'0'.repeat(64)}`.repeat(10)}`],
    ])('refuses a header with %s', (_what, change) => expect(codeOf(() => verify(change(sign(NOW_MS / 1000))))).toBe('BAD_SIGNATURE'));
  });
});
