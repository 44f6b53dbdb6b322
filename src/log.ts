/**
 * One wide line per stage, as JSON on stderr: stdout is data. `msg` is the event's name, dotted and past tense
 * (`event.accepted`, `batch.applied`, `redis.lost`); everything else is a field.
 */
import pino, { type DestinationStream, type Logger } from 'pino';

import type { LogLevel } from './config.ts';

export type Log = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'isLevelEnabled'>;

/** Whatever bears one of these names, at the top or one level down, is never printed. */
const SECRET_NAMES = ['password', 'secret', 'secrets', 'token', 'tokens', 'adminToken', 'producerToken', 'authorization', 'body', 'cookie'];
const SECRET_HEADERS = [
  'authorization',
  'x-admin-token',
  'cookie',
  'webhook-signature',
  'svix-signature',
  'stripe-signature',
  'x-shopify-hmac-sha256',
  'x-hub-signature-256',
  'x-wc-webhook-signature',
  'x-square-hmacsha256-signature',
  'paypal-transmission-sig',
  'x-signature',
];

const PATHS = [
  ...SECRET_NAMES.flatMap((name) => [name, `*.${name}`]),
  ...SECRET_HEADERS.flatMap((name) => [`headers["${name}"]`, `*.headers["${name}"]`]),
];

/** A log that writes synchronously, so that the last line before a crash is there. `role` is on every line. */
export function createLog(
  { level, role }: { readonly level: LogLevel; readonly role?: string },
  to: DestinationStream = pino.destination({ fd: 2, sync: true }),
): Log {
  return pino(
    {
      level,
      base: role === undefined ? {} : { role },
      redact: { paths: PATHS, censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    to,
  );
}

/** An error as fields. A URL in a message may carry a password, so credentials in URLs are cut. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = 'code' in error ? String(error.code) : undefined;
  const cause = error.cause === undefined ? undefined : describeError(error.cause);
  return { name: error.name, code, message: withoutCredentials(error.message), stack: withoutCredentials(error.stack ?? ''), cause };
}

function withoutCredentials(text: string): string {
  return text.replaceAll(/(\w+:\/\/)[^\s/@]*@/g, '$1');
}
