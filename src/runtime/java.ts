/** Finding a Java that Neo4j 5.26 runs on: 17 or 21. */

import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { IngestError } from '../errors.ts';

const SUPPORTED = new Set([17, 21]);
const JVM_FOLDERS = ['/usr/lib/jvm', '/Library/Java/JavaVirtualMachines', '/opt/homebrew/opt'];

/** The path of a `java` 17 or 21: of `javaHome`, of the PATH, or of the usual folders, in this order. Throws NO_RUNTIME. */
export async function findJava(javaHome?: string): Promise<string> {
  const first = [...(javaHome === undefined ? [] : [join(javaHome, 'bin/java')]), 'java'];
  const seen: number[] = [];
  for (const candidates of [first, await installedJavas()]) {
    for (const path of candidates) {
      const version = await javaVersion(path);
      if (version !== undefined && SUPPORTED.has(version)) return path;
      if (version !== undefined) seen.push(version);
    }
  }
  const found =
    seen.length === 0 ? 'Java was not found' : `Java ${[...new Set(seen)].join(' and ')} was found, but Neo4j 5.26 needs 17 or 21`;
  throw new IngestError('NO_RUNTIME', `${found}; JAVA_HOME may point at one.`);
}

async function installedJavas(): Promise<string[]> {
  const folders = await Promise.all(
    JVM_FOLDERS.map(async (folder) => {
      const names = await readdir(folder).catch(() => []);
      return names
        .filter((name) => /17|21/.test(name))
        .flatMap((name) => [join(folder, name, 'bin/java'), join(folder, name, 'Contents/Home/bin/java')]);
    }),
  );
  return folders.flat();
}

async function javaVersion(path: string): Promise<number | undefined> {
  const major = /version "(\d+)/.exec((await answerOf(path, ['-version'])) ?? '')?.[1];
  return major === undefined ? undefined : Number(major);
}

/** What a command prints (both streams), or `undefined` if it is not there or fails. */
export function answerOf(command: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    try {
      execFile(command, args, { timeout: 20_000 }, (error, stdout, stderr) => resolve(error === null ? `${stdout}${stderr}` : undefined));
    } catch {
      resolve(undefined); // A path through what is no directory is thrown at once: Debian keeps files beside its JVMs.
    }
  });
}
