/** `GET /events` and `GET /events/:key`: the query string as a filter, checked name by name. */
import type { RequestHandler } from 'express';
import { z } from 'zod';

import { IngestError } from '../errors.ts';
import { SOURCE_NAME, STATES } from '../event.ts';
import { DEFAULT_LIMIT, MAX_LIMIT, type EventReader } from '../graph/events.ts';
import type { FactsOf } from '../graph/event-view.ts';
import { parseInstant, toMs } from '../model/instant.ts';

const instant = (round: (nanos: bigint) => number) =>
  z.string().transform((text, context) => {
    const nanos = parseInstant(text);
    if (nanos !== undefined) return round(nanos);
    const lost = / \d\d:?\d\d$/.test(text) ? '; its + became a space: write it as %2B in a URL, as it is in a shell' : '';
    context.addIssue({ code: 'custom', message: `must be an RFC 3339 time with Z or offset${lost}` });
    return z.NEVER;
  });

export { MAX_LIMIT };

/** Times are compared in milliseconds: a bound between two is the later one. */
const roundUp = (nanos: bigint): number => toMs(nanos + 999_999n);

export const entityText = z.string().regex(/^[A-Za-z][A-Za-z0-9_]*(?:\/[^/\s]+)+$/, 'must be a node such as Order/acme-shopify/1001');

const querySchema = z.strictObject({
  state: z.enum([...STATES, 'parked'], `must be one of ${STATES.join(', ')}, parked`).optional(),
  source: z.string().regex(SOURCE_NAME, 'must be a source name').optional(),
  type: z.string().min(1, 'must not be empty').optional(),
  since: instant(roundUp).optional(),
  until: instant(roundUp).optional(),
  entity: entityText.optional(),
  limit: z
    .string()
    .regex(/^\d{1,4}$/, `must be a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .pipe(z.number().min(1, `must be at least 1`).max(MAX_LIMIT, `must be at most ${MAX_LIMIT}`))
    .default(DEFAULT_LIMIT),
  cursor: z.string().min(1, 'must not be empty').optional(),
});

/** The parameters of `GET /events`, checked. Throws `BAD_REQUEST` with the name of the first that is wrong. */
export function readListQuery(query: unknown): z.infer<typeof querySchema> {
  return readQuery(querySchema, query);
}

/** The same for the parameters of another path. */
export function readQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  const read = schema.safeParse(query);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const path = issue.keys[0] ?? '';
    throw new IngestError('BAD_REQUEST', `${path} is no parameter of this path`, { path });
  }
  const path = String(issue?.path[0] ?? '');
  throw new IngestError(
    'BAD_REQUEST',
    `${path} ${issue?.code === 'invalid_type' ? (issue.input === undefined ? 'is missing' : 'may be given once') : (issue?.message ?? 'is not understood')}`,
    { path },
  );
}

export function listEvents(events: Pick<EventReader, 'list'>): RequestHandler {
  return async (request, response) => {
    const { limit, cursor, ...filter } = readListQuery(request.query);
    response.json(await events.list(filter, { limit, cursor }));
  };
}

export function getEvent(events: Pick<EventReader, 'get'>, factsOf: FactsOf): RequestHandler<{ key: string }> {
  return async (request, response) => {
    const event = await events.get(request.params.key, factsOf);
    if (event === undefined)
      throw new IngestError('NOT_FOUND', 'the ledger has no event of this key; a key is percent-encoded in the path');
    response.json(event);
  };
}
