/** Files on real databases run side by side, each in a lane with a Neo4j and a Redis of its own. A database that is given is one lane. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';

/** Of memory, so that two Neo4j are no burden to the machine. */
const TWO_LANES_BYTES = 6 * 2 ** 30;
const WAIT_MS = 20;
const PATIENCE_MS = 60_000;

export const LANES = process.env['NEO4J_URI'] !== undefined || totalmem() < TWO_LANES_BYTES ? 1 : Math.min(2, availableParallelism());

/**
 * Takes one of so many lanes for as long as this process lives. By a file with its pid, since Vitest lets the next worker
 * begin while the last one is still ending, and its worker numbers do not tell them apart.
 */
export function claimLane(locks: string, lanes: number): number {
  const guard = join(locks, 'guard');
  for (const started = Date.now(); Date.now() - started < PATIENCE_MS; pause()) {
    if (!enter(guard)) continue;
    const free = [...Array(lanes).keys()].find((lane) => !isTaken(lockOf(locks, lane)));
    if (free !== undefined) writeFileSync(lockOf(locks, free), String(process.pid));
    rmdirSync(guard);
    if (free !== undefined) return free;
  }
  throw new Error(`no lane of ${lanes} was free within ${PATIENCE_MS} ms: see the pids in ${locks}`);
}

function lockOf(locks: string, lane: number): string {
  return join(locks, `lane-${lane}`);
}

function enter(guard: string): boolean {
  try {
    mkdirSync(guard);
    return true;
  } catch {
    return false;
  }
}

/** By a process that lives. */
function isTaken(lock: string): boolean {
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
}
