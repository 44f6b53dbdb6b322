/** PayPal as the tests have it: a root of its own, a certificate in PayPal's name under it, and deliveries signed with its key. */
import { sign as signWith } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

import { CURRENCY, customerId, iso, major, nameOf, productId } from '../../src/cli/sample-names.ts';
import type { Happening, Order } from '../../src/cli/sample.ts';
import type { Delivery } from '../../src/event.ts';
import type { SourceBuilder } from '../../src/sources/source.ts';
import { makeCertificate, makeKeys, type Keys } from './certificates.ts';
import { NOW_MS, type Sign } from './deliveries.ts';

/** What the dashboard would show of a webhook. */
export const PAYPAL_WEBHOOK = '8PT597110X687430LKGECATA';
export const OTHER_PAYPAL_WEBHOOK = '1JE50Z90C7278123ABCDEFGH';
export const PAYPAL_HOST = 'messageverificationcerts.paypal.com';
export const PAYPAL_CERT_PATH = '/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77';

export interface PaypalAuthority {
  readonly root: { readonly subject: string; readonly keys: Keys; readonly pem: string };
  readonly issuer: { readonly subject: string; readonly keys: Keys; readonly pem: string };
  readonly keys: Keys;
  /** What PayPal's host serves: the certificate, and who vouches for it. */
  readonly document: string;
}

let made: PaypalAuthority | undefined;

/** Made when first asked for: keys take their time. */
export function paypalAuthority(): PaypalAuthority {
  return (made ??= makeAuthority());
}

function makeAuthority(): PaypalAuthority {
  const [ofRoot, ofIssuer, keys] = [makeKeys(), makeKeys(), makeKeys()];
  const root = { subject: 'A root', keys: ofRoot, pem: makeCertificate({ subject: 'A root', keys: ofRoot, ca: true }) };
  const pem = makeCertificate({ subject: 'An issuer', keys: ofIssuer, issuer: root, ca: true });
  const issuer = { subject: 'An issuer', keys: ofIssuer, pem };
  const leaf = makeCertificate({ subject: PAYPAL_HOST, keys, issuer, hosts: [PAYPAL_HOST] });
  return { root, issuer, keys, document: leaf + pem };
}

/** `secretText` is the webhook's id; `atSeconds` the transmission's time. */
export function paypalDelivery(
  { body, id = '69cd13f0-d67a-11e5-baa3-778b53f4ae55', atSeconds = NOW_MS / 1_000, secretText = PAYPAL_WEBHOOK, source = 'acme' }: Sign,
  extra: Readonly<Record<string, string>> = {},
): Delivery {
  const bytes = Buffer.from(body);
  const time = new Date(atSeconds * 1_000).toISOString();
  const signed = `${id}|${time}|${secretText}|${crc32(bytes)}`;
  return {
    source,
    body: bytes,
    headers: {
      'paypal-transmission-id': id,
      'paypal-transmission-time': time,
      'paypal-transmission-sig': signWith('sha256', Buffer.from(signed), paypalAuthority().keys.privateKey).toString('base64'),
      'paypal-cert-url': `https://api.paypal.com${PAYPAL_CERT_PATH}`,
      'paypal-auth-algo': 'SHA256withRSA',
      'content-type': 'application/json',
      ...extra,
    },
    receivedAtMs: NOW_MS,
  };
}

/** PayPal's certificates on loopback, and how a source is made to look for them there. */
export async function servePaypal(): Promise<{ asked: string[]; redirect: (builder: SourceBuilder) => SourceBuilder; close: () => void }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(request.url === PAYPAL_CERT_PATH ? 200 : 404).end(paypalAuthority().document);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    asked,
    redirect: (builder) => (settings) => {
      const source = builder(settings);
      const { evidence } = source;
      if (evidence === undefined) return source;
      const urlOf = (delivery: Delivery): string => `${origin}${new URL(evidence.urlOf(delivery)).pathname}`;
      return { ...source, evidence: { ...evidence, origins: [origin], urlOf } };
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A sample happening as PayPal would tell it; of customers, products and parcels it knows nothing of its own. */
export function paypalBody(happening: Happening): string {
  const [event_type, resource] = eventOf(happening);
  const id = `WH-${nameOf(happening)}`;
  return JSON.stringify({ id, event_version: '1.0', create_time: iso(happening.atMs), resource_version: '2.0', event_type, resource });
}

const amountOf = (minor: number) => ({ currency_code: CURRENCY, value: major(minor) });

function eventOf(happening: Happening): [type: string, resource: object] {
  const at = iso(happening.atMs);
  switch (happening.kind) {
    case 'customer.created':
      return ['VAULT.PAYMENT-TOKEN.CREATED', { id: `token-${customerId(happening.customer)}` }];
    case 'product.created':
      return ['CATALOG.PRODUCT.CREATED', { id: productId(happening.product) }];
    case 'order.placed':
      return ['CHECKOUT.ORDER.APPROVED', { ...orderOf(happening.order), status: 'APPROVED' }];
    case 'order.paid':
      return ['CHECKOUT.ORDER.COMPLETED', { ...orderOf(happening.order), status: 'COMPLETED', update_time: at }];
    case 'order.fulfilled':
      return [
        'PAYMENT.CAPTURE.COMPLETED',
        { ...captureOf(happening.order, at), supplementary_data: { related_ids: { order_id: `O${happening.order.n}` } } },
      ];
    case 'order.cancelled':
      return ['CHECKOUT.PAYMENT-APPROVAL.REVERSED', { order_id: `O${happening.order.n}` }];
    case 'order.refunded': {
      const { n, totalMinor } = happening.order;
      const up = { rel: 'up', method: 'GET', href: `https://api.paypal.com/v2/payments/captures/C${n}` };
      return [
        'PAYMENT.CAPTURE.REFUNDED',
        { id: `R${n}`, status: 'COMPLETED', amount: amountOf(totalMinor), links: [up], create_time: at, update_time: at },
      ];
    }
  }
}

function captureOf({ n, totalMinor }: Order, at: string): object {
  return { id: `C${n}`, status: 'COMPLETED', amount: amountOf(totalMinor), final_capture: true, create_time: at, update_time: at };
}

function orderOf({ n, customer, lines, totalMinor, placedAtMs }: Order): object {
  const items = lines.map(({ product, quantity }) => ({
    name: product.title,
    sku: productId(product),
    quantity: String(quantity),
    unit_amount: amountOf(product.priceMinor),
  }));
  return {
    id: `O${n}`,
    intent: 'CAPTURE',
    purchase_units: [{ reference_id: 'default', amount: amountOf(totalMinor), items }],
    payer: {
      payer_id: `P${customerId(customer)}`,
      email_address: customer.email,
      name: { given_name: customer.firstName, surname: customer.lastName },
      address: { country_code: customer.country },
    },
    payment_source: { paypal: {} },
    create_time: iso(placedAtMs),
  };
}
