/** What all samples call things: ids, times and amounts, the same on every run of a seed, so that a second run is a redelivery. */
import type { Customer, Happening, Product } from './sample.ts';

/** Of an event. */
export function nameOf(happening: Happening): string {
  switch (happening.kind) {
    case 'customer.created':
      return `sample-customer-${happening.customer.n}`;
    case 'product.created':
      return `sample-product-${happening.product.n}`;
    case 'order.placed':
    case 'order.paid':
    case 'order.fulfilled':
    case 'order.cancelled':
    case 'order.refunded':
      return `sample-${happening.order.n}-${happening.kind.slice('order.'.length)}`;
  }
}

export const CURRENCY = 'EUR';
export const customerId = (customer: Customer): string => String(1_000 + customer.n);
export const productId = (product: Product): string => String(2_000 + product.n);

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Minor units as text in major ones. */
export function major(minor: number): string {
  return `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`;
}
