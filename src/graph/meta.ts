/** `(:_Meta)`: the epoch that ties this graph to one life of Redis, and the watermarks by which a restored backup is told. */
import { readStatement } from './cypher-file.ts';
import type { Bolt } from './driver.ts';
import { readTransaction } from './read-transaction.ts';
import { transact } from './transact.ts';

export interface Meta {
  /** Undefined in a graph that was never written. */
  readonly epoch: string | undefined;
  /** The newest first. */
  readonly watermarks: readonly string[];
  /** When the graph last changed, milliseconds since the epoch. */
  readonly lastAppliedAtMs: number | undefined;
}

const READ_TIMEOUT_MS = 2_000;
const WRITE_DEADLINE_MS = 10_000;
const KEPT_WATERMARKS = 20;

/** What the graph knows of itself. Changes nothing. Throws `GRAPH_UNAVAILABLE` while it is away. */
export async function readMeta(bolt: Bolt): Promise<Meta> {
  return readTransaction(bolt, READ_TIMEOUT_MS, async (tx) => {
    const result = await tx.run<{ epoch: string | null; watermarks: string[]; lastAppliedAt: bigint | null }>(readStatement('read/meta'));
    const [record] = result.records;
    const last = record?.get('lastAppliedAt') ?? null;
    return {
      epoch: record?.get('epoch') ?? undefined,
      watermarks: record?.get('watermarks') ?? [],
      lastAppliedAtMs: last === null ? undefined : Number(last),
    };
  });
}

export async function setEpoch(bolt: Bolt, epoch: string): Promise<void> {
  await transact(bolt, (tx) => tx.run(readStatement('write/set-epoch'), { epoch }), { deadlineMs: WRITE_DEADLINE_MS });
}

export async function addWatermark(bolt: Bolt, watermark: string): Promise<void> {
  await transact(bolt, (tx) => tx.run(readStatement('write/set-watermark'), { watermark, keep: BigInt(KEPT_WATERMARKS) }), {
    deadlineMs: WRITE_DEADLINE_MS,
  });
}
