/** Errors become responses here and nowhere else: `{"error":{"code","message","path"?}}`, without a stack. */
import type { ErrorRequestHandler, Request, Response } from 'express';

import { IngestError } from '../errors.ts';
import { retryAfter } from './answer.ts';

export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly path?: string };
}

export function errorBody(error: IngestError): ErrorBody {
  const { path } = error.context;
  return { error: path === undefined ? { code: error.code, message: error.message } : { code: error.code, message: error.message, path } };
}

/** `onFault` hears of what is our own fault: it is answered without detail. */
export function handleErrors(onFault: (error: unknown) => void): ErrorRequestHandler {
  return (error: unknown, _request: Request, response: Response, next) => {
    if (response.headersSent) return next(error);
    const known = classify(error);
    if (known === undefined) {
      onFault(error);
      response.status(500).json({ error: { code: 'INTERNAL', message: 'something went wrong here; the log says what' } });
      return;
    }
    response.set(retryAfter(known.status, known.context)).status(known.status).json(errorBody(known));
  };
}

function classify(error: unknown): IngestError | undefined {
  if (error instanceof IngestError) {
    // What a database says may name addresses: its code is enough.
    if (error.status === 503) return new IngestError(error.code, error.advice);
    return error.status < 500 ? error : undefined;
  }
  // Express refuses a path that is not percent-encoded properly.
  if (error instanceof URIError) return new IngestError('BAD_REQUEST', 'the path is not properly percent-encoded', { path: 'key' });
  return undefined;
}
