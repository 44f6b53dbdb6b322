/**
 * The analysts' named queries, `cypher/queries/<name>.cypher`. The header of each is its contract:
 *   // One line of title.
 *   // $name type = default: what it does      without `= default` the parameter is required
 *   // columns: a, b, c
 */
import { readdirSync, readFileSync } from 'node:fs';

import { IngestError } from '../errors.ts';
import { readValue, type Scalar, type TypeName } from '../model/values.ts';
import { CYPHER_ROOT, withoutComments } from './cypher-file.ts';

export interface QueryParameter {
  readonly name: string;
  readonly type: TypeName;
  readonly required: boolean;
  /** As JSON; null for "no value". */
  readonly default: string | number | boolean | null;
  readonly doc: string;
}

export interface NamedQuery {
  readonly name: string;
  readonly title: string;
  readonly parameters: readonly QueryParameter[];
  readonly columns: readonly string[];
  readonly cypher: string;
}

/** A value that is ready for Bolt once its type is known. */
export interface TypedValue {
  readonly type: TypeName;
  readonly value: Scalar | null;
}

const TYPES = ['text', 'integer', 'float', 'boolean', 'time'] as const satisfies readonly TypeName[];
const PARAMETER = /^\$(\w+) (\w+)(?: = (.+?))?: (.+)$/;
const COLUMNS = /^columns: (.+)$/;

/** All of them by name, in alphabetical order. */
export function loadNamedQueries(folder: URL = new URL('queries/', CYPHER_ROOT)): ReadonlyMap<string, NamedQuery> {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.cypher'))
    .sort();
  return new Map(
    files.map((file) => {
      const name = file.slice(0, -'.cypher'.length);
      return [name, parseNamedQuery(name, readFileSync(new URL(file, folder), 'utf8'))];
    }),
  );
}

/** Throws `QUERY_REFUSED` where the header is not as described above. */
export function parseNamedQuery(name: string, text: string): NamedQuery {
  const [title, ...header] = text
    .split('\n')
    .filter((line) => line.startsWith('//'))
    .map((line) => line.slice(2).trim());
  if (title === undefined || title === '') throw bad(name, 'the first line must be its title');
  const parameters: QueryParameter[] = [];
  let columns: readonly string[] = [];
  for (const line of header) {
    const listed = COLUMNS.exec(line)?.[1];
    if (listed === undefined) parameters.push(parseParameter(name, line));
    else columns = listed.split(',').map((column) => column.trim());
  }
  if (columns.length === 0) throw bad(name, 'its columns must be listed');
  return { name, title, parameters, columns, cypher: withoutComments(text) };
}

function parseParameter(query: string, line: string): QueryParameter {
  const [, name, type, json, doc] = PARAMETER.exec(line) ?? [];
  const known = TYPES.find((one) => one === type);
  if (name === undefined || doc === undefined || known === undefined) throw bad(query, `not understood: ${line}`);
  const value: unknown = json === undefined ? null : JSON.parse(json);
  if (value !== null && typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    throw bad(query, `the default of $${name} is no single value`);
  return { name, type: known, required: json === undefined, default: value, doc };
}

/**
 * What is given, by type, with defaults for the rest. Text is taken for every type, as it comes from a command line.
 * Throws `BAD_REQUEST` with the parameter's name as path, and says what the query takes.
 */
export function readParameters(query: NamedQuery, given: Readonly<Record<string, unknown>>): Readonly<Record<string, TypedValue>> {
  for (const name of Object.keys(given)) {
    if (!query.parameters.some((parameter) => parameter.name === name)) {
      throw new IngestError('BAD_REQUEST', `${query.name} has no parameter ${name}; ${usageOf(query)}`, { path: name });
    }
  }
  return Object.fromEntries(query.parameters.map((parameter) => [parameter.name, readParameter(query, parameter, given[parameter.name])]));
}

function readParameter(query: NamedQuery, { name, type, required, default: otherwise, doc }: QueryParameter, given: unknown): TypedValue {
  if (given === undefined && required)
    throw new IngestError('BAD_REQUEST', `${query.name} needs the parameter ${name}: ${doc}; ${usageOf(query)}`, { path: name });
  const input = given ?? otherwise;
  if (input === null) return { type, value: null };
  const read = readValue({ type, rule: 'last' }, typeof input === 'string' ? fromText(type, input) : input);
  if ('problem' in read) throw new IngestError('BAD_REQUEST', `${query.name}: ${name}: ${read.problem}; ${usageOf(query)}`, { path: name });
  return { type, value: read.value as Scalar };
}

/** `it takes customer (text), limit (integer, 20 unless given)` */
function usageOf({ parameters }: NamedQuery): string {
  const takes = parameters.map(
    ({ name, type, required, default: otherwise }) => `${name} (${type}${required ? '' : `, ${otherwise ?? 'none'} unless given`})`,
  );
  return `it takes ${takes.length === 0 ? 'none' : takes.join(', ')}`;
}

function fromText(type: TypeName, text: string): unknown {
  switch (type) {
    case 'integer':
      return /^-?\d+$/.test(text) ? BigInt(text) : text;
    case 'float':
      return text.trim() === '' ? text : Number(text);
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'text':
    case 'time':
      return text;
  }
}

function bad(name: string, problem: string): IngestError {
  return new IngestError('QUERY_REFUSED', `named query ${name}: ${problem}`);
}
