/** How an error becomes a sender's answer: `{"error":{"code","message","path"?}}`, and what an unauthenticated caller is told. */
import { ERRORS, IngestError, type ErrorCode } from '../errors.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Seconds. Long enough for a restart of Redis, short enough for a sender that gives up after a few tries. */
const RETRY_AFTER = '5';

/**
 * Anything thrown. Details are for those who have proved who they are, and 400s alone come after that; everybody
 * else reads the code's own advice. What is no `IngestError` is a bug of ours: nothing was stored, so the sender may try again.
 */
export function answerError(error: unknown): ErrorAnswer {
  if (!(error instanceof IngestError)) return answerCode('UNAVAILABLE');
  const { code } = error;
  if (error.status >= 500) return answerCode(code === 'OVERLOADED' ? code : 'UNAVAILABLE');
  if (error.status !== 400) return answerCode(code);
  return answer(code, error.message, error.context.path);
}

/** An answer without any detail. */
export function answerCode(code: ErrorCode): ErrorAnswer {
  return answer(code, ERRORS[code].advice);
}

function answer(code: ErrorCode, message: string, path?: string): ErrorAnswer {
  const { status } = ERRORS[code];
  const error = path === undefined ? { code, message } : { code, message, path };
  return { status, headers: status === 503 ? { 'retry-after': RETRY_AFTER } : {}, body: JSON.stringify({ error }) };
}
