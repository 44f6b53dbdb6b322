// npm run lock: writes package-lock.json, then adds the optional platform binaries that npm left out. A mirror that
// does not carry, say, the macOS builds makes npm drop them from the lock file without a word, and then `npm ci` fails
// for everybody (`--check` only asks). Their parents pin exact versions, so name and version say it all; the hash is npm's to find.

import { readFileSync, writeFileSync } from 'node:fs';

const FILE = 'package-lock.json';
const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

/** What the lock file says of a binary called, for instance, `@oxlint/binding-linux-arm64-musl`. */
function entryOf(name, version, parent) {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  const libc = /musl/.test(name) ? ['musl'] : /gnu/.test(name) ? ['glibc'] : undefined;
  if (os.length !== 1 || cpu.length !== 1 || !/^\d/.test(version)) return undefined;
  return { version, cpu, ...(parent.dev === true ? { dev: true } : {}), ...(libc ? { libc } : {}), optional: true, os };
}

/** The same lock file with every missing platform binary, in npm's own order. */
function completeLock(lock) {
  const packages = { ...lock.packages };
  for (const parent of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const entry = packages[`node_modules/${name}`] === undefined ? entryOf(name, version, parent) : undefined;
      if (entry !== undefined) packages[`node_modules/${name}`] = entry;
    }
  }
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  return { ...lock, packages: Object.fromEntries(sorted) };
}

const before = readFileSync(FILE, 'utf8');
const after = `${JSON.stringify(completeLock(JSON.parse(before)), undefined, 2)}\n`;
if (!process.argv.includes('--check')) writeFileSync(FILE, after);
else if (after !== before) {
  process.stderr.write(`${FILE} lacks platform binaries that npm left out: run npm run lock.\n`);
  process.exitCode = 1;
}
