import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { CYPHER_ROOT, withoutComments } from '../../../src/graph/cypher-file.ts';

const files = readdirSync(CYPHER_ROOT, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.cypher'));

test.each(files)('%s has a header and a statement', (name) => {
  const text = readFileSync(new URL(name, CYPHER_ROOT), 'utf8');
  expect(text).toMatch(/^\/\/ /);
  expect(withoutComments(text)).not.toBe('');
});
