/** Which model and which sources this process serves: the user's `eventgraft.config.ts`, or the packs under their own names. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';

import { parse as parseYaml } from 'yaml';

import { secretVariable, type Config } from './config.ts';
import { IngestError } from './errors.ts';
import { SOURCE_NAME } from './event.ts';
import { commerce } from './model/commerce.ts';
import type { Model } from './model/model.ts';
import { genericOf } from './sources/generic.ts';
import { PACKS } from './sources/packs.ts';
import type { Source, SourceBuilder } from './sources/source.ts';

export interface UserConfig {
  /** Default: the commerce model. */
  readonly model?: Model;
  /** Name → pack, e.g. `{ 'acme-shopify': shopify({ shop: 'acme.myshopify.com' }) }`. Each needs its `WEBHOOK_SECRET_<SOURCE>`. */
  readonly sources: Readonly<Record<string, SourceBuilder>>;
}

export interface Setup {
  readonly model: Model;
  readonly sources: ReadonlyMap<string, Source>;
  /** The config file that was read; undefined for the built-in sources. */
  readonly file: string | undefined;
}

export interface LoadOptions {
  /** Where `eventgraft.config.ts` is looked for. Default: the working directory. */
  readonly cwd?: string;
  /** What `import … from 'eventgraft'` is inside the config file: this very library, not a second copy of it. */
  readonly library?: () => Promise<Readonly<Record<string, unknown>>>;
}

const FILE_NAMES = ['eventgraft.config.ts', 'eventgraft.config.mts', 'eventgraft.config.js', 'eventgraft.config.mjs'];

/** Types the default export of `eventgraft.config.ts`; returns it as it is. */
export function defineConfig(config: UserConfig): UserConfig {
  return config;
}

/** The model and the live sources. Throws `BAD_CONFIG` naming the file, source or variable that is wrong. */
export async function loadSetup(config: Config, { cwd = process.cwd(), library }: LoadOptions = {}): Promise<Setup> {
  const file = findFile(config.configFile, cwd);
  if (file === undefined) {
    const live = Object.entries(PACKS).filter(([name]) => config.secretsOf(name).length > 0);
    return { model: commerce, sources: build(live, commerce, config), file };
  }
  const { model = commerce, sources } = await readFile(file, library);
  return { model, sources: build(Object.entries(sources), model, config), file };
}

/** `generic` with its description in a YAML file; a relative path starts at the working directory. Throws `BAD_CONFIG` naming the file. */
export function genericFile(path: string | URL): SourceBuilder {
  try {
    return genericOf(parseYaml(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new IngestError(
      'BAD_CONFIG',
      `${String(path)} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      {},
      cause,
    );
  }
}

function findFile(named: string | undefined, cwd: string): string | undefined {
  if (named === undefined) return FILE_NAMES.map((name) => resolvePath(cwd, name)).find((path) => existsSync(path));
  const path = resolvePath(cwd, named);
  if (!existsSync(path)) throw bad('EVENTGRAFT_CONFIG names a file that does not exist; correct or unset it');
  return path;
}

/** The default export of a file in TypeScript or JavaScript. Throws `BAD_CONFIG` naming the file. */
export async function importFile(file: string, library: LoadOptions['library']): Promise<unknown> {
  const { createJiti } = await import('jiti');
  const jiti = createJiti(import.meta.url, library === undefined ? {} : { virtualModules: { eventgraft: await library() } });
  try {
    return await jiti.import(file, { default: true });
  } catch (cause) {
    throw new IngestError('BAD_CONFIG', `${file} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {}, cause);
  }
}

async function readFile(file: string, library: LoadOptions['library']): Promise<UserConfig> {
  const exported = await importFile(file, library);
  if (!isUserConfig(exported)) throw bad(`${file} must export default defineConfig({ sources: { name: pack() } })`);
  return exported;
}

function isUserConfig(exported: unknown): exported is UserConfig {
  if (typeof exported !== 'object' || exported === null || !('sources' in exported)) return false;
  const { sources } = exported;
  if (typeof sources !== 'object' || sources === null) return false;
  if (
    'model' in exported &&
    exported.model !== undefined &&
    !(typeof exported.model === 'object' && exported.model !== null && 'declaration' in exported.model)
  )
    return false;
  return Object.values(sources).every((builder) => typeof builder === 'function');
}

function build(builders: readonly (readonly [string, SourceBuilder])[], model: Model, config: Config): ReadonlyMap<string, Source> {
  return new Map(
    builders.map(([name, builder]): [string, Source] => {
      if (!SOURCE_NAME.test(name)) throw bad(`source ${JSON.stringify(name)}: a name is lower-case letters, digits and -, at most 63`);
      // WEBHOOK_SECRET_X_FILE is the file of x; a source x-file would read the same variable.
      if (name.endsWith('-file'))
        throw bad(
          `source ${name}: a name cannot end in -file, since ${secretVariable(name)} names the secrets file of ${name.slice(0, -5)}`,
        );
      const secrets = config.secretsOf(name);
      if (secrets.length === 0) throw bad(`source ${name} has no secret; set ${secretVariable(name)} or ${secretVariable(name)}_FILE`);
      return [name, builder({ name, secrets, model })];
    }),
  );
}

function bad(message: string): IngestError {
  return new IngestError('BAD_CONFIG', message);
}
