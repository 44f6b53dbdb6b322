import { expect, test } from 'vitest';
import { commerce } from '../../../src/model/commerce.ts';
import type { Model } from '../../../src/model/model.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { generate } from '../../../src/verify/generate.ts';
import { law } from '../../../src/verify/law-model.ts';
import { createRandom } from '../../../src/verify/random.ts';
import { factsOf, nameOf, type Told } from '../../../src/verify/told.ts';

function histories(model: Model, count: number, prefix = ''): Told[][] {
  const random = createRandom('generate');
  return Array.from({ length: count }, (_, index) =>
    generate(random, model, { events: 5, prefix: prefix === '' ? '' : `${prefix}${index}-` }),
  );
}

test.each<[string, Model]>([
  ['law', law],
  ['commerce', commerce],
])('every event is legal under the %s model and has a name of its own', (_, model) => {
  for (const history of histories(model, 500)) {
    for (const event of history) resolve(model, event, event.mapped);
    expect(new Set(history.map(nameOf)).size).toBe(history.length);
  }
});

test('the same seed tells the same histories, another seed others', () => {
  expect(histories(law, 20)).toEqual(histories(law, 20));
  expect(generate(createRandom(1), law, { events: 5 })).not.toEqual(generate(createRandom(2), law, { events: 5 }));
});

test('prefixed histories share no node and no event', () => {
  for (const model of [law, commerce] as Model[]) {
    const owners = new Map<string, number>();
    for (const [index, history] of histories(model, 200, 'h').entries()) {
      for (const event of history) {
        for (const id of [nameOf(event), ...resolve(model, event, event.mapped).entities]) {
          expect(owners.get(id) ?? index, id).toBe(index);
          owners.set(id, index);
        }
      }
    }
  }
});

test('a thousand histories speak of every label, type, property and kind, of ties, own times, sequences and second bodies', () => {
  const seen = new Set<string>();
  for (const history of histories(law, 1_000)) {
    const ids = history.map(({ id }) => id);
    if (new Set(ids).size < ids.length) seen.add('second body');
    const times = history.map(({ mapped }) => mapped.occurredAt);
    if (new Set(times).size < times.length) seen.add('tie');
    for (const { mapped } of history) {
      if (mapped.sequence !== undefined) seen.add('sequence');
      for (const { kind, said } of factsOf(mapped)) {
        seen.add(kind).add(`${kind} ${'at' in said ? 'at' : ''}`);
        const shape = law.nodes.get(String(said['node'])) ?? law.relationships.get(String(said['relationship']));
        const name = String(said['node'] ?? said['relationship']);
        seen.add(name);
        if ((kind === 'upsert' || kind === 'link') && shape !== undefined)
          for (const property of Object.keys(said['set'] ?? {})) seen.add(`${name}.${property}`);
      }
    }
  }
  const kinds = ['upsert', 'remove', 'link', 'unlink', 'replace', 'clear'];
  const properties = [...law.nodes, ...law.relationships].flatMap(([name, { properties: declared }]) => [
    name,
    ...[...declared.keys()].map((property) => `${name}.${property}`),
  ]);
  const wanted = ['tie', 'sequence', 'second body', ...kinds, ...kinds.map((kind) => `${kind} at`), ...properties];
  expect(wanted.filter((word) => !seen.has(word))).toEqual([]);
});
