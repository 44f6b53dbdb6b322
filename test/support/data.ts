import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A path within the folder of test data that is not ours to ship; undefined where there is none, and its tests skip themselves. */
export function testData(...path: readonly string[]): string | undefined {
  const root = process.env['EVENTGRAFT_TEST_DATA'];
  if (root === undefined || root === '') return undefined;
  const file = join(root, ...path);
  return existsSync(file) ? file : undefined;
}

/** For the title of a test that is skipped without its data: says why. */
export function unless(data: string | undefined): string {
  return data === undefined ? ' (skipped: EVENTGRAFT_TEST_DATA does not name a folder that has this data)' : '';
}
