/** A secret is planted in every setting and header that holds one; after good and bad traffic and two outages none is to be found anywhere. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { tellStory } from '../../src/cli/sample.ts';
import { SAMPLES, type PackName } from '../../src/cli/sample-packs.ts';
import { parseSecret, type Secret } from '../../src/secret.ts';
import { applySchema } from '../../src/graph/schema.ts';
import { createBolt } from '../../src/graph/driver.ts';
import { commerce } from '../../src/model/commerce.ts';
import { cli, place, type Place } from '../support/cli.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { freshDatabase, freshPrefix, neo4j, scratchPath, withDriver } from '../support/runtime.ts';
import { drained, startService, type Service, type Where } from '../support/service.ts';

const SQUARE_URL = 'https://shop.example/webhooks/square';
const PACKS = [
  'facts',
  'standard',
  'shopify',
  'github',
  'stripe',
  'woocommerce',
  'segment',
  'square',
] as const satisfies readonly PackName[];
const NEO4J_USER = 'canary';

/** What must not be found, and what it is. Planted as text; looked for as text, base64, hex and percent-encoded. */
const planted = new Map<string, string>();
function plant(what: string): string {
  const text = `canary${randomBytes(18).toString('hex')}`;
  planted.set(text, what);
  return text;
}
function plantSecret(what: string): string {
  const text = `whsec_${Buffer.from(plant(what)).toString('base64')}`;
  planted.set(text, `${what}, as written`);
  return text;
}
function secretOf(text: string): Secret {
  const secret = parseSecret(text);
  if ('problem' in secret) throw new Error(secret.problem);
  return secret;
}

const secrets = Object.fromEntries(
  PACKS.map((name) => [name, [plantSecret(`secret of ${name}`), plant(`old secret of ${name}`)]] as const),
);
const adminTokens = [plant('admin token'), plant('old admin token')];
const producerTokens = [plant('producer token'), plant('old producer token')];
const passwordOfNeo4j = plant('password of Neo4j');
const sourceToken = plant('token of a source, in Authorization');

let redisServer: RedisServer;
let where: Where;
let at: Place;
let serve: Service;
let work: Service;
let env: Readonly<Record<string, string>>;
/** Everything that anybody outside ever gets to see. */
const seen: { readonly where: string; readonly text: string }[] = [];
const accepted: string[] = [];

beforeAll(async () => {
  await freshDatabase();
  const access = neo4j();
  await withDriver((driver) =>
    driver.executeQuery(`CREATE OR REPLACE USER ${NEO4J_USER} SET PASSWORD $password CHANGE NOT REQUIRED`, { password: passwordOfNeo4j }),
  );
  redisServer = await startRedis();
  planted.set(new URL(redisServer.url).password, 'password of Redis');
  const config = scratchPath('canary.config.mjs');
  const calls = PACKS.map((name) => `${name}: ${name}(${name === 'square' ? JSON.stringify({ notificationUrl: SQUARE_URL }) : ''})`);
  writeFileSync(
    config,
    `import { defineConfig, cloudevents, paypal, ${PACKS.join(', ')} } from 'eventgraft';
     export default defineConfig({ sources: { ${calls.join(', ')}, paypal: paypal(), tokened: cloudevents({ auth: { token: {} } }) } });`,
  );
  where = {
    neo4j: { ...access, username: NEO4J_USER, password: passwordOfNeo4j },
    redisUrl: redisServer.url,
    prefix: freshPrefix(),
    secret: secrets['facts']?.join(',') ?? '',
  };
  env = {
    EVENTGRAFT_CONFIG: config,
    EVENTGRAFT_LOG_LEVEL: 'trace',
    ADMIN_TOKEN: adminTokens.join(','),
    PRODUCER_TOKEN: producerTokens.join(','),
    WEBHOOK_SECRET_TOKENED: sourceToken,
    WEBHOOK_SECRET_PAYPAL: plant('webhook id of paypal'),
    FETCH_TOKEN_STRIPE: plant('token that Stripe is asked with'),
    FETCH_TOKEN_WOOCOMMERCE: `ck_${plant('key of WooCommerce')}:cs_${plant('secret of WooCommerce')}`,
    ...Object.fromEntries(PACKS.map((name) => [`WEBHOOK_SECRET_${name.toUpperCase()}`, secrets[name]?.join(',') ?? ''])),
  };
  at = place({
    ...env,
    NEO4J_URI: access.uri,
    NEO4J_USERNAME: NEO4J_USER,
    NEO4J_PASSWORD: passwordOfNeo4j,
    REDIS_URL: redisServer.url,
    EVENTGRAFT_QUEUE_PREFIX: where.prefix,
  });
  const bolt = createBolt(where.neo4j, 2);
  await applySchema(bolt, commerce);
  await bolt.close();
  serve = await startService('serve', where, env);
});

afterAll(async () => {
  await Promise.all([serve?.kill('SIGKILL'), work?.kill('SIGKILL')]);
  await redisServer?.close();
  await withDriver((driver) => driver.executeQuery(`DROP USER ${NEO4J_USER} IF EXISTS`));
});

async function ask(path: string, init: RequestInit = {}, url = serve.url): Promise<number> {
  const answer = await fetch(`${url}${path}`, init).catch((error: Error) => error);
  if (answer instanceof Error) return 0;
  const text = await answer.text();
  seen.push({ where: `${init.method ?? 'GET'} ${path}: ${answer.status}`, text: `${JSON.stringify([...answer.headers])}${text}` });
  if (answer.status === 202) accepted.push((JSON.parse(text) as { id: string }).id);
  return answer.status;
}

const ours = (): Record<string, string> => ({ 'x-admin-token': adminTokens[0] ?? '' });
/** Headers that senders and proxies add, and that mean nothing here. */
const besides = (what: string): Record<string, string> =>
  Object.fromEntries(
    ['authorization', 'cookie', 'proxy-authorization', 'x-api-key', 'x-forwarded-for', 'x-amz-security-token', 'user-token'].map((name) => [
      name,
      plant(`${name} ${what}`),
    ]),
  );

async function signed(name: PackName): Promise<void> {
  const secret = secretOf(secrets[name]?.[0] ?? '');
  for (const happening of tellStory(`canary ${name}`, 12)) {
    const { body, headers } = SAMPLES[name](happening);
    const signature = headers(secret, Date.now(), name === 'square' ? SQUARE_URL : `${serve.url}/webhooks/${name}`);
    for (const [header, value] of Object.entries(signature)) {
      if (/signature|hmac/.test(header)) planted.set(value.replace(/^.*[,=](?=.{40})/, ''), `${header} of ${name}`);
    }
    expect([200, 202]).toContain(
      await ask(`/webhooks/${name}`, { method: 'POST', body, headers: { ...signature, ...besides(`for ${name}`) } }),
    );
  }
}

async function refused(name: PackName): Promise<void> {
  const secret = secretOf(secrets[name]?.[0] ?? '');
  const [happening] = tellStory(`refused ${name}`, 1);
  if (happening === undefined) throw new Error('no story');
  const { headers } = SAMPLES[name](happening);
  const good = headers(secret, Date.now(), SQUARE_URL);
  const signatures = Object.keys(good).filter((header) => /signature|hmac/.test(header));
  const body = () => JSON.stringify({ id: plant(`body refused of ${name}`) });
  const post = (text: string | Buffer, more: Record<string, string>) =>
    ask(`/webhooks/${name}?token=${plant('query')}`, {
      method: 'POST',
      body: new Uint8Array(Buffer.from(text)),
      headers: { ...good, ...more },
    });
  expect(await post(body(), besides(`refused by ${name}`))).toBe(401);
  for (const header of signatures) {
    expect(await post(body(), { [header]: plant(`${header} that is none`) })).toBe(401);
    expect(await post(body(), { [header]: '' })).toBe(401);
  }
  expect(await post(`{"${plant('broken JSON')}`, {})).toBe(401);
  expect(await post(gzipSync(body()), { 'content-encoding': 'gzip' })).toBe(415);
  expect(await post(`${body()}${' '.repeat(2 ** 20)}`, {})).toBe(413);
  expect(await post(body(), { 'x-long': plant('long header').repeat(400) })).toBe(431);
}

/** In whatever form it may have been written down. */
function formsOf(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  return [...new Set([text, bytes.toString('base64').replace(/=+$/, ''), bytes.toString('hex'), encodeURIComponent(text)])];
}

const found = (): string[] =>
  [...planted].flatMap(([text, what]) =>
    seen.filter((one) => formsOf(text).some((form) => one.text.includes(form))).map((one) => `${what} in ${one.where}`),
  );

describe('no secret comes out', () => {
  test('of traffic, good and bad', async () => {
    for (const name of PACKS) await signed(name);
    const event = { specversion: '1.0', id: '1', source: '/x', type: 'a', data: { facts: [] } };
    const tokened = (token: string, text = JSON.stringify(event)) =>
      ask('/webhooks/tokened', {
        method: 'POST',
        body: text,
        headers: { 'content-type': 'application/cloudevents+json', authorization: `Bearer ${token}` },
      });
    expect(await tokened(sourceToken)).toBe(202);
    expect(await tokened(sourceToken, '{"specversion":')).toBe(400);
    expect(await tokened(plant('wrong token of a source'))).toBe(401);
    for (const name of PACKS) await refused(name);
    for (const path of ['/events', '/admin/stats', `/events/${plant('key asked for')}`, `/${plant('path')}`]) {
      for (const headers of [ours(), { 'x-admin-token': plant('wrong admin token') }, { authorization: `Bearer ${producerTokens[0]}` }, {}])
        await ask(path, { headers });
    }
    seen.push({ where: 'Redis', text: await dumpRedis() });
    work = await startService('work', where, env);
    await drained(serve.url, 60_000, adminTokens[1]);
    // The asker's own words are no secret to a log of paths.
    for (const [text, what] of planted) if (what === 'key asked for' || what === 'path') planted.delete(text);
    expect(accepted.length).toBeGreaterThan(80);
  });

  test('of a Redis that goes away and comes back, and of a start with wrong passwords', async () => {
    await redisServer.kill();
    expect(
      await ask('/webhooks/tokened', {
        method: 'POST',
        body: '{"specversion":"1.0","id":"2","source":"/x","type":"a"}',
        headers: { 'content-type': 'application/cloudevents+json', authorization: `Bearer ${sourceToken}` },
      }),
    ).toBe(503);
    await ask('/health/ready');
    await redisServer.restart();
    const wrong = new URL(redisServer.url);
    wrong.password = plant('wrong password of Redis');
    const runs = [
      cli({ ...at, env: { ...at.env, REDIS_URL: String(wrong), PORT: '0' } }, 'serve'),
      cli({ ...at, env: { ...at.env, NEO4J_PASSWORD: plant('wrong password of Neo4j'), PORT: '0' } }, 'work'),
      cli({ ...at, env: { ...at.env, NEO4J_PASSWORD: plant('wrong password of Neo4j, for doctor') } }, 'doctor'),
      cli({ ...at, env: { ...at.env, WEBHOOK_SECRET_FACTS: `whsec_${plant('malformed secret')}!` } }, 'doctor'),
      cli({ ...at, env: { ...at.env, ADMIN_TOKEN: plant('admin token that is too short').slice(0, 30) } }, 'serve'),
      cli(at, 'doctor', '--json'),
      cli(at, 'events', 'list', '--json', '--limit', '1000'),
    ];
    for (const ran of await Promise.all(runs)) seen.push({ where: `a command that ended with ${ran.code}`, text: ran.stdout + ran.stderr });
  }, 120_000);

  test('of pages, the ledger, the databases and the log', async () => {
    for (const url of [serve.url, work.url]) {
      for (const path of ['/metrics', '/health/ready', '/health/live', '/docs', '/openapi.json']) await ask(path, {}, url);
    }
    for (const id of accepted) expect(await ask(`/events/${encodeURIComponent(id)}`, { headers: ours() })).toBe(200);
    const got = await cli(at, 'events', 'get', accepted[0] ?? '', '--json');
    expect(got.code).toBe(0);
    seen.push({ where: 'events get', text: got.stdout + got.stderr });
    seen.push({ where: 'Neo4j', text: await dumpNeo4j() }, { where: 'Redis, afterwards', text: await dumpRedis() });
    seen.push({ where: 'log of serve', text: serve.log() }, { where: 'log of work', text: work.log() });
    expect(found()).toEqual([]);
  }, 120_000);

  test('and the search would find it: what may be seen is seen', () => {
    const places = (text: string) => seen.filter((one) => one.text.includes(text)).map((one) => one.where);
    const [id = ''] = accepted;
    for (const there of ['Neo4j', 'Redis', 'log of serve', 'events get']) expect(places(id.slice(id.indexOf(':') + 1))).toContain(there);
    expect(places('Ada').length).toBeGreaterThan(2);
    expect(serve.log()).toContain('token.refused');
    expect(serve.log()).toContain('redis.lost');
    const { id: secretId } = secretOf(secrets['facts']?.[0] ?? '');
    const used = serve
      .log()
      .split('\n')
      .filter((line) => line.includes('secret.used') && line.includes(`"secretId":"${secretId}"`));
    expect(used).toHaveLength(1);
  });
});

async function dumpNeo4j(): Promise<string> {
  return withDriver(async (driver, database) => {
    const { records } = await driver.executeQuery(
      'MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN labels(n) AS labels, properties(n) AS of, collect(properties(r)) AS out',
      {},
      { database },
    );
    return JSON.stringify(
      records.map((record) => record.toObject()),
      (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
    );
  });
}

async function dumpRedis(): Promise<string> {
  const redis = new Redis(redisServer.url);
  try {
    const parts: string[] = [];
    for (const key of await redis.keys('*')) {
      const type = await redis.type(key);
      const read: Record<string, () => Promise<unknown>> = {
        string: () => redis.get(key),
        hash: () => redis.hgetall(key),
        list: () => redis.lrange(key, 0, -1),
        set: () => redis.smembers(key),
        zset: () => redis.zrange(key, '0', '-1'),
        stream: () => redis.xrange(key, '-', '+'),
      };
      parts.push(`${key} ${JSON.stringify(await read[type]?.())}`);
    }
    return parts.join('\n');
  } finally {
    redis.disconnect();
  }
}
