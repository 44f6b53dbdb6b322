/** The guide to a source of one's own: what a reader pastes into files is compiled, tested and delivered here as the guide says. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { loadConfig } from '../../../src/config.ts';
import type { Event } from '../../../src/event.ts';
import * as library from '../../../src/index.ts';
import { loadSetup } from '../../../src/load-config.ts';
import { mapEvent } from '../../../src/map.ts';
import { receive } from '../../../src/receive.ts';
import type { Source } from '../../../src/sources/source.ts';
import { NO_DOCUMENTS } from '../../support/deliveries.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);

/** The blocks of the guide that are named, joined where one file comes in pieces. */
const files = new Map<string, string>();
const guide = readFileSync(join(ROOT, 'docs/guides/new-source.md'), 'utf8');
for (const [, name = '', code = ''] of guide.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm))
  files.set(name, `${files.get(name) ?? ''}${code}`);
const source = fileOf('perennial.ts');
const titles = [...fileOf('perennial.test.ts').matchAll(/^test\('(.*?)',/gm)].map(([, title]) => title);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eventgraft-new-source-'));
  writeInto(folder, Object.fromEntries(files));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the source is one file of under 150 lines', () => expect(source.split('\n').length).toBeLessThan(150));

test('all of it compiles with the guide’s settings, and each wrong name does not', async () => {
  const wrong = Object.entries({
    label: ["node: 'Payment'", "node: 'Paymnt'"],
    property: ['totalMinor:', 'totalMajor:'],
    type: ["status: STATUS.get(textAt(invoice, 'state'))", 'status: 1'],
    key: ["upsert: { node: 'Customer', key: { id }", "upsert: { node: 'Customer', key: { uid: id }"],
    relationship: ["relationship: 'HAS_EMAIL', from", "relationship: 'HASEMAIL', from"],
    end: ['to: { address: email }', 'to: { id: email }'],
    removal: ["remove: { node: 'Customer'", "remove: { node: 'Payment'"],
    line: ['quantity:', 'quantty:'],
    field: ['occurredAt:', 'occuredAt:'],
  } as const);
  writeInto(folder, Object.fromEntries(wrong.map(([name, [from, to]]) => [`wrong-${name}.ts`, replaceOnce(source, from, to)])));
  const own = JSON.parse(fileOf('tsconfig.json')) as { compilerOptions: object };
  // As if eventgraft were a package of the folder, without a build.
  const paths = { eventgraft: [join(ROOT, 'src/index.ts')] };
  const config = { compilerOptions: { ...own.compilerOptions, paths, typeRoots: [join(ROOT, 'node_modules/@types')] } };
  writeInto(folder, { 'tsconfig.json': JSON.stringify(config), 'package.json': '{"type":"module"}' });
  const said = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '--pretty', 'false'], { cwd: folder }).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
  const faulty = new Set([...said.matchAll(/^(\S+?)\(\d+,\d+\): error/gm)].map(([, file]) => file));
  expect(faulty, said).toEqual(new Set(wrong.map(([name]) => `wrong-${name}.ts`)));
  expect(said).toContain("Did you mean to write 'totalMinor'?");
});

test('the tests of the guide pass', async () => {
  const { passed, failed } = await runTests(folder);
  expect(failed).toEqual([]);
  expect(passed).toEqual(titles);
});

test.each([
  [
    'believes any time',
    "checkStamp(header(delivery, 'perennial-time'), delivery.receivedAtMs)",
    "header(delivery, 'perennial-time')",
    'a time that is 301 s away is refused, and so is one that was not signed',
  ],
  ['has amounts in another unit', 'money(required', '100n * money(required', 'a paid invoice is an order with its customer and lines'],
  ['takes another time', "clock: 'event'", "clock: 'object'", 'a deleted customer goes, at the time of the event'],
])('and one of them fails for a source that %s', async (_name, from, to, title) => {
  const other = mkdtempSync(join(folder, 'broken-'));
  writeInto(other, { ...Object.fromEntries(files), 'perennial.ts': replaceOnce(source, from, to) });
  expect((await runTests(other)).failed).toEqual([title]);
});

test('what the guide’s script delivers is taken in once and mapped, and another byte is refused', async () => {
  const sources = await loadSources();
  const { body, headers } = await runScript(folder);
  const taken = new Map<string, Event>();
  const add = (event: Event) => {
    const status = taken.has(event.id) ? ('duplicate' as const) : ('accepted' as const);
    taken.set(event.id, event);
    return Promise.resolve(status);
  };
  const post = (bytes: Buffer) =>
    receive({ source: 'perennial', body: bytes, headers, receivedAtMs: Date.now() }, { sources, inbox: { add }, documents: NO_DOCUMENTS });
  expect(await post(body)).toMatchObject({ key: 'perennial:evt_7Hq2', status: 'accepted' });
  expect(await post(body)).toMatchObject({ status: 'duplicate' });
  const other = Buffer.from(body.toString().replace('"59.90"', '"09.90"'));
  await expect(post(other)).rejects.toMatchObject({ code: 'BAD_SIGNATURE' });
  const [event] = taken.values();
  if (event === undefined) throw new Error('nothing was taken in');
  expect(event.headers).toEqual({ 'content-type': 'application/json' });
  const { state, type, facts } = mapEvent({ job: 'job', index: 0, of: 1, event }, { sources, maxFutureMs: 0 });
  expect([state, type, facts.map(({ kind }) => kind)]).toEqual(['mapped', 'invoice.paid', ['upsert', 'replace', 'link', 'link', 'link']]);
});

async function loadSources(): Promise<ReadonlyMap<string, Source>> {
  const config = loadConfig({ WEBHOOK_SECRET_PERENNIAL: /WEBHOOK_SECRET_PERENNIAL=(\S+)/.exec(guide)?.[1] ?? '' });
  return (await loadSetup(config, { cwd: folder, library: async () => library })).sources;
}

/** As a reader would run them: node:test, through jiti. */
async function runTests(cwd: string) {
  const env = { ...process.env, JITI_ALIAS: JSON.stringify({ eventgraft: join(ROOT, 'src/index.ts') }) };
  const words = ['--test-reporter=tap', join(ROOT, 'node_modules/jiti/lib/jiti-cli.mjs'), 'perennial.test.ts'];
  const { stdout } = await run(process.execPath, words, { cwd, env }).catch((error: { stdout: string }) => error);
  const named = (verdict: RegExp) => [...stdout.matchAll(verdict)].map(([, title]) => title);
  return { passed: named(/^ok \d+ - (.*)$/gm), failed: named(/^not ok \d+ - (.*)$/gm) };
}

/** What curl would have sent. */
async function runScript(cwd: string): Promise<{ readonly body: Buffer; readonly headers: Readonly<Record<string, string>> }> {
  const script = `curl() { printf '%s\\n' "$@"; }\n${fileOf('deliver.sh')}`;
  const words = (await run('bash', ['-euo', 'pipefail', '-c', script], { cwd })).stdout.split('\n');
  const after = (option: string) => words.flatMap((word, i) => (word === option ? [words[i + 1] ?? ''] : []));
  const [file = ''] = after('--data-binary');
  const headers = after('-H').map((line): [string, string] => {
    const [name = '', value = ''] = line.split(': ');
    return [name.toLowerCase(), value];
  });
  return { body: readFileSync(join(cwd, file.slice(1))), headers: Object.fromEntries(headers) };
}

function writeInto(dir: string, contents: Readonly<Record<string, string>>): void {
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(dir, name), text);
}

function fileOf(name: string): string {
  const text = files.get(name);
  if (text === undefined) throw new Error(`the guide has no block for ${name}`);
  return text;
}

function replaceOnce(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`not there once: ${from}`);
  return text.replace(from, () => to);
}
