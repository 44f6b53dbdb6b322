/**
 * `npm run fuzz -- [--requests 100000] [--seed text] [--source name] [--json]`: so many bent requests of every source against a
 * receiver in this process, on a Redis of its own. Prints the seed and the answers by status; exits 1 if anything is broken.
 */
import { parseArgs } from 'node:util';

import { startRedis } from '../test/support/redis-server.ts';
import { fuzz, type FuzzReport } from '../test/support/fuzz.ts';
import { SENDERS, startReceiver } from '../test/support/receiver.ts';

const { values: flags } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now()) },
    source: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const { seed } = flags;
const redis = await startRedis();
const faults: string[] = [];
const receiver = await startReceiver({ redisUrl: redis.url, prefix: 'fuzz', onLog: (line) => faults.push(line) });
const reports: FuzzReport[] = [];
console.error(`seed ${seed}`);
for (const source of flags.source === undefined ? Object.keys(SENDERS) : [flags.source]) {
  const started = performance.now();
  const report = await fuzz({ url: receiver.url, seed, source, requests: Number(flags.requests) });
  reports.push(report);
  const p99 = report.goodMs[Math.floor(report.goodMs.length * 0.99)] ?? 0;
  const answers = Object.entries(report.byStatus).map(([status, n]) => `${status === '0' ? 'cut' : status}: ${n}`);
  console.error(
    `${source.padEnd(12)} ${answers.join('  ')}  ${report.vouched} taken in, all signed; good events p99 ${p99.toFixed(1)} ms; ${((performance.now() - started) / 1_000).toFixed(0)} s; ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`,
  );
}
const broken = [...reports.flatMap((report) => report.broken), ...faults.filter((line) => line.includes('"level":"error"'))];
for (const one of broken.slice(0, 20)) console.error(`BROKEN ${one}\n`);
if (flags.json) console.log(JSON.stringify({ seed, reports: reports.map(({ goodMs: _ms, ...rest }) => rest) }));
await receiver.close();
await redis.close();
process.exitCode = broken.length === 0 ? 0 : 1;
