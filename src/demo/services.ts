/** `serve` and `work` as processes of their own, as in production; they end with this one, however it ends. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startSupervised, type Supervised } from '../runtime/supervised.ts';

export type Role = 'serve' | 'work';

export interface ServicesOptions {
  /** The command line of eventgraft, e.g. node and dist/cli/main.js. */
  readonly command: readonly string[];
  /** All that the processes see, with what each is given at its start, and nothing else. */
  readonly env: Readonly<Record<string, string>>;
  /** Given as files, by `<NAME>_FILE`, so that no list of processes shows them. */
  readonly secrets: Readonly<Record<string, string>>;
}

export interface Services {
  /** Resolves with the URL once the process says that it listens. Throws with its last words if it ends before, three times if a database is not to be had. */
  start(role: Role, env: Readonly<Record<string, string>>): Promise<string>;
  /** SIGKILL, as a crash would. */
  kill(role: Role): Promise<void>;
  /** Throws when a process ended that nobody killed. */
  check(): void;
  /** Lets both finish, then stops them. Idempotent. */
  close(): Promise<void>;
}

const ATTEMPTS = 3;

export function createServices({ command, env, secrets }: ServicesOptions): Services {
  const scratch = mkdtempSync(join(tmpdir(), 'eventgraft-demo-'));
  const running = new Map<Role, Supervised>();
  let closed = false;

  function environmentOf(folder: string): Record<string, string> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const files: Record<string, string> = {};
    for (const [name, secret] of Object.entries(secrets)) {
      const file = join(folder, name);
      writeFileSync(file, secret, { mode: 0o600 });
      files[`${name}_FILE`] = file;
    }
    return { ...env, ...files };
  }

  function startOnce(role: Role, own: Readonly<Record<string, string>>): Promise<string> {
    // The working directory is empty: no eventgraft.config.ts of the user's is read.
    const cwd = join(scratch, role);
    const pairs = Object.entries({ ...environmentOf(cwd), ...own }).map(([name, value]) => `${name}=${value}`);
    return new Promise((resolve, reject) => {
      const child = startSupervised({
        command: 'env',
        args: ['-i', ...pairs, ...command, role],
        cwd,
        scratchDir: cwd,
        onLine(line) {
          const url = startedAt(line);
          if (url !== undefined) resolve(url);
        },
      });
      running.set(role, child);
      void child.exited.then((code) => reject(endOf(role, child, code)));
    });
  }

  return {
    async start(role, own) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await startOnce(role, own);
        } catch (error) {
          running.delete(role);
          // A cold database on a busy machine may miss a deadline; whoever runs services starts them again.
          const passing = error instanceof Error && /_UNAVAILABLE\b/.test(error.message);
          if (!passing || closed || attempt === ATTEMPTS) throw error;
        }
      }
    },
    async kill(role) {
      const child = running.get(role);
      running.delete(role);
      await child?.kill();
    },
    check() {
      for (const [role, child] of running) if (!child.running()) throw endOf(role, child, undefined);
    },
    async close() {
      closed = true;
      const children = [...running.values()];
      running.clear();
      await Promise.all(children.map((child) => child.stop()));
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** The address in the line by which a process says that it is ready. */
function startedAt(line: string): string | undefined {
  if (!line.includes('"service.started"')) return undefined;
  const { url } = JSON.parse(line) as { url: string };
  return url;
}

function endOf(role: Role, child: Supervised, code: number | undefined): Error {
  const words = child.output().slice(-5).join('\n');
  return new Error(`${role} ended${code === undefined ? '' : ` with exit code ${code}`}:\n${words}`);
}
