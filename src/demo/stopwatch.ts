/** Where the time goes, phase by phase. */

export const PHASES = ['databases', 'services', 'storm', 'drain', 'check'] as const;
export type Phase = (typeof PHASES)[number];

export interface Stopwatch {
  /** Ends the phase that began with the last lap. */
  lap(phase: Phase): void;
  /** To a tenth. */
  seconds(): Readonly<Record<Phase | 'total', number>>;
}

export function createStopwatch(): Stopwatch {
  const started = performance.now();
  let last = started;
  const seconds = { databases: 0, services: 0, storm: 0, drain: 0, check: 0 };
  const round = (ms: number): number => Math.round(ms / 100) / 10;
  return {
    lap(phase) {
      const now = performance.now();
      seconds[phase] = round(now - last);
      last = now;
    },
    seconds: () => ({ ...seconds, total: round(performance.now() - started) }),
  };
}
