import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { IngestError } from '../../../src/errors.ts';
import { parseJson } from '../../../src/json.ts';
import { envelopeJsonSchema, readEnvelope } from '../../../src/model/envelope.ts';
import type { Mapped } from '../../../src/model/facts.ts';
import { Decimal } from '../../../src/model/values.ts';
import { testData, unless } from '../../support/data.ts';

type Path = readonly (string | number)[];

const COMMITTED = join(import.meta.dirname, '../../../docs/facts.schema.json');

/** Every field and every kind of fact. */
const full = {
  id: 'evt_1',
  type: 'order.paid',
  occurredAt: '2026-11-21T09:00:00.123Z',
  observedAt: '2026-11-21T10:00:00+01:00',
  sequence: 7,
  occurrenceId: 'occ_1',
  subject: { node: 'Order', key: { id: '1001' } },
  source: 'acme-shopify',
  facts: [
    {
      upsert: {
        node: 'Order',
        key: { id: '1001' },
        set: { status: 'paid', totalMinor: 4200, name: null, rate: 1.5, vip: true, tags: ['a', 1, null] },
      },
    },
    { link: { relationship: 'PLACED', from: { id: 'c1' }, to: { id: '1001' } } },
    {
      replace: { relationship: 'CONTAINS', from: { id: '1001' }, links: [{ to: { id: 'p1' }, key: { line: '1' }, set: { quantity: 2 } }] },
    },
    { unlink: { relationship: 'CONTAINS', from: { source: 's', id: '1001' }, to: { id: 'p2' }, key: { line: '2' } } },
    { clear: { relationship: 'HAS_EMAIL', owner: { id: 'c1' } } },
    { remove: { node: 'Customer', key: { id: 'c9' }, at: '2026-11-20T00:00:00Z' } },
  ],
};

const least = { id: 'e', type: 't', occurredAt: '2026-11-21T09:00:00Z', facts: [] };

function read(document: unknown) {
  return readEnvelope(parseJson(JSON.stringify(document)));
}

/** A copy with the value at the path replaced; dropped when undefined. */
function change(document: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const copy: unknown = Array.isArray(document) ? [...document] : { ...(document as object) };
  const target = copy as Record<string | number, unknown>;
  const changed = change(target[step], rest, value);
  if (changed !== undefined) target[step] = changed;
  else if (Array.isArray(copy)) copy.splice(Number(step), 1);
  else delete target[step];
  return copy;
}

describe('an envelope', () => {
  test('is read as it stands', () => {
    const json = parseJson(JSON.stringify(full));
    const mapped: Mapped = readEnvelope(json);
    expect(mapped).toBe(json);
    expect(read(least)).toMatchObject(least);
  });

  test('keeps integers and decimals as they were written', () => {
    const text = JSON.stringify(full)
      .replace('4200', '9007199254740993')
      .replace('1.5', '2100.0')
      .replace('"sequence":7', '"sequence":9223372036854775807');
    const envelope = readEnvelope(parseJson(text));
    expect(envelope.sequence).toBe(9223372036854775807n);
    expect(envelope.facts[0]).toMatchObject({ upsert: { set: { totalMinor: 9007199254740993n, rate: new Decimal('2100.0') } } });
  });

  test.each<[string, Path, unknown]>([
    ['id', ['id'], undefined],
    ['id', ['id'], ''],
    ['id', ['id'], 5],
    ['id', ['id'], 'x'.repeat(513)],
    ['type', ['type'], null],
    ['type', ['type'], 'x'.repeat(257)],
    ['occurredAt', ['occurredAt'], undefined],
    ['occurredAt', ['occurredAt'], '2024-02-30T00:00:00Z'],
    ['occurredAt', ['occurredAt'], 1700000000],
    ['observedAt', ['observedAt'], 'now'],
    ['sequence', ['sequence'], -1],
    ['sequence', ['sequence'], 1.5],
    ['sequence', ['sequence'], '1'],
    ['occurrenceId', ['occurrenceId'], ''],
    ['source', ['source'], 'Acme'],
    ['subject.key', ['subject', 'key'], undefined],
    ['subject.label', ['subject', 'label'], 'X'],
    ['facts', ['facts'], undefined],
    ['facts', ['facts'], {}],
    ['version', ['version'], 1],
    ['["a b"]', ['a b'], 1],
    ['__proto__', ['__proto__'], {}],
    ['facts[0]', ['facts', 0], {}],
    ['facts[0]', ['facts', 0], null],
    ['facts[0]', ['facts', 0], []],
    ['facts[1]', ['facts', 1, 'remove'], { node: 'Order', key: { id: '1' } }],
    ['facts[0].merge', ['facts', 0], { merge: {} }],
    ['facts[0].upsert.node', ['facts', 0, 'upsert', 'node'], 'Or der'],
    ['facts[0].upsert.node', ['facts', 0, 'upsert', 'node'], undefined],
    ['facts[0].upsert.key', ['facts', 0, 'upsert', 'key'], {}],
    ['facts[0].upsert.key', ['facts', 0, 'upsert', 'key'], []],
    ['facts[0].upsert.key.id', ['facts', 0, 'upsert', 'key', 'id'], 1001],
    ['facts[0].upsert.key.id', ['facts', 0, 'upsert', 'key', 'id'], ''],
    ['facts[0].upsert.set', ['facts', 0, 'upsert', 'set'], null],
    ['facts[0].upsert.set.name', ['facts', 0, 'upsert', 'set', 'name'], { first: 'Ada' }],
    ['facts[0].upsert.at', ['facts', 0, 'upsert', 'at'], null],
    ['facts[0].upsert.when', ['facts', 0, 'upsert', 'when'], ''],
    ['facts[1].link.to', ['facts', 1, 'link', 'to'], undefined],
    ['facts[1].link.to', ['facts', 1, 'link', 'to'], '1001'],
    ['facts[1].link.key', ['facts', 1, 'link', 'key'], {}],
    ['facts[2].replace.links', ['facts', 2, 'replace', 'links'], undefined],
    ['facts[2].replace.links[0].from', ['facts', 2, 'replace', 'links', 0, 'from'], { id: '1' }],
    ['facts[2].replace.links[0].key.line', ['facts', 2, 'replace', 'links', 0, 'key', 'line'], 1],
    ['facts[3].unlink.set', ['facts', 3, 'unlink', 'set'], {}],
    ['facts[4].clear.owner', ['facts', 4, 'clear', 'owner'], undefined],
    ['facts[5].remove.set', ['facts', 5, 'remove', 'set'], {}],
  ])('is refused at %s (%j = %j)', (path, place, value) => {
    const document =
      place[0] === '__proto__' ? JSON.stringify(full).replace('{', '{"__proto__":{},') : JSON.stringify(change(full, place, value));
    expect(() => readEnvelope(parseJson(document))).toThrow(
      expect.objectContaining({ code: 'BAD_ENVELOPE', context: { path }, message: expect.stringMatching(/(is|must) /) }),
    );
  });

  test.each(['null', '[]', '5', '"text"', '[{}]'])('is refused without a path when it is %s', (text) => {
    expect(() => readEnvelope(parseJson(text))).toThrow(
      expect.objectContaining({ code: 'BAD_ENVELOPE', context: {}, message: 'the envelope must be an object' }),
    );
  });

  test('says what is missing, and what was expected', () => {
    expect(() => read(change(full, ['facts', 1, 'link', 'to'], undefined))).toThrow('facts[1].link.to is required');
    expect(() => read(change(full, ['facts', 1, 'link', 'to'], 5))).toThrow('facts[1].link.to must be an object');
    expect(() => read(change(full, ['id'], 5))).toThrow('id must be text');
  });

  test('counts characters as code points, as JSON Schema does', () => {
    expect(read({ ...least, id: '😀'.repeat(512) }).id).toHaveLength(1024);
    expect(() => read({ ...least, id: '😀'.repeat(513) })).toThrow('id must have at most 512 characters');
  });

  test('passes a property called __proto__ on, for the model to refuse', () => {
    const envelope = readEnvelope(
      parseJson(
        '{"id":"e","type":"t","occurredAt":"2026-11-21T09:00:00Z","facts":[{"upsert":{"node":"A","key":{"id":"1"},"set":{"__proto__":"x"}}}]}',
      ),
    );
    expect(JSON.stringify(envelope)).toContain('__proto__');
  });
});

test('docs/facts.schema.json is written from the zod schema (vitest -u)', async () => {
  await expect(`${JSON.stringify(envelopeJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(COMMITTED);
});

/** Times are the one place where the schema is looser than its own words: its `format` knows leap seconds and any fraction. */
const contract = testData('..', 'facts.schema.json');
describe.each([
  { whose: 'our own', schema: envelopeJsonSchema() },
  { whose: `the contract${unless(contract)}`, schema: contract === undefined ? undefined : JSON.parse(readFileSync(contract, 'utf8')) },
])('the reader and the JSON Schema agree: $whose', ({ schema }) => {
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  const matches = ajv.compile(schema ?? {});

  function agree(document: unknown): void {
    const accepted = matches(document);
    if (accepted) expect(() => read(document)).not.toThrow();
    else expect(() => read(document)).toThrow(IngestError);
  }

  const name = fc.constantFrom('Order', 'PLACED', 'a', 'A_1', '_a', '1a', 'a b', '', 'x'.repeat(63), 'x'.repeat(64));
  const key = fc.dictionary(
    fc.constantFrom('id', 'source', 'a b'),
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom('1', 'é😀') }, fc.constantFrom('', 1, null)),
    { minKeys: 0, noNullPrototype: true },
  );
  const set = fc.dictionary(
    fc.constantFrom('status', 'n', ''),
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom('paid', '', 1, 1.5, true, null, ['a', 1], [[]]) }, fc.constant({})),
    { noNullPrototype: true },
  );
  const at = fc.constantFrom(
    '2026-11-21T09:00:00Z',
    '2026-11-21T09:00:00.123456789+05:30',
    '2024-02-30T00:00:00Z',
    '2026-11-21',
    '',
    'now',
  );
  const optional = ['at', 'set', 'key'] as const;
  const member = fc.record({ to: key, key, set }, { requiredKeys: ['to'] });
  const body = fc.oneof(
    fc.record({ node: name, key, set, at }, { requiredKeys: ['node', 'key'] }),
    fc.record({ relationship: name, from: key, to: key, key, set, at }, { requiredKeys: ['relationship', 'from', 'to'] }),
    fc.record(
      { relationship: name, from: key, links: fc.array(member, { maxLength: 2 }), at },
      { requiredKeys: ['relationship', 'from', 'links'] },
    ),
    fc.record({ relationship: name, owner: key, at }, { requiredKeys: ['relationship', 'owner'] }),
  );
  const fact = fc.dictionary(fc.constantFrom('upsert', 'remove', 'link', 'unlink', 'replace', 'clear'), body, {
    minKeys: 0,
    maxKeys: 2,
    noNullPrototype: true,
  });
  const envelope = fc.record(
    {
      id: fc.constantFrom('e', '', '😀'.repeat(512), 'x'.repeat(513)),
      type: fc.constantFrom('t', '😀'.repeat(256), 'x'.repeat(257)),
      occurredAt: at,
      observedAt: at,
      sequence: fc.constantFrom(0, 7, -1, 1.5, Number.MAX_SAFE_INTEGER),
      occurrenceId: fc.constantFrom('o', ''),
      subject: fc.record({ node: name, key }, { requiredKeys: ['node'] }),
      source: fc.constantFrom('a', 'acme-1', 'A', '-a', 'a'.repeat(64)),
      facts: fc.array(fact, { maxLength: 3 }),
    },
    { requiredKeys: ['id', 'type', 'occurredAt'] },
  );

  test.skipIf(schema === undefined)('on every envelope that can be made up', () => {
    agree(full);
    agree(least);
    fc.assert(fc.property(envelope, agree), { numRuns: 300 });
  });

  test.skipIf(schema === undefined)('on a valid envelope with one thing wrong', () => {
    const junk = fc.constantFrom<unknown[]>(
      undefined,
      null,
      '',
      'x',
      0,
      -1,
      1.5,
      true,
      [],
      {},
      [1],
      { id: '1' },
      '2026-11-21T09:00:00Z',
      'a b',
    );
    const places = pathsOf(full);
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.option(fc.constantFrom('extra', ...optional, 'node', 'to')),
        junk,
        (place, under, value) => {
          const inside = places.some((other) => other.length > place.length && place.every((step, i) => other[i] === step));
          agree(change(full, under === null || !inside ? place : [...place, under], value));
        },
      ),
      { numRuns: 500 },
    );
  });
});

function pathsOf(json: unknown, path: Path = []): Path[] {
  if (typeof json !== 'object' || json === null) return [path];
  const steps: readonly (readonly [string | number, unknown])[] = Array.isArray(json) ? [...json.entries()] : Object.entries(json);
  return [...(path.length === 0 ? [] : [path]), ...steps.flatMap(([step, value]) => pathsOf(value, [...path, step]))];
}
