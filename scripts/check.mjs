// npm run check: everything that can be said about the code without a database, in seconds. All of them run, even
// after one has failed; two at a time, since tsc and the linter use more than one core themselves.

import { spawn } from 'node:child_process';

const CHECKS = [
  ['types', 'tsc', '-p', 'tsconfig.json'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['format', 'oxfmt', '--check'],
  ['dead code', 'knip', '--no-progress'],
  ['unit tests', 'vitest', 'run', '--project', 'unit', '--reporter=dot', ...process.argv.slice(2)],
];
const AT_ONCE = 2;

function run([name, command, ...args]) {
  const started = Date.now();
  const child = spawn(`node_modules/.bin/${command}`, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0' },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  return new Promise((done) => {
    child.once('error', (error) => done({ name, ok: false, said: error.message }));
    child.once('close', (code) => {
      const ok = code === 0;
      process.stdout.write(
        `${ok ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n${ok ? '' : `${said.trimEnd()}\n`}`,
      );
      done(ok);
    });
  });
}

const waiting = [...CHECKS];
const results = [];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) results.push(await run(next));
  }),
);
process.exitCode = results.every((ok) => ok === true) ? 0 : 1;
