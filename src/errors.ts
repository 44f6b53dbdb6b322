/**
 * The one error class and the one error table. A code says everything that steers: the HTTP status, whether the work
 * is tried again, and what the reader does next. Nobody else decides any of the three.
 */

/** `never`: the input is at fault and stays so. `retry`: an outage or a race; the work is done again, for ever. */
export type Retry = 'never' | 'retry';

interface Row {
  readonly status: number;
  readonly retry: Retry;
  /** A smaller batch may pass: the write is done again in halves. */
  readonly halve?: true;
  readonly advice: string;
}

export const ERRORS = {
  // ── refused at the door: nothing is stored ──
  UNKNOWN_SOURCE: { status: 404, retry: 'never', advice: 'Configure the source, or set its WEBHOOK_SECRET_<SOURCE>, and deliver again.' },
  NOT_FOUND: { status: 404, retry: 'never', advice: 'Check the path.' },
  METHOD_NOT_ALLOWED: { status: 405, retry: 'never', advice: 'Use the method named in Allow.' },
  BAD_SIGNATURE: {
    status: 401,
    retry: 'never',
    advice: 'Check that sender and receiver hold the same secret and that nothing rewrites the body on the way.',
  },
  UNAUTHORIZED: { status: 401, retry: 'never', advice: 'Send the configured token.' },
  STALE_SIGNATURE: { status: 401, retry: 'never', advice: 'Check both clocks; a signed time may be at most 300 s away.' },
  TIMEOUT: { status: 408, retry: 'never', advice: 'Send the whole request within the time limit.' },
  BODY_TOO_LARGE: { status: 413, retry: 'never', advice: 'Send less, or raise the limit.' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    retry: 'never',
    advice: 'Send one event as uncompressed JSON, a CloudEvent in structured mode; a batch belongs to POST /events.',
  },
  RATE_LIMITED: { status: 429, retry: 'never', advice: 'Slow down, and try again after Retry-After.' },
  HEADERS_TOO_LARGE: { status: 431, retry: 'never', advice: 'Send fewer or shorter headers.' },
  BAD_JSON: { status: 400, retry: 'never', advice: 'Send one valid RFC 8259 JSON text in UTF-8.' },
  TOO_DEEP: { status: 400, retry: 'never', advice: 'Nest at most 64 levels.' },
  BAD_HEADER: { status: 400, retry: 'never', advice: 'Send the header in the form that the source documents.' },
  NO_IDENTITY: { status: 400, retry: 'never', advice: 'Send the identity that the source requires.' },
  BAD_REQUEST: { status: 400, retry: 'never', advice: 'Correct the request.' },
  BAD_ENVELOPE: { status: 400, retry: 'never', advice: 'Correct the field at `path`; see the facts envelope schema.' },
  // ── the only 5xx a sender ever sees ──
  UNAVAILABLE: {
    status: 503,
    retry: 'retry',
    advice: 'Deliver again after Retry-After; should this delivery have been stored after all, it is known by then.',
  },
  OVERLOADED: { status: 503, retry: 'retry', advice: 'Nothing was stored. Deliver again after Retry-After.' },
  // ── taken in, then failed: kept in the ledger with body and reason ──
  MAPPING_FAILED: { status: 400, retry: 'never', advice: 'Fix the mapping, then replay the event.' },
  BAD_VALUE: { status: 400, retry: 'never', advice: 'Fix the sender or the mapping, then replay the event.' },
  NO_CLOCK: { status: 400, retry: 'never', advice: 'Give the fact a usable time in the mapping, then replay the event.' },
  WRITE_REFUSED: { status: 422, retry: 'never', halve: true, advice: 'Read the database error, lift its cause, then replay the event.' },
  FUTURE_STAMP: { status: 422, retry: 'never', advice: 'Nothing: it is released when its times are within EVENTGRAFT_MAX_FUTURE.' },
  // ── databases ──
  GRAPH_UNAVAILABLE: { status: 503, retry: 'retry', advice: 'Bring Neo4j back; events wait in the queue and nothing is lost.' },
  GRAPH_REFUSED: {
    status: 503,
    retry: 'retry',
    advice:
      'Events wait and nothing is lost. See what the database says: its version, the rights of its user, `eventgraft schema check`; else it is a fault of Eventgraft.',
  },
  GRAPH_TIMEOUT: {
    status: 503,
    retry: 'retry',
    halve: true,
    advice: 'Nothing: smaller batches are tried. If it lasts, look at the load of Neo4j.',
  },
  GRAPH_OUT_OF_MEMORY: {
    status: 503,
    retry: 'retry',
    halve: true,
    advice:
      'Nothing: smaller batches are tried, then all is tried again. If it lasts, see what else Neo4j does, or raise dbms.memory.transaction.total.max and db.memory.transaction.max.',
  },
  GRAPH_CONFLICT: {
    status: 503,
    retry: 'retry',
    halve: true,
    advice: 'Nothing: a deadlock or race is tried again in a fresh transaction. If it lasts, mend what the message names.',
  },
  QUEUE_UNAVAILABLE: { status: 503, retry: 'retry', advice: 'Bring Redis back; senders are asked to deliver again.' },
  // ── senders that are asked for more ──
  SENDER_UNAVAILABLE: { status: 503, retry: 'retry', advice: 'Nothing: the sender is asked again until it answers, and its events wait.' },
  OUTBOUND_REFUSED: {
    status: 503,
    retry: 'retry',
    advice: 'Correct the URL of the source, or what its name resolves to: https and public addresses only, or loopback by name.',
  },
  // ── the operator's own errors ──
  BAD_CONFIG: { status: 500, retry: 'never', advice: 'Correct the setting that the message names.' },
  BAD_MODEL: { status: 500, retry: 'never', advice: 'Correct the model.' },
  NOT_DURABLE: {
    status: 500,
    retry: 'never',
    advice: 'Set appendonly yes, appendfsync always and maxmemory-policy noeviction in Redis, or lower EVENTGRAFT_DURABILITY knowingly.',
  },
  SCHEMA_DRIFT: { status: 500, retry: 'never', advice: 'Run `eventgraft schema apply`.' },
  ILLEGAL_MOVE: { status: 409, retry: 'never', advice: 'Look at the state of the event; see docs for the legal moves.' },
  QUERY_REFUSED: { status: 400, retry: 'never', advice: 'Send a read-only query within the limits.' },
  NO_RUNTIME: { status: 500, retry: 'never', advice: 'Set NEO4J_URI and REDIS_URL, install Java 17 or 21 and Maven, or start Docker.' },
} as const satisfies Record<string, Row>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorContext {
  /** Where in the input, e.g. `facts[2].upsert.set.totalMinor`. Shown to the sender. */
  readonly path?: string;
  /** When it is worth trying again. Becomes the header `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined;
  /** Further facts for logs and the ledger; never shown to an unauthenticated caller. */
  readonly [detail: string]: unknown;
}

/** The only error that crosses a module. `message` is one sentence of what happened and where. */
export class IngestError extends Error {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'IngestError';
    this.code = code;
    this.context = context;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retry(): Retry {
    return ERRORS[this.code].retry;
  }

  get halve(): boolean {
    return 'halve' in ERRORS[this.code];
  }

  get advice(): string {
    return ERRORS[this.code].advice;
  }
}
