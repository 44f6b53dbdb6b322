/** `query`: the analysts' named queries, and Cypher that only reads. */
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';

import { IngestError } from '../errors.ts';
import { loadNamedQueries, readParameters, type NamedQuery } from '../graph/named-queries.ts';
import { createQueryBolt, runQuery, type QueryResult } from '../graph/query.ts';
import { Decimal, parseJson, type Json } from '../json.ts';
import { graphAddress, loadReader } from './context.ts';
import { collectPair, parseCount } from './options.ts';
import { cellText, print, printJson, say, table } from './output.ts';

interface Options {
  readonly cypher?: string;
  readonly file?: string;
  readonly param?: Readonly<Record<string, string>>;
  readonly format?: string;
  readonly json?: boolean;
  readonly list?: boolean;
  readonly maxRows: number;
  readonly timeout: number;
}

const FORMATS = ['table', 'csv', 'json'] as const;
type Format = (typeof FORMATS)[number];

export function addQueryCommand(program: Command): void {
  program
    .command('query [name]')
    .description('ask the graph: a named query, or Cypher that only reads')
    .option('--list', 'the named queries with their parameters')
    .option('--cypher <text>', 'this Cypher')
    .option('--file <file>', 'the Cypher in this file; - is stdin')
    .option(
      '--param <name=value>',
      'a parameter, as often as needed; in Cypher of your own a value is JSON where it reads as such (id=\'"1001"\' for text)',
      collectPair,
    )
    .option('--format <format>', 'table, csv or json (one object a line)', 'table')
    .option('--json', 'the same as --format json')
    .option('--max-rows <n>', 'stop after so many', parseCount, 1_000)
    .option('--timeout <seconds>', 'stop after so long', parseCount, 30)
    .action(query);
}

async function query(name: string | undefined, options: Options): Promise<void> {
  const format = formatOf(options);
  if (options.list === true) return listQueries(format);
  const given = [name, options.cypher, options.file].filter((one) => one !== undefined);
  if (given.length !== 1) throw usage('give a name, --cypher or --file, exactly one of them; --list shows the names');
  const asked = name === undefined ? (options.cypher ?? readCypher(options.file ?? '')) : named(name);
  const params = typeof asked === 'string' ? readValues(options.param ?? {}) : (options.param ?? {});
  // A wrong one is told before a graph is looked for.
  if (typeof asked !== 'string') readParameters(asked, params);
  const { config } = await loadReader();
  const bolt = createQueryBolt(graphAddress(config));
  try {
    const result = await runQuery(bolt, asked, params, { timeoutMs: options.timeout * 1_000, maxRows: options.maxRows });
    printResult(result, format);
    if (result.truncated) say(`Stopped at ${options.maxRows} rows; --max-rows gives more.`);
  } finally {
    await bolt.close();
  }
}

function formatOf({ format, json }: Options): Format {
  const known = FORMATS.find((one) => one === (json === true ? 'json' : format));
  if (known === undefined) throw usage(`--format must be one of ${FORMATS.join(', ')}`);
  return known;
}

function listQueries(format: Format): void {
  const queries = [...loadNamedQueries().values()];
  if (format === 'json') queries.forEach(({ cypher: _, ...contract }) => printJson(contract));
  else {
    for (const { name, title, parameters } of queries) {
      print(`${name.padEnd(24)}${title}`);
      for (const one of parameters)
        print(`${' '.repeat(24)}  ${one.name}: ${one.type}${one.required ? '' : ` = ${cellText(one.default ?? 'none')}`}  ${one.doc}`);
    }
  }
}

function named(name: string): NamedQuery {
  const queries = loadNamedQueries();
  const found = queries.get(name);
  if (found === undefined) throw usage(`no query is called ${name}; there are ${[...queries.keys()].join(', ')}`);
  return found;
}

function readCypher(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch {
    throw usage(`--file ${file} cannot be read`);
  }
}

/** Ad-hoc parameters have no declared type: what reads as JSON is that, anything else is text. */
function readValues(params: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).map(([name, text]) => [name, readValue(text)]));
}

function readValue(text: string): unknown {
  try {
    return toParameter(parseJson(text)); // Not JSON.parse, which would round a large integer.
  } catch {
    return text;
  }
}

/** Integers stay exact; what has a fraction or exponent is a double, as in Cypher. */
function toParameter(value: Json): unknown {
  if (value instanceof Decimal) return Number(value.text);
  if (Array.isArray(value)) return value.map((one: Json) => toParameter(one));
  if (typeof value !== 'object' || value === null) return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, toParameter(one)]));
}

function printResult({ columns, rows }: QueryResult, format: Format): void {
  switch (format) {
    case 'json':
      for (const row of rows) printJson(Object.fromEntries(columns.map((column, i) => [column, row[i]])));
      return;
    case 'csv':
      for (const row of [columns, ...rows]) print(row.map(csvCell).join(','));
      return;
    case 'table':
      print(table(columns, rows));
  }
}

/** RFC 4180. What a spreadsheet would take for a formula is data here and stays as it is. */
function csvCell(value: unknown): string {
  const text = cellText(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function usage(message: string): IngestError {
  return new IngestError('BAD_REQUEST', message);
}
