/** What `doctor` asks of the graph. Read transactions only. */
import { readStatement } from './cypher-file.ts';
import type { Bolt } from './driver.ts';
import { readTransaction } from './read-transaction.ts';

const TIMEOUT_MS = 10_000;
/** Of each source, the oldest; a look, not a census. */
const SAMPLED_SEGMENTS = 200;

export interface Server {
  readonly version: string;
  readonly edition: string;
}

/** Throws `GRAPH_UNAVAILABLE` with what the driver said. */
export async function readServer(bolt: Bolt): Promise<Server> {
  const [row] = await read<Server>(bolt, 'server');
  return row ?? { version: 'unknown', edition: 'unknown' };
}

export interface Quarantines {
  readonly waiting: number;
  /** All their times lie before `dueNanos`, and still nobody released them. */
  readonly overdue: number;
}

export async function readQuarantines(bolt: Bolt, dueNanos: bigint): Promise<Quarantines> {
  const [row] = await read<{ waiting: bigint; overdue: bigint }>(bolt, 'quarantines', { due: dueNanos });
  return { waiting: Number(row?.waiting ?? 0), overdue: Number(row?.overdue ?? 0) };
}

/** How many of a source's oldest segments were mapped by another version than this one, out of how many looked at. */
export async function readOlderMappings(
  bolt: Bolt,
  source: string,
  version: string,
): Promise<{ readonly segments: number; readonly older: number }> {
  const parameters = { source, mapping: JSON.stringify(version), limit: BigInt(SAMPLED_SEGMENTS) };
  const [row] = await read<{ segments: bigint; older: bigint }>(bolt, 'older-mappings', parameters);
  return { segments: Number(row?.segments ?? 0), older: Number(row?.older ?? 0) };
}

function read<R extends object>(bolt: Bolt, name: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<R[]> {
  return readTransaction(bolt, TIMEOUT_MS, async (tx) => {
    const result = await tx.run(readStatement(`read/${name}`), parameters);
    return result.records.map((record) => record.toObject() as R);
  });
}
