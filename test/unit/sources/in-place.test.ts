import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = resolve(import.meta.dirname, '../../..');
const SOURCES = join(ROOT, 'src/sources');
/** Says facts by a description, which is held against the model when it is built. */
const packs = readdirSync(SOURCES).filter((name) => name.endsWith('.ts') && name !== 'generic-mapping.ts');
/** The compiler sees an unknown name in an object that is written at the place of its type, and not behind a variable or a function. */
const ELSEWHERE = /\bset(?: \}|,$|: (?!\{)|: \{ \.\.\.)/gm;
const PLANTED = ' planted: undefined,';

test('what packs set is written in place', () => {
  const found = packs.flatMap((name) =>
    (readFileSync(join(SOURCES, name), 'utf8').match(ELSEWHERE) ?? []).map((text) => `${name}: ${text}`),
  );
  expect(found).toEqual([]);
});

test.each(['{ upsert: { node, key, set } }', 'set: told({ a })', 'set: values }', '  set,', 'set: { ...values }'])(
  '%s would be noticed',
  (code) => expect(code.match(ELSEWHERE)).toHaveLength(1),
);

test('a wrong name does not compile in any of these places', { timeout: 180_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'eventgraft-planted-'));
  try {
    for (const name of ['src', 'package.json', 'tsconfig.json']) cpSync(join(ROOT, name), join(dir, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
    const planted = packs.flatMap((name) => {
      const path = join('src/sources', name);
      const code = readFileSync(join(dir, path), 'utf8').replaceAll(/\bset: \{/g, (place) => `${place}${PLANTED}`);
      writeFileSync(join(dir, path), code);
      return code.split('\n').flatMap((line, index) => (line.includes(PLANTED) ? `${path}:${index + 1}` : []));
    });
    const said = compile(dir);
    expect(planted.length).toBeGreaterThan(30);
    expect(planted.filter((place) => !said.has(place))).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

/** The lines with errors, as `path:line`. */
function compile(cwd: string): ReadonlySet<string> {
  try {
    execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['--noEmit', '--pretty', 'false'], { cwd, stdio: ['ignore', 'pipe', 'ignore'] });
    return new Set();
  } catch (error) {
    const { stdout } = z.object({ stdout: z.instanceof(Buffer) }).parse(error);
    return new Set([...stdout.toString('utf8').matchAll(/^(src\/\S+)\((\d+),/gm)].map(([, path, line]) => `${path}:${line}`));
  }
}
