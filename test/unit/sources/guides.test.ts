import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

import { loadConfig, secretVariable } from '../../../src/config.ts';
import * as library from '../../../src/index.ts';
import { loadSetup } from '../../../src/load-config.ts';

const GUIDES = resolve(import.meta.dirname, '../../../docs/guides');
const configs = readdirSync(GUIDES).flatMap((page) =>
  [...readFileSync(join(GUIDES, page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
    .map(([, code = '']) => ({ page, code }))
    .filter(({ code }) => code.includes('export default defineConfig')),
);

test.each(configs)('the configuration in $page loads', async ({ code }) => {
  const cwd = mkdtempSync(join(tmpdir(), 'eventgraft-guide-'));
  try {
    writeFileSync(join(cwd, 'eventgraft.config.ts'), code);
    const secretsOf = (source: string) =>
      loadConfig({ [secretVariable(source)]: 'a secret that is long enough for a token' }).secretsOf(source);
    const { sources } = await loadSetup({ ...loadConfig({}), secretsOf }, { cwd, library: async () => library });
    expect(sources.size).toBeGreaterThan(0);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
});
