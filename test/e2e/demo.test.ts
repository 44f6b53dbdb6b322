import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Report } from '../../src/demo/demo.ts';
import { freshDatabase, neo4j, redis } from '../support/runtime.ts';

const MAIN = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const TIMEOUT_MS = 170_000;

/** The demo on the databases of this run, as a user would start it. */
async function runDemo(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { uri, username, password } = neo4j();
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, NEO4J_URI: uri, NEO4J_USERNAME: username, NEO4J_PASSWORD: password, REDIS_URL: redis() };
  const done = promisify(execFile)(process.execPath, [MAIN, 'demo', ...args], { env, timeout: TIMEOUT_MS, maxBuffer: 2 ** 26 });
  return done.then(
    (said) => ({ ...said, code: 0 }),
    (error: { code?: number; stdout: string; stderr: string }) => ({ code: error.code ?? -1, stdout: error.stdout, stderr: error.stderr }),
  );
}

test(
  'a day of baskets through storm and murder is right to the cent',
  async () => {
    await freshDatabase();
    const { code, stdout, stderr } = await runDemo('--days', '1', '--seed', '7', '--json');
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout) as Report;
    expect(report).toMatchObject({ ok: true, problems: [], days: 1, seed: '7', events: 4_000, repeated: 600, heldBack: 400 });
    expect(report.checks.filter((check) => !check.equal || check.graph !== check.files)).toEqual([]);
    expect(report.checks.find((check) => check.what === 'revenue, from the orders')?.graph).toBe(875_990);

    const { accepted, duplicate, duplicateLate, queued, parked, states } = report.stats;
    expect(Object.values(states).reduce((sum, n) => sum + n, 0) + queued + duplicateLate).toBe(accepted);
    expect(report.conservation).toEqual({ accepted, accounted: accepted, holds: true });
    expect({ queued, parked }).toEqual({ queued: 0, parked: 0 });
    expect(accepted - duplicateLate).toBe(4_000);
    expect(accepted + duplicate).toBe(report.requests);

    expect(report.kill.afterRequests).toBe(Math.ceil(report.requests / 2));
    expect(report.ack.p99Ms).toBeGreaterThanOrEqual(report.ack.p50Ms);
    expect(report.answers.map((answer) => [answer.name, answer.rows.length > 0])).toEqual([
      ['best-customers', true],
      ['bought-together', true],
      ['customer-journey', true],
    ]);

    const again = await runDemo('--days', '1');
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toContain('is not empty');
  },
  TIMEOUT_MS + 30_000,
);

test('another number of days than the data has is a usage error', async () => {
  const { code, stderr } = await runDemo('--days', '11');
  expect(code).toBe(2);
  expect(stderr).toContain('from 1 to 10');
});
