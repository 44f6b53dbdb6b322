import { defineModel } from '../../../src/model/model.ts';
import { text } from '../../../src/model/values.ts';
import { github } from '../../../src/sources/github.ts';
import type { SourceBuilder } from '../../../src/sources/source.ts';

const model = defineModel({
  nodes: { Issue: { key: { source: text, id: text }, properties: { title: text } } },
  relationships: {},
});
const said = { type: 't', occurredAt: '2026-11-21T09:00:00Z' };

export const ok: SourceBuilder[] = [
  github(),
  github({ map: ({ type }) => ({ type }) }),
  github({ map: () => ({ ...said, facts: [{ upsert: { node: 'Order', key: { id: '1' } } }] }) }),
  github({ model, map: () => ({ ...said, facts: [{ upsert: { node: 'Issue', key: { id: '1' }, set: { title: null } } }] }) }),
];
export const bad: SourceBuilder[] = [
  // @ts-expect-error
  github({ map: () => ({ ...said, facts: [{ upsert: { node: 'Issue', key: { id: '1' } } }] }) }),
  // @ts-expect-error
  github({ model, map: () => ({ ...said, facts: [{ upsert: { node: 'Order', key: { id: '1' } } }] }) }),
  // @ts-expect-error
  github({ model, map: () => ({ ...said, facts: [{ upsert: { node: 'Issue', key: { id: '1' }, set: { titel: '' } } }] }) }),
];
