/**
 * `npm run bench -- --json`: ours beside the raw driver, one transaction an event, and unfolded UNWIND, interleaved on
 * one warm server. Prints events/s (median and spread) and the ratios that the README quotes.
 */
import { createBolt, type Bolt } from '../src/graph/driver.ts';
import { applySchema } from '../src/graph/schema.ts';
import type { Event } from '../src/event.ts';
import { makeEvents, model } from './workload.ts';
import { ours, perEvent, raw, unfolded, type Write } from './writers.ts';

const [uri = 'bolt://127.0.0.1:17687', rounds = '3', count = '10000'] = process.argv.slice(2);
const bolt: Bolt = createBolt({ uri, username: process.env['NEO4J_USERNAME'] ?? 'neo4j', password: process.env['NEO4J_PASSWORD'] ?? 'neo4j' });
await applySchema(bolt, model);
const n = Number(count);
const rates = new Map<string, number[]>();

async function measure(name: string, write: Write, events: readonly Event[]): Promise<void> {
  const started = process.hrtime.bigint();
  await write(events);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  rates.set(name, [...(rates.get(name) ?? []), events.length / seconds]);
  console.error(`${name.padEnd(12)} ${Math.round(events.length / seconds)} events/s`);
}

const run = Date.now().toString(36);
for (let round = 0; round <= Number(rounds); round++) {
  if (round === 1) rates.clear(); // the first round warms the server
  const events = makeEvents(n, `${run}-a${round}`, round);
  await measure('raw', raw(bolt), makeEvents(n, `${run}-r${round}`, round));
  await measure('ours', ours(bolt), events);
  await measure('redelivery', ours(bolt), events);
  await measure('unfolded', unfolded(bolt), makeEvents(n, `${run}-u${round}`, round));
  await measure('perEvent', perEvent(bolt), makeEvents(Math.min(n, 2_000), `${run}-e${round}`, round));
}
const median = (name: string): number => [...(rates.get(name) ?? [])].sort((a, b) => a - b)[Math.floor((rates.get(name)?.length ?? 0) / 2)] ?? NaN;
const result = {
  events: n, rounds: Number(rounds),
  eventsPerSecond: Object.fromEntries([...rates.keys()].map((name) => [name, Math.round(median(name))])),
  ratios: {
    oursToRaw: median('ours') / median('raw'), oursToPerEvent: median('ours') / median('perEvent'),
    oursToUnfolded: median('ours') / median('unfolded'), redeliveryToUnfolded: median('redelivery') / median('unfolded'),
  },
};
console.log(JSON.stringify(result, null, 2));
await bolt.close();
