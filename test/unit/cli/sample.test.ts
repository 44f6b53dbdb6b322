import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { expect, test } from 'vitest';
import { SAMPLES, type PackName } from '../../../src/cli/sample-packs.ts';
import { tellStory } from '../../../src/cli/sample.ts';
import type { Delivery } from '../../../src/event.ts';
import { parseJson } from '../../../src/json.ts';
import { genericFile } from '../../../src/load-config.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { createWorld } from '../../../src/model/world.ts';
import { PACKS } from '../../../src/sources/packs.ts';
import { isIgnored } from '../../../src/sources/source.ts';
import { square } from '../../../src/sources/square.ts';
import { NOW_MS, secret, SECRET_TEXT } from '../../support/deliveries.ts';

const URL = 'https://shop.example/webhooks/acme';
const PACK_NAMES: readonly PackName[] = ['cloudevents', 'facts', 'standard', 'shopify', 'stripe', 'woocommerce'];

/** What `receive` and `apply` would make of the samples, without either store. */
function play(pack: PackName, seed: string, count: number, builder = PACKS[pack]) {
  const source = builder?.({ name: 'acme', model: commerce, secrets: [secret(SECRET_TEXT)] });
  if (source === undefined) throw new Error(`no pack ${pack}`);
  const world = createWorld(commerce);
  const ids = new Set<string>();
  const ignored: string[] = [];
  for (const sample of tellStory(seed, count).map(SAMPLES[pack])) {
    const body = Buffer.from(sample.body);
    const delivery: Delivery = { source: 'acme', body, headers: sample.headers(secret(SECRET_TEXT), NOW_MS, URL), receivedAtMs: NOW_MS };
    source.verify(delivery);
    const json = parseJson(sample.body);
    const bodyHash = createHash('sha256').update(body).digest('hex');
    const { id } = source.identify(delivery, json, bodyHash);
    ids.add(id);
    const said = source.map({ ...delivery, id, body: sample.body, bodyHash }, json);
    if (isIgnored(said)) {
      ignored.push(said.type);
      continue;
    }
    world.apply(resolve(commerce, { source: 'acme', id, bodyHash }, said).facts);
  }
  return { ids, ignored, graph: world.graph() };
}

const labels = (nodes: ReadonlyMap<string, unknown>) => new Set([...nodes.keys()].map((id) => id.split('/')[0]));

test.each(PACK_NAMES)('every sample of %s is signed, named and mapped into a connected shop', (pack) => {
  const { ids, ignored, graph } = play(pack, 'a', 300);
  expect(ids.size).toBe(300);
  expect(ignored).toEqual([]);
  expect([...labels(graph.nodes)]).toEqual(expect.arrayContaining(['Customer', 'Email', 'Order', 'Product', 'Refund']));
  expect(graph.parked).toEqual(new Set());
  expect([...graph.edges.keys()].filter((id) => id.includes('CONTAINS')).length).toBeGreaterThan(30);
});

test('samples of square are signed for the URL that they are posted to, and tell of all but products', () => {
  const { ids, ignored, graph } = play('square', 'a', 300, square({ notificationUrl: URL }));
  expect(ids.size).toBe(300);
  expect(new Set(ignored)).toEqual(new Set(['catalog.version.updated']));
  expect(labels(graph.nodes)).toEqual(new Set(['Customer', 'Email', 'Fulfillment', 'Order', 'Payment', 'Refund']));
  expect(graph.parked).toEqual(new Set());
  expect([...graph.edges.keys()].filter((id) => id.includes('PLACED')).length).toBeGreaterThan(30);
});

test('samples of segment are signed, and tell of visits, pages and who came', () => {
  const { ids, ignored, graph } = play('segment', 'a', 300);
  expect(ids.size).toBe(300);
  expect(ignored).toEqual([]);
  expect(labels(graph.nodes)).toEqual(new Set(['Customer', 'Email', 'Session', 'PageView', 'Page']));
  for (const type of ['HAS_SESSION', 'VIEWED', 'OF'])
    expect([...graph.edges.keys()].filter((id) => id.includes(type)).length).toBeGreaterThan(20);
});

test('samples of generic are told as its guide describes the sender, and make a connected shop', () => {
  const folder = mkdtempSync(join(tmpdir(), 'eventgraft-generic-'));
  try {
    const guide = readFileSync(resolvePath(import.meta.dirname, '../../../docs/guides/generic.md'), 'utf8');
    writeFileSync(join(folder, 'radar.yaml'), /^```yaml\n([\s\S]*?)^```$/m.exec(guide)?.[1] ?? '');
    const { ids, ignored, graph } = play('generic', 'a', 300, genericFile(join(folder, 'radar.yaml')));
    expect(ids.size).toBe(300);
    expect(ignored).toEqual([]);
    expect(labels(graph.nodes)).toEqual(new Set(['Customer', 'Email', 'Order', 'Product', 'Refund']));
    expect(graph.parked).toEqual(new Set());
    expect([...graph.edges.keys()].filter((id) => id.includes('CONTAINS')).length).toBeGreaterThan(30);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('samples of github are signed and named, and mean nothing by themselves', () => {
  const { ids, ignored } = play('github', 'a', 100);
  expect(ids.size).toBe(100);
  expect(ignored).toHaveLength(100);
  expect(ignored).toContain('repository_dispatch.order.placed');
});

test('a seed tells its story again to the byte, and another tells of other orders', () => {
  const bodies = (seed: string) => tellStory(seed, 80).map((happening) => SAMPLES.facts(happening).body);
  expect(bodies('a')).toEqual(bodies('a'));
  const common = bodies('b').filter((body) => bodies('a').includes(body));
  expect(common.every((body) => /"type":"(customer|product)\.created"/.test(body))).toBe(true);
});

test('a handful of events is enough for a whole order', () => {
  const kinds = tellStory('few', 12).map(({ kind }) => kind);
  expect(kinds).toHaveLength(12);
  expect(kinds).toEqual(expect.arrayContaining(['customer.created', 'product.created', 'order.placed', 'order.paid']));
});

test('nothing is told of before those it needs', () => {
  const seen = new Set<string>();
  for (const happening of tellStory('order', 200)) {
    if (happening.kind === 'customer.created') seen.add(happening.customer.email);
    else if (happening.kind === 'order.placed') expect(seen).toContain(happening.order.customer.email);
  }
});
