/** A seeded stream of order life cycles as facts envelopes: what a shop sends, without the shop. */
import { createHash } from 'node:crypto';

import type { Event } from '../src/event.ts';
import { commerce } from '../src/model/commerce.ts';
import type { Model } from '../src/model/model.ts';
import type { Mapped } from '../src/model/facts.ts';
import type { Source } from '../src/sources/source.ts';

export const model: Model = commerce as unknown as Model;

/** The facts source without its signature: the body is the envelope. */
export const source: Source = {
  name: 'bench',
  model,
  version: '1',
  keepHeaders: [],
  verify: () => '',
  identify: () => ({ id: '' }),
  map: (_, body) => body as unknown as Mapped,
};

/** mulberry32: small, seeded, good enough to shuffle with. */
export function createRandom(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const START = Date.UTC(2026, 0, 1);

/** `count` events in order of time: placed with three lines, customer, paid with its payment, fulfilled; by turns. `prefix` keeps runs apart. */
export function makeEvents(count: number, prefix: string, seed = 1): Event[] {
  const random = createRandom(seed);
  const customers = Math.max(10, count >> 4);
  const products = 2_000;
  const events: Event[] = [];
  const push = (type: string, atMs: number, facts: unknown[]): void => {
    const id = `${prefix}-${events.length}`;
    const body = JSON.stringify({ id, type, occurredAt: new Date(atMs).toISOString(), facts, note: 'x'.repeat(200) });
    events.push({
      source: 'bench',
      id,
      body,
      bodyHash: createHash('sha256').update(body).digest('hex'),
      headers: { 'webhook-id': id },
      receivedAtMs: atMs,
    });
  };
  for (let order = 0; events.length < count; order++) {
    const at = START + order * 1_000;
    const id = `${prefix}-o${order}`;
    const customer = `${prefix}-c${Math.floor(random() * customers)}`;
    const lines = [1, 2, 3].map((line) => {
      const quantity = 1 + Math.floor(random() * 4);
      const unitPriceMinor = 100 + Math.floor(random() * 9_000);
      return {
        to: { id: `${prefix}-p${Math.floor(random() * products)}` },
        key: { line: String(line) },
        set: { quantity, unitPriceMinor, totalMinor: quantity * unitPriceMinor },
      };
    });
    const totalMinor = lines.reduce((sum, line) => sum + line.set.totalMinor, 0);
    push('order.placed', at, [
      {
        upsert: {
          node: 'Order',
          key: { id },
          set: { name: `#${order}`, status: 'pending', currency: 'EUR', totalMinor, createdAt: new Date(at).toISOString() },
        },
      },
      { link: { relationship: 'PLACED', from: { id: customer }, to: { id } } },
      { replace: { relationship: 'CONTAINS', from: { id }, links: lines } },
    ]);
    push('customer.updated', at + 1, [
      {
        upsert: {
          node: 'Customer',
          key: { id: customer },
          set: {
            email: `${customer}@example.com`,
            firstName: 'Ada',
            lastName: 'Lovelace',
            country: 'GB',
            updatedAt: new Date(at).toISOString(),
          },
        },
      },
      { link: { relationship: 'HAS_EMAIL', from: { id: customer }, to: { address: `${customer}@example.com` } } },
    ]);
    push('order.paid', at + 2, [
      {
        upsert: { node: 'Order', key: { id }, set: { status: 'paid', financialStatus: 'paid', updatedAt: new Date(at + 2).toISOString() } },
      },
      {
        upsert: {
          node: 'Payment',
          key: { id: `${id}-pay` },
          set: { status: 'succeeded', amountMinor: totalMinor, currency: 'EUR', createdAt: new Date(at + 2).toISOString() },
        },
      },
      { link: { relationship: 'PAYS', from: { id: `${id}-pay` }, to: { id } } },
    ]);
    push('order.fulfilled', at + 3, [
      {
        upsert: {
          node: 'Order',
          key: { id },
          set: { status: 'fulfilled', fulfillmentStatus: 'fulfilled', updatedAt: new Date(at + 3).toISOString() },
        },
      },
    ]);
  }
  events.length = count;
  return events;
}
