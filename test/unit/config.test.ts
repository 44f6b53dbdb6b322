import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { acknowledgeVariable, fetchVariable, loadConfig, secretVariable, type Environment } from '../../src/config.ts';
import { IngestError } from '../../src/errors.ts';
import { defineConfig, loadSetup } from '../../src/load-config.ts';
import { commerce } from '../../src/model/commerce.ts';
import { shopify } from '../../src/sources/shopify.ts';

const TOKEN = 'x'.repeat(32);
const WHSEC = `whsec_${Buffer.from('a key').toString('base64')}`;
const dir = mkdtempSync(join(tmpdir(), 'eg-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

function failure(env: Environment, then: (config: ReturnType<typeof loadConfig>) => unknown = () => {}): string {
  try {
    then(loadConfig(env));
  } catch (error) {
    expect(error).toBeInstanceOf(IngestError);
    expect(error).toMatchObject({ code: 'BAD_CONFIG' });
    return error instanceof IngestError ? error.message : '';
  }
  throw new Error('expected BAD_CONFIG');
}

describe('loadConfig', () => {
  it('has a default for everything', () => {
    expect(loadConfig({})).toMatchObject({
      neo4j: undefined,
      redisUrl: undefined,
      host: '127.0.0.1',
      port: 8080,
      adminTokens: [],
      producerTokens: [],
      queuePrefix: 'eventgraft',
      maxQueued: 1_000_000,
      durability: 'always',
      maxFutureSeconds: 600,
      maxConnections: 16_384,
      maxAddressRate: 20_000,
      maxSourceRate: 20_000,
      maxLagMs: 500,
      trustedProxies: [],
      logLevel: 'info',
    });
  });

  it('takes an empty variable for an unset one', () =>
    expect(loadConfig({ REDIS_URL: '', PORT: '', ADMIN_TOKEN: '' })).toMatchObject({ redisUrl: undefined, port: 8080, adminTokens: [] }));

  it('reads what is set', () => {
    const env = {
      NEO4J_URI: 'bolt://h:1',
      NEO4J_PASSWORD: 'p',
      REDIS_URL: 'redis://h:2',
      PORT: '0',
      ADMIN_TOKEN: `${TOKEN},${'y'.repeat(40)}`,
      EVENTGRAFT_MAX_QUEUED: '5',
      EVENTGRAFT_DURABILITY: 'everysec',
      EVENTGRAFT_MAX_SOURCE_RATE: '0',
      EVENTGRAFT_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8,fd00::/8',
    };
    expect(loadConfig(env)).toMatchObject({
      neo4j: { uri: 'bolt://h:1', username: 'neo4j', password: 'p', database: 'neo4j' },
      port: 0,
      adminTokens: [TOKEN, 'y'.repeat(40)],
      maxQueued: 5,
      durability: 'everysec',
      maxSourceRate: 0,
      trustedProxies: ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'],
    });
  });

  it.each([
    ['PORT', 'eighty'],
    ['PORT', '65536'],
    ['PORT', '1e3'],
    ['REDIS_URL', 'http://secret-value'],
    ['NEO4J_URI', 'secret-value'],
    ['ADMIN_TOKEN', 'secret-value'],
    ['PRODUCER_TOKEN', `${TOKEN},secret-value`],
    ['ADMIN_TOKEN', `${TOKEN} secret-value`],
    ['EVENTGRAFT_MAX_QUEUED', '0'],
    ['EVENTGRAFT_DURABILITY', 'secret-value'],
    ['EVENTGRAFT_QUEUE_PREFIX', 'secret:value'],
    ['EVENTGRAFT_MAX_FUTURE', '-1'],
    ['EVENTGRAFT_RUNTIME', 'podman'],
    ['EVENTGRAFT_MAX_CONNECTIONS', '0'],
    ['EVENTGRAFT_MAX_LAG', '-1'],
    ['EVENTGRAFT_TRUSTED_PROXIES', 'proxy.example'],
    ['EVENTGRAFT_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['EVENTGRAFT_TRUSTED_PROXIES', '10.0.0.1,'],
  ])('names %s when it is wrong, and never its value', (name, value) => {
    const message = failure({ [name]: value });
    expect(message).toContain(name);
    expect(message).not.toContain('secret-value');
  });

  it('wants a password beside NEO4J_URI', () => expect(failure({ NEO4J_URI: 'bolt://h' })).toContain('NEO4J_PASSWORD'));

  it('reads files, one value a line, and not both', () => {
    const path = file('tokens', `${TOKEN}\n\n${'z'.repeat(32)}\r\n`);
    expect(loadConfig({ ADMIN_TOKEN_FILE: path }).adminTokens).toEqual([TOKEN, 'z'.repeat(32)]);
    expect(failure({ ADMIN_TOKEN_FILE: path, ADMIN_TOKEN: TOKEN })).toContain('ADMIN_TOKEN_FILE');
    expect(failure({ ADMIN_TOKEN_FILE: join(dir, 'none') })).toContain('ADMIN_TOKEN_FILE');
  });
});

describe('secrets', () => {
  const secrets = (value: string) => loadConfig({ WEBHOOK_SECRET_ACME_SHOPIFY: value }).secretsOf('acme-shopify');

  it('are found by the name of the source', () => expect(secretVariable('acme-shopify')).toBe('WEBHOOK_SECRET_ACME_SHOPIFY'));
  it('are base64 after whsec_, else text', () => {
    expect(secrets(WHSEC).map((s) => s.key.toString())).toEqual(['a key']);
    expect(secrets('shpss_é').map((s) => s.key.toString())).toEqual(['shpss_é']);
  });
  it('rotate by comma', () => expect(secrets(`${WHSEC}, old`).map((s) => s.key.toString())).toEqual(['a key', 'old']));
  it('are public keys after whpk_', () =>
    expect(secrets(`whpk_${Buffer.alloc(32).toString('base64')}`)[0]).toMatchObject({ kind: 'ed25519' }));
  it('come from a file, where a comma is a comma', () => {
    const path = file('secret', `a,b\n${WHSEC}\n`);
    expect(
      loadConfig({ WEBHOOK_SECRET_X_FILE: path })
        .secretsOf('x')
        .map((s) => s.key.toString()),
    ).toEqual(['a,b', 'a key']);
  });
  it.each(['whsec_not base64', 'whsec_YQ', 'whsec_====', 'whpk_YQ==', 'a,,b', 'a,'])('are refused as %j', (value) => {
    const message = failure({ WEBHOOK_SECRET_X: value }, (config) => config.secretsOf('x'));
    expect(message).toContain('WEBHOOK_SECRET_X');
    expect(message).not.toContain(value);
  });
});

describe('the token that a source asks its sender with', () => {
  const tokenOf = (env: Readonly<Record<string, string>>) => loadConfig(env).fetchTokenOf('tea-shop');
  it('is found by the name of the source, in a variable or a file', () => {
    expect(fetchVariable('tea-shop')).toBe('FETCH_TOKEN_TEA_SHOP');
    expect(tokenOf({})).toBeUndefined();
    expect(tokenOf({ FETCH_TOKEN_TEA_SHOP: 'ck_1:cs_2' })).toBe('ck_1:cs_2');
    expect(tokenOf({ FETCH_TOKEN_TEA_SHOP_FILE: file('token', 'ck_1:cs_2\n') })).toBe('ck_1:cs_2');
  });
  it.each([
    ['a line break', { FETCH_TOKEN_TEA_SHOP: 'canary\r\nx: y' }],
    ['two lines', { FETCH_TOKEN_TEA_SHOP_FILE: file('tokens', 'canary\nother') }],
    ['both', { FETCH_TOKEN_TEA_SHOP: 'canary', FETCH_TOKEN_TEA_SHOP_FILE: file('token', 'canary') }],
  ])('is refused with %s, and not repeated', (_what, env) => {
    const message = failure(env, (config) => config.fetchTokenOf('tea-shop'));
    expect(message).toContain('FETCH_TOKEN_TEA_SHOP');
    expect(message).not.toContain('canary');
  });
});

it('the token that a source reports to its gateway with is read in the same way', () => {
  expect(acknowledgeVariable('acme-shop')).toBe('ACKNOWLEDGE_TOKEN_ACME_SHOP');
  const config = loadConfig({ ACKNOWLEDGE_TOKEN_ACME_SHOP_FILE: file('gateway', 'a-token?no\n'), FETCH_TOKEN_ACME_SHOP: 'another' });
  expect([config.acknowledgeTokenOf('acme-shop'), config.acknowledgeTokenOf('other')]).toEqual(['a-token?no', undefined]);
  const message = failure({ ACKNOWLEDGE_TOKEN_ACME_SHOP: 'ca nary' }, ({ acknowledgeTokenOf }) => acknowledgeTokenOf('acme-shop'));
  expect(message).toContain('ACKNOWLEDGE_TOKEN_ACME_SHOP must hold one value');
  expect(message).not.toContain('nary');
});

describe('loadSetup', () => {
  const empty = mkdtempSync(join(dir, 'empty-'));

  it('serves a pack under its own name as soon as its secret is set', async () => {
    const { model, sources } = await loadSetup(loadConfig({ WEBHOOK_SECRET_FACTS: WHSEC }), { cwd: empty });
    expect([...sources.keys()]).toEqual(['facts']);
    expect(model).toBe(commerce);
  });

  it('serves what the config file declares, several of one kind too', async () => {
    const cwd = mkdtempSync(join(dir, 'user-'));
    writeFileSync(
      join(cwd, 'eventgraft.config.ts'),
      `import { defineConfig, shopify } from 'eventgraft';\nconst a: string = 'acme.myshopify.com';\nexport default defineConfig({ sources: { 'acme-shopify': shopify({ shop: a }), 'other-shopify': shopify() } });\n`,
    );
    const env = { WEBHOOK_SECRET_ACME_SHOPIFY: 'a', WEBHOOK_SECRET_OTHER_SHOPIFY: 'b', WEBHOOK_SECRET_FACTS: WHSEC };
    const { sources, file: found } = await loadSetup(loadConfig(env), { cwd, library: async () => ({ defineConfig, shopify }) });
    expect([...sources.keys()]).toEqual(['acme-shopify', 'other-shopify']);
    expect(found).toBe(join(cwd, 'eventgraft.config.ts'));
    await expect(loadSetup(loadConfig({}), { cwd, library: async () => ({ defineConfig, shopify }) })).rejects.toThrow(
      'WEBHOOK_SECRET_ACME_SHOPIFY',
    );
  });

  it.each([
    ['no sources', 'export default {}'],
    ['no default', 'export const x = 1'],
    ['no TypeScript', 'export default {'],
    ['a bad name', 'export default { sources: { "Bad Name": () => ({}) } }'],
    ['a name that reads a secrets file', 'export default { sources: { "x-file": () => ({}) } }'],
    ['no pack', 'export default { sources: { x: 1 } }'],
  ])('refuses a file with %s', async (_what, text) => {
    const path = file(`config-${Math.random()}.ts`, text);
    await expect(loadSetup(loadConfig({ EVENTGRAFT_CONFIG: path }))).rejects.toMatchObject({ code: 'BAD_CONFIG' });
  });

  it('says so when the named file is missing', async () => {
    await expect(loadSetup(loadConfig({ EVENTGRAFT_CONFIG: join(dir, 'none.ts') }))).rejects.toThrow('EVENTGRAFT_CONFIG');
  });
});
