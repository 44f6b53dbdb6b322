/** The storm over real HTTP: everything is sent, the worker is killed midway, and all is waited for. */
import { setTimeout as sleep } from 'node:timers/promises';

import { STATES, type Stats } from '../event.ts';
import { parseSecret } from '../secret.ts';
import type { Message } from './events.ts';
import { createSender } from './sender.ts';
import type { Services } from './services.ts';
import type { Stopwatch } from './stopwatch.ts';
import type { Storm } from './storm.ts';

/** Hears how it goes. */
export interface Watch {
  phase(name: string, detail: string): void;
  /** Often. `share` of the phase, 0 to 1. */
  moved(share: number, detail: string): void;
}

export interface Play {
  /** Of the receiver. */
  readonly url: string;
  readonly secret: string;
  readonly adminToken: string;
  readonly storm: Storm<Message>;
  readonly services: Services;
  readonly watch: Watch;
  readonly clock: Stopwatch;
}

/** What was measured on the way, and what `GET /admin/stats` said in the end. */
export interface Played {
  /** Acknowledged, repetitions among them. */
  readonly requests: number;
  /** Attempts after a 503 or a broken connection. */
  readonly retries: number;
  readonly kill: { readonly afterRequests: number; readonly queued: number; readonly downMs: number };
  readonly stats: Stats;
  /** The most that waited at one time, as far as was looked. */
  readonly peak: { readonly queued: number; readonly parked: number };
  readonly ack: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  readonly requestsPerSecond: number;
  /** From the first request to the last event in the graph. */
  readonly eventsPerSecond: number;
}

const SOURCE = 'facts';
const CONNECTIONS = 32;
const LOOK_MS = 500;
/** How long the worker is dead before anybody notices. */
const DOWN_MS = 1_000;
/** The queue must move within this, or the demo gives up waiting. */
const STUCK_MS = 120_000;

/** Resolves when nothing is queued any more, or nothing has moved for two minutes. Throws when a service ends by itself. */
export async function play({ url, secret, adminToken, storm, services, watch, clock }: Play): Promise<Played> {
  const total = storm.rush.length + storm.late.length + storm.again.length;
  const acks: number[] = [];
  const peak = { queued: 0, parked: 0 };
  let retries = 0;
  let killing: Promise<Played['kill']> | undefined;
  let stats = NONE;

  const sender = createSender({
    url: `${url}/webhooks/${SOURCE}`,
    key: keyOf(secret),
    connections: CONNECTIONS,
    onAnswer(answer) {
      acks.push(answer.tookMs);
      retries += answer.retries;
      if (acks.length === Math.ceil(total / 2)) {
        killing = killWorker(acks.length);
        killing.catch(() => undefined);
      }
    },
  });

  async function killWorker(afterRequests: number): Promise<Played['kill']> {
    const killedMs = performance.now();
    await services.kill('work');
    watch.phase('kill', `worker killed with SIGKILL after ${afterRequests} requests; events keep coming`);
    const { queued } = (await readStats(url, adminToken)) ?? stats;
    await sleep(DOWN_MS);
    await services.start('work', { PORT: '0' });
    const downMs = Math.round(performance.now() - killedMs);
    watch.phase('restart', `worker started again after ${(downMs / 1_000).toFixed(1)} s`);
    return { afterRequests, queued, downMs };
  }

  /** False when the graph is too busy for a look: the next one will do. */
  async function look(): Promise<boolean> {
    services.check();
    const seen = await readStats(url, adminToken);
    if (seen === undefined) return false;
    stats = seen;
    peak.queued = Math.max(peak.queued, stats.queued);
    peak.parked = Math.max(peak.parked, stats.parked);
    return true;
  }

  async function drain(): Promise<void> {
    for (let [left, movedMs] = [-1, performance.now()]; performance.now() - movedMs < STUCK_MS; await sleep(LOOK_MS)) {
      if (!(await look())) continue;
      // Queue and ledger are read side by side: once nothing is queued, one more look sees all that was written.
      if (stats.queued === 0 && left === 0) return;
      watch.moved(1 - stats.queued / stats.accepted, `${stats.queued} queued  ${stats.parked} parked`);
      if (stats.queued !== left) [left, movedMs] = [stats.queued, performance.now()];
    }
  }

  watch.phase('storm', `sending ${total} signed webhooks over ${CONNECTIONS} connections`);
  const startedMs = performance.now();
  const perSecond = (n: number, untilMs = performance.now()): number => Math.round((n * 1_000) / (untilMs - startedMs));
  let sentMs: number | undefined;
  const sending = (async () => {
    for (const part of [storm.rush, storm.late, storm.again]) await sender.sendAll(part);
    sentMs = performance.now();
  })();
  try {
    while (sentMs === undefined) {
      await Promise.race([sending, sleep(LOOK_MS)]);
      await look();
      watch.moved(acks.length / total, `${perSecond(acks.length)}/s  ${stats.queued} queued  ${stats.parked} parked`);
    }
  } finally {
    sending.catch(() => undefined);
    sender.close();
  }
  const kill = await killing;
  if (kill === undefined) throw new Error('the worker was never killed');
  clock.lap('storm');

  watch.phase('drain', 'all are acknowledged; the worker finishes');
  await drain();
  clock.lap('drain');
  return {
    requests: acks.length,
    retries,
    kill,
    stats,
    peak,
    ack: percentiles(acks),
    requestsPerSecond: perSecond(acks.length, sentMs),
    eventsPerSecond: perSecond(stats.accepted),
  };
}

const NONE: Stats = {
  accepted: 0,
  duplicate: 0,
  duplicateLate: 0,
  queued: 0,
  parked: 0,
  states: Object.fromEntries(STATES.map((state) => [state, 0])) as Stats['states'],
};

/** As operators see them; undefined while the graph does not answer. Throws when serve does not. */
async function readStats(url: string, adminToken: string): Promise<Stats | undefined> {
  const response = await fetch(`${url}/admin/stats`, { headers: { 'x-admin-token': adminToken } });
  if (response.status === 503) return undefined;
  if (!response.ok) throw new Error(`GET /admin/stats answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Stats;
}

function keyOf(secret: string): Buffer {
  const parsed = parseSecret(secret);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.key;
}

function percentiles(times: readonly number[]): Played['ack'] {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1));
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
