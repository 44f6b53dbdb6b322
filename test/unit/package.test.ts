import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('the lock file names the binaries of every platform, or npm ci fails on some', () => {
  expect(() => execFileSync(process.execPath, ['scripts/complete-lock.mjs', '--check'], { stdio: 'pipe' })).not.toThrow();
});

test('the lock file names no registry', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"');
});
