import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = resolve(import.meta.dirname, '../..');

/** The ladder of AGENTS.md; .oxlintrc.json says the same in patterns, and these tests hold the two together. */
const LEVELS: readonly (readonly string[])[] = [
  ['event.ts', 'errors.ts', 'config.ts', 'log.ts', 'secret.ts', 'metrics.ts', 'group.ts', 'back-off.ts'],
  ['model', 'sources', 'json.ts', 'load-config.ts'],
  ['queue', 'graph', 'outbound', 'runtime'],
  [
    'epoch.ts',
    'map.ts',
    'facts-of.ts',
    'documents.ts',
    'hydrate.ts',
    'acknowledge.ts',
    'receive.ts',
    'apply.ts',
    'isolate.ts',
    'worker.ts',
    'verify',
    'demo',
    'backfill',
    'explain',
  ],
  ['http'],
  ['serve.ts', 'work.ts'],
  ['main.ts'],
  ['cli', 'index.ts'],
];
const PLACES = LEVELS.flat();

const report = z.object({ diagnostics: z.array(z.object({ code: z.string(), filename: z.string() })) });

/** Plants the files (path → code) in a folder with the project's configuration and tells which rules each one breaks. */
function lint(files: Readonly<Record<string, string>>, ...flags: string[]): Record<string, string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'eventgraft-ladder-'));
  try {
    for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) cpSync(join(ROOT, name), join(dir, name));
    symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
    for (const [path, code] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), code);
    }
    const said = report.parse(JSON.parse(output(dir, [...flags, '--format=json', 'src'])));
    const broken: Record<string, string[]> = Object.fromEntries(Object.keys(files).map((path) => [path, []]));
    for (const { code, filename } of said.diagnostics) broken[relative(dir, resolve(dir, filename))]?.push(code);
    return broken;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What the linter prints, whatever its exit code. */
function output(cwd: string, args: string[]): string {
  try {
    return execFileSync(join(ROOT, 'node_modules/.bin/oxlint'), args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    return z.object({ stdout: z.string() }).parse(error).stdout;
  }
}

const RESTRICTED = 'eslint(no-restricted-imports)';
const isFile = (place: string) => place.endsWith('.ts');
const fileOf = (place: string) => `src/${isFile(place) ? place : `${place}/planted.ts`}`;
const importOf = (place: string, from: string) =>
  `export * from '${isFile(from) ? './' : '../'}${isFile(place) ? place : `${place}/x.ts`}';\n`;

/** Plants one file in each place and tells how many imports are refused there. */
function refusals(codeOf: (place: string) => string): Record<string, number> {
  const broken = lint(Object.fromEntries(PLACES.map((place) => [fileOf(place), codeOf(place)])));
  return Object.fromEntries(PLACES.map((place) => [place, broken[fileOf(place)]?.filter((code) => code === RESTRICTED).length ?? -1]));
}

test('nothing imports from a higher level', () => {
  const above = (place: string) => LEVELS.slice(LEVELS.findIndex((level) => level.includes(place)) + 1).flat();
  const refused = refusals((place) =>
    above(place)
      .map((higher) => importOf(higher, place))
      .join(''),
  );
  expect(refused).toEqual(Object.fromEntries(PLACES.map((place) => [place, above(place).length])));
});

test('everything may import from the lowest level', () => {
  const refused = refusals((place) => (LEVELS[0]?.includes(place) ? '' : importOf('errors.ts', place)));
  expect(refused).toEqual(Object.fromEntries(PLACES.map((place) => [place, 0])));
});

test('queue, graph, outbound and runtime do not know each other', () => {
  const stores = ['queue', 'graph', 'outbound', 'runtime'];
  const refused = refusals((place) =>
    stores.includes(place)
      ? stores
          .filter((other) => other !== place)
          .map((other) => importOf(other, place))
          .join('')
      : '',
  );
  expect(stores.map((store) => refused[store])).toEqual([3, 3, 3, 3]);
});

test.each([
  ['bullmq', 'queue'],
  ['ioredis', 'queue'],
  ['neo4j-driver', 'graph'],
])('%s is imported in src/%s and nowhere else', (driver, home) => {
  expect(refusals(() => `export * from '${driver}';`)).toEqual(Object.fromEntries(PLACES.map((place) => [place, place === home ? 0 : 1])));
});

test('the environment is read in src/config.ts and nowhere else', () => {
  const code = "export const x = process.env['HOME'];";
  const broken = lint({ 'src/config.ts': code, 'src/http/a.ts': code, 'src/http/b.ts': "export { env } from 'node:process';" });
  expect(broken).toEqual({ 'src/config.ts': [], 'src/http/a.ts': ['eslint(no-restricted-properties)'], 'src/http/b.ts': [RESTRICTED] });
});

test('a floating promise, an unhandled union case, any and an import cycle are refused', () => {
  const broken = lint(
    {
      'src/a.ts': 'async function go(): Promise<void> {}\ngo();',
      'src/b.ts': "export function f(x: 'a' | 'b'): void {\n  switch (x) {\n    case 'a':\n  }\n}",
      'src/c.ts': 'export const x: any = 1;',
      'src/d.ts': "import { y } from './e.ts';\nexport const x = y;",
      'src/e.ts': "import { x } from './d.ts';\nexport const y = x;",
    },
    '--type-aware',
  );
  expect(broken).toEqual({
    'src/a.ts': ['typescript(no-floating-promises)'],
    'src/b.ts': ['typescript(switch-exhaustiveness-check)'],
    'src/c.ts': ['typescript(no-explicit-any)'],
    'src/d.ts': ['import(no-cycle)'],
    'src/e.ts': ['import(no-cycle)'],
  });
});

test('everything in src has a place on the ladder (add it to LEVELS here and to .oxlintrc.json)', () => {
  const names = readdirSync(join(ROOT, 'src')).filter((name) => !name.startsWith('.'));
  expect(names.filter((name) => !PLACES.includes(name))).toEqual([]);
});
