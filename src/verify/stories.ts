/**
 * The stories that break naive merges (docs/guides/convergence.md), each with its graph written by hand. True in every order, under
 * any duplication and batching, in memory and in the database.
 */
import { commerce } from '../model/commerce.ts';
import type { PublicGraph } from '../model/graph.ts';
import type { Model } from '../model/model.ts';
import { law } from './law-model.ts';
import { createTeller, type Teller } from './story-teller.ts';
import type { Told } from './told.ts';

export interface Story {
  /** A sentence; begins with the number that it has in the guide. */
  readonly name: string;
  readonly model: Model;
  readonly events: readonly Told[];
  readonly expect: PublicGraph;
}

/** The stories with their keys and event ids begun by `prefix`, so that all can live in one database. */
export function tellStories(prefix = ''): Story[] {
  return [...lawStories(createTeller(prefix)), ...commerceStories(createTeller(prefix))];
}

export const stories: readonly Story[] = tellStories();

function lawStories({ node, told, upsert, remove, link, unlink, replace, clear, graph }: Teller): Story[] {
  const [a, a2] = [node('A', 'a'), node('A', 'a2')];
  const [b, b2, c] = [node('B', 'b'), node('B', 'b2'), node('B', 'c')];
  const story = (name: string, events: Told[], expect: PublicGraph): Story => ({ name, model: law, events, expect });
  return [
    story(
      '1 what a removal stripped does not come back with a re-created node',
      [told('e1', 3, upsert(a, { x: 3 })), told('e2', 6, remove(a)), told('e3', 7, upsert(a))],
      graph([[a]]),
    ),
    story(
      '2 a late removal strips what is older although the node survives it',
      [told('e1', 3, upsert(a, { x: 3 })), told('e2', 5, upsert(a)), told('e3', 4, remove(a))],
      graph([[a]]),
    ),
    story(
      '3 a cleared property stays cleared when the older value comes last',
      [told('e1', 1, upsert(a, { x: 2 })), told('e2', 4, upsert(a, { x: null }))],
      graph([[a]]),
    ),
    story(
      '4 an empty upsert does not make the other properties newer',
      [told('e1', 1, upsert(a, { x: 1 })), told('e2', 2, upsert(a, { x: 2 })), told('e3', 3, upsert(a))],
      graph([[a, { x: 2n }]]),
    ),
    story(
      '5 a newer reference re-creates a removed node as a key alone',
      [told('e1', 2, upsert(b, { x: 1 })), told('e2', 3, remove(b)), told('e3', 4, link('TAGS', a, b))],
      graph([[a], [b]], [['TAGS', a, b]]),
    ),
    story(
      '6 a link that an empty set beats still asserts its ends',
      [told('e1', 1, link('LISTS', a, b)), told('e2', 2, replace('LISTS', a, []))],
      graph([[a], [b]]),
    ),
    story(
      '7 a set resets the properties of the members that it keeps',
      [told('e1', 1, link('LISTS', a, b, { q: 2 })), told('e2', 2, replace('LISTS', a, [[b]]))],
      graph([[a], [b]], [['LISTS', a, b]]),
    ),
    story(
      '8 a link that is dead on arrival takes the slot',
      [told('e1', 1, link('BOUGHT', a, b)), told('e2', 4, remove(c), link('BOUGHT', a, c))],
      graph([[a], [b]]),
    ),
    story(
      '9 a to-one edge shows what the one fact in its slot said',
      [
        told('e1', 3, link('BOUGHT', a, b, { note: 'first' })),
        told('e2', 4, link('BOUGHT', a, b2)),
        told('e3', 5, link('BOUGHT', a, b, { q: 1 })),
      ],
      graph([[a], [b], [b2]], [['BOUGHT', a, b, { q: 1n }]]),
    ),
    story(
      '10 an edge that was unlinked in between keeps only what was said after',
      [
        told('e1', 2, link('TAGS', a, b, { q: 1 })),
        told('e2', 3, unlink('TAGS', a, b)),
        told('e3', 4, link('TAGS', a, b, { note: 'again' })),
      ],
      graph([[a], [b]], [['TAGS', a, b, { note: 'again' }]]),
    ),
    story(
      '11 unlinking the pair that held the slot before leaves the slot alone',
      [told('e1', 1, link('BOUGHT', a, b)), told('e2', 3, link('BOUGHT', a, b2)), told('e3', 4, unlink('BOUGHT', a, b))],
      graph([[a], [b], [b2]], [['BOUGHT', a, b2]]),
    ),
    story(
      '12 an edge told together with the removal of its end stays dead when the end returns',
      [told('e1', 2, link('TAGS', a, b, { q: 1 }), remove(b)), told('e2', 5, upsert(b))],
      graph([[a], [b]]),
    ),
    story('13 an empty set asserts an owner whom nobody has seen', [told('e1', 2, replace('LISTS', a, []))], graph([[a]])),
    story(
      '13 an empty set of a waiting relationship is remembered before its owner is known',
      [told('e1', 2, replace('LISTS_PARK', a, [])), told('e2', 1, upsert(b), link('LISTS_PARK', a, b)), told('e3', 3, upsert(a))],
      graph([[a], [b]]),
    ),
    story(
      "15 two events that each need the other's node both appear",
      [told('e1', 3, upsert(a), link('REFERS_PARK', a, a2)), told('e2', 3, upsert(a2), link('REFERS_PARK', a2, a))],
      graph(
        [[a], [a2]],
        [
          ['REFERS_PARK', a, a2],
          ['REFERS_PARK', a2, a],
        ],
      ),
    ),
    story(
      '16 two bodies under one id both apply, told apart by their hash',
      [told('e1#a', 3, upsert(a, { x: 1, y: 'kept' })), told('e1#b', 3, upsert(a, { x: 2 }))],
      graph([[a, { x: 2n, y: 'kept' }]]),
    ),
    story(
      '17 a self-loop waits while its one end is removed',
      [told('e1', 1, upsert(a)), told('e2', 3, remove(a)), told('e3', 5, link('REFERS_PARK', a, a, { q: 1 }))],
      graph([], [], ['e3']),
    ),
    story(
      '17 a self-loop that waits appears with its end',
      [
        told('e1', 1, upsert(a)),
        told('e2', 3, remove(a)),
        told('e3', 5, link('REFERS_PARK', a, a, { q: 1 })),
        told('e4', 6, upsert(a, { x: 1 })),
      ],
      graph([[a, { x: 1n }]], [['REFERS_PARK', a, a, { q: 1n }]]),
    ),
    story(
      '18 a removal beats an upsert of the same time, whatever their ids',
      [told('e1', 3, remove(a)), told('e2', 3, upsert(a, { x: 1, status: 'fulfilled' }))],
      graph([]),
    ),
    story(
      '18 of two statuses of the same time the stronger wins, whatever their ids',
      [told('e1', 3, upsert(a, { status: 'paid' })), told('e2', 3, upsert(a, { status: 'pending' }))],
      graph([[a, { status: 'paid' }]]),
    ),
    story(
      '18 of two bodies of the same time and id the higher hash takes the slot',
      [told('e1#a', 3, link('BOUGHT', a, b)), told('e1#b', 3, link('BOUGHT', a, b2))],
      graph([[a], [b], [b2]], [['BOUGHT', a, b2]]),
    ),
    story(
      '19 the same edge key twice in one set is one edge, the later member winning',
      [
        told(
          'e1',
          2,
          replace('CONTAINS', a, [
            [b, { q: 1, note: 'first' }, '1'],
            [b, { note: 'second' }, '1'],
            [b, {}, '2'],
          ]),
        ),
      ],
      graph(
        [[a], [b]],
        [
          ['CONTAINS', a, b, { q: 1n, note: 'second' }, '1'],
          ['CONTAINS', a, b, {}, '2'],
        ],
      ),
    ),
    story(
      'a cleared slot stays empty when the older link comes last',
      [told('e1', 1, link('BOUGHT', a, b)), told('e2', 2, clear('BOUGHT', a))],
      graph([[a], [b]]),
    ),
  ];
}

function commerceStories({ node, told, upsert, remove, link, graph }: Teller): Story[] {
  const [order, refund, fulfillment] = [node('Order', 'o'), node('Refund', 'r'), node('Fulfillment', 'f')];
  const [ada, bob] = [node('Customer', 'ada'), node('Customer', 'bob')];
  const story = (name: string, events: Told[], expect: PublicGraph): Story => ({ name, model: commerce, events, expect });
  return [
    story(
      '14 a refund whose order was removed stays, and its edge waits',
      [
        told('e1', 3, upsert(order, { status: 'paid' })),
        told('e2', 7, upsert(refund, { amountMinor: 500 }), link('REFUNDS', refund, order)),
        told('e3', 5, remove(order)),
      ],
      graph([[refund, { amountMinor: 500n }]], [], ['e2']),
    ),
    story(
      '14 the edge of the refund appears when the order returns',
      [
        told('e1', 3, upsert(order, { status: 'paid' })),
        told('e2', 7, upsert(refund, { amountMinor: 500 }), link('REFUNDS', refund, order)),
        told('e3', 5, remove(order)),
        told('e4', 6, upsert(order, { name: '#1' })),
      ],
      graph(
        [
          [refund, { amountMinor: 500n }],
          [order, { name: '#1' }],
        ],
        [['REFUNDS', refund, order]],
      ),
    ),
    story(
      '20 an order that moved does not fall back when its customer is removed and returns',
      [
        told('e1', 1, upsert(order, { name: '#1' }), link('PLACED', ada, order)),
        told('e2', 3, link('PLACED', bob, order)),
        told('e3', 5, remove(bob)),
        told('e4', 6, upsert(bob, { email: 'bob@example.com' })),
      ],
      graph([[order, { name: '#1' }], [ada], [bob, { email: 'bob@example.com' }]]),
    ),
    story(
      'an edge that waits for both of its ends goes on waiting when one of them comes and goes',
      [told('e1', 8, link('FULFILLS', fulfillment, order)), told('e2', 4, upsert(order), remove(order))],
      graph([], [], ['e1']),
    ),
  ];
}
