/**
 * Java's class data sharing (JEP 350): what a first, short run has loaded and checked is kept in a file, and every later start
 * is a third shorter. Java itself makes sure that the file is of this very Java and these very jars, and does without it else.
 */
import { createHash } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { install, type InstallOptions } from './install.ts';
import { answerOf } from './java.ts';

const FILE = 'classes.jsa';
const NEED_MB = 120;

/** The flags for a start; `run` starts and stops the server once with other flags, where there is no file yet. Never throws. */
export async function classArchive(
  java: string,
  jars: string,
  run: (flags: readonly string[]) => Promise<void>,
  { cacheDir, report }: InstallOptions,
): Promise<readonly string[]> {
  const of = createHash('sha256').update(`${await answerOf(java, ['-version'])}\n${jars}`);
  const name = `${basename(jars)}-classes-${of.digest('hex').slice(0, 12)}`;
  async function derive(dir: string): Promise<void> {
    report('Neo4j starts and stops once, about ten seconds, so that later starts are shorter.');
    // Where it cannot be done, an empty file says so, or each start would try it again.
    await run([`-XX:ArchiveClassesAtExit=${join(dir, FILE)}`]).catch(() => writeFile(join(dir, FILE), ''));
  }
  try {
    const dir = await install({ name, needMb: NEED_MB, unpack: derive }, { cacheDir, report });
    const file = join(dir, FILE);
    return (await stat(file)).size === 0 ? [] : [`-XX:SharedArchiveFile=${file}`, '-Xshare:auto', '-Xlog:cds=off', '-Xlog:cds+dynamic=off'];
  } catch {
    return []; // No space, or nothing was written: it is a convenience.
  }
}
