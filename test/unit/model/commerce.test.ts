import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { commerce } from '../../../src/model/commerce.ts';
import { readValue } from '../../../src/model/values.ts';

const STRING = /^(?!.*(Minor|At)$)(?!quantity$)(?!timestamp$)/;

/** The contract, in the words of the design: name (key) properties. */
const NODES = {
  Customer: ['source id', 'email firstName lastName phone country currency createdAt updatedAt'],
  Order: ['source id', 'name status financialStatus fulfillmentStatus currency totalMinor createdAt updatedAt cancelledAt'],
  Product: ['source id', 'title vendor productType sku status createdAt updatedAt'],
  Payment: ['source id', 'status amountMinor currency method createdAt'],
  Refund: ['source id', 'amountMinor currency reason createdAt'],
  Fulfillment: ['source id', 'status carrier trackingNumber createdAt'],
  Email: ['address', ''],
  Session: ['source id', 'startedAt'],
  PageView: ['source sessionId url timestamp', 'title referrer'],
  Page: ['source url', 'title'],
};

const RELATIONSHIPS = {
  PLACED: 'Customer-Order one from, stub',
  CONTAINS: 'Order-Product key line; quantity unitPriceMinor totalMinor title sku; replace, stub',
  PAYS: 'Payment-Order one to, park',
  REFUNDS: 'Refund-Order one to, park',
  FULFILLS: 'Fulfillment-Order one to, park',
  HAS_EMAIL: 'Customer-Email one to, stub',
  HAS_SESSION: 'Customer-Session one from, stub',
  VIEWED: 'Session-PageView one from, stub',
  OF: 'PageView-Page one to, stub',
};

describe('the commerce model is the contract', () => {
  test('labels, keys and properties', () => {
    const nodes = [...commerce.nodes.values()].map((node) => [
      node.label,
      [node.key.map((part) => part.name).join(' '), [...node.properties.keys()].join(' ')],
    ]);
    expect(Object.fromEntries(nodes)).toEqual(NODES);
  });

  test('relationships and their rules', () => {
    const relationships = [...commerce.relationships.values()].map(({ type, from, to, one, key, properties, replace, missing }) => {
      const parts = key.length === 0 ? '' : `key ${key.map((part) => part.name).join(' ')}; ${[...properties.keys()].join(' ')}; `;
      return [type, `${from.label}-${to.label} ${parts}${one === undefined ? '' : `one ${one}, `}${replace ? 'replace, ' : ''}${missing}`];
    });
    expect(Object.fromEntries(relationships)).toEqual(RELATIONSHIPS);
  });

  test('customers, orders and refunds are removable, nothing else', () => {
    expect([...commerce.nodes.values()].filter((node) => node.removable).map((node) => node.label)).toEqual([
      'Customer',
      'Order',
      'Refund',
    ]);
  });

  test('only an order’s status breaks ties', () => {
    const breaking = [...commerce.nodes.values()].filter((node) => node.tieBreak !== undefined);
    expect(breaking.map((node) => [node.label, node.tieBreak?.property, [...(node.tieBreak?.ranks ?? [])]])).toEqual([
      [
        'Order',
        'status',
        [
          ['pending', 1],
          ['paid', 2],
          ['fulfilled', 3],
          ['cancelled', 4],
          ['refunded', 5],
        ],
      ],
    ]);
  });

  test('types follow from names, and the last writer wins everywhere', () => {
    for (const { key, properties } of [...commerce.nodes.values(), ...commerce.relationships.values()]) {
      for (const [name, { type, rule }] of [...properties, ...key.map((part) => [part.name, part.type] as const)]) {
        expect([name, type, rule]).toEqual([name, STRING.test(name) ? 'text' : /At$|^timestamp$/.test(name) ? 'time' : 'integer', 'last']);
      }
    }
  });
});

describe('an e-mail address', () => {
  const address = commerce.declaration.nodes.Email.key.address;
  const normalise = (input: string): unknown => {
    const read = readValue(address, input);
    return 'value' in read ? read.value : read;
  };

  test.each([
    [' Ada@Example.COM\n', 'ada@example.com'],
    ['Jose\u0301@example.com', 'jos\u00e9@example.com'],
    ['a@BÜCHER.example', 'a@xn--bcher-kva.example'],
    ['a@bu\u0308cher.example', 'a@xn--bcher-kva.example'],
    ['a@xn--bcher-kva.example', 'a@xn--bcher-kva.example'],
    ['"a@b"@Example.com', '"a@b"@example.com'],
    ['No Address', 'no address'],
    ['a@', 'a@'],
    ['', ''],
  ])('%j is %j', (input, output) => {
    expect(normalise(input)).toBe(output);
  });

  test.each([
    ['a@example.com/x', 'a@example.com'],
    ['a@example.com?x', 'a@example.com'],
    ['a@ex%41mple.com', 'a@example.com'],
    ['a@1', 'a@0.0.0.1'],
    ['a@bü.example/x', 'a@bü.example'],
  ])('that is odd does not become another: %s, %s', (a, b) => {
    expect(normalise(a)).not.toBe(normalise(b));
  });

  test('is the same when normalised again', () => {
    const domain = fc.oneof(fc.string({ unit: 'binary' }), fc.domain(), fc.stringMatching(/^[a-zäßσ.İ-]{1,12}$/));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), domain, (local, host) => {
        const once = normalise(`${local}@${host}`);
        expect(normalise(String(once))).toBe(once);
      }),
      { numRuns: 1_000 },
    );
  });

  test('of a customer stays as sent', () => {
    expect(readValue(commerce.declaration.nodes.Customer.properties.email, ' Ada@Example.COM ')).toEqual({ value: ' Ada@Example.COM ' });
  });
});
