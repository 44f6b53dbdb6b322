/** stdout is data, stderr is talk. */
import { ERRORS, IngestError } from '../errors.ts';

/** One JSON text a line. bigints that fit become numbers, others text. */
export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value)}\n`);
}

export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? (Number.isSafeInteger(Number(one)) ? Number(one) : one.toString()) : one), indent);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Columns padded to their widest cell, numbers to the right. */
export function table(headers: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (cell === null || cell === undefined ? '' : typeof cell === 'object' ? toJson(cell) : String(cell))));
  const widths = headers.map((header, i) => Math.max(header.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const numeric = headers.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number' || typeof row[i] === 'bigint'));
  const line = (row: readonly string[]): string => row.map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ').trimEnd();
  return [line(headers), line(widths.map((width) => '─'.repeat(width))), ...cells.map(line)].join('\n');
}

/** What happened and what to do next, in two lines. */
export function sayError(error: unknown): void {
  if (error instanceof IngestError) {
    say(`eventgraft: ${error.message}`);
    say(`  ${error.code}: ${ERRORS[error.code].advice}`);
  } else say(`eventgraft: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
}
