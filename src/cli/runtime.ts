/** The local runtime as the configuration wants it. */
import { cacheDirectory, javaHome, type Config } from '../config.ts';
import type { RuntimeOptions } from '../runtime/runtime.ts';
import { say } from './output.ts';

/** Given databases are used, missing ones started; progress goes to stderr. */
export function runtimeOptions(config: Config): RuntimeOptions {
  return {
    neo4j: config.neo4j,
    redisUrl: config.redisUrl,
    kind: config.runtime,
    javaHome: javaHome(),
    cacheDir: cacheDirectory(),
    report: say,
  };
}
