import examples from '@octokit/webhooks-examples' with { type: 'json' };
import { sign } from '@octokit/webhooks-methods';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import type { Delivery, Event } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { defineModel } from '../../../src/model/model.ts';
import { text } from '../../../src/model/values.ts';
import { github } from '../../../src/sources/github.ts';
import { idAt, objectAt, readObject, required, textAt, timeAt } from '../../../src/sources/read.ts';
import { isIgnored } from '../../../src/sources/source.ts';
import { githubDelivery, NOW_MS, secret, sourceOf, withHeader } from '../../support/deliveries.ts';

const HASH = 'f'.repeat(64);
const source = sourceOf(github());

function eventOf(name: string, body: string): Event {
  return { source: 'acme', id: `${name}/1`, body, bodyHash: HASH, headers: { 'x-github-event': name }, receivedAtMs: NOW_MS };
}

describe('identity', () => {
  const identify = (delivery: Delivery) => source.identify(delivery, null, HASH).id;
  const delivery = githubDelivery({ body: '{}', id: 'd-1' });

  it('is event and delivery', () => expect(identify(delivery)).toBe('issues/d-1'));
  it('takes the body hash where there is no delivery id', () =>
    expect(identify(withHeader(delivery, 'x-github-delivery', undefined))).toBe(`issues/${HASH}`));
  it('is refused without the event', () =>
    expect(() => identify(withHeader(delivery, 'x-github-event', undefined))).toThrow(expect.objectContaining({ code: 'NO_IDENTITY' })));
  it.each([
    ['x-github-event', 'issues, push'],
    ['x-github-event', 'Issues'],
    ['x-github-event', '../x'],
    ['x-github-delivery', 'a, b'],
    ['x-github-delivery', 'a'.repeat(129)],
    ['x-github-delivery', '\u00e9'],
  ])('is refused for %s: %s', (name, value) => {
    expect(() => identify(withHeader(delivery, name, value))).toThrow(expect.objectContaining({ code: 'BAD_HEADER' }));
  });
});

describe('without a mapping', () => {
  it.each([
    ['issues', '{"action":"opened"}', 'issues.opened'],
    ['push', '{"ref":"refs/heads/main"}', 'push'],
    ['repository_dispatch', '{"action":"on-demand-test"}', 'repository_dispatch.on-demand-test'],
    ['issues', '{"action":5}', 'issues'],
    ['issues', '{"action":"a b"}', 'issues'],
    ['issues', '[]', 'issues'],
    ['ping', '{"zen":"x"}', 'ping'],
  ])('%s with %s is ignored as %s', (name, body, type) => {
    const said = source.map(eventOf(name, body), parseJson(body));
    expect(isIgnored(said)).toBe(true);
    expect(said.type).toBe(type);
  });
});

describe('with a mapping', () => {
  const model = defineModel({
    nodes: { Issue: { key: { source: text, id: text }, properties: { title: text } } },
    relationships: {},
  });
  const builder = github({
    model,
    version: 3,
    map({ type }, body) {
      if (!type.startsWith('issues.')) return { type };
      const event = readObject(body, '');
      const issue = required(objectAt(event, 'issue'), event, 'issue');
      const key = { id: required(idAt(issue, 'id'), issue, 'id') };
      return {
        type,
        occurredAt: timeAt(issue, 'updated_at'),
        facts: [{ upsert: { node: 'Issue', key, set: { title: required(textAt(issue, 'title'), issue, 'title') } } }],
      };
    },
  });
  const secrets = [secret()];
  const mapped = builder({ name: 'acme', model, secrets });
  const map = (name: string, body: string) => mapped.map(eventOf(name, body), parseJson(body));

  it('says what it says, under its version', () => {
    expect(mapped.version).toBe('github@3');
    expect(map('issues', '{"action":"edited","issue":{"id":9007199254740993,"title":"T","updated_at":"2026-11-21T09:00:00Z"}}')).toEqual({
      type: 'issues.edited',
      occurredAt: '2026-11-21T09:00:00Z',
      facts: [{ upsert: { node: 'Issue', key: { id: '9007199254740993' }, set: { title: 'T' } } }],
    });
  });
  it('may ignore', () => expect(isIgnored(map('push', '{}'))).toBe(true));
  it('fails with a reason for a body of another kind', () =>
    expect(() => map('issues', '{"action":"edited","pull_request":{}}')).toThrow(
      expect.objectContaining({ code: 'MAPPING_FAILED', message: 'issue: is missing' }),
    ));
  it('is not built for another model than it speaks', () =>
    expect(() => builder({ name: 'acme', model: commerce, secrets })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' })));
});

/** Real payloads, as contributed to Octokit; its types are not those of its JSON. */
const corpus = z.array(z.object({ name: z.string(), examples: z.array(z.looseObject({ action: z.string().optional() })) })).parse(examples);

describe('real payloads, signed by the official library', () => {
  const plain = sourceOf(github(), 'acme', 'a plain secret');

  it('there are some', () => expect(corpus.length).toBeGreaterThan(50));

  it.each(corpus)('$name', async ({ name, examples }) => {
    for (const example of examples) {
      const text = JSON.stringify(example);
      const signed = await sign('a plain secret', text);
      const delivery = withHeader(githubDelivery({ body: text }, name), 'x-hub-signature-256', signed);
      expect(plain.verify(delivery)).toHaveLength(8);
      expect(plain.identify(delivery, null, HASH).id).toBe(`${name}/72d3162e-cc78-11e3-81ab-4c9367dc0958`);
      const said = plain.map(eventOf(name, text), parseJson(text));
      expect(said).toEqual({ type: example.action === undefined ? name : `${name}.${example.action}` });
      const flipped = Buffer.from(text);
      const at = text.length >> 1;
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect(() => plain.verify({ ...delivery, body: flipped })).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }));
    }
  });
});
