/** The cache of what was fetched once: complete and verified, or not there. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { IngestError } from '../errors.ts';
import { tryLock } from './lock.ts';

const MARKER = '.installed.json';

export interface Package {
  /** With its version, e.g. `neo4j-5.26.30`. */
  readonly name: string;
  /** Lines of `sha256  file name`, as sha256sum writes them: every file that `fetch` leaves behind. Both, or neither. */
  readonly manifest?: string;
  readonly needMb: number;
  /** Puts the files of the manifest, and no others, into the empty directory. */
  fetch?(into: string): Promise<void>;
  /** Derives further files from the verified ones. */
  unpack?(dir: string): Promise<void>;
}

export interface InstallOptions {
  readonly cacheDir: string;
  readonly report: (line: string) => void;
}

/** The directory of a package: from the cache, or fetched and verified first. Any number of processes may ask at once. */
export async function install(pkg: Package, { cacheDir, report }: InstallOptions): Promise<string> {
  const { name, manifest } = pkg;
  const dir = join(cacheDir, manifest === undefined ? name : `${name}-${createHash('sha256').update(manifest).digest('hex').slice(0, 12)}`);
  if (await isComplete(dir)) return dir;
  let told = false;
  for (;;) {
    const release = await tryLock(`${dir}.lock`);
    if (release !== undefined) {
      try {
        if (!(await isComplete(dir))) await fetchInto(dir, pkg, cacheDir);
        return dir;
      } finally {
        await release();
      }
    }
    if (!told) report(`Another process is installing ${pkg.name}; waiting for it.`);
    told = true;
    await sleep(500);
    if (await isComplete(dir)) return dir;
  }
}

async function fetchInto(dir: string, pkg: Package, cacheDir: string): Promise<void> {
  await checkSpace(cacheDir, pkg.needMb);
  const staging = await mkdtemp(join(cacheDir, '.staging-'));
  try {
    await pkg.fetch?.(staging);
    await verify(staging, pkg);
    await pkg.unpack?.(staging);
    const sizes: Record<string, number> = {};
    for (const file of await readdir(staging)) sizes[file] = (await stat(join(staging, file))).size;
    await writeFile(join(staging, MARKER), JSON.stringify(sizes));
    await rm(dir, { recursive: true, force: true });
    await rename(staging, dir);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Sizes only: what was installed had its checksums compared, and reading 120 MB at each start would cost half a second. */
async function isComplete(dir: string): Promise<boolean> {
  try {
    const sizes: unknown = JSON.parse(await readFile(join(dir, MARKER), 'utf8'));
    if (typeof sizes !== 'object' || sizes === null) return false;
    const same = await Promise.all(Object.entries(sizes).map(async ([file, size]) => (await stat(join(dir, file))).size === size));
    return same.every(Boolean);
  } catch {
    return false;
  }
}

async function verify(dir: string, pkg: Package): Promise<void> {
  const expected = new Map(
    (pkg.manifest ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(66), line.slice(0, 64)] as const),
  );
  for (const file of await readdir(dir)) {
    if (!expected.has(file)) throw new IngestError('NO_RUNTIME', `${pkg.name}: ${file} was fetched but is not among the pinned files.`);
  }
  for (const [file, hash] of expected) {
    const found = await hashFile(join(dir, file));
    if (found !== hash)
      throw new IngestError(
        'NO_RUNTIME',
        `${pkg.name}: the checksum of ${file} is ${found}, not the pinned ${hash}; nothing was installed.`,
      );
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch {
    return 'missing';
  }
  return hash.digest('hex');
}

async function checkSpace(cacheDir: string, needMb: number): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  const { bavail, bsize } = await statfs(cacheDir);
  const freeMb = Math.floor((bavail * bsize) / 2 ** 20);
  if (freeMb >= needMb) return;
  throw new IngestError(
    'NO_RUNTIME',
    `${cacheDir} has ${freeMb} MB free and ${needMb} MB are needed: free some, or set XDG_CACHE_HOME to a larger disk.`,
  );
}
