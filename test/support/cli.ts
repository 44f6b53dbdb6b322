/** The built command line, run as a user runs it: another process, another directory, only the environment that is given. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { neo4j, redis, scratchPath } from './runtime.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** One object for each line of stdout. */
  readonly rows: () => Record<string, unknown>[];
}

export type Environment = Readonly<Record<string, string>>;

export interface Place {
  readonly cwd: string;
  readonly env: Environment;
}

/** A fresh directory, with the databases of this run unless told otherwise. */
export function place(env: Environment = { ...databases() }): Place {
  const cwd = scratchPath('cli');
  mkdirSync(cwd, { recursive: true });
  return { cwd, env };
}

export function databases(): Environment {
  const { uri, username, password } = neo4j();
  return { NEO4J_URI: uri, NEO4J_USERNAME: username, NEO4J_PASSWORD: password, REDIS_URL: redis() };
}

/** What a process needs to run at all, and where downloads are kept. */
function basics(): Environment {
  const kept = ['PATH', 'HOME', 'XDG_CACHE_HOME', 'JAVA_HOME', 'EVENTGRAFT_RUNTIME', 'DOCKER_HOST'];
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}

export function start({ cwd, env }: Place, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { cwd, env: { ...basics(), ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** To its end. */
export async function cli(where: Place, ...args: string[]): Promise<Ran> {
  const child = start(where, ...args);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => (stdout += chunk));
  child.stderr?.on('data', (chunk) => (stderr += chunk));
  child.stdin?.end();
  const code = await new Promise<number | null>((done) => child.once('close', done));
  const rows = () =>
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, stdout, stderr, rows };
}

/** The first line of JSON on one of its streams that `fits`; rejects with what was said when it ends before. */
export function firstLine(child: ChildProcess, stream: 'stdout' | 'stderr', fits: (line: Record<string, unknown>) => boolean = () => true) {
  return new Promise<Record<string, unknown>>((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (chunk) => (said += chunk));
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)));
    const from = child[stream];
    if (from === null) throw new Error(`no ${stream}`);
    createInterface(from).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const read = JSON.parse(line) as Record<string, unknown>;
      if (fits(read)) resolve(read);
    });
  });
}

/** Asks it to stop, as Ctrl-C does, and tells how it ended. */
export async function interrupt(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const ended = new Promise<number | null>((done) => child.once('exit', done));
  child.kill('SIGINT');
  return ended;
}
