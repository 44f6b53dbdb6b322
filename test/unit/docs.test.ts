import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

import { loadConfig } from '../../src/config.ts';
import * as library from '../../src/index.ts';
import { parseJson } from '../../src/json.ts';
import { loadSetup } from '../../src/load-config.ts';
import { readEnvelope } from '../../src/model/envelope.ts';
import { resolve as resolveFacts } from '../../src/model/resolve.ts';
import { createWorld } from '../../src/model/world.ts';
import { createRandom } from '../../src/verify/random.ts';
import { reference } from '../../src/verify/reference.ts';
import { schedulesOf } from '../../src/verify/schedule.ts';
import { showSchedule } from '../../src/verify/show.ts';
import { stories } from '../../src/verify/stories.ts';
import { printGraph, readGuide } from '../support/guide.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Every file that git has or would take: what is ignored is nobody's page. */
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)));
const pages = tracked.filter((path) => path.endsWith('.md'));

const guide = await readGuide();

describe('the guide to convergence', () => {
  test('tells every story of src/verify/stories.ts, by its name', () => {
    const told = guide.filter(({ isStory }) => isStory).map(({ name }) => name);
    expect(told.toSorted()).toEqual(stories.map(({ name }) => name).toSorted());
    expect([...read('docs/guides/convergence.md').matchAll(/^#### (.*)$/gm)].map(([, name]) => name)).toEqual(told);
  });

  test.each(guide)('$name: the graph is as printed, in every order and by the reference', ({ model, events, graph }) => {
    expect(printGraph(reference(model, events))).toEqual(graph);
    for (const schedule of schedulesOf(createRandom('guide'), events.length)) {
      const world = createWorld(model);
      for (const batch of schedule.batches) {
        world.apply(batch.flatMap((i) => (events[i] === undefined ? [] : resolveFacts(model, events[i], events[i].mapped).facts)));
      }
      expect(printGraph(world.graph()), showSchedule(events, schedule)).toEqual(graph);
    }
  });
});

describe('pages', () => {
  test('there are some', () => expect(pages).toContain('README.md'));

  test.each(pages)('%s: every link leads somewhere', (page) => {
    const broken = linksOf(read(page)).filter((link) => !leadsSomewhere(page, link));
    expect(broken).toEqual([]);
  });

  test('the index of docs names every guide and every decision', () => {
    const named = linksOf(read('docs/README.md')).map((link) => join('docs', link));
    const all = pages.filter((page) => /^docs\/(guides|decisions)\//.test(page));
    expect(all.filter((page) => !named.includes(page))).toEqual([]);
  });

  test('decisions are numbered without a gap, and each says context, choice and consequence', () => {
    const decisions = pages.filter((page) => page.startsWith('docs/decisions/')).map((page) => page.slice('docs/decisions/'.length));
    expect(decisions.map((name) => Number(name.slice(0, 4)))).toEqual(decisions.map((_, index) => index + 1));
    for (const name of decisions) expect(read(`docs/decisions/${name}`)).toMatch(/## Context\n[\s\S]*## Choice\n[\s\S]*## Consequence\n/);
  });
});

describe('the README', () => {
  const readme = read('README.md');

  test('is under 200 lines', () => expect(readme.split('\n').length).toBeLessThan(200));

  test('has every environment variable of src/config.ts, and no other', () => {
    const config = read('src/config.ts').replaceAll(/^\s*(\/?\*|\/\/).*$/gm, '');
    const files = /FILES = \[([^\]]*)\]/.exec(config)?.[1] ?? '';
    const known = new Set([
      ...[...config.matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)].map((m) => m[1]),
      ...[...config.matchAll(/env\['([A-Z0-9_]+)'\]/g)].map((m) => m[1]),
      ...[...files.matchAll(/'(\w+)'/g)].map((m) => `${m[1]}_FILE`),
      'WEBHOOK_SECRET_<SOURCE>',
      'WEBHOOK_SECRET_<SOURCE>_FILE',
      'FETCH_TOKEN_<SOURCE>',
      'FETCH_TOKEN_<SOURCE>_FILE',
      'ACKNOWLEDGE_TOKEN_<SOURCE>',
      'ACKNOWLEDGE_TOKEN_<SOURCE>_FILE',
    ]);
    const table = readme.slice(readme.indexOf('## Configuration'), readme.indexOf('## Operating'));
    const told = new Set([...table.matchAll(/`([A-Z][A-Z0-9_]+(?:<SOURCE>)?(?:_FILE)?)`/g)].map((m) => m[1]));
    expect(told).toEqual(known);
  });

  test('gives a configuration that loads', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'eventgraft-readme-'));
    try {
      writeFileSync(join(dir, 'eventgraft.config.ts'), /^```ts\n([\s\S]*?)^```$/m.exec(readme)?.[1] ?? '');
      const secrets = { WEBHOOK_SECRET_ACME_SHOPIFY: 'a secret', WEBHOOK_SECRET_BILLING: 'another' };
      const { sources } = await loadSetup(loadConfig(secrets), { cwd: dir, library: async () => library });
      expect([...sources.keys()]).toEqual(['acme-shopify', 'billing']);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('gives facts that are envelopes', () => {
    const bodies = [...readme.matchAll(/^body='([\s\S]*?)'$/gm)].map((m) => m[1] ?? '');
    expect(bodies.length).toBeGreaterThan(0);
    for (const body of bodies) expect(() => readEnvelope(parseJson(body))).not.toThrow();
  });
});

test('AGENTS.md has everything in src on its ladder', () => {
  const named = new Set([...read('AGENTS.md').matchAll(/`([\w-]+(?:\.ts|\/))`/g)].map((m) => (m[1] ?? '').replace('/', '')));
  expect(readdirSync(join(ROOT, 'src')).filter((name) => !named.has(name))).toEqual([]);
});

describe('what pages tell people to run', () => {
  const cli = tracked.filter((path) => path.startsWith('src/cli/')).map(read);
  const commands = new Set(cli.flatMap((code) => [...code.matchAll(/\.command\('([\w-]+)/g)].map((m) => m[1])));
  const options = new Set(cli.flatMap((code) => [...code.matchAll(/(--[a-z][\w-]*)/g)].map((m) => m[1])));
  const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts);
  /** Words of the shell that follow `eventgraft`: commands, then options. */
  const calls = pages.flatMap((page) =>
    codeOf(read(page)).flatMap((code) =>
      [...code.matchAll(/(?<![\w/.@-])eventgraft ((?:[a-z][\w-]* ?)*)((?: ?--[a-z][\w-]*(?:[ =][^\s-]\S*)?)*)/g)].map((m) => ({
        page,
        words: (m[1] ?? '').trim().split(' '),
        flags: [...(m[2] ?? '').matchAll(/--[a-z][\w-]*/g)].map(([flag]) => flag),
      })),
    ),
  );

  test('there is something', () => expect(calls.length).toBeGreaterThan(10));

  test('the command line has it', () => {
    const unknown = calls
      .filter(({ words }) => !commands.has(words[0] ?? ''))
      .map(({ page, words }) => `${page}: eventgraft ${words.join(' ')}`);
    const flags = calls.flatMap(({ page, flags: given }) => given.filter((flag) => !options.has(flag)).map((flag) => `${page}: ${flag}`));
    expect([...unknown, ...flags]).toEqual([]);
  });

  test('every `npm run` is a script', () => {
    const run = pages.flatMap((page) => [...read(page).matchAll(/npm run (?:-\S+ )*([a-z][\w:-]*)/g)].map((m) => m[1] ?? ''));
    expect(run.filter((name) => !scripts.includes(name))).toEqual([]);
  });
});

test('no tracked file names a directory of somebody’s machine', () => {
  const found = tracked
    .filter((path) => statSync(join(ROOT, path)).size < 2 ** 20)
    .filter((path) => /(?<![\w.])\/(?:work|home|Users)\/\w/.test(read(path)))
    .filter((path) => path !== 'test/unit/docs.test.ts');
  expect(found).toEqual([]);
});

test('the licence is the Apache License 2.0, as package.json says', () => {
  expect(JSON.parse(read('package.json'))).toMatchObject({ license: 'Apache-2.0' });
  expect(read('LICENSE')).toContain('Apache License\n                           Version 2.0, January 2004');
  expect(read('LICENSE')).toContain('END OF TERMS AND CONDITIONS');
});

/** Code between backticks, inline and in blocks. */
function codeOf(page: string): string[] {
  const blocks = [...page.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map((m) => m[1] ?? '');
  const inline = [...page.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map((m) => m[1] ?? '');
  return [...blocks, ...inline];
}

/** Targets of links outside of code, to files of ours. */
function linksOf(page: string): string[] {
  const prose = page.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((m) => m[1] ?? '').filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
  if (!existsSync(join(ROOT, target)) || target.startsWith('..')) return false;
  if (anchor === undefined) return true;
  return [...read(target).matchAll(/^#+ (.*)$/gm)].some((m) => slug(m[1] ?? '') === anchor);
}

/** As GitHub makes anchors of headings. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
