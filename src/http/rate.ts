/** How many a second, for each name: of an address before anything is verified, of a source after. */

export interface Rate {
  /** Counts one in: 0 when it is within the limit, else the milliseconds until the next one would be. */
  take(name: string): number;
}

/** So much may come at once as is allowed within this time: senders send in bursts. */
const BURST_MS = 2_000;

/**
 * 0 a second = no limit. Generic cell rate algorithm: all that is kept of a name is when it will have its whole burst again,
 * and after `BURST_MS` of silence not even that. Memory is what came within two such times.
 */
export function createRate(perSecond: number, now: () => number = () => performance.now()): Rate {
  if (perSecond === 0) return { take: () => 0 };
  const intervalMs = 1_000 / perSecond;
  let recent = new Map<string, number>();
  let before = new Map<string, number>();
  let turnAtMs = now() + BURST_MS;
  return {
    take(name) {
      const nowMs = now();
      if (nowMs >= turnAtMs) {
        // What nobody has asked for since the last turn but one is whole again.
        before = nowMs >= turnAtMs + BURST_MS ? new Map() : recent;
        recent = new Map();
        turnAtMs = nowMs + BURST_MS;
      }
      const wholeAtMs = Math.max(nowMs, recent.get(name) ?? before.get(name) ?? 0) + intervalMs;
      const waitMs = wholeAtMs - nowMs - Math.max(BURST_MS, intervalMs);
      if (waitMs > 0) return waitMs;
      recent.set(name, wholeAtMs);
      return 0;
    },
  };
}
