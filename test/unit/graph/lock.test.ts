import { expect, test } from 'vitest';

import { lockOrder } from '../../../src/graph/lock.ts';
import { commerce } from '../../../src/model/commerce.ts';
import type { Model } from '../../../src/model/model.ts';
import { law } from '../../../src/verify/law-model.ts';

const place = (order: readonly string[], label: string): number => order.indexOf(label);

test('what belongs to one thing is locked before what it belongs to', () => {
  const order = lockOrder(commerce as unknown as Model);
  expect([...order].sort()).toEqual([...commerce.nodes.keys()].sort());
  for (const [first, then] of [
    ['Payment', 'Order'],
    ['Refund', 'Order'],
    ['Fulfillment', 'Order'],
    ['Order', 'Customer'],
    ['Order', 'Product'],
    ['PageView', 'Session'],
    ['Session', 'Customer'],
    ['Customer', 'Email'],
  ] as const)
    expect(place(order, first), `${first} before ${then}`).toBeLessThan(place(order, then));
});

test('a model whose labels belong to each other in a circle has an order, too, and always the same', () => {
  const order = lockOrder(law);
  expect([...order].sort()).toEqual([...law.nodes.keys()].sort());
  expect(lockOrder(law)).toEqual(order);
});
