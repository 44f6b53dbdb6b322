/** The sample story as each sender would tell it, signed as each sender signs. */
import { createHmac } from 'node:crypto';

import type { FactOf } from '../model/facts.ts';
import type { commerce } from '../model/commerce.ts';
import type { Secret } from '../secret.ts';
import { CURRENCY, customerId, iso, major, nameOf, productId } from './sample-names.ts';
import { stripeSample } from './sample-stripe.ts';
import { genericSample } from './sample-generic.ts';
import { segmentSample } from './sample-segment.ts';
import { squareSample } from './sample-square.ts';
import { woocommerceSample } from './sample-woocommerce.ts';
import type { Customer, Happening, Line, Order } from './sample.ts';

export interface Sample {
  readonly body: string;
  /** Signed when it is sent, since some signatures carry the time, and some the URL that it is posted to. */
  headers(secret: Secret, nowMs: number, url: string): Record<string, string>;
}

export type PackName =
  | 'facts'
  | 'standard'
  | 'shopify'
  | 'github'
  | 'stripe'
  | 'square'
  | 'cloudevents'
  | 'segment'
  | 'generic'
  | 'woocommerce';

export const SAMPLES: Readonly<Record<PackName, (happening: Happening) => Sample>> = {
  facts(happening) {
    const id = nameOf(happening);
    const body = JSON.stringify({ id, type: happening.kind, occurredAt: iso(happening.atMs), facts: factsOf(happening) });
    return { body, headers: (secret, nowMs) => standardHeaders(`msg_${id}`, body, secret, nowMs) };
  },
  standard(happening) {
    const body = JSON.stringify({ type: happening.kind, timestamp: iso(happening.atMs), data: { facts: factsOf(happening) } });
    return { body, headers: (secret, nowMs) => standardHeaders(nameOf(happening), body, secret, nowMs) };
  },
  cloudevents(happening) {
    const id = nameOf(happening);
    const time = iso(happening.atMs);
    const body = JSON.stringify({
      specversion: '1.0',
      id,
      source: '/sample',
      type: happening.kind,
      time,
      data: { facts: factsOf(happening) },
    });
    return {
      body,
      headers: (secret, nowMs) => ({ ...standardHeaders(id, body, secret, nowMs), 'content-type': 'application/cloudevents+json' }),
    };
  },
  shopify(happening) {
    const { topic, json } = shopifyOf(happening);
    const body = JSON.stringify(json);
    return {
      body,
      headers: (secret) => ({
        'content-type': 'application/json',
        'x-shopify-topic': topic,
        'x-shopify-shop-domain': 'sample-shop.myshopify.com',
        'x-shopify-event-id': nameOf(happening),
        'x-shopify-triggered-at': iso(happening.atMs),
        'x-shopify-hmac-sha256': createHmac('sha256', secret.key).update(body).digest('base64'),
      }),
    };
  },
  /** GitHub has no orders; it passes on what somebody dispatches through its API. */
  github(happening) {
    const body = JSON.stringify({
      action: happening.kind,
      branch: 'main',
      client_payload: { at: iso(happening.atMs), facts: factsOf(happening) },
      repository: { id: 1, full_name: 'sample/shop' },
      sender: { id: 1, login: 'sample' },
    });
    return {
      body,
      headers: (secret) => ({
        'content-type': 'application/json',
        'x-github-event': 'repository_dispatch',
        'x-github-delivery': nameOf(happening),
        'x-hub-signature-256': `sha256=${createHmac('sha256', secret.key).update(body).digest('hex')}`,
      }),
    };
  },
  stripe: stripeSample,
  woocommerce: woocommerceSample,
  square: squareSample,
  segment: segmentSample,
  generic: genericSample,
};

function standardHeaders(id: string, body: string, secret: Secret, nowMs: number): Record<string, string> {
  const stamp = String(Math.floor(nowMs / 1_000));
  const signature = createHmac('sha256', secret.key).update(`${id}.${stamp}.${body}`).digest('base64');
  return { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': stamp, 'webhook-signature': `v1,${signature}` };
}

function factsOf(happening: Happening): FactOf<typeof commerce>[] {
  const at = iso(happening.atMs);
  switch (happening.kind) {
    case 'customer.created': {
      const { customer } = happening;
      const { email, firstName, lastName, country } = customer;
      const key = { id: customerId(customer) };
      return [
        { upsert: { node: 'Customer', key, set: { email, firstName, lastName, country, createdAt: at } } },
        { link: { relationship: 'HAS_EMAIL', from: key, to: { address: email } } },
      ];
    }
    case 'product.created': {
      const { title, vendor, type } = happening.product;
      return [
        {
          upsert: {
            node: 'Product',
            key: { id: productId(happening.product) },
            set: { title, vendor, productType: type, status: 'active', createdAt: at },
          },
        },
      ];
    }
    case 'order.placed': {
      const { order } = happening;
      const key = { id: String(order.n) };
      return [
        {
          upsert: {
            node: 'Order',
            key,
            set: { name: `#${order.n}`, status: 'pending', currency: CURRENCY, totalMinor: order.totalMinor, createdAt: at },
          },
        },
        { link: { relationship: 'PLACED', from: { id: customerId(order.customer) }, to: key } },
        { replace: { relationship: 'CONTAINS', from: key, links: order.lines.map(linkOf) } },
      ];
    }
    case 'order.paid': {
      const { n, totalMinor } = happening.order;
      return [
        { upsert: { node: 'Order', key: { id: String(n) }, set: { status: 'paid' } } },
        {
          upsert: {
            node: 'Payment',
            key: { id: `pay-${n}` },
            set: { status: 'captured', amountMinor: totalMinor, currency: CURRENCY, method: 'card', createdAt: at },
          },
        },
        { link: { relationship: 'PAYS', from: { id: `pay-${n}` }, to: { id: String(n) } } },
      ];
    }
    case 'order.fulfilled': {
      const { n } = happening.order;
      return [
        { upsert: { node: 'Order', key: { id: String(n) }, set: { status: 'fulfilled' } } },
        {
          upsert: {
            node: 'Fulfillment',
            key: { id: `ship-${n}` },
            set: { status: 'success', carrier: 'Post', trackingNumber: `TN${n}`, createdAt: at },
          },
        },
        { link: { relationship: 'FULFILLS', from: { id: `ship-${n}` }, to: { id: String(n) } } },
      ];
    }
    case 'order.cancelled':
      return [{ upsert: { node: 'Order', key: { id: String(happening.order.n) }, set: { status: 'cancelled', cancelledAt: at } } }];
    case 'order.refunded': {
      const { n, totalMinor } = happening.order;
      return [
        { upsert: { node: 'Order', key: { id: String(n) }, set: { status: 'refunded' } } },
        {
          upsert: {
            node: 'Refund',
            key: { id: `refund-${n}` },
            set: { amountMinor: totalMinor, currency: CURRENCY, reason: 'damaged', createdAt: at },
          },
        },
        { link: { relationship: 'REFUNDS', from: { id: `refund-${n}` }, to: { id: String(n) } } },
      ];
    }
  }
}

function linkOf({ product, quantity }: Line, index: number) {
  const { title, priceMinor } = product;
  return {
    to: { id: productId(product) },
    key: { line: String(index + 1) },
    set: { title, quantity, unitPriceMinor: priceMinor, totalMinor: quantity * priceMinor },
  };
}

/** Whole objects, as Shopify's REST webhooks send them; ids are numbers there. */
function shopifyOf(happening: Happening): { topic: string; json: object } {
  const at = iso(happening.atMs);
  switch (happening.kind) {
    case 'customer.created':
      return { topic: 'customers/create', json: { ...shopifyCustomer(happening.customer), created_at: at, updated_at: at } };
    case 'product.created': {
      const { title, vendor, type } = happening.product;
      return {
        topic: 'products/create',
        json: {
          id: Number(productId(happening.product)),
          title,
          vendor,
          product_type: type,
          status: 'active',
          created_at: at,
          updated_at: at,
        },
      };
    }
    case 'order.placed':
      return { topic: 'orders/create', json: shopifyOrder(happening.order, at, 'pending') };
    case 'order.paid':
      return { topic: 'orders/paid', json: shopifyOrder(happening.order, at, 'paid') };
    case 'order.fulfilled':
      return { topic: 'orders/fulfilled', json: { ...shopifyOrder(happening.order, at, 'paid'), fulfillment_status: 'fulfilled' } };
    case 'order.cancelled':
      return { topic: 'orders/cancelled', json: { ...shopifyOrder(happening.order, at, 'voided'), cancelled_at: at } };
    case 'order.refunded': {
      const { n, totalMinor } = happening.order;
      const transactions = [{ kind: 'refund', status: 'success', amount: major(totalMinor), currency: CURRENCY }];
      return { topic: 'refunds/create', json: { id: n, order_id: n, note: 'damaged', created_at: at, transactions } };
    }
  }
}

function shopifyOrder(order: Order, at: string, financialStatus: string): object {
  return {
    id: order.n,
    name: `#${order.n}`,
    financial_status: financialStatus,
    fulfillment_status: null,
    currency: CURRENCY,
    total_price: major(order.totalMinor),
    created_at: iso(order.placedAtMs),
    updated_at: at,
    cancelled_at: null,
    customer: shopifyCustomer(order.customer),
    line_items: order.lines.map(({ product, quantity }, index) => ({
      id: order.n * 10 + index,
      product_id: Number(productId(product)),
      title: product.title,
      quantity,
      price: major(product.priceMinor),
      discount_allocations: [],
    })),
  };
}

function shopifyCustomer(customer: Customer): object {
  const { email, firstName, lastName, country } = customer;
  return {
    id: Number(customerId(customer)),
    email,
    first_name: firstName,
    last_name: lastName,
    default_address: { country_code: country },
  };
}
