/** `events list|get|count`: the ledger, with the filters of the HTTP API. */
import type { Command } from 'commander';

import { IngestError } from '../errors.ts';
import { createFactsOf } from '../facts-of.ts';
import { createEventReader, MAX_LIMIT } from '../graph/events.ts';
import type { EventDetail, PublicEvent } from '../graph/event-view.ts';
import { readListQuery } from '../http/events.ts';
import { readCounts } from '../queue/depth.ts';
import { keysOf } from '../queue/keys.ts';
import { graphAddress, loadReader, redisAddress, withGraph, withRedis } from './context.ts';
import { parseCount } from './options.ts';
import { print, printJson, say, table, toJson } from './output.ts';

interface FilterOptions {
  readonly state?: string;
  readonly source?: string;
  readonly type?: string;
  readonly since?: string;
  readonly until?: string;
  readonly entity?: string;
  readonly json?: boolean;
}

interface ListOptions extends FilterOptions {
  readonly limit: number;
  readonly cursor?: string;
}

export function addEventsCommands(program: Command): void {
  const events = program.command('events').description('what became of the events that were taken in');
  withFilter(events.command('list').description('events, the last applied first'))
    .option('--limit <n>', 'at most so many', parseCount, 100)
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .option('--json', 'one JSON object a line')
    .action(listEvents);
  events
    .command('get <key>')
    .description('one event with body, headers, facts and what became of it')
    .option('--json', 'print one JSON object')
    .action(getEvent);
  withFilter(events.command('count').description('how many; without a filter everything that was taken in and where it is now'))
    .option('--json', 'print one JSON object')
    .action(countEvents);
}

function withFilter(command: Command): Command {
  return command
    .option('--state <state>', 'applied, superseded, ignored, quarantined, failed, acknowledged, erased or parked')
    .option('--source <name>', 'of this source')
    .option('--type <type>', 'of this type, e.g. order.paid')
    .option('--since <time>', 'received at or after, RFC 3339')
    .option('--until <time>', 'received before')
    .option('--entity <node>', 'that mention this node, e.g. Order/acme-shopify/1001');
}

async function listEvents({ json, limit, cursor, ...given }: ListOptions): Promise<void> {
  const { limit: _, cursor: first, ...filter } = readListQuery({ ...given, ...(cursor === undefined ? {} : { cursor }) });
  const { config } = await loadReader();
  const shown: PublicEvent[] = [];
  const next = await withGraph(graphAddress(config), async (bolt) => {
    const reader = createEventReader(bolt);
    let at: string | undefined = first;
    for (let left = limit; left > 0;) {
      const page = await reader.list(filter, { limit: Math.min(left, MAX_LIMIT), cursor: at });
      if (json === true) page.events.forEach(printJson);
      else shown.push(...page.events);
      left -= page.events.length;
      if (page.next === null) return undefined;
      at = page.next;
    }
    return at;
  });
  if (json !== true) print(table(['received', 'key', 'type', 'state', 'subject', ''], shown.map(row)));
  if (next !== undefined) say(`There are more: --cursor ${next}`);
}

function row(event: PublicEvent): unknown[] {
  const notes = [
    ...(event.parked ? ['parked'] : []),
    ...(event.conflict ? ['conflict'] : []),
    ...(event.error === null ? [] : [event.error.code]),
  ];
  return [event.receivedAt, event.key, event.type, event.state, event.subject, notes.join(' ')];
}

async function getEvent(key: string, { json }: { readonly json?: boolean }): Promise<void> {
  const { config, setup } = await loadReader();
  const event = await withGraph(graphAddress(config), (bolt) => createEventReader(bolt).get(key, createFactsOf(setup.sources)));
  if (event === undefined) throw new IngestError('NOT_FOUND', `the ledger has no event ${key}`);
  if (json === true) printJson(event);
  else printEvent(event);
}

function printEvent({ body, headers, facts, error, fetched, ...event }: EventDetail): void {
  const lines = Object.entries({ ...event, error: error === null ? null : `${error.code}: ${error.message}` });
  for (const [name, value] of lines)
    print(`${name.padEnd(12)}  ${typeof value === 'string' ? value : value === null ? '–' : toJson(value)}`);
  print('headers');
  for (const [name, value] of Object.entries(headers)) print(`  ${name}: ${value}`);
  print('facts');
  for (const fact of facts) print(`  ${toJson(fact)}`);
  print(`body\n${body}`);
  if (fetched !== undefined) print(`fetched ${fetched.status} at ${fetched.at}\n${fetched.body}`);
}

async function countEvents({ json, ...given }: FilterOptions): Promise<void> {
  const { limit: _, cursor: __, ...filter } = readListQuery(given);
  const { config } = await loadReader();
  if (Object.keys(filter).length > 0) {
    const count = await withGraph(graphAddress(config), (bolt) => createEventReader(bolt).count(filter));
    if (json === true) printJson({ count });
    else print(String(count));
    return;
  }
  const address = redisAddress(config);
  // The queue first: what a worker moves in between is then counted twice and noticed, not missed.
  const queue = await withRedis(address, (redis) => readCounts(redis, keysOf(address.prefix)));
  const ledger = await withGraph(graphAddress(config), (bolt) => createEventReader(bolt).stats());
  const { accepted, duplicate, queued } = queue;
  const { duplicateLate, parked, states } = ledger;
  if (json === true) printJson({ accepted, duplicate, duplicateLate, queued, parked, states });
  else {
    const counts = Object.entries({ accepted, duplicate, duplicateLate, queued, parked, ...states }).filter(
      ([name, n]) => n > 0 || !Object.hasOwn(states, name),
    );
    print(table(['', 'events'], counts));
  }
}
