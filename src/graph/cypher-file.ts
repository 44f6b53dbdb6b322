/** Statements as files: `cypher/<name>.cypher` without its header. */
import { readFileSync } from 'node:fs';

export const CYPHER_ROOT = new URL('../../cypher/', import.meta.url);

/** The statement in `cypher/<name>.cypher`. Comment lines are for readers; without them the plan cache sees one short text. */
export function readStatement(name: string): string {
  return withoutComments(readFileSync(new URL(`${name}.cypher`, CYPHER_ROOT), 'utf8'));
}

export function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('//'))
    .join('\n')
    .trim();
}
