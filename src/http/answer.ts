/** How an error becomes a sender's answer: `{"error":{"code","message","path"?}}`, and what an unauthenticated caller is told. */
import { ERRORS, IngestError, type ErrorCode, type ErrorContext } from '../errors.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Seconds. Long enough for a restart of Redis, short enough for a sender that gives up after a few tries. */
const RETRY_AFTER = 5;

/**
 * Anything thrown. Details are for those who have proved who they are, and 400s alone come after that; everybody
 * else reads the code's own advice. What is no `IngestError` is a bug of ours: nothing was stored, so the sender may try again.
 */
export function answerError(error: unknown): ErrorAnswer {
  if (!(error instanceof IngestError)) return answerCode('UNAVAILABLE');
  const { code } = error;
  if (error.status >= 500) return answerCode(code === 'OVERLOADED' ? code : 'UNAVAILABLE');
  if (error.status !== 400) return answerCode(code, error.context);
  return answer(code, error.message, error.context);
}

/** An answer without any detail. */
export function answerCode(code: ErrorCode, context: ErrorContext = {}): ErrorAnswer {
  return answer(code, ERRORS[code].advice, { retryAfterSeconds: context.retryAfterSeconds });
}

/** `Retry-After` for whom it is worth trying again: 503 and 429. */
export function retryAfter(status: number, { retryAfterSeconds = RETRY_AFTER }: ErrorContext = {}): Readonly<Record<string, string>> {
  return status === 503 || status === 429 ? { 'retry-after': String(retryAfterSeconds) } : {};
}

function answer(code: ErrorCode, message: string, context: ErrorContext): ErrorAnswer {
  const { status } = ERRORS[code];
  const { path } = context;
  const error = path === undefined ? { code, message } : { code, message, path };
  return { status, headers: retryAfter(status, context), body: JSON.stringify({ error }) };
}
