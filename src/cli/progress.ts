/** One line on stderr that is written over while work goes on. Silent where nobody watches. */

export interface Progress {
  show(line: string): void;
  /** Wipes the line, so that what is printed next starts clean. Idempotent. */
  end(): void;
}

const EVERY_MS = 100;

export function createProgress(
  to: { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown } = process.stderr,
): Progress {
  let shownAt = -Infinity;
  let shown = false;
  return {
    show(line) {
      const now = performance.now();
      if (to.isTTY !== true || now - shownAt < EVERY_MS) return;
      shownAt = now;
      shown = true;
      to.write(`\r\u001B[2K${line.slice(0, (to.columns ?? 80) - 1)}`);
    },
    end() {
      if (shown) to.write('\r\u001B[2K');
      shown = false;
    },
  };
}
