/**
 * JMESPath (jmespath.site) over our JSON. What an expression only selects comes out as it went in, so that integers of any size
 * and the text of decimals stay exact; what compares or computes sees numbers: integers exactly, decimals as the nearest double.
 */
import { compile, register, TreeInterpreter, TYPE_ANY, TYPE_ARRAY, TYPE_EXPREF, type JSONValue } from '@jmespath-community/jmespath';

import { IngestError } from '../errors.ts';
import { Decimal, parseJson, type Json } from '../json.ts';
import { compareUtf8 } from '../model/clock.ts';
import { formatInstant } from '../model/instant.ts';
import { money, type Amount } from '../model/money.ts';

/** Null where nothing is there. */
export type Expression = (json: Json) => Json;

type Node = ReturnType<typeof compile>;
type Argument = JSONValue | Node;
type Run = (first: unknown, second?: unknown) => unknown;

/** Functions of the library whose arguments become numbers first. Whatever else takes numbers is below. */
const NUMERIC = new Set<unknown>(['abs', 'avg', 'ceil', 'contains', 'floor', 'sum']);
/** Functions that rewritten expressions call. No expression can write a name with a space. */
const NUMBERS = 'numbers of';
const COMPARE = 'compare ';
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** The library's own `sort` puts 10 before 9, its `max_by` knows no text, and its `to_number` rounds. */
const FUNCTIONS: readonly (readonly [
  name: string,
  takes: readonly (typeof TYPE_ANY | typeof TYPE_ARRAY | typeof TYPE_EXPREF)[],
  run: Run,
])[] = [
  ['money', [TYPE_ANY, TYPE_ANY], (amount, currency) => money(amountOf('money', amount), String(currency))],
  ['text', [TYPE_ANY], (number) => textOf(amountOf('text', number))],
  ['unix_seconds', [TYPE_ANY], (time) => formatInstant(money(amountOf('unix_seconds', time), 'a second', { scale: 9 }))],
  ['unix_ms', [TYPE_ANY], (time) => formatInstant(money(amountOf('unix_ms', time), 'a millisecond', { scale: 6 }))],
  ['to_number', [TYPE_ANY], toNumber],
  ['to_string', [TYPE_ANY], (value) => (typeof value === 'string' ? value : jsonText(value))],
  ['type', [TYPE_ANY], typeName],
  ['sort', [TYPE_ARRAY], (list) => sortBy(list, undefined, 1)],
  ['min', [TYPE_ARRAY], (list) => sortBy(list, undefined, 1)[0]],
  ['max', [TYPE_ARRAY], (list) => sortBy(list, undefined, -1)[0]],
  ['sort_by', [TYPE_ARRAY, TYPE_EXPREF], (list, by) => sortBy(list, by, 1)],
  ['min_by', [TYPE_ARRAY, TYPE_EXPREF], (list, by) => sortBy(list, by, 1)[0]],
  ['max_by', [TYPE_ARRAY, TYPE_EXPREF], (list, by) => sortBy(list, by, -1)[0]],
  [NUMBERS, [TYPE_ANY], numbersOf],
  [`${COMPARE}GT`, [TYPE_ANY, TYPE_ANY], (left, right) => compareNumbers(left, right, (sign) => sign > 0)],
  [`${COMPARE}GTE`, [TYPE_ANY, TYPE_ANY], (left, right) => compareNumbers(left, right, (sign) => sign >= 0)],
  [`${COMPARE}LT`, [TYPE_ANY, TYPE_ANY], (left, right) => compareNumbers(left, right, (sign) => sign < 0)],
  [`${COMPARE}LTE`, [TYPE_ANY, TYPE_ANY], (left, right) => compareNumbers(left, right, (sign) => sign <= 0)],
];
/** What JMESPath lacks gives null for null. */
const ADDED = new Set(['money', 'text', 'unix_seconds', 'unix_ms']);

for (const [name, takes, run] of FUNCTIONS) {
  const call = ([first, second]: readonly Argument[]) =>
    (first === null && ADDED.has(name) ? null : (run(first, second) ?? null)) as JSONValue;
  register<string>(
    name,
    call,
    takes.map((type) => ({ types: [type] })),
    { override: true },
  );
}

/** Throws `BAD_CONFIG` naming the expression: its syntax, a function or its arity, a rounded literal. What it cannot read later is `code`. */
export function compileExpression(text: string, path: string, code: 'MAPPING_FAILED' | 'NO_IDENTITY' = 'MAPPING_FAILED'): Expression {
  const node = parse(text, path);
  const [problem] = problemsOf(node);
  if (problem !== undefined) throw new IngestError('BAD_CONFIG', `${path}: ${text} ${problem}`);
  const rewritten = rewrite(node) as Node;
  return (json) => {
    try {
      // The interpreter hands on what it does not know, so bigints and decimals come out as they went in.
      return TreeInterpreter.search(rewritten, json as JSONValue);
    } catch (cause) {
      throw new IngestError(cause instanceof IngestError ? cause.code : code, `${path}: ${text}: ${messageOf(cause)}`, { path }, cause);
    }
  };
}

function parse(text: string, path: string): Node {
  try {
    return compile(text);
  } catch (cause) {
    throw new IngestError('BAD_CONFIG', `${path}: ${text} is no JMESPath expression: ${messageOf(cause)}`, {}, cause);
  }
}

/** What would fail, or be wrong, whatever the body is. */
function problemsOf(node: unknown): readonly string[] {
  if (typeof node !== 'object' || node === null) return [];
  if ('type' in node && node.type === 'Literal')
    return 'value' in node && isRounded(node.value) ? ['holds an integer beyond 2^53, which is rounded; compare text() with text'] : [];
  const inner = Object.values(node).flatMap(problemsOf);
  if (!('type' in node && node.type === 'Function' && 'name' in node && 'children' in node)) return inner;
  const given = Array.isArray(node.children) ? node.children.length : 0;
  return [...callProblem(String(node.name), given), ...inner];
}

function callProblem(name: string, given: number): readonly string[] {
  const table = TreeInterpreter.runtime._functionTable;
  const takes = Object.hasOwn(table, name) ? table[name]?._signature : undefined;
  if (takes === undefined) return [`calls ${name}(), which does not exist`];
  const least = takes.filter(({ optional }) => optional !== true).length;
  const most = takes.at(-1)?.variadic === true ? Infinity : takes.length;
  return given < least || given > most
    ? [`calls ${name}() with ${given} arguments, and it takes ${least === most ? least : `${least} or more`}`]
    : [];
}

function isRounded(literal: unknown): boolean {
  if (typeof literal === 'number') return Number.isInteger(literal) && !Number.isSafeInteger(literal);
  return typeof literal === 'object' && literal !== null && Object.values(literal).some(isRounded);
}

/** The same expression, with whatever compares or computes made to see numbers. */
function rewrite(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(rewrite);
  if (typeof part !== 'object' || part === null || ('type' in part && part.type === 'Literal')) return part;
  const node: Record<string, unknown> = Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, rewrite(inner)]));
  const { type, name, left, right, operand, children } = node;
  if (type === 'Comparator' && name !== 'EQ' && name !== 'NE')
    return { type: 'Function', name: `${COMPARE}${String(name)}`, children: [left, right] };
  if (type === 'Comparator' || type === 'Arithmetic') return { ...node, left: asNumbers(left), right: asNumbers(right) };
  if (type === 'Unary') return { ...node, operand: asNumbers(operand) };
  if (type === 'Function' && NUMERIC.has(name) && Array.isArray(children)) return { ...node, children: children.map(asNumbers) };
  return node;
}

function asNumbers(node: unknown): unknown {
  return { type: 'Function', name: NUMBERS, children: [node] };
}

/** Decimals as doubles, within lists and objects too. Integers beyond 2^53 stay: compared exactly, and refused by whatever would round them. */
function numbersOf(value: unknown): unknown {
  if (value instanceof Decimal) return Number(value.text);
  if (Array.isArray(value)) return value.map(numbersOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, numbersOf(inner)]));
}

/** Null unless both are numbers, as JMESPath has it. */
function compareNumbers(left: unknown, right: unknown, holds: (sign: number) => boolean): boolean | null {
  const [a, b] = [numbersOf(left), numbersOf(right)];
  return isNumber(a) && isNumber(b) ? holds(a < b ? -1 : a > b ? 1 : 0) : null;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** The items themselves, by number or by text; among equals the first stays first, whatever the direction. */
function sortBy(list: unknown, by: unknown, direction: 1 | -1): readonly unknown[] {
  const items: readonly Argument[] = Array.isArray(list) ? list : [];
  const keyed = items.map((item) => ({ item, key: numbersOf(isReference(by) ? TreeInterpreter.visit(by, item) : item) }));
  const sorted = keyed.toSorted(({ key: a }, { key: b }) => {
    if (typeof a === 'string' && typeof b === 'string') return direction * compareUtf8(a, b);
    return isNumber(a) && isNumber(b) ? direction * (a < b ? -1 : a > b ? 1 : 0) : 0;
  });
  if (!keyed.every(({ key }) => isNumber(key)) && !keyed.every(({ key }) => typeof key === 'string'))
    throw new TypeError('only numbers, or only text, have an order');
  return sorted.map(({ item }) => item);
}

function isReference(by: unknown): by is Node {
  return typeof by === 'object' && by !== null && 'expref' in by;
}

/** Exact, where the library rounds; null for what is no number in JSON. */
function toNumber(value: unknown): unknown {
  if (typeof value === 'string') return JSON_NUMBER.test(value) ? parseJson(value) : null;
  return isNumber(value) || value instanceof Decimal ? value : null;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (isNumber(value) || value instanceof Decimal) return 'number';
  return Array.isArray(value) ? 'array' : typeof value;
}

function jsonText(value: unknown): string {
  if (isNumber(value) || value instanceof Decimal) return textOf(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, inner]) => `${JSON.stringify(name)}:${jsonText(inner)}`)
    .join(',')}}`;
}

/** Digit by digit. A sum beyond 2^53 has been rounded, and is refused. */
function textOf(number: Amount): string {
  if (number instanceof Decimal) return number.text;
  if (isRounded(number)) throw new TypeError('an integer beyond 2^53 that was computed is rounded');
  return String(number);
}

function amountOf(name: string, given: unknown): Amount {
  if (typeof given === 'string' || isNumber(given) || given instanceof Decimal) return given;
  throw new TypeError(`${name}() takes a number or text`);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
