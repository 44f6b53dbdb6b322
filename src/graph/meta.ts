/** `(:_Meta)`: the epoch that ties this graph to one life of Redis. */
import { formatInstant, fromMs } from '../model/instant.ts';
import { readStatement } from './cypher-file.ts';
import type { Bolt } from './driver.ts';
import { transact, type Tx } from './transact.ts';

export interface EpochCheck {
  /** Whether the graph was fed from this life of Redis, or from none yet. */
  readonly agrees: boolean;
  /** When the graph last changed (RFC 3339): where a backfill has to start after a loss. */
  readonly lastAppliedAt: string | undefined;
}

export interface Meta {
  readonly epoch: string | undefined;
  /** Milliseconds since the epoch. */
  readonly lastAppliedAtMs: number | undefined;
}

/** What the graph knows of itself. Throws `GRAPH_UNAVAILABLE` while it is away. */
export function readMeta(bolt: Bolt): Promise<Meta> {
  return transact(bolt, (tx) => metaIn(tx), { deadlineMs: 5_000 });
}

async function metaIn(tx: Tx): Promise<Meta> {
  const result = await tx.run<{ epoch: string | null; lastAppliedAt: bigint | null }>(readStatement('read/meta'));
  const [record] = result.records;
  const last = record?.get('lastAppliedAt') ?? null;
  return { epoch: record?.get('epoch') ?? undefined, lastAppliedAtMs: last === null ? undefined : Number(last) };
}

/** Compares the graph's epoch with Redis's and adopts Redis's. A second call agrees. */
export async function adoptEpoch(bolt: Bolt, epoch: string): Promise<EpochCheck> {
  return transact(bolt, async (tx) => {
    const { epoch: known, lastAppliedAtMs: last } = await metaIn(tx);
    if (known !== epoch) await tx.run(readStatement('write/set-epoch'), { epoch });
    return { agrees: known === undefined || known === epoch, lastAppliedAt: last === undefined ? undefined : formatInstant(fromMs(last)) };
  }, { deadlineMs: 10_000 });
}
