/** The sample story as a shop's website would tell it: visits, pages and who came. */
import { createHmac } from 'node:crypto';

import { customerId, iso, nameOf, productId } from './sample-names.ts';
import type { Sample } from './sample-packs.ts';
import type { Customer, Happening } from './sample.ts';

const SHOP = 'https://shop.example';

export function segmentSample(happening: Happening): Sample {
  const at = iso(happening.atMs);
  const body = JSON.stringify({ messageId: nameOf(happening), timestamp: at, sentAt: at, originalTimestamp: at, ...callOf(happening) });
  return {
    body,
    headers: (secret) => ({
      'content-type': 'application/json',
      'x-signature': createHmac('sha1', secret.key).update(body).digest('hex'),
    }),
  };
}

function callOf(happening: Happening): object {
  switch (happening.kind) {
    case 'customer.created': {
      const { customer } = happening;
      const { email, firstName, lastName, country } = customer;
      return { type: 'identify', ...visitorOf(customer), traits: { email, firstName, lastName, address: { country } } };
    }
    case 'product.created': {
      const { title } = happening.product;
      return {
        type: 'page',
        anonymousId: 'sample-editor',
        properties: { title, url: `${SHOP}/products/${productId(happening.product)}?preview=1`, referrer: SHOP },
      };
    }
    case 'order.placed': {
      const { n, customer } = happening.order;
      return {
        type: 'page',
        ...visitorOf(customer),
        context: { sessionId: `sample-visit-${n}`, sessionStart: true },
        properties: { title: 'Thank you', url: `${SHOP}/thanks?order=${n}`, referrer: `${SHOP}/cart` },
      };
    }
    case 'order.paid':
    case 'order.fulfilled':
    case 'order.cancelled':
    case 'order.refunded':
      return { type: 'track', event: happening.kind, ...visitorOf(happening.order.customer), properties: { order_id: happening.order.n } };
  }
}

function visitorOf(customer: Customer): object {
  return { userId: customerId(customer), anonymousId: `sample-browser-${customer.n}` };
}
