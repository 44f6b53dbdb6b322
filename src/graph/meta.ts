/** `(:_Meta)`: the epoch that ties this graph to one life of Redis. */
import { formatInstant, fromMs } from '../model/instant.ts';
import { readStatement } from './cypher-file.ts';
import type { Bolt } from './driver.ts';
import { transact } from './transact.ts';

export interface EpochCheck {
  /** Whether the graph was fed from this life of Redis, or from none yet. */
  readonly agrees: boolean;
  /** When the graph last changed (RFC 3339): where a backfill has to start after a loss. */
  readonly lastAppliedAt: string | undefined;
}

/** Compares the graph's epoch with Redis's and adopts Redis's. A second call agrees. */
export async function adoptEpoch(bolt: Bolt, epoch: string): Promise<EpochCheck> {
  return transact(bolt, async (tx) => {
    const result = await tx.run<{ epoch: string | null; lastAppliedAt: bigint | null }>(readStatement('read/meta'));
    const [record] = result.records;
    const known = record?.get('epoch') ?? null;
    const last = record?.get('lastAppliedAt') ?? null;
    if (known !== epoch) await tx.run(readStatement('write/set-epoch'), { epoch });
    return { agrees: known === null || known === epoch, lastAppliedAt: last === null ? undefined : formatInstant(fromMs(Number(last))) };
  }, { deadlineMs: 10_000 });
}
