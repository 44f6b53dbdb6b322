import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { defineModel } from '../../../src/model/model.ts';
import { edgeRef, nodeRef, slotOwner, type NodeRef } from '../../../src/model/refs.ts';
import { text, time } from '../../../src/model/values.ts';

const model = defineModel({
  nodes: { A: { key: { source: text, id: text } }, B: { key: { at: time, id: text } }, C: { key: { id: text } } },
  relationships: {
    R: { from: 'A', to: 'A', key: { x: text, y: text }, missing: 'stub' },
    S: { from: 'A', to: 'B', one: 'from', missing: 'stub' },
    T: { from: 'A', to: 'B', one: 'to', missing: 'stub' },
  },
});

const shape = (label: string) => model.nodes.get(label) ?? expect.fail(label);
const relationship = (type: string) => model.relationships.get(type) ?? expect.fail(type);

/** Texts that look like the separators of an id. */
const part = fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.stringMatching(/^[\]/%[>A2F-]{1,6}$/));
const node: fc.Arbitrary<NodeRef> = fc.oneof(
  fc.tuple(part, part).map((key) => nodeRef(shape('A'), key)),
  fc.tuple(fc.bigInt({ min: 0n, max: 3n }), part).map((key) => nodeRef(shape('B'), key)),
  part.map((id) => nodeRef(shape('C'), [id])),
);
const edge = fc
  .tuple(fc.tuple(part, part), fc.tuple(part, part), fc.tuple(part, part))
  .map(([from, to, key]) => edgeRef(relationship('R'), nodeRef(shape('A'), from), nodeRef(shape('A'), to), key));

describe('an id', () => {
  test('reads as label and encoded key parts, times in UTC', () => {
    expect(nodeRef(shape('A'), ['s', 'a/b%~ü']).id).toBe('A/s/a%2Fb%25~%C3%BC');
    expect(nodeRef(shape('B'), [500_000_000n, 'x']).id).toBe('B/1970-01-01T00%3A00%3A00.5Z/x');
    expect(edgeRef(relationship('R'), nodeRef(shape('A'), ['s', '1']), nodeRef(shape('A'), ['s', '2']), ['l', ']']).id).toBe(
      'A/s/1-[R/l/%5D]->A/s/2',
    );
  });

  test('of two nodes is the same only for the same label and key', () => {
    fc.assert(
      fc.property(node, node, (a, b) => {
        expect(a.id === b.id).toBe(a.shape.label === b.shape.label && a.key.every((value, i) => value === b.key[i]));
      }),
      { numRuns: 2_000 },
    );
  });

  test('of two edges is the same only for the same ends and key', () => {
    fc.assert(
      fc.property(edge, edge, (a, b) => {
        const keys = [a, b].map((e) => JSON.stringify([e.from.key, e.to.key, e.key]));
        expect(a.id === b.id).toBe(keys[0] === keys[1]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('takes its own separators as text', () => {
    const whole = edgeRef(relationship('R'), nodeRef(shape('A'), ['s', '1']), nodeRef(shape('A'), ['s', '2']), ['a/b', 'c']).id;
    expect(edgeRef(relationship('R'), nodeRef(shape('A'), ['s', '1']), nodeRef(shape('A'), ['s', '2']), ['a', 'b/c']).id).not.toBe(whole);
    expect(nodeRef(shape('A'), ['s', '1-[R/a/b]->A/s/2']).id).not.toContain('[');
  });
});

test('the slot is borne by the end that has at most one of the other', () => {
  const from = nodeRef(shape('A'), ['s', '1']);
  const to = nodeRef(shape('B'), [0n, 'x']);
  expect(slotOwner(edgeRef(relationship('S'), from, to, []))).toBe(to);
  expect(slotOwner(edgeRef(relationship('T'), from, to, []))).toBe(from);
});
