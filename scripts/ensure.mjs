// node scripts/ensure.mjs [--no-build] <script> [argument…]
// Runs a script after making sure that what it needs is there: the packages of package-lock.json, and dist built from
// src. Built-ins only, since on a fresh clone there is nothing else; and in this same process, so that signals, exit
// code and terminal are the script's own.

import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LOCK = join(ROOT, '.cache/ensure.lock');
const OLDEST_NODE = [20, 19];

const say = (line) => process.stderr.write(`${line}\n`);

/** True if every package of package-lock.json that is not optional is installed in the version that it names. */
function packagesAreCurrent() {
  try {
    const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
    const found = JSON.parse(readFileSync(join(ROOT, 'node_modules/.package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || (found[path] === undefined ? optional === true : found[path].version === version),
    );
  } catch {
    return false;
  }
}

/** A hash of all that the compiler reads. */
function sourceHash() {
  const hash = createHash('sha256');
  for (const name of readdirSync(join(ROOT, 'src'), { recursive: true }).sort()) {
    if (String(name).endsWith('.ts')) hash.update(`${name}\0`).update(readFileSync(join(ROOT, 'src', String(name))));
  }
  for (const name of ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json']) hash.update(readFileSync(join(ROOT, name)));
  return hash.digest('hex');
}

function distIsCurrent() {
  const stamp = join(ROOT, 'dist/.built');
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceHash();
}

/** Runs to the end in silence; on failure prints what it said and exits with its code. */
async function run(what, command, args) {
  const started = Date.now();
  say(`${what} …`);
  const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const code = await new Promise((done) => {
    child.once('error', (error) => done((said += error.message) && 1));
    child.once('close', (status) => done(status ?? 1));
  });
  if (code !== 0) {
    say(`${said.trimEnd()}\n${what} failed.`);
    process.exit(code);
  }
  say(`${what} … done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

async function installPackages() {
  const npm = process.env.npm_execpath?.endsWith('.js') === true ? [process.execPath, process.env.npm_execpath] : ['npm'];
  await run('Installing packages', npm[0], [...npm.slice(1), 'ci', '--include=dev', '--no-audit', '--no-fund']);
}

/** Built beside dist and moved into place, so that no other run ever sees half of it. */
async function build() {
  const hash = sourceHash();
  const fresh = join(ROOT, `.cache/dist-${process.pid}`);
  rmSync(fresh, { recursive: true, force: true });
  try {
    await run('Building', process.execPath, [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      '-p',
      'tsconfig.build.json',
      '--outDir',
      fresh,
    ]);
    writeFileSync(join(fresh, '.built'), hash);
    rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
    renameSync(fresh, join(ROOT, 'dist'));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Waits for other runs. Linked into place, so that nobody ever reads a lock without its owner. */
async function takeLock() {
  mkdirSync(dirname(LOCK), { recursive: true });
  const mine = `${LOCK}.${randomUUID()}`;
  writeFileSync(mine, String(process.pid));
  process.once('exit', () => rmSync(mine, { force: true }));
  for (let told = false; ;) {
    try {
      linkSync(mine, LOCK);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    let owner;
    try {
      owner = Number(readFileSync(LOCK, 'utf8'));
    } catch {
      continue;
    }
    if (!isAlive(owner)) rmSync(LOCK, { force: true });
    else if (!told) say(`Waiting for another run (process ${owner}) that installs or builds …`);
    told = true;
    await new Promise((done) => setTimeout(done, 200));
  }
  const release = () => {
    rmSync(LOCK, { force: true });
    rmSync(mine, { force: true });
  };
  process.once('exit', release);
  return () => {
    process.off('exit', release);
    release();
  };
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  say(`Eventgraft needs Node ${OLDEST_NODE.join('.')} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}
const given = process.argv.slice(2);
const wantsBuild = given[0] !== '--no-build';
const ready = () => packagesAreCurrent() && (!wantsBuild || distIsCurrent());
if (!ready()) {
  const release = await takeLock();
  if (!packagesAreCurrent()) await installPackages();
  if (!ready()) await build();
  release();
}

const [script, ...args] = wantsBuild ? given : given.slice(1);
if (script !== undefined) {
  const path = resolve(ROOT, script);
  process.argv = [process.argv[0], path, ...args];
  await import(pathToFileURL(path).href);
}
