/**
 * Whether queue and graph are of one life. Redis bears a random epoch that the graph remembers: another epoch means that
 * Redis lost its data. Both bear a watermark that moves now and then: one that the graph has never seen means that the
 * graph was restored from a backup, and duplicate marks of what it forgot must not count.
 */
import type { Bolt } from './graph/driver.ts';
import { addWatermark, readMeta, setEpoch } from './graph/meta.ts';
import { newEpoch, readEpoch, readWatermark, renewEpoch, writeWatermark, type Redis } from './queue/redis.ts';

export interface Lives {
  readonly redis: Redis;
  readonly prefix: string;
  readonly bolt: Bolt;
}

export interface EpochCheck {
  readonly verdict: 'same' | 'redis-lost' | 'graph-restored';
  /** When the graph last changed, milliseconds since the epoch: where a backfill has to start after a loss. */
  readonly lastAppliedAtMs: number | undefined;
}

/**
 * Compares the two lives and makes them one again. The order of the reads is what makes it right while other workers write:
 * a watermark goes into the graph first and a new epoch into Redis first, and of either the second place is read first. So the graph
 * knows each watermark that was seen in Redis, and an epoch that was seen in the graph is never newer than the one in Redis: the
 * graph is not set back to an old one. Left over: for as long as another worker has renewed the epoch of Redis and not yet written it
 * into the graph, it says `redis-lost` beside that one's `graph-restored`; a loss it is.
 */
export async function matchEpochs({ redis, prefix, bolt }: Lives): Promise<EpochCheck> {
  const watermark = await readWatermark(redis, prefix);
  const meta = await readMeta(bolt);
  const epoch = await readEpoch(redis, prefix);
  const { lastAppliedAtMs } = meta;
  if (meta.epoch !== undefined && meta.epoch !== epoch) {
    await setEpoch(bolt, epoch);
    return { verdict: 'redis-lost', lastAppliedAtMs };
  }
  // A watermark that this graph has never seen: it was restored, emptied, or is another one.
  if (watermark !== undefined && !meta.watermarks.includes(watermark)) {
    await setEpoch(bolt, await renewEpoch(redis, prefix));
    return { verdict: 'graph-restored', lastAppliedAtMs };
  }
  if (meta.epoch === undefined) await setEpoch(bolt, epoch);
  return { verdict: 'same', lastAppliedAtMs };
}

/** Moves the watermark of both. The graph first: a watermark that only Redis lacks alarms nobody. */
export async function moveWatermark({ redis, prefix, bolt }: Lives): Promise<void> {
  const watermark = newEpoch();
  await addWatermark(bolt, watermark);
  await writeWatermark(redis, prefix, watermark);
}
