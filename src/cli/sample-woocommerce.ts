/** The sample story as WooCommerce would tell it: whole objects of its REST API, times in UTC without a zone. */
import { createHmac } from 'node:crypto';

import { CURRENCY, customerId, iso, major, productId } from './sample-names.ts';
import type { Sample } from './sample-packs.ts';
import type { Happening, Order } from './sample.ts';

export function woocommerceSample(happening: Happening): Sample {
  const [topic, json] = saidOf(happening);
  const [resource = '', event = ''] = topic.split('.');
  const body = JSON.stringify({ ...json, _links: { collection: [{ href: `https://sample-shop.example/wp-json/wc/v3/${resource}s` }] } });
  return {
    body,
    headers: (secret) => ({
      'content-type': 'application/json',
      'x-wc-webhook-source': 'https://sample-shop.example/',
      'x-wc-webhook-topic': topic,
      'x-wc-webhook-resource': resource,
      'x-wc-webhook-event': event,
      'x-wc-webhook-signature': createHmac('sha256', secret.key).update(body).digest('base64'),
    }),
  };
}

function saidOf(happening: Happening): [topic: string, json: object] {
  const at = { date_created_gmt: utc(happening.atMs), date_modified_gmt: utc(happening.atMs) };
  switch (happening.kind) {
    case 'customer.created': {
      const { customer } = happening;
      const { email, firstName, lastName, country } = customer;
      const names = { first_name: firstName, last_name: lastName, billing: { country, phone: '' } };
      return ['customer.created', { id: Number(customerId(customer)), email, ...names, ...at }];
    }
    case 'product.created': {
      const { product } = happening;
      return [
        'product.created',
        { id: Number(productId(product)), name: product.title, type: 'simple', status: 'publish', sku: '', ...at },
      ];
    }
    case 'order.placed':
      return ['order.created', orderOf(happening.order, happening.atMs, 'pending')];
    case 'order.paid':
      return ['order.updated', orderOf(happening.order, happening.atMs, 'processing')];
    case 'order.fulfilled':
      return ['order.updated', orderOf(happening.order, happening.atMs, 'completed')];
    case 'order.cancelled':
      return ['order.updated', orderOf(happening.order, happening.atMs, 'cancelled')];
    case 'order.refunded': {
      const { n, totalMinor } = happening.order;
      const refunds = [{ id: n + 1, reason: 'damaged', total: `-${major(totalMinor)}` }];
      return ['order.updated', { ...orderOf(happening.order, happening.atMs, 'refunded'), refunds }];
    }
  }
}

function orderOf({ n, customer, lines, totalMinor, placedAtMs }: Order, atMs: number, status: string): object {
  return {
    id: n,
    number: String(n),
    status,
    currency: CURRENCY,
    date_created_gmt: utc(placedAtMs),
    date_modified_gmt: utc(atMs),
    total: major(totalMinor),
    customer_id: Number(customerId(customer)),
    line_items: lines.map(({ product, quantity }, index) => ({
      id: n * 10 + index,
      name: product.title,
      product_id: Number(productId(product)),
      quantity,
      subtotal: major(quantity * product.priceMinor),
      total: major(quantity * product.priceMinor),
      sku: '',
      price: product.priceMinor / 100,
    })),
    refunds: [],
  };
}

/** As WooCommerce writes it: whole seconds, and no zone. */
function utc(ms: number): string {
  return iso(ms).slice(0, 'yyyy-mm-ddThh:mm:ss'.length);
}
