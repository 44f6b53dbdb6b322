/**
 * The account of all events (DESIGN: accepted = states + queued + late), asked for after every test of a file whose helpers
 * keep one. What is in flight may be in two places for a moment, so a sheet that does not balance is read again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect } from 'vitest';

import { STATES } from '../../src/event.ts';
import { createBolt, type GraphAddress } from '../../src/graph/driver.ts';
import { createEventReader } from '../../src/graph/events.ts';
import { readCounts } from '../../src/queue/depth.ts';
import { keysOf } from '../../src/queue/keys.ts';
import { connectRedis } from '../../src/queue/redis.ts';

export interface Sheet {
  readonly accepted: number;
  readonly accounted: number;
  /** Handed in by calls that failed: taken in, or not. Default 0. */
  readonly doubtful?: number;
}

export type ReadSheet = () => Promise<Sheet>;

export interface Queue {
  readonly redisUrl: string;
  readonly prefix: string;
}

const BALANCED_WITHIN_MS = 5_000;
const kept = new Set<ReadSheet>();
let broken: string | undefined;

/** From now on it must balance after every test, until the returned function is called. */
export function keepAccount(read: ReadSheet): () => void {
  kept.add(read);
  return () => void kept.delete(read);
}

/** False once a test has failed or broken it. */
export function isKept(read: ReadSheet): boolean {
  return kept.has(read);
}

/** For the test that breaks the equation on purpose: names what it takes away. What is kept by now is not asked for any more. */
export function breakAccount(why: string): void {
  broken = why;
}

afterEach(async ({ task }) => {
  // A test that failed half-way owes nothing more.
  if (broken !== undefined || task.result?.state === 'fail') kept.clear();
  broken = undefined;
  const asked = [...kept];
  // One that does not balance is this test's fault, and not that of the next as well.
  kept.clear();
  for (const read of asked) await expectBalance(read);
  for (const read of asked) kept.add(read);
});

/** Throws with the last sheet, or with what was wrong with it: a worker may still write between two looks at the ledger. */
export async function expectBalance(read: ReadSheet): Promise<void> {
  const until = Date.now() + BALANCED_WITHIN_MS;
  for (;;) {
    let sheet: Sheet;
    try {
      sheet = await read();
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(100);
      continue;
    }
    const balanced = sheet.accepted <= sheet.accounted && sheet.accounted <= sheet.accepted + (sheet.doubtful ?? 0);
    if (balanced) return;
    if (Date.now() > until) expect.fail(`what was taken in is not what is accounted for: ${JSON.stringify(sheet)}`);
    await sleep(100);
  }
}

/** What Redis says of one queue, by a connection of its own: that of the test may be closed already. */
export async function readQueue({ redisUrl, prefix }: Queue): Promise<{ accepted: number; queued: number }> {
  const redis = connectRedis(redisUrl, { role: 'worker' });
  try {
    return await readCounts(redis, keysOf(prefix));
  } finally {
    redis.disconnect();
  }
}

/** The sheet of a service: its queue, and its graph where it has one. */
export function sheetOf(queue: Queue, neo4j?: GraphAddress): ReadSheet {
  return async () => {
    const { accepted, queued } = await readQueue(queue);
    return { accepted, accounted: queued + (neo4j === undefined ? 0 : await readLedger(neo4j)) };
  };
}

/** Events in any state, and those that came late, as the service itself counts them. */
async function readLedger(neo4j: GraphAddress): Promise<number> {
  const bolt = createBolt(neo4j, 2);
  try {
    const { states, duplicateLate } = await createEventReader(bolt).stats();
    return STATES.reduce((sum, state) => sum + states[state], duplicateLate);
  } finally {
    await bolt.close();
  }
}
