/** The sample story as Stripe would tell it: whole objects under `data.object`, amounts in cents, times in seconds. */
import { createHmac } from 'node:crypto';

import { asWritten } from '../sources/stripe.ts';
import { CURRENCY, customerId, nameOf, productId } from './sample-names.ts';
import type { Sample } from './sample-packs.ts';
import type { Happening, Order } from './sample.ts';

export function stripeSample(happening: Happening): Sample {
  const created = seconds(happening.atMs);
  const id = `evt_${nameOf(happening).replaceAll('-', '_')}`;
  const body = JSON.stringify({ id, object: 'event', created, livemode: false, ...saidOf(happening, created) });
  return {
    body,
    headers(secret, nowMs) {
      const stamp = seconds(nowMs);
      const signature = createHmac('sha256', asWritten(secret).key).update(`${stamp}.${body}`).digest('hex');
      return { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': `t=${stamp},v1=${signature}` };
    },
  };
}

function saidOf(happening: Happening, created: number): { type: string; data: { object: object } } {
  switch (happening.kind) {
    case 'customer.created': {
      const { customer } = happening;
      const { email, country, firstName, lastName } = customer;
      const object = {
        id: `cus_${customerId(customer)}`,
        object: 'customer',
        created,
        email,
        name: `${firstName} ${lastName}`,
        address: { country },
      };
      return { type: 'customer.created', data: { object } };
    }
    case 'product.created': {
      const { product } = happening;
      const object = { id: `prod_${productId(product)}`, object: 'product', created, updated: created, active: true, name: product.title };
      return { type: 'product.created', data: { object } };
    }
    case 'order.placed':
      return { type: 'checkout.session.completed', data: { object: sessionOf(happening.order, 'unpaid') } };
    case 'order.paid':
      return { type: 'checkout.session.async_payment_succeeded', data: { object: sessionOf(happening.order, 'paid') } };
    case 'order.cancelled':
      return { type: 'checkout.session.async_payment_failed', data: { object: sessionOf(happening.order, 'unpaid') } };
    case 'order.fulfilled':
      // A shop that takes the money when the parcel leaves.
      return { type: 'charge.captured', data: { object: chargeOf(happening.order, 0) } };
    case 'order.refunded': {
      const { n, totalMinor } = happening.order;
      const refund = {
        id: `re_${n}`,
        object: 'refund',
        created,
        amount: totalMinor,
        currency: CURRENCY.toLowerCase(),
        status: 'succeeded',
      };
      const refunds = { object: 'list', data: [refund], has_more: false };
      return { type: 'charge.refunded', data: { object: { ...chargeOf(happening.order, totalMinor), refunds } } };
    }
  }
}

function sessionOf({ n, customer, lines, totalMinor, placedAtMs }: Order, paymentStatus: string): object {
  const currency = CURRENCY.toLowerCase();
  const data = lines.map(({ product, quantity }, index) => ({
    id: `li_${n}_${index + 1}`,
    object: 'item',
    description: product.title,
    quantity,
    currency,
    amount_total: quantity * product.priceMinor,
    price: { currency, product: `prod_${productId(product)}`, unit_amount: product.priceMinor },
  }));
  return {
    id: `cs_${n}`,
    object: 'checkout.session',
    mode: 'payment',
    created: seconds(placedAtMs),
    currency,
    amount_total: totalMinor,
    payment_status: paymentStatus,
    customer: `cus_${customerId(customer)}`,
    payment_intent: `pi_${n}`,
    line_items: { object: 'list', data, has_more: false },
  };
}

function chargeOf({ n, totalMinor, placedAtMs }: Order, refundedMinor: number): object {
  return {
    id: `ch_${n}`,
    object: 'charge',
    created: seconds(placedAtMs),
    currency: CURRENCY.toLowerCase(),
    amount: totalMinor,
    amount_captured: totalMinor,
    amount_refunded: refundedMinor,
    captured: true,
    refunded: refundedMinor === totalMinor,
    disputed: false,
    payment_intent: `pi_${n}`,
    payment_method_details: { type: 'card' },
    status: 'succeeded',
  };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
