/**
 * Telling gateways what became of their events. What is to be told is on disk before the job of its event is done
 * (queue/reports.ts), so that each event is told of at least once. One lane a source: so many requests at once, none while the
 * gateway is away (outbound/circuit.ts), and no source waits for another. Nothing is given up but what the gateway itself
 * refuses for good.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Outcome } from './apply.ts';
import { IngestError } from './errors.ts';
import { eventKey, type Event } from './event.ts';
import type { Became, WhatBecame } from './graph/became.ts';
import { addTo } from './group.ts';
import { noAnswer } from './outbound/answer.ts';
import { createCircuit } from './outbound/circuit.ts';
import type { Answer, Outbound } from './outbound/outbound.ts';
import type { Left, Report, ReportInHand, Reports } from './queue/reports.ts';
import { isBackfillId } from './sources/pages.ts';
import type { Acknowledge, Source, Verdict } from './sources/source.ts';

/** What there is to tell; logs and metrics hang here. */
export interface AcknowledgementReport {
  /** The gateway answered. `key` names the event. */
  answered?(said: { source: string; key: string; verdict: Verdict; status: number; means: Meaning; durationMs: number }): void;
  /** It did not answer, the ledger could not be asked, or no URL can hold the event's id. The last is `final`: not tried again. */
  failed?(failure: { source: string; key: string; error: unknown; final: boolean }): void;
  /** No answer for some time, or told to wait: this gateway is told nothing for so long. */
  lost?(outage: { source: string; reason: string; delayMs: number }): void;
  found?(outage: { source: string; outageMs: number }): void;
}

export interface AcknowledgementOptions {
  readonly sources: ReadonlyMap<string, Source>;
  readonly outbound: Pick<Outbound, 'post'>;
  readonly reports: Reports;
  readonly whatBecame: WhatBecame;
  /** The credentials of a source. */
  readonly tokenOf: (source: string) => string;
  /** Requests at once to one gateway. Default 8. */
  readonly width?: number;
  /** Between two tries: doubled from `minDelayMs` (500) up to `maxDelayMs` (60,000). */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  /** How often a gateway's reports are looked at that nobody here has added. Default 1,000. */
  readonly pollMs?: number;
  readonly report?: AcknowledgementReport;
}

export interface Settled {
  readonly event: Event;
  readonly outcome: Outcome;
}

export interface Acknowledgement {
  /** After the commit: what is to be told of these events is on disk when it resolves. Idempotent. */
  settled(events: readonly Settled[]): Promise<void>;
  /** Before quarantined events are released: whatever becomes of them will be told. */
  releasing(events: readonly Event[]): Promise<void>;
  /** Starts telling; returns at once. */
  run(): void;
  /** Breaks off what is under way; it is told again. Within `graceMs`, whatever Redis does. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Settled for good: told as it is. What is still in quarantine is told when it is released, which has a report of its own. Of
 * all else the ledger has the state and the reason; `repeated` and `late` too, since the gateway, or this job, may come again because
 * nothing was told.
 */
const REPORTS: Readonly<Record<Outcome, Report['is'] | undefined>> = {
  applied: 'ack',
  superseded: 'ack',
  ignored: 'ack',
  quarantined: undefined,
  failed: 'look',
  acknowledged: 'look',
  erased: 'look',
  late: 'look',
  repeated: 'look',
};

/**
 * `refused`: its own last word on this event, unknown there or moved on already. `denied`: a wrong token is an outage of
 * ours, tried as seldom as can be until somebody sets it right. Whatever else is not 2xx is an outage of the gateway's.
 */
export type Meaning = 'taken' | 'refused' | 'denied' | 'failed';
const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [401, 'denied'],
  [403, 'denied'],
  [404, 'refused'],
  [409, 'refused'],
  [410, 'refused'],
]);
/** Of an error's text: it may quote a database. */
const MAX_ERROR_LENGTH = 2_000;

export function createAcknowledgement(options: AcknowledgementOptions): Acknowledgement {
  const { sources, reports } = options;
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const lanes = new Map<string, Lane>();
  for (const { name, acknowledge } of sources.values())
    if (acknowledge !== undefined) lanes.set(name, createLane(name, acknowledge, options, closing.signal));

  /** One command for each source. Those that have no gateway cost nothing. */
  async function add(wanted: readonly (readonly [Event, Report['is'] | undefined])[]): Promise<void> {
    const bySource = new Map<string, Report[]>();
    for (const [{ source, id, bodyHash }, is] of wanted) {
      if (is === undefined || !lanes.has(source)) continue;
      // Found by asking the sender, so the gateway has never seen it.
      if (sources.get(source)?.backfill !== undefined && isBackfillId(id)) continue;
      const report: Report = is === 'ack' ? { is, id } : { is, id, bodyHash };
      addTo(bySource, source, report);
    }
    await Promise.all([...bySource].map(([source, list]) => reports.add(source, list)));
    for (const source of bySource.keys()) lanes.get(source)?.wake();
  }

  return {
    settled: (events) => add(events.map(({ event, outcome }) => [event, REPORTS[outcome]])),
    releasing: (events) => add(events.map((event) => [event, 'release'])),
    run() {
      for (const lane of lanes.values()) lane.run();
    },
    async close(graceMs = 10_000) {
      closing.abort();
      const ended = Promise.all([...lanes.values()].map((lane) => lane.ended()));
      await Promise.race([ended, sleep(graceMs, undefined, { ref: false })]);
    },
  };
}

interface Lane {
  run(): void;
  /** There may be something to tell. */
  wake(): void;
  /** After `closing`: resolves when nothing is in hand. */
  ended(): Promise<void>;
}

function createLane(source: string, gateway: Acknowledge, options: AcknowledgementOptions, closing: AbortSignal): Lane {
  const { reports, outbound, whatBecame, tokenOf, width = 8, minDelayMs = 500, maxDelayMs = 60_000, pollMs = 1_000, report = {} } = options;
  const circuit = createCircuit({
    width,
    minDelayMs,
    maxDelayMs,
    onLost: (outage) => report.lost?.({ source, ...outage }),
    onFound: (outage) => report.found?.({ source, ...outage }),
  });
  const bell = createBell(closing);
  const busy = new Set<Promise<void>>();
  let left: Left[] = [];
  let running: Promise<void> | undefined;

  async function pump(): Promise<void> {
    while (!closing.aborted) {
      const room = Math.max(0, circuit.width() - busy.size);
      if (room > 0 || left.length > 0) for (const taken of await exchange(room)) start(taken);
      const closedMs = circuit.closedUntilMs() - Date.now();
      await bell.heard(closedMs > 0 ? closedMs : pollMs);
    }
    await Promise.all(busy);
    await exchange(0);
  }

  /** Where Redis does not do as asked, which its connection logs, what was left comes due when its hold ends, and is told again. */
  async function exchange(room: number): Promise<readonly ReportInHand[]> {
    const leaving = left;
    left = [];
    return reports.exchange(source, leaving, room).catch(() => []);
  }

  function start(taken: ReportInHand): void {
    const work: Promise<void> = tell(taken)
      .then((dueMs) => void left.push({ taken, dueMs }))
      .finally(() => {
        busy.delete(work);
        bell.ring();
      });
    busy.add(work);
  }

  /** `done` once there is no more to tell, else how long to wait before it is tried again. Never rejects. */
  async function tell({ report: wanted, member, tries }: ReportInHand): Promise<Left['dueMs']> {
    const { id } = wanted;
    const key = eventKey(source, id);
    const again = (): number => (closing.aborted ? 0 : circuit.delayMs(tries + 1));
    const failed = (error: unknown, final = false): void => (closing.aborted ? undefined : report.failed?.({ source, key, error, final }));
    const leaveAlone = (failure: unknown): number => {
      if (!closing.aborted) circuit.failed(member, failure);
      return Math.max(again(), circuit.closedUntilMs() - Date.now());
    };

    let said: Said | 'nothing' | 'not yet';
    try {
      said = wanted.is === 'ack' ? ACK : sayOf(await whatBecame({ source, id, bodyHash: wanted.bodyHash }));
    } catch (error) {
      failed(error);
      return again(); // The ledger's outage is not the gateway's.
    }
    if (said === 'nothing') return 'done';
    if (said === 'not yet') return wanted.is === 'release' ? again() : 'done';

    let url: string | undefined;
    let cause: unknown;
    try {
      url = gateway.urlOf(id, said.verdict);
    } catch (error) {
      cause = error; // A source's own may throw; it would tomorrow, too.
    }
    if (url === undefined) {
      failed(new IngestError('OUTBOUND_REFUSED', 'no URL can hold the id of this event', {}, cause), true);
      return 'done';
    }
    const started = performance.now();
    let answer: Answer;
    try {
      answer = await outbound.post(url, gateway.headers(tokenOf(source)), said.body, closing);
    } catch (error) {
      failed(error);
      return leaveAlone(error);
    }
    const { status, retryAfter } = answer;
    const means = MEANINGS.get(status) ?? (status >= 200 && status <= 299 ? 'taken' : 'failed');
    report.answered?.({ source, key, verdict: said.verdict, status, means, durationMs: performance.now() - started });
    if (means === 'denied')
      return leaveAlone(new IngestError('SENDER_UNAVAILABLE', `the sender answered ${status}`, { waitMs: maxDelayMs }));
    if (means === 'failed') return leaveAlone(noAnswer(`answered ${status}`, retryAfter, Date.now()));
    circuit.answered();
    return 'done';
  }

  return {
    run() {
      running ??= pump();
    },
    wake: () => bell.ring(),
    ended: async () => running,
  };
}

interface Said {
  readonly verdict: Verdict;
  readonly body: string;
}

const ACK: Said = { verdict: 'ack', body: '{}' };

/** Nothing is said of an event that the ledger does not know, as in a graph that was restored: it will come again. */
function sayOf(became: Became | undefined): Said | 'nothing' | 'not yet' {
  if (became === undefined) return 'nothing';
  if (became.state === 'quarantined') return 'not yet';
  if (became.state !== 'failed') return ACK;
  return { verdict: 'fail', body: JSON.stringify({ error: (became.error ?? 'failed').slice(0, MAX_ERROR_LENGTH) }) };
}

/** Rung while nobody listens, it is heard by the next who does. */
function createBell(closing: AbortSignal): { ring(): void; heard(withinMs: number): Promise<void> } {
  let rung = false;
  let wake = (): void => {};
  const ring = (): void => {
    rung = true;
    wake();
  };
  closing.addEventListener('abort', ring, { once: true });
  return {
    ring,
    async heard(withinMs) {
      if (!rung)
        await new Promise<void>((done) => {
          const timer = setTimeout(done, withinMs);
          wake = () => {
            clearTimeout(timer);
            done();
          };
        });
      rung = false;
    },
  };
}
