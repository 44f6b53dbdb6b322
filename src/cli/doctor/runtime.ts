/** The part of `doctor` that looks at what a local runtime needs: Java and Maven, or Docker. */
import { existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { cacheDirectory, javaHome, type Config } from '../../config.ts';
import { answerOf, findJava } from '../../runtime/java.ts';
import { bad, none, ok, type Check } from './check.ts';

/** Neo4j's jars, unpacked and a second time while they are checked. */
const NEEDED_MB = 500;

interface Way {
  readonly name: string;
  readonly there: boolean;
  readonly detail: string;
}

/** Nothing is wrong as long as one way is open. */
export async function examineRuntime(config: Config): Promise<Check[]> {
  const cacheDir = cacheDirectory() ?? join(homedir(), '.cache/eventgraft');
  const fetched = existsSync(cacheDir) && readdirSync(cacheDir).some((name) => name.startsWith('neo4j-'));
  const [java, maven, docker, freeMb] = await Promise.all([lookForJava(), lookForMaven(fetched), lookForDocker(), freeMegabytes(cacheDir)]);
  const disk = {
    name: 'disk',
    there: fetched || freeMb >= NEEDED_MB,
    detail: `${freeMb} MB free for ${cacheDir}${fetched ? ', and all is fetched' : ''}`,
  };
  const local = java.there && maven.there && disk.there && config.runtime !== 'docker';
  const open = local || (docker.there && config.runtime !== 'local');
  const advice = 'Install Java 17 or 21 and Maven, or start Docker, or set NEO4J_URI and REDIS_URL.';
  return [java, maven, disk, docker].map(({ name, there, detail }) =>
    there ? ok(name, detail) : open ? none(name, detail) : bad(name, detail, advice),
  );
}

async function lookForJava(): Promise<Way> {
  try {
    const path = await findJava(javaHome());
    return { name: 'java', there: true, detail: `17 or 21: ${path}` };
  } catch (error) {
    return { name: 'java', there: false, detail: error instanceof Error ? (error.message.split(':')[0] ?? '') : String(error) };
  }
}

async function lookForMaven(fetched: boolean): Promise<Way> {
  const said = /Apache Maven ([\d.]+)/.exec((await answerOf('mvn', ['--version'])) ?? '')?.[1];
  if (said !== undefined) return { name: 'maven', there: true, detail: said };
  return { name: 'maven', there: fetched, detail: fetched ? 'not on the PATH, and no longer needed' : 'mvn is not on the PATH' };
}

async function lookForDocker(): Promise<Way> {
  const said = (await answerOf('docker', ['info', '--format', '{{.ServerVersion}}']))?.trim().split('\n').at(-1);
  return said === undefined || said === ''
    ? { name: 'docker', there: false, detail: 'no daemon answers' }
    : { name: 'docker', there: true, detail: said };
}

async function freeMegabytes(path: string): Promise<number> {
  let there = path;
  while (!existsSync(there)) there = dirname(there);
  const { bavail, bsize } = await statfs(there);
  return Math.floor((bavail * bsize) / 2 ** 20);
}
