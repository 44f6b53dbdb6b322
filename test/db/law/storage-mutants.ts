/**
 * The store with one thing switched off at a time: what the fold's mutants are in memory, on the database. A mutant is a
 * copy of src/ and cypher/ with one text replaced; the text must be there exactly once.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createJiti } from 'jiti';
import { fileURLToPath } from 'node:url';
import type { createBolt } from '../../../src/graph/driver.ts';
import type { verifyOnDatabase } from '../../../src/verify/database.ts';

export interface StorageMutation {
  /** What is off, and what the mutant does instead. */
  readonly rule: string;
  /** Path below the project, e.g. `cypher/read/hidden-nodes.cypher`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface StorageMutant {
  /** Of the copy too: an error of one driver is no error of another. */
  readonly createBolt: typeof createBolt;
  readonly verifyOnDatabase: typeof verifyOnDatabase;
  /** Takes the copy away; its Cypher is read only when a store is created. */
  close(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CACHE = `${ROOT}node_modules/.cache/mutants/`;
/** That it diverges is all that is asked of a mutant, not its smallest story. */
const AS_FOUND = { file: 'src/verify/database.ts', find: 'await shrinkOnDatabase(options, divergence, random)', replace: 'divergence' };
const ENTRY = "export { createBolt } from './src/graph/driver.ts';\nexport { verifyOnDatabase } from './src/verify/database.ts';\n";

export async function loadStorageMutant(mutation: StorageMutation): Promise<StorageMutant> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(CACHE);
  for (const name of ['src', 'cypher']) await cp(`${ROOT}${name}`, `${folder}/${name}`, { recursive: true });
  await patch(folder, AS_FOUND);
  await patch(folder, mutation);
  await writeFile(`${folder}/entry.ts`, ENTRY);
  const { createBolt, verifyOnDatabase } = await createJiti(import.meta.url, { fsCache: false }).import<StorageMutant>(
    `${folder}/entry.ts`,
  );
  return { createBolt, verifyOnDatabase, close: () => rm(folder, { recursive: true, force: true }) };
}

async function patch(folder: string, { file, find, replace }: Omit<StorageMutation, 'rule'>): Promise<void> {
  const parts = (await readFile(`${folder}/${file}`, 'utf8')).split(find);
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${find}`);
  await writeFile(`${folder}/${file}`, parts.join(replace));
}

export const STORAGE_MUTATIONS: readonly StorageMutation[] = [
  {
    rule: 'the lock of a node that is there (off: MERGE alone, so that two writers read the same)',
    file: 'cypher/read/lock-nodes.cypher',
    find: '\nSET n += {}\n',
    replace: '\n',
  },
  {
    rule: 'the memory of keys without a live node (off: its row is not read)',
    file: 'cypher/read/hidden-nodes.cypher',
    find: 'MATCH (h:_Node {key: key})',
    replace: 'MATCH (h:_Node {key: key}) WHERE h.clock IS NULL',
  },
  {
    rule: 'the memory of a removed node (off: no row is written)',
    file: 'cypher/write/hide-nodes.cypher',
    find: 'UNWIND $rows AS r',
    replace: 'UNWIND $rows[..0] AS r',
  },
  {
    rule: 'waiting edges of a node that comes to be (off: those that end at it are not read)',
    file: 'cypher/read/hidden-edges-to.cypher',
    find: 'UNWIND $keys AS key',
    replace: 'UNWIND $keys[..0] AS key',
  },
  {
    rule: 'the memory of unlinks and waiting edges (off: their row stays as it was first written)',
    file: 'cypher/write/hide-edges.cypher',
    find: 'SET h += r[1]',
    replace: 'ON CREATE SET h += r[1]',
  },
  {
    rule: 'edges that hide when an end goes and newer ones that wait (off: only what the facts name is written)',
    file: 'src/graph/plan.ts',
    find: 'if (edge !== undefined && !edges.has(edgeId)) edges.set(edgeId, edge);',
    replace: '',
  },
  {
    rule: 'what is remembered of a far end that waits too (off: it is locked and taken for one that nobody has told of)',
    file: 'src/graph/read.ts',
    find: 'far.filter((ref) => loaded.absent.has(ref.id)),',
    replace: '[],',
  },
  {
    rule: 'the difference between a node that was not read and one without slots (off: the first is taken for the second)',
    file: 'src/model/fold.ts',
    find: 'owner.unread === true || ',
    replace: '',
  },
];
