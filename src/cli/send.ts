/** `send`: signed sample events to a running receiver, as their sender would deliver them. */
import type { Command } from 'commander';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { loadConfig, readEnvironment, secretVariable, type Config } from '../config.ts';
import { IngestError } from '../errors.ts';
import { commerce } from '../model/commerce.ts';
import { parseSecret, type Secret } from '../secret.ts';
import { createRandom } from '../verify/random.ts';
import { findRunning, loadReader, type Context } from './context.ts';
import { parseCount, parseProbability } from './options.ts';
import { print, printJson, say, table } from './output.ts';
import { createProgress } from './progress.ts';
import { SAMPLES, type PackName, type Sample } from './sample-packs.ts';
import { tellStory } from './sample.ts';

interface Options {
  readonly count: number;
  readonly shuffle?: boolean;
  readonly duplicate?: number;
  readonly seed?: string;
  readonly url?: string;
  readonly secret?: string;
  readonly json?: boolean;
}

export function addSendCommand(program: Command): void {
  program
    .command('send <source>')
    .description('deliver signed sample events to a running receiver')
    .option('--count <n>', 'so many events', parseCount, 100)
    .option('--shuffle', 'out of order')
    .option('--duplicate <p>', 'deliver this share of them twice, e.g. 0.15', parseProbability)
    .option('--seed <seed>', 'the same events as an earlier run; default: others each time')
    .option('--url <url>', 'of the receiver; default: of the running dev, else http://HOST:PORT')
    .option('--secret <secret>', "of the source; default: the running dev's, else WEBHOOK_SECRET_<SOURCE>")
    .option('--json', 'print one JSON object')
    .action(send);
}

/** As many as a busy sender has in flight. */
const AT_ONCE = 16;
const MAX_ATTEMPTS = 30;
const MAX_WAIT_MS = 5_000;
const TIMEOUT_MS = 15_000;

interface Tally {
  accepted: number;
  duplicate: number;
  /** By what the receiver answered, e.g. `401 BAD_SIGNATURE`. */
  readonly refused: Map<string, number>;
  /** Times that the receiver asked for a later delivery. */
  retried: number;
}

async function send(source: string, options: Options): Promise<void> {
  const context = await loadReader();
  const pack = packOf(source, context);
  const url = receiverUrl(options.url, context.config);
  const secret = secretOf(source, options);
  if (context.setup.model !== commerce) say('The samples speak the commerce model; yours is another, so some may be refused.');
  const seed = options.seed ?? randomBytes(3).toString('hex');
  const deliveries = arrange(tellStory(seed, options.count).map(SAMPLES[pack]), seed, options);

  const started = performance.now();
  const tally = await deliverAll(deliveries, `${url}/webhooks/${source}`, secret);
  const seconds = (performance.now() - started) / 1_000;
  const { accepted, duplicate, retried } = tally;
  const refused = Object.fromEntries(tally.refused);
  if (options.json === true)
    printJson({
      source,
      url,
      seed,
      delivered: deliveries.length,
      accepted,
      duplicate,
      refused,
      retried,
      seconds: Math.round(seconds * 1_000) / 1_000,
    });
  else print(table(['answer', 'deliveries'], [['accepted', accepted], ['duplicate', duplicate], ...Object.entries(refused)]));
  say(
    `${deliveries.length} deliveries in ${seconds.toFixed(1)} s${retried === 0 ? '' : `, ${retried} tried again after 503 or 429`}; --seed ${seed} repeats them.`,
  );
  if (tally.refused.size > 0) process.exitCode = 1;
  else say('Look: eventgraft events count · eventgraft events list · eventgraft query best-customers');
}

/** Which of the packs a source speaks: by its mapping's name, since users name sources as they like. */
function packOf(source: string, { setup }: Context): PackName {
  const spoken = setup.sources.get(source)?.version.split('@')[0] ?? source;
  if (isPack(spoken)) return spoken;
  const known = [...setup.sources.values()].filter(({ version }) => isPack(version.split('@')[0] ?? '')).map(({ name }) => name);
  throw new IngestError('BAD_REQUEST', `there are no samples for the source ${source}; there are for ${known.join(', ')}`);
}

function isPack(name: string): name is PackName {
  return Object.hasOwn(SAMPLES, name);
}

function receiverUrl(given: string | undefined, config: Config): string {
  if (given !== undefined && !URL.canParse(given))
    throw new IngestError('BAD_REQUEST', '--url must be a URL such as http://127.0.0.1:8080');
  return (given ?? findRunning()?.url ?? `http://${config.host}:${config.port}`).replace(/\/+$/, '');
}

/** The running dev's where it is the receiver, else the environment's. */
function secretOf(source: string, { url, secret: given }: Options): Secret {
  const running = findRunning()?.secrets[source];
  const own = loadConfig(readEnvironment())
    .secretsOf(source)
    .find(({ kind }) => kind === 'hmac');
  const local = running === undefined ? undefined : secretFrom(running, 'the running dev');
  const secret = given === undefined ? (url === undefined ? (local ?? own) : (own ?? local)) : secretFrom(given, '--secret');
  if (secret !== undefined) return secret;
  throw new IngestError(
    'BAD_CONFIG',
    `no secret for ${source}: give --secret, set ${secretVariable(source)}, or start \`eventgraft dev\` in this directory`,
  );
}

function secretFrom(text: string, from: string): Secret {
  const secret = parseSecret(text);
  if ('problem' in secret) throw new IngestError('BAD_REQUEST', `the secret of ${from} ${secret.problem}`);
  if (secret.kind !== 'hmac') throw new IngestError('BAD_REQUEST', `the secret of ${from} is a public key, which cannot sign`);
  return secret;
}

/** Redeliveries come later than their first, by up to some dozens of deliveries. */
function arrange(samples: readonly Sample[], seed: string, { shuffle, duplicate = 0 }: Options): Sample[] {
  const random = createRandom(`arrange/${seed}`);
  const turns = samples.map((sample, index) => ({ sample, turn: shuffle === true ? random.next() * samples.length : index }));
  const again = turns.flatMap((one) => (random.chance(duplicate) ? [{ ...one, turn: one.turn + 1 + random.below(50) }] : []));
  return [...turns, ...again].sort((a, b) => a.turn - b.turn).map(({ sample }) => sample);
}

async function deliverAll(samples: readonly Sample[], url: string, secret: Secret): Promise<Tally> {
  const tally: Tally = { accepted: 0, duplicate: 0, refused: new Map(), retried: 0 };
  const progress = createProgress();
  const waiting = samples.values();
  let done = 0;
  const lane = async (): Promise<void> => {
    for (const sample of waiting) {
      await deliver(sample, url, secret, tally);
      done += 1;
      progress.show(`${done} of ${samples.length} delivered`);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  } finally {
    progress.end();
  }
  return tally;
}

async function deliver(sample: Sample, url: string, secret: Secret, tally: Tally): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const response = await post(sample, url, secret);
    const said = await response.text();
    if ((response.status === 503 || response.status === 429) && attempt < MAX_ATTEMPTS) {
      tally.retried += 1;
      await sleep(Math.min(MAX_WAIT_MS, 1_000 * Number(response.headers.get('retry-after') ?? 1)));
      continue;
    }
    if (response.status === 202) tally.accepted += 1;
    else if (response.status === 200) tally.duplicate += 1;
    else {
      const answer = `${response.status} ${codeOf(said)}`.trim();
      tally.refused.set(answer, (tally.refused.get(answer) ?? 0) + 1);
    }
    return;
  }
}

async function post(sample: Sample, url: string, secret: Secret): Promise<Response> {
  try {
    const { body } = sample;
    return await fetch(url, {
      method: 'POST',
      body,
      headers: sample.headers(secret, Date.now(), url),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new IngestError(
      'BAD_CONFIG',
      `no receiver answers at ${new URL(url).origin} (${reasonOf(error)}); start \`eventgraft dev\` in this directory, or give --url`,
      {},
      error,
    );
  }
}

/** fetch says only that it failed; why stands behind it. */
function reasonOf(error: unknown): string {
  const behind = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(behind instanceof Error)) return String(behind);
  return 'code' in behind && typeof behind.code === 'string' ? behind.code : behind.message;
}

/** `{"error":{"code":…}}`, or nothing where somebody else answered. */
function codeOf(text: string): string {
  return /"code":"(\w+)"/.exec(text)?.[1] ?? '';
}
