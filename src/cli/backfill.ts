/** `backfill`: what a sender has, asked for page by page, beside its webhooks. */
import { Option, type Command } from 'commander';

import { backfill, type Progress } from '../backfill/backfill.ts';
import { fetchVariable } from '../config.ts';
import { IngestError } from '../errors.ts';
import { formatMs } from '../model/instant.ts';
import { openRuns, type Run } from '../queue/runs.ts';
import { loadReader, redisAddress, withRedis } from './context.ts';
import { parseNames, parseRate, parseTime } from './options.ts';
import { print, printJson, say, table } from './output.ts';
import { createProgress } from './progress.ts';

interface Options {
  readonly from?: bigint;
  readonly to?: bigint;
  readonly streams?: readonly string[];
  readonly rate: number;
  readonly resume?: boolean;
  readonly restart?: boolean;
  readonly list?: boolean;
  readonly json?: boolean;
}

export function addBackfillCommand(program: Command): void {
  program
    .command('backfill [source]')
    .description('ask a sender for what it has, and take it in beside its webhooks')
    .option('--from <time>', 'what changed at or after, RFC 3339', parseTime)
    .option('--to <time>', 'and before; default: up to now, and what comes while it runs', parseTime)
    .option('--streams <names>', 'only these lists, e.g. orders,customers', parseNames)
    .option('--rate <n>', 'requests a second', parseRate, 2)
    .addOption(new Option('--resume', 'go on with an unfinished run, or fail (default: go on, or begin)').conflicts('restart'))
    .option('--restart', 'begin anew, whatever there is')
    .option('--list', 'what became of earlier ones')
    .option('--json', 'print one JSON object; with --list one a line')
    .action(runBackfill);
}

async function runBackfill(name: string | undefined, options: Options): Promise<void> {
  if (options.list === true) return listRuns(name, options.json === true);
  const { from, to, streams, rate, resume, restart, json } = options;
  if (name === undefined || from === undefined)
    throw new IngestError('BAD_REQUEST', 'say which source, and --from when, e.g. eventgraft backfill shopify --from 2026-11-01T00:00:00Z');
  const { config, setup } = await loadReader();
  const source = setup.sources.get(name);
  if (source === undefined)
    throw new IngestError('BAD_REQUEST', `there is no source ${name}; there are ${[...setup.sources.keys()].join(', ')}`);
  const token = config.fetchTokenOf(name);
  if (token === undefined) throw new IngestError('BAD_CONFIG', `set ${fetchVariable(name)}: what ${name}'s sender is asked with`);
  const { url, prefix } = redisAddress(config);

  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  const watch = createWatch();
  try {
    const run = await backfill(
      source,
      { from, to },
      {
        redisUrl: url,
        prefix,
        token,
        rate,
        durability: config.durability,
        maxQueued: config.maxQueued,
        run: resume === true ? 'resume' : restart === true ? 'restart' : 'continue',
        signal: stop.signal,
        report: watch.show,
        ...(streams === undefined ? {} : { streams }),
      },
    );
    watch.end();
    if (json === true) printJson(shown(run));
    else print(table(HEADERS, [row(run)]));
    say('Look: eventgraft events count · eventgraft events list');
  } catch (error) {
    watch.end();
    if (!stop.signal.aborted) throw error;
    say('Stopped. The same command goes on where it was.');
    process.exitCode = 1;
  }
}

async function listRuns(name: string | undefined, json: boolean): Promise<void> {
  const { config } = await loadReader();
  const address = redisAddress(config);
  const runs = await withRedis(address, (redis) => openRuns(redis, address.prefix).list());
  const wanted = runs.filter(({ source }) => name === undefined || source === name);
  if (json) wanted.map(shown).forEach(printJson);
  else print(table(HEADERS, wanted.map(row)));
}

const HEADERS = ['source', 'from', 'to', 'lists', 'state', 'pages', 'accepted', 'duplicate', 'last heard of', ''];

function row({ source, from, to, streams, state, pages, accepted, duplicate, updatedAtMs, error }: Run): unknown[] {
  return [source, from, to, streams.join(','), state, pages, accepted, duplicate, formatMs(updatedAtMs), error];
}

/** What a person or a script may rely on; where exactly it is, is its own. */
function shown({ run, source, streams, from, to, state, error, pages, accepted, duplicate, startedAtMs, updatedAtMs }: Run) {
  const times = { startedAt: formatMs(startedAtMs), updatedAt: formatMs(updatedAtMs) };
  return { run, source, streams, from, to, state, error, pages, accepted, duplicate, ...times };
}

/** An outage is said where nobody watches too, but not each time that it is felt. */
const SAY_AGAIN_MS = 30_000;

function createWatch(): { show(at: Progress): void; end(): void } {
  const progress = createProgress();
  const started = performance.now();
  let begun: Run | undefined;
  let saidAt = -Infinity;
  return {
    show(at) {
      if (begun === undefined && at.resumed && at.waiting === undefined)
        say(`Going on with the run of ${formatMs(at.startedAtMs)}, after ${at.pages} pages.`);
      if (at.waiting === undefined) begun ??= at;
      const fresh = at.accepted + at.duplicate - (begun === undefined ? at.accepted + at.duplicate : begun.accepted + begun.duplicate);
      const perSecond = Math.round(fresh / ((performance.now() - started) / 1_000));
      const counts = `${at.accepted} accepted, ${at.duplicate} duplicate, ${perSecond}/s`;
      progress.show(`${at.streams[at.stream] ?? 'done'}: page ${at.pages}, ${counts}${at.waiting === undefined ? '' : `; ${at.waiting}`}`);
      if (at.waiting === undefined || process.stderr.isTTY || performance.now() - saidAt < SAY_AGAIN_MS) return;
      saidAt = performance.now();
      say(`Waiting: ${at.waiting}`);
    },
    end: () => progress.end(),
  };
}
