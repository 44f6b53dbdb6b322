import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli, databases, firstLine, interrupt, place, start, type Place, type Ran } from '../support/cli.ts';
import { SECRET_TEXT } from '../support/deliveries.ts';
import { freshDatabase, freshPrefix, neo4j, withDriver } from '../support/runtime.ts';

const MINUTE_MS = 60_000;

/** Exactly one object was printed. */
function one(ran: Ran): Record<string, unknown> {
  const rows = ran.rows();
  if (rows.length !== 1 || rows[0] === undefined) throw new Error(`expected one line of JSON, got ${ran.stdout}${ran.stderr}`);
  return rows[0];
}

describe('usage', () => {
  test('help tells every command in one sentence, by group', async () => {
    const { code, stdout } = await cli(place({}), '--help');
    expect(code).toBe(0);
    for (const group of ['Run:', 'Try:', 'Look:', 'Operate:']) expect(stdout).toContain(`\n${group}\n`);
    for (const command of [
      'serve',
      'work',
      'dev',
      'demo',
      'send',
      'verify',
      'events',
      'explain',
      'query',
      'backfill',
      'schema',
      'doctor',
    ]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${command} .*[a-z]`, 'm'));
    }
  });

  test.each([
    ['an unknown command', ['evnts'], /unknown command 'evnts'\n\(Did you mean events\?\)/],
    ['no command', [], /^Usage: eventgraft/],
    ['half a command', ['events'], /^Usage: eventgraft events/],
    ['an unknown option', ['doctor', '--jsn'], /unknown option '--jsn'/],
    ['a missing argument', ['send'], /missing required argument 'source'/],
    ['a value that is none', ['send', 'facts', '--count', 'many'], /whole number/],
    ['a label that is none', ['explain', 'Nobody', 'shop', '1'], /the model has no Nobody; it has Customer, /],
    ['half a key', ['explain', 'Order', 'shop'], /Order has the key source, id: give these 2, and perhaps a property/],
    ['a property that is none', ['explain', 'Order', 'shop', '1', 'colour'], /Order has no colour; it has .*status/],
    ['a filter that is none', ['events', 'list', '--state', 'lost'], /state must be one of applied/],
    ['two queries at once', ['query', 'best-customers', '--cypher', 'RETURN 1'], /exactly one/],
    ['an unknown query', ['query', 'best'], /no query is called best; there are best-customers/],
    ['a backfill of nothing', ['backfill'], /say which source, and --from when/],
    ['a backfill of an unknown source', ['backfill', 'tea', '--from', '2026-11-01T00:00:00Z'], /there is no source tea; there are facts/],
    ['a time without a zone', ['backfill', 'stripe', '--from', '2026-11-01'], /RFC 3339/],
    ['two ways to begin', ['backfill', 'stripe', '--from', '2026-11-01T00:00:00Z', '--resume', '--restart'], /cannot be used with/],
    ['a parameter that no query has', ['query', 'best-customers', '--param', 'lmit=3'], /no parameter lmit; it takes .*limit \(integer/],
    ['a parameter that is missing', ['query', 'customer-journey'], /needs the parameter customer: .*; it takes .*customer \(text\)/],
    ['a parameter that is none', ['query', 'best-customers', '--param', 'limit=ten'], /best-customers: limit: /],
    ['a time whose plus is lost', ['events', 'list', '--since', '2026-11-21T10:00:00 02:00'], /since .*its \+ became a space/],
    ['a source without samples', ['send', 'unheard-of'], /there are for facts, standard, shopify/],
  ])('%s is exit code 2 and a hint', async (_, args, hint) => {
    const { code, stdout, stderr } = await cli(place({}), ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(hint);
    expect(stdout).toBe('');
  });

  test.each([
    [['events', 'list'], /no graph: set NEO4J_URI and NEO4J_PASSWORD, or start `eventgraft dev`/],
    [['query', '--cypher', 'RETURN 1'], /no graph/],
    [['schema', 'check'], /no graph/],
    [['serve'], /serve needs REDIS_URL/],
    [['backfill', 'stripe', '--from', '2026-11-01T00:00:00Z'], /set FETCH_TOKEN_STRIPE/],
    [['backfill', '--list'], /no queue: set REDIS_URL/],
    [['send', 'facts'], /no secret for facts: give --secret, set WEBHOOK_SECRET_FACTS/],
  ])('%o without databases names the ways out', async (args, hint) => {
    const { code, stderr } = await cli(place({}), ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(hint);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('databases that are away are told by address and reason, at once', async () => {
    const away = place({ NEO4J_URI: 'bolt://127.0.0.1:1', NEO4J_PASSWORD: 'x', REDIS_URL: 'redis://:secret@127.0.0.1:1' });
    const query = await cli(away, 'query', '--cypher', 'RETURN 1');
    expect(query.code).toBe(1);
    expect(query.stderr).toMatch(/ECONNREFUSED 127\.0\.0\.1:1\n {2}GRAPH_UNAVAILABLE: Check NEO4J_URI/);
    expect((await cli(away, 'schema', 'apply')).stderr).toContain('GRAPH_UNAVAILABLE');
    const count = await cli(away, 'events', 'count');
    expect(count.code).toBe(1);
    expect(count.stderr).toMatch(/Redis at redis:\/\/127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/);
    expect(count.stderr).not.toContain('secret@');
  });
});

describe('with databases', () => {
  let here: Place;
  const services: ChildProcess[] = [];
  let url = '';

  beforeAll(async () => {
    await freshDatabase();
    here = place({ ...databases(), EVENTGRAFT_QUEUE_PREFIX: freshPrefix(), PORT: '0', ...secrets('FACTS', 'STANDARD', 'SHOPIFY') });
  }, MINUTE_MS);
  afterAll(async () => {
    await Promise.all(services.map(interrupt));
  });

  function secrets(...names: string[]) {
    return Object.fromEntries(names.map((name) => [`WEBHOOK_SECRET_${name}`, SECRET_TEXT]));
  }

  async function untilDrained(): Promise<Record<string, unknown>> {
    for (;;) {
      const counts = one(await cli(here, 'events', 'count', '--json'));
      if (counts['queued'] === 0) return counts;
      await sleep(200);
    }
  }

  test('verify borrows an empty graph and gives it back empty', { timeout: 5 * MINUTE_MS }, async () => {
    const { uri, password } = neo4j();
    const ran = await cli(here, 'verify', '--histories', '3', '--seed', 'e2e', '--uri', uri, '--password', password, '--json');
    expect(ran.code).toBe(0);
    const { ok, results } = one(ran);
    expect(ok).toBe(true);
    expect(results).toMatchObject(
      ['memory', 'database'].flatMap((where) => ['law', 'commerce'].map((model) => ({ model, where, divergences: [] }))),
    );
    expect(await leftOver()).toEqual({ nodes: 0, constraints: 0 });
  });

  test('the schema is missing, is applied, and is there', { timeout: 2 * MINUTE_MS }, async () => {
    const before = await cli(here, 'schema', 'check', '--json');
    expect(before.code).toBe(1);
    expect(one(before)['problems']).toContain('missing: unique constraint on Order(source, id)');
    const work = await cli(here, 'work');
    expect([work.code, work.stderr]).toEqual([1, expect.stringContaining('SCHEMA_DRIFT: Run `eventgraft schema apply`.')]);
    const applied = await cli(here, 'schema', 'apply', '--json');
    expect(one(applied)['made']).toEqual(one(before)['problems']);
    const after = await cli(here, 'schema', 'check', '--json');
    expect([after.code, one(after)]).toEqual([0, { ok: true, problems: [] }]);
  });

  test('sent events are counted, shown and answered for', { timeout: 2 * MINUTE_MS }, async () => {
    for (const role of ['serve', 'work']) services.push(start(here, role));
    const started = await Promise.all(services.map((service) => firstLine(service, 'stderr', ({ msg }) => msg === 'service.started')));
    url = String(started[0]?.['url']);

    const sent = await cli(
      here,
      'send',
      'facts',
      '--count',
      '60',
      '--shuffle',
      '--duplicate',
      '0.3',
      '--seed',
      'x',
      '--url',
      url,
      '--json',
    );
    expect(sent.code).toBe(0);
    const { accepted, duplicate, delivered, refused } = one(sent);
    expect([accepted, refused]).toEqual([60, {}]);
    expect(duplicate).toBeGreaterThan(5);
    expect(delivered).toBe(60 + Number(duplicate));
    for (const source of ['standard', 'shopify']) {
      expect(one(await cli(here, 'send', source, '--count', '30', '--url', url, '--json')), source).toMatchObject({
        accepted: 30,
        refused: {},
      });
    }
    const again = await cli(here, 'send', 'facts', '--count', '60', '--seed', 'x', '--url', url, '--json');
    expect(one(again)).toMatchObject({ accepted: 0, duplicate: 60 });

    const counts = await untilDrained();
    expect(Object.keys(counts)).toEqual(['accepted', 'duplicate', 'duplicateLate', 'queued', 'parked', 'states']);
    const states = counts['states'] as Record<string, number>;
    expect(counts).toMatchObject({ accepted: 120, duplicate: Number(duplicate) + 60, duplicateLate: 0, parked: 0 });
    expect(Object.values(states).reduce((sum, n) => sum + n, 0)).toBe(120);
    expect(states).toMatchObject({ failed: 0, quarantined: 0, ignored: 0 });
    expect((await cli(here, 'events', 'count')).stdout).toMatch(/^accepted +120$/m);
  });

  test('what the receiver refuses is told by its reason', async () => {
    const ran = await cli(here, 'send', 'facts', '--count', '5', '--secret', 'wrong', '--url', url, '--json');
    expect([ran.code, one(ran)['refused']]).toEqual([1, { '401 BAD_SIGNATURE': 5 }]);
    const nobody = await cli(here, 'send', 'facts', '--url', 'http://127.0.0.1:19999');
    expect([nobody.code, nobody.stderr]).toEqual([
      1,
      expect.stringMatching(/no receiver answers at http:\/\/127\.0\.0\.1:19999 \(ECONNREFUSED\)/),
    ]);
  });

  test('events are listed by filter, a page at a time, and got by key', async () => {
    const all = (await cli(here, 'events', 'list', '--source', 'facts', '--limit', '1000', '--json')).rows();
    expect(all).toHaveLength(60);
    const first = await cli(here, 'events', 'list', '--source', 'facts', '--limit', '40', '--json');
    const cursor = /--cursor (\S+)/.exec(first.stderr)?.[1] ?? '';
    const rest = await cli(here, 'events', 'list', '--source', 'facts', '--limit', '40', '--cursor', cursor, '--json');
    expect([...first.rows(), ...rest.rows()]).toEqual(all);
    expect(rest.stderr).toBe('');

    const placed = all.find(({ type }) => type === 'order.placed');
    const mentioned = await cli(here, 'events', 'list', '--entity', String(placed?.['subject']), '--json');
    expect(mentioned.rows()).toContainEqual(placed);
    expect(one(await cli(here, 'events', 'count', '--source', 'facts', '--type', 'order.placed', '--json'))['count']).toBe(
      all.filter(({ type }) => type === 'order.placed').length,
    );

    const got = one(await cli(here, 'events', 'get', String(placed?.['key']), '--json'));
    expect(got).toMatchObject(placed ?? {});
    expect(JSON.parse(String(got['body']))).toMatchObject({ id: placed?.['id'], facts: got['facts'] });
    const missing = await cli(here, 'events', 'get', 'facts:nobody');
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('the ledger has no event facts:nobody')]);
  });

  test('a node is explained, whole and by property', async () => {
    const [{ subject } = {}] = (
      await cli(here, 'events', 'list', '--source', 'facts', '--type', 'order.placed', '--limit', '1', '--json')
    ).rows();
    const [label = '', ...key] = String(subject).split('/');
    const whole = await cli(here, 'explain', label, ...key);
    expect(whole.stdout).toMatch(/^Order\/\S+ {2}present\n {2}exists by {3}facts:/);
    for (const title of ['properties', 'relationships', 'events']) expect(whole.stdout).toContain(`\n\n${title}\n`);
    const status = one(await cli(here, 'explain', label, ...key, 'status', '--json'));
    expect(status).toMatchObject({
      entity: subject,
      state: 'present',
      properties: [{ name: 'status', by: { state: 'applied' } }],
      relationships: [],
    });
    const never = await cli(here, 'explain', label, ...key, 'status', '--why-not', 'stolen');
    expect(never.stderr).toMatch(/No event that mentions Order\/\S+ says status is stolen\./);
  });

  test('queries answer by name and by Cypher, as JSON, CSV and table, and only read', async () => {
    const best = (await cli(here, 'query', 'best-customers', '--param', 'limit=3', '--json')).rows();
    expect(best).toHaveLength(3);
    expect(Number(best[0]?.['revenueMinor'])).toBeGreaterThanOrEqual(Number(best[1]?.['revenueMinor']));
    const file = join(here.cwd, 'orders.cypher');
    writeFileSync(file, 'MATCH (o:Order {source: $source}) RETURN count(o) AS orders, "a, \\"b\\"" AS text;');
    const csv = await cli(here, 'query', '--file', file, '--param', 'source=facts', '--format', 'csv');
    expect(csv.stdout).toMatch(/^orders,text\n[1-9]\d*,"a, ""b"""\n$/);
    const cut = await cli(here, 'query', '--cypher', 'UNWIND range(1, 9) AS n RETURN n', '--max-rows', '2');
    expect([cut.stdout, cut.stderr]).toEqual(['n\n─\n1\n2\n', 'Stopped at 2 rows; --max-rows gives more.\n']);
    const listed = (await cli(here, 'query', '--list', '--json')).rows();
    expect(listed.map(({ name }) => name)).toContain('customer-journey');
    const write = await cli(here, 'query', '--cypher', 'CREATE (n:Order {source: "x", id: "y"})');
    expect([write.code, write.stdout, write.stderr]).toEqual([1, '', expect.stringContaining('QUERY_REFUSED')]);
  });

  test('the schema page has counts and examples, the Cypher needs no graph', async () => {
    const page = one(await cli(here, 'schema', 'print', '--json'));
    const order = (page['nodes'] as Record<string, unknown>[]).find(({ label }) => label === 'Order');
    expect(order?.['count']).toBeGreaterThan(10);
    expect((await cli(here, 'schema', 'print')).stdout).toMatch(/^# The graph/);
    const cypher = await cli(place({}), 'schema', 'print', '--cypher');
    expect(cypher.stdout).toContain('FOR (n:Order) REQUIRE (n.source, n.id) IS UNIQUE;');
    expect((await cli(here, 'schema', 'print', '--json', '--cypher')).code).toBe(2);
  });

  test('the doctor finds nothing wrong, and says what is', async () => {
    const well = await cli(here, 'doctor', '--json');
    expect(well.code, well.stdout).toBe(0);
    const statuses = (ran: Ran) =>
      Object.fromEntries((one(ran)['checks'] as { name: string; status: string }[]).map(({ name, status }) => [name, status]));
    expect(statuses(well)).toMatchObject({
      redis: 'ok',
      durability: 'ok',
      memory: 'ok',
      neo4j: 'ok',
      schema: 'ok',
      mappings: 'ok',
      epoch: 'ok',
      work: 'ok',
    });
    expect(well.stdout).not.toContain(SECRET_TEXT);

    const wrongPassword = { ...here, env: { ...here.env, NEO4J_PASSWORD: 'not-this-one', REDIS_URL: 'redis://127.0.0.1:1' } };
    const ill = await cli(wrongPassword, 'doctor', '--json');
    expect(ill.code).toBe(1);
    expect(statuses(ill)).toMatchObject({ node: 'ok', redis: 'bad', neo4j: 'bad' });
    expect((await cli(wrongPassword, 'doctor')).stdout).toMatch(/^✗ neo4j .*unauthorized.* → /m);

    const confused = await cli({ ...here, env: { ...here.env, PORT: 'eighty' } }, 'doctor');
    expect([confused.code, confused.stdout]).toEqual([1, expect.stringMatching(/^✗ configuration PORT must be a whole number/m)]);
    const elsewhere = await cli({ ...here, env: { ...here.env, EVENTGRAFT_QUEUE_PREFIX: freshPrefix() } }, 'doctor', '--json');
    expect([elsewhere.code, statuses(elsewhere)['epoch']]).toEqual([1, 'bad']);
  });

  test('verify does not touch a graph that holds anything', async () => {
    const { uri, password } = neo4j();
    const before = await leftOver();
    const ran = await cli(here, 'verify', '--histories', '1', '--uri', uri, '--password', password);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/the graph of --uri is not empty \(\d+ nodes\)/)]);
    expect(await leftOver()).toEqual(before);
  });

  test('verify takes a model of its own, and repeats a seed', async () => {
    const model = join(here.cwd, 'model.ts');
    writeFileSync(
      model,
      `import { defineModel, integer, text } from 'eventgraft';
       export default defineModel({ nodes: { Thing: { key: { id: text }, properties: { size: integer }, removable: true } }, relationships: {} });`,
    );
    const run = async () =>
      one(await cli(here, 'verify', '--memory-only', '--histories', '200', '--seed', '7', '--model', model, '--json'));
    const [first, second] = [await run(), await run()];
    const counts = (verdict: Record<string, unknown>) => (verdict['results'] as { histories: number }[]).map(({ histories }) => histories);
    expect(first).toMatchObject({ ok: true, seed: '7', results: [{ model: 'law' }, { model: 'model.ts' }] });
    expect(counts(first)).toEqual(counts(second));
    const missing = await cli(here, 'verify', '--model', 'nowhere.ts');
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('--model: nowhere.ts does not exist')]);
  });

  test('verify shows the smallest story that breaks a model, and fails', async () => {
    const model = join(here.cwd, 'dice.ts');
    writeFileSync(
      model,
      `import { defineModel, text } from 'eventgraft';
       const dice = { ...text, normalise: () => String(Math.random()) };
       export default defineModel({ nodes: { Thing: { key: { id: text }, properties: { name: dice } } }, relationships: {} });`,
    );
    const ran = await cli(here, 'verify', '--memory-only', '--histories', '200', '--seed', '7', '--model', model);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/^dice\.ts +memory +\d+ +1 /m);
    expect(ran.stdout).toMatch(/^order: \S+/m);
    expect(ran.stderr).toContain('Repeat it with --seed 7');
  });

  test('serve and work stop when they are asked to', async () => {
    expect(services.map(({ exitCode }) => exitCode)).toEqual([null, null]);
    expect(await Promise.all(services.map(interrupt))).toEqual([0, 0]);
  });
});

test('dev serves a directory, other commands join it, and Ctrl-C leaves nothing running', { timeout: 4 * MINUTE_MS }, async () => {
  const here = place({ PORT: '0' });
  const dev = start(here, 'dev', '--json');
  const running = await firstLine(dev, 'stdout');
  expect(Object.keys(running)).toEqual([
    'url',
    'neo4jUri',
    'neo4jUsername',
    'neo4jPassword',
    'redisUrl',
    'secrets',
    'adminToken',
    'producerToken',
  ]);
  const second = await cli(here, 'dev');
  expect([second.code, second.stderr]).toEqual([1, expect.stringMatching(new RegExp(`process ${dev.pid} runs in this directory already`))]);
  expect(one(await cli(here, 'send', 'shopify', '--count', '20', '--json'))).toMatchObject({ accepted: 20, url: running['url'] });
  expect(one(await cli(here, 'events', 'count', '--json'))).toMatchObject({ accepted: 20 });
  expect((await cli(here, 'doctor')).stdout).toMatch(/^✓ neo4j /m);
  expect(readFileSync(join(here.cwd, '.eventgraft/.gitignore'), 'utf8')).toBe('*\n');

  expect(await interrupt(dev)).toBe(0);
  const after = await cli(here, 'events', 'count');
  expect([after.code, after.stderr]).toEqual([1, expect.stringContaining('no queue: set REDIS_URL')]);
  await expect(fetch(`${String(running['url'])}/health/live`)).rejects.toThrow('fetch failed');
  const orphan = await cli(
    place({ NEO4J_URI: String(running['neo4jUri']), NEO4J_PASSWORD: String(running['neo4jPassword']) }),
    'schema',
    'check',
  );
  expect(orphan.stderr).toContain('ECONNREFUSED');
});

async function leftOver(): Promise<{ nodes: number; constraints: number }> {
  return withDriver(async (driver, database) => {
    const nodes = await driver.executeQuery('MATCH (n) RETURN count(n) AS n', {}, { database });
    const constraints = await driver.executeQuery('SHOW CONSTRAINTS YIELD name RETURN count(name) AS n', {}, { database });
    return { nodes: Number(nodes.records[0]?.get('n')), constraints: Number(constraints.records[0]?.get('n')) };
  });
}
