import { describe, expect, test } from 'vitest';

import { defineModel, type Declaration, type NodeDeclaration, type RelationshipDeclaration } from '../../../src/model/model.ts';
import { boolean, float, integer, max, ranked, text, time, union, type PropertyType } from '../../../src/model/values.ts';

const plain: NodeDeclaration = { key: { id: text } };
const oneNode = (node: NodeDeclaration, label = 'A'): Declaration => ({ nodes: { [label]: node }, relationships: {} });
const oneRelationship = (relationship: Partial<RelationshipDeclaration>, type = 'R'): Declaration => ({
  nodes: { A: plain, B: plain },
  relationships: { [type]: { from: 'A', to: 'B', missing: 'stub', ...relationship } },
});
const keyOf = (type: PropertyType): Declaration => oneNode({ key: { id: type } });

describe('defineModel', () => {
  test('resolves labels and relationships, with their defaults', () => {
    const model = defineModel({
      nodes: { A: { key: { source: text, id: text }, properties: { status: text }, tieBreak: { status: ['low', 'high'] } }, B: plain },
      relationships: {
        R: { from: 'A', to: 'B', one: 'from', missing: 'park' },
        S: { from: 'A', to: 'B', key: { line: text }, replace: true, missing: 'stub' },
      },
    });
    const a = model.nodes.get('A');
    expect(a?.key.map((part) => part.name)).toEqual(['source', 'id']);
    expect(a).toMatchObject({ label: 'A', removable: false, doc: '' });
    expect(a?.tieBreak?.ranks.get('low')).toBe(1);
    expect(a?.tieBreak?.ranks.get('high')).toBe(2);
    expect(model.relationships.get('R')).toMatchObject({ from: a, one: 'from', owner: 'to', replace: false, missing: 'park', key: [] });
    expect(model.relationships.get('S')).toMatchObject({ one: undefined, owner: undefined, replace: true, missing: 'stub' });
  });

  test.each<[string, string, Declaration]>([
    ['a label with a space', 'nodes.A B', oneNode(plain, 'A B')],
    ['a label that would be ours', 'nodes._A', oneNode(plain, '_A')],
    ['a label of 64 characters', `nodes.${'A'.repeat(64)}`, oneNode(plain, 'A'.repeat(64))],
    ['a label with a backtick', 'nodes.A`', oneNode(plain, 'A`')],
    ['a node without a key', 'nodes.A.key', oneNode({ key: {} })],
    ['a key part with a bad name', 'nodes.A.key', oneNode({ key: { 'a-b': text } })],
    ['an integer as key part', 'nodes.A.key.id', keyOf(integer)],
    ['a float as key part', 'nodes.A.key.id', keyOf(float)],
    ['a boolean as key part', 'nodes.A.key.id', keyOf(boolean)],
    ['a union as key part', 'nodes.A.key.id', keyOf(union(text))],
    ['a ranked key part', 'nodes.A.key.id', keyOf(ranked(['a']))],
    ['a property that would be ours', 'nodes.A.properties', oneNode({ ...plain, properties: { _clock: text } })],
    ['a key part that is a property too', 'nodes.A.properties.id', oneNode({ ...plain, properties: { id: text } })],
    ['a tie-break on no property', 'nodes.A.tieBreak.status', oneNode({ ...plain, tieBreak: { status: ['a'] } })],
    ['a tie-break on an integer', 'nodes.A.tieBreak.n', oneNode({ ...plain, properties: { n: integer }, tieBreak: { n: ['1'] } })],
    ['a tie-break on what accumulates', 'nodes.A.tieBreak.s', oneNode({ ...plain, properties: { s: max(text) }, tieBreak: { s: ['a'] } })],
    ['two tie-breaks', 'nodes.A.tieBreak', oneNode({ ...plain, properties: { s: text, t: text }, tieBreak: { s: ['a'], t: ['a'] } })],
    ['a relationship from nowhere', 'relationships.R.from', oneRelationship({ from: 'X' })],
    ['a relationship to nowhere', 'relationships.R.to', oneRelationship({ to: 'X' })],
    ['a type with a bad name', 'relationships.R-S', oneRelationship({}, 'R-S')],
    ['a to-one relationship with a key', 'relationships.R.key', oneRelationship({ one: 'to', key: { line: text } })],
    ['an edge property that accumulates', 'relationships.R.properties.n', oneRelationship({ properties: { n: max(integer) } })],
    [
      'an edge key that is a property too',
      'relationships.R.properties.line',
      oneRelationship({ key: { line: text }, properties: { line: text } }),
    ],
    ['an integer in an edge key', 'relationships.R.key.line', oneRelationship({ key: { line: integer } })],
  ])('refuses %s, at %s', (_, path, declaration) => {
    expect(() => defineModel(declaration)).toThrow(expect.objectContaining({ code: 'BAD_MODEL', context: { path } }));
  });

  test('times may be key parts, of nodes and of edges', () => {
    expect(() => defineModel(keyOf(time))).not.toThrow();
    expect(() => defineModel(oneRelationship({ key: { at: time } }))).not.toThrow();
  });
});
