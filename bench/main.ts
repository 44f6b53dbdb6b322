/**
 * `npm run bench -- --json`: ours beside the raw driver, one transaction an event, and unfolded UNWIND, interleaved on
 * one warm server. Prints events/s (median and spread) and the ratios that the README quotes.
 */
import { parseArgs } from 'node:util';

import { runtimeOptions } from '../src/cli/runtime.ts';
import { loadConfig, readEnvironment } from '../src/config.ts';
import { createBolt, type Bolt } from '../src/graph/driver.ts';
import { applySchema } from '../src/graph/schema.ts';
import { startRuntime } from '../src/runtime/runtime.ts';
import type { Event } from '../src/event.ts';
import { makeEvents, model } from './workload.ts';
import { ours, perEvent, raw, unfolded, type Write } from './writers.ts';

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean' }, rounds: { type: 'string', default: '5' }, events: { type: 'string', default: '20000' } },
});
const given = loadConfig(readEnvironment());
const runtime = await startRuntime({ ...runtimeOptions(given), heapMb: 2_048, pageCacheMb: 1_024 });
const bolt: Bolt = createBolt(runtime.neo4j);
await applySchema(bolt, model);
await bolt.driver.executeQuery('CREATE CONSTRAINT bench_event IF NOT EXISTS FOR (e:BenchEvent) REQUIRE e.key IS UNIQUE');
const n = Number(flags.events);
/** Rounds that do not count: until then the compilers of both server and client are still at work. */
const WARM_UP = 3;
const rates = new Map<string, number[]>();

async function measure(name: string, write: Write, events: readonly Event[]): Promise<void> {
  const started = process.hrtime.bigint();
  await write(events);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  rates.set(name, [...(rates.get(name) ?? []), events.length / seconds]);
  console.error(`${name.padEnd(12)} ${Math.round(events.length / seconds)} events/s`);
}

const run = Date.now().toString(36);
for (let round = 1 - WARM_UP; round <= Number(flags.rounds); round++) {
  if (round === 1) rates.clear();
  const events = makeEvents(n, `${run}-a${round}`, round);
  await measure('raw', raw(bolt), makeEvents(n, `${run}-r${round}`, round));
  await measure('ours', ours(bolt), events);
  await measure('redelivery', ours(bolt), events);
  await measure('unfolded', unfolded(bolt), makeEvents(n, `${run}-u${round}`, round));
  await measure('unfoldedBare', unfolded(bolt, { ledger: false }), makeEvents(n, `${run}-b${round}`, round));
  await measure('perEvent', perEvent(bolt), makeEvents(Math.min(n, 2_000), `${run}-e${round}`, round));
}
const sorted = (name: string): number[] => [...(rates.get(name) ?? [])].sort((a, b) => a - b);
const median = (name: string): number => sorted(name)[Math.floor(sorted(name).length / 2)] ?? NaN;
const ratio = (a: string, b: string): number => Number((median(a) / median(b)).toFixed(2));
const result = {
  events: n,
  rounds: Number(flags.rounds),
  eventsPerSecond: Object.fromEntries(
    [...rates.keys()].map((name) => [
      name,
      { median: Math.round(median(name)), min: Math.round(sorted(name)[0] ?? NaN), max: Math.round(sorted(name).at(-1) ?? NaN) },
    ]),
  ),
  ratios: {
    oursToRaw: ratio('ours', 'raw'),
    oursToPerEvent: ratio('ours', 'perEvent'),
    oursToUnfolded: ratio('ours', 'unfolded'),
    oursToUnfoldedBare: ratio('ours', 'unfoldedBare'),
    redeliveryToUnfolded: ratio('redelivery', 'unfolded'),
  },
};
console.log(JSON.stringify(result, null, flags.json === true ? 0 : 2));
await bolt.close();
await runtime.close();
