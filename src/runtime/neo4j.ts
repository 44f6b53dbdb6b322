/** A real Neo4j 5.26 Community as a child process: loopback only, authentication on, no usage reports. */

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classArchive } from './class-archive.ts';
import { findJava } from './java.ts';
import { install, type InstallOptions } from './install.ts';
import { fetchByMaven, pinnedVersion, shipped } from './maven.ts';
import { boltAnswers, findFreePort, untilReady } from './net.ts';
import type { LocalServer } from './server.ts';
import { startSupervised, type Supervised } from './supervised.ts';

const START_TIMEOUT_MS = 120_000;
const WRITING_CLASSES_SECONDS = 120;
// Jars here, and a second time in Maven's own repository.
const NEED_MB = 500;
const OPEN_PACKAGES = ['java.nio', 'sun.nio.ch', 'java.io', 'java.lang', 'java.util.concurrent'];

export interface Neo4jOptions extends InstallOptions {
  /** Holds data/, conf/ and logs/; an existing store is used again. */
  readonly homeDir: string;
  readonly password: string;
  readonly ephemeral: boolean;
  readonly heapMb: number;
  readonly pageCacheMb: number;
  readonly brief: boolean;
  /** Serve HTTP and the Browser too, on a free port. */
  readonly http: boolean;
  readonly javaHome?: string | undefined;
}

export interface Ports {
  readonly bolt: number;
  readonly http: number | undefined;
}

/** Installs on first use. Throws NO_RUNTIME with the way out when Java, Maven, disk or network is missing. */
export async function createNeo4j(options: Neo4jOptions): Promise<LocalServer<Ports>> {
  const java = await findJava(options.javaHome);
  const jars = await install(neo4jPackage(options.report), options);
  const shared = await classArchive(java, jars, (flags) => runOnce(java, jars, flags), options);
  await prepareHome(options);
  return {
    name: 'Neo4j',
    pickPorts: async (preferred) => ({
      bolt: await findFreePort(preferred?.bolt),
      http: options.http ? await findFreePort(preferred?.http) : undefined,
    }),
    start: (ports) => launch(java, jars, options, ports, shared),
  };
}

type Home = Pick<Neo4jOptions, 'homeDir' | 'password' | 'ephemeral' | 'heapMb' | 'pageCacheMb' | 'brief'>;

async function prepareHome({ homeDir, password }: Pick<Home, 'homeDir' | 'password'>): Promise<void> {
  await mkdir(join(homeDir, 'conf'), { recursive: true });
  await writeInitialPassword(homeDir, password);
}

/** Resolves when Bolt answers. */
async function launch(
  java: string,
  jars: string,
  home: Home,
  ports: Ports,
  flags: readonly string[],
  graceSeconds = 10,
): Promise<Supervised> {
  const { homeDir, heapMb } = home;
  await writeFile(join(homeDir, 'conf/neo4j.conf'), settings(home, ports));
  const server = startSupervised({
    command: java,
    args: [
      `-Xms${heapMb}m`,
      `-Xmx${heapMb}m`,
      // Fewer threads than G1 for the same work: 2 s less to start on two cores.
      '-XX:+UseParallelGC',
      ...(home.brief ? ['-XX:TieredStopAtLevel=1'] : []),
      ...flags,
      '-XX:+ExitOnOutOfMemoryError',
      ...OPEN_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
      '-cp',
      `${jars}/*`,
      'org.neo4j.server.CommunityEntryPoint',
      `--home-dir=${homeDir}`,
      `--config-dir=${homeDir}/conf`,
      '--console-mode',
    ],
    cwd: homeDir,
    ...(home.ephemeral ? { scratchDir: homeDir } : {}),
    graceSeconds,
  });
  await untilReady('Neo4j', server, () => boltAnswers(ports.bolt), START_TIMEOUT_MS);
  return server;
}

/** A store that nobody keeps, until it answers, and down again in order. */
async function runOnce(java: string, jars: string, flags: readonly string[]): Promise<void> {
  const homeDir = await mkdtemp(join(tmpdir(), 'eventgraft-'));
  const home: Home = {
    homeDir,
    password: randomBytes(18).toString('hex'),
    ephemeral: true,
    heapMb: 512,
    pageCacheMb: 16,
    brief: true,
  };
  try {
    await prepareHome(home);
    const ports = { bolt: await findFreePort(), http: undefined };
    await (await launch(java, jars, home, ports, flags, WRITING_CLASSES_SECONDS)).stop();
  } finally {
    await rm(homeDir, { recursive: true, force: true });
  }
}

function neo4jPackage(report: (line: string) => void) {
  const manifest = readFileSync(shipped('neo4j.sha256'), 'utf8');
  const name = `Neo4j ${pinnedVersion('neo4j.version')}`;
  return {
    name: name.toLowerCase().replace(' ', '-'),
    manifest,
    needMb: NEED_MB,
    fetch: (into: string) => fetchByMaven('copy-dependencies', { includeScope: 'runtime' }, into, { name, report }),
  };
}

function settings({ pageCacheMb }: Home, { bolt, http }: Ports): string {
  return [
    'server.default_listen_address=127.0.0.1',
    'server.default_advertised_address=127.0.0.1',
    `server.bolt.listen_address=127.0.0.1:${bolt}`,
    `server.bolt.advertised_address=127.0.0.1:${bolt}`,
    `server.http.enabled=${http !== undefined}`,
    ...(http === undefined ? [] : [`server.http.listen_address=127.0.0.1:${http}`]),
    'server.https.enabled=false',
    `server.memory.pagecache.size=${pageCacheMb}m`,
    'dbms.usage_report.enabled=false',
    // Otherwise an idle server needs 10 s to stop, long after its stores are closed.
    'internal.dbms.bolt.netty_server_shutdown_quiet_period=0',
    '',
  ].join('\n');
}

/** What `neo4j-admin dbms set-initial-password` writes: 1,024 rounds of SHA-256. Counts only before the first start. */
async function writeInitialPassword(homeDir: string, password: string): Promise<void> {
  const dir = join(homeDir, 'data/dbms');
  if (existsSync(join(homeDir, 'data/databases'))) return;
  const salt = randomBytes(32);
  let hash = createHash('sha256').update(salt).update(password, 'utf8').digest();
  for (let round = 1; round < 1024; round += 1) hash = createHash('sha256').update(hash).digest();
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'auth.ini'), `neo4j:SHA-256,${hash.toString('hex')},${salt.toString('hex')},1024:\n`, { mode: 0o600 });
}
