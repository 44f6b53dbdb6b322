/** Whether this process keeps up: how late its event loop is, over the last half second. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Lag {
  /** True while the loop was later than allowed, on average of the last window: one long pause alone is no overload. */
  isLate(): boolean;
  close(): void;
}

const WINDOW_MS = 500;
const RESOLUTION_MS = 20;

/** 0 ms = never late. */
export function watchLag(maxMs: number): Lag {
  if (maxMs === 0) return { isLate: () => false, close: () => undefined };
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  let late = false;
  const timer = setInterval(() => {
    // Node counts the time that it meant to sleep as well. Without a sample the mean is NaN, and nothing is late.
    late = delays.mean / 1e6 - RESOLUTION_MS > maxMs;
    delays.reset();
  }, WINDOW_MS);
  timer.unref();
  return {
    isLate: () => late,
    close() {
      clearInterval(timer);
      delays.disable();
    },
  };
}
