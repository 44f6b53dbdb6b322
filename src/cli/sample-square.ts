/** The sample story as Square would notify of it. */
import { createHmac } from 'node:crypto';

import { CURRENCY, customerId, iso, nameOf } from './sample-names.ts';
import type { Sample } from './sample-packs.ts';
import type { Happening, Order } from './sample.ts';

/** Signed for the URL that it is posted to, so the source's `notificationUrl` must be that one. */
export function squareSample(happening: Happening): Sample {
  const [type, object] = eventOf(happening);
  const body = JSON.stringify({
    merchant_id: 'SAMPLE',
    type,
    event_id: nameOf(happening),
    created_at: iso(happening.atMs),
    data: { type: type.split('.', 1)[0], object },
  });
  return {
    body,
    headers: (secret, _nowMs, url) => ({
      'content-type': 'application/json',
      'x-square-hmacsha256-signature': createHmac('sha256', secret.key).update(`${url}${body}`).digest('base64'),
    }),
  };
}

function eventOf(happening: Happening): [type: string, object: object] {
  const at = iso(happening.atMs);
  switch (happening.kind) {
    case 'customer.created': {
      const { email, firstName, lastName, country } = happening.customer;
      const customer = {
        id: customerId(happening.customer),
        email_address: email,
        given_name: firstName,
        family_name: lastName,
        address: { country },
        created_at: at,
        updated_at: at,
        version: 0,
      };
      return ['customer.created', { customer }];
    }
    case 'product.created':
      return ['catalog.version.updated', { catalog_version: { updated_at: at } }];
    case 'order.placed':
      return ['order.created', { order_created: { ...orderOf(happening.order, 1), state: 'OPEN' } }];
    case 'order.paid':
      return ['payment.updated', { payment: paymentOf(happening.order, at) }];
    case 'order.fulfilled': {
      const fulfillment_update = [{ fulfillment_uid: 'f1', old_state: 'PREPARED', new_state: 'COMPLETED' }];
      return [
        'order.fulfillment.updated',
        { order_fulfillment_updated: { ...orderOf(happening.order, 2), state: 'COMPLETED', updated_at: at, fulfillment_update } },
      ];
    }
    case 'order.cancelled':
      return ['order.updated', { order_updated: { ...orderOf(happening.order, 2), state: 'CANCELED', updated_at: at } }];
    case 'order.refunded': {
      const { n, totalMinor } = happening.order;
      const refund = {
        id: `refund-${n}`,
        payment_id: `pay-${n}`,
        status: 'COMPLETED',
        amount_money: { amount: totalMinor, currency: CURRENCY },
        reason: 'damaged',
        created_at: at,
        updated_at: at,
      };
      return ['refund.updated', { refund }];
    }
  }
}

function orderOf({ n, placedAtMs }: Order, version: number): object {
  return { order_id: String(n), location_id: 'SAMPLE', created_at: iso(placedAtMs), version };
}

function paymentOf({ n, customer, totalMinor }: Order, at: string): object {
  return {
    id: `pay-${n}`,
    order_id: String(n),
    customer_id: customerId(customer),
    status: 'COMPLETED',
    source_type: 'CARD',
    total_money: { amount: totalMinor, currency: CURRENCY },
    created_at: at,
    updated_at: at,
    version: 1,
  };
}
