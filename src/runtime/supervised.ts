/** A child process on a leash: it ends with its parent, however that ends. See runtime/supervise.sh. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { IngestError } from '../errors.ts';

const SUPERVISOR = fileURLToPath(new URL('../../runtime/supervise.sh', import.meta.url));
const KEPT_LINES = 40;

export interface SuperviseOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Removed when the parent vanishes; then the child is killed without grace, since nobody will read what it keeps. */
  readonly scratchDir?: string;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly graceSeconds?: number;
  /** Every line of the child's output, as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface Supervised {
  /** Resolves, never rejects, with the exit code once the child and its supervisor are gone. */
  readonly exited: Promise<number>;
  /** False from the moment the child has exited. */
  running(): boolean;
  /** The last lines of the child's output. */
  output(): readonly string[];
  /** SIGTERM, then SIGKILL after the grace; resolves when the child is gone. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when the child is gone. Idempotent. */
  kill(): Promise<void>;
}

/** Starts `command` in a session of its own, so that Ctrl-C in the terminal reaches the app first and not the server. */
export function startSupervised(options: SuperviseOptions): Supervised {
  const { command, args, cwd, scratchDir = '', graceSeconds = 10, onLine } = options;
  const child = spawn('sh', [SUPERVISOR, scratchDir, String(graceSeconds), command, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // The leash may already be cut when an order is written to it.
  child.stdin.on('error', () => {});

  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split(/\r?\n/);
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        onLine?.(line);
      }
      lines.splice(0, lines.length - KEPT_LINES);
    });
  }

  let alive = true;
  const exited = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      lines.push(error.message);
      alive = false;
      resolve(127);
    });
    child.once('exit', () => {
      alive = false;
    });
    // Not `exit`: after SIGKILL the supervisor may be gone before the server, which holds its port and its files a moment longer.
    child.once('close', (code) => resolve(code ?? 137));
  });

  return {
    exited,
    running: () => alive,
    output: () => lines,
    async stop() {
      if (alive) child.stdin.write('stop\n');
      await exited;
    },
    async kill() {
      try {
        if (alive && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
      }
      await exited;
    },
  };
}

/** Runs a command to its end on the leash. Throws NO_RUNTIME with the last lines of its output unless it exits with 0. */
export async function runSupervised(options: SuperviseOptions): Promise<void> {
  const child = startSupervised(options);
  const code = await child.exited;
  if (code === 0) return;
  const said = child.output().filter((line) => line.includes('ERROR') && line.length > 12);
  const why = (said.length > 0 ? said : child.output()).slice(0, 3).join(' ').trim();
  throw new IngestError('NO_RUNTIME', `${options.command} failed with exit code ${code}: ${why}`, { output: child.output() });
}
