/** One finding of `doctor`. */
import { ERRORS, IngestError } from '../../errors.ts';

/** `none`: not asked, or nothing to say. */
export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'bad' | 'none';
  readonly detail: string;
  readonly advice?: string;
}

const MARKS = { ok: '✓', bad: '✗', none: '–' } as const;

export function ok(name: string, detail: string): Check {
  return { name, status: 'ok', detail };
}

export function bad(name: string, detail: string, advice: string): Check {
  return { name, status: 'bad', detail, advice };
}

export function none(name: string, detail: string): Check {
  return { name, status: 'none', detail };
}

export function fromError(name: string, error: unknown): Check {
  if (error instanceof IngestError) return bad(name, error.message, ERRORS[error.code].advice);
  return bad(name, error instanceof Error ? error.message : String(error), 'This is a fault of doctor itself.');
}

export function plural(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

export function lineOf({ name, status, detail, advice }: Check): string {
  return `${MARKS[status]} ${name.padEnd(14)}${detail}${advice === undefined ? '' : ` → ${advice}`}`;
}
