/** Maven Central through the user's own Maven, so that mirrors and proxies in its settings count. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { IngestError } from '../errors.ts';
import { answerOf } from './java.ts';
import { runSupervised } from './supervised.ts';

const REPORT_EVERY_MS = 5_000;

/** A file of the folder runtime/ at the root of the package. */
export function shipped(name: string): string {
  return fileURLToPath(new URL(`../../runtime/${name}`, import.meta.url));
}

/** The version of a property in runtime/pom.xml; versions are written there and nowhere else. */
export function pinnedVersion(property: string): string {
  const found = new RegExp(`<${property}>([^<]+)</${property}>`).exec(readFileSync(shipped('pom.xml'), 'utf8'))?.[1];
  if (found === undefined) throw new IngestError('NO_RUNTIME', `runtime/pom.xml names no ${property}.`);
  return found;
}

/** Runs a goal of runtime/pom.xml and reports how far it is: for Neo4j, some 500 poms and then 213 jars. */
export async function fetchByMaven(
  goal: string,
  properties: Readonly<Record<string, string>>,
  into: string,
  what: { name: string; report: (line: string) => void },
): Promise<void> {
  if ((await answerOf('mvn', ['--version'])) === undefined) {
    throw new IngestError('NO_RUNTIME', `Maven (mvn) is not on the PATH, and ${what.name} is fetched with it once.`);
  }
  const args = [
    '-B',
    '-f',
    shipped('pom.xml'),
    `dependency:${goal}`,
    `-DoutputDirectory=${into}`,
    ...Object.entries(properties).map(([k, v]) => `-D${k}=${v}`),
  ];
  let files = 0;
  what.report(`Fetching ${what.name} from Maven Central (once, about a minute) …`);
  const ticker = setInterval(() => what.report(`Fetching ${what.name} … ${files} files so far`), REPORT_EVERY_MS);
  try {
    await runSupervised({
      command: 'mvn',
      args,
      scratchDir: into,
      onLine: (line) => {
        if (line.includes('Downloaded from') || line.includes('] Copying ')) files += 1;
      },
    });
  } finally {
    clearInterval(ticker);
  }
}
