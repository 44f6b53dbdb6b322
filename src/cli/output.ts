/** stdout is data, stderr is talk. */
import { ERRORS, IngestError, type ErrorCode } from '../errors.ts';

/** One JSON text a line. bigints that fit become numbers, others text. */
export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value)}\n`);
}

export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, one: unknown) => (typeof one !== 'bigint' ? one : Number.isSafeInteger(Number(one)) ? Number(one) : one.toString()),
    indent,
  );
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Columns padded to their widest cell, numbers to the right. */
export function table(headers: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map((row) => row.map(cellText));
  const widths = headers.map((header, i) => Math.max(header.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const numeric = headers.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number' || typeof row[i] === 'bigint'));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (numeric[i] === true ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(headers), line(widths.map((width) => '─'.repeat(width))), ...cells.map(line)].join('\n');
}

/** A value as one cell of a table or CSV: text as it is, nothing for null, JSON for what has parts. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  return typeof value === 'bigint' ? value.toString() : toJson(value);
}

/** What to do next at a terminal, where the advice for senders and operators of a service would mislead. '' where the message has said it. */
const HERE: Partial<Record<ErrorCode, string>> = {
  BAD_CONFIG: '',
  BAD_REQUEST: 'See --help.',
  NOT_FOUND: 'Keys look like source:id; `eventgraft events list` shows them.',
  GRAPH_UNAVAILABLE: 'Check NEO4J_URI, NEO4J_USERNAME and NEO4J_PASSWORD, and that Neo4j runs; `eventgraft doctor` tells more.',
  QUEUE_UNAVAILABLE: 'Check REDIS_URL and that Redis runs; `eventgraft doctor` tells more.',
};

/** The driver's paragraph about encryption says nothing that its last words do not. */
const DRIVER_TALK = /Failed to connect to server\..*?Caused by: /;

/** What happened and where, then what to do next. A stack only for faults of our own. */
export function sayError(error: unknown): void {
  if (error instanceof IngestError) {
    const advice = HERE[error.code] ?? ERRORS[error.code].advice;
    say(`eventgraft: ${error.message.replace(DRIVER_TALK, '')}`);
    say(`  ${error.code}${advice === '' ? '' : `: ${advice}`}`);
  } else say(`eventgraft: a fault of its own: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
}
