/** How long to wait before try `attempt` + 1 (from one): doubled from `minMs` up to `maxMs`, its upper half at random, so that those who failed together do not come together. */
export function backOffMs(attempt: number, minMs: number, maxMs: number): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, 20)) * (0.5 + Math.random() / 2);
}
