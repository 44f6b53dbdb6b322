import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';

test('the lock file names the binaries of every platform, or npm ci fails on some', () => {
  expect(() => execFileSync(process.execPath, ['scripts/complete-lock.mjs', '--check'], { stdio: 'pipe' })).not.toThrow();
});

/** What npm would publish, less what the build makes. */
function packed(): string[] {
  const said = execFileSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = z.tuple([z.object({ files: z.array(z.object({ path: z.string() })) })]).parse(JSON.parse(said));
  return files.map(({ path }) => path).filter((path) => !path.startsWith('dist/') || !/\.(?:d\.ts|js)$/.test(path));
}

test('the package holds what its code reads, the schema of the envelope, and nothing of the workshop', () => {
  const tops = new Set(packed().map((path) => (path.startsWith('docs/') ? path : path.split('/')[0])));
  expect(tops).toEqual(new Set(['LICENSE', 'README.md', 'package.json', 'cypher', 'docs/facts.schema.json', 'examples', 'runtime']));
});

test('the lock file names no registry', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"');
});
