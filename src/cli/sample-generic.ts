/** The sample story as the sender of docs/guides/generic.md would tell it; for any other description it is a stranger's. */
import { createHash, createHmac } from 'node:crypto';

import { CURRENCY, customerId, iso, major, nameOf, productId } from './sample-names.ts';
import type { Sample } from './sample-packs.ts';
import type { Happening } from './sample.ts';

export function genericSample(happening: Happening): Sample {
  const id = nameOf(happening);
  const data = dataOf(happening);
  const body = JSON.stringify({
    event_id: id,
    occurrence_id: `occ-${id}`,
    content_hash: createHash('sha256').update(JSON.stringify(data)).digest('hex'),
    occurred_at: iso(happening.atMs),
    observed_at: iso(happening.atMs + 1_000),
    type: happening.kind,
    data,
  });
  return {
    body,
    headers(secret, nowMs) {
      const stamp = String(Math.floor(nowMs / 1_000));
      const signature = createHmac('sha256', secret.key).update(`${id}.${stamp}.${body}`).digest('hex');
      return {
        'content-type': 'application/json',
        'x-radar-event-id': id,
        'x-radar-timestamp': stamp,
        'x-radar-signature': `v1=${signature}`,
      };
    },
  };
}

function dataOf(happening: Happening): object {
  switch (happening.kind) {
    case 'customer.created': {
      const { email, firstName, lastName, country } = happening.customer;
      return { id: Number(customerId(happening.customer)), email, first_name: firstName, last_name: lastName, country };
    }
    case 'product.created': {
      const { title, vendor } = happening.product;
      return { id: productId(happening.product), title, vendor };
    }
    case 'order.placed': {
      const { n, customer, totalMinor, lines } = happening.order;
      const told = lines.map(({ product, quantity }, index) => ({
        line: index + 1,
        product_id: productId(product),
        title: product.title,
        quantity,
        price: major(product.priceMinor),
      }));
      return { id: n, customer_id: Number(customerId(customer)), currency: CURRENCY, total: major(totalMinor), lines: told };
    }
    case 'order.paid':
    case 'order.fulfilled':
    case 'order.cancelled':
    case 'order.refunded': {
      const { n, totalMinor } = happening.order;
      const status = happening.kind.slice('order.'.length);
      return { id: n, status, refund_id: `refund-${n}`, currency: CURRENCY, total: major(totalMinor) };
    }
  }
}
