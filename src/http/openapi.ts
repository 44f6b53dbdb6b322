/** The interface as OpenAPI 3.1. Schemas come from zod where we have them; paths are told by hand and tested against the routes. */
import { z } from 'zod';

import { ERRORS, type ErrorCode } from '../errors.ts';
import { STATES } from '../event.ts';
import { DEFAULT_LIMIT, MAX_LIMIT } from '../graph/events.ts';
import { envelopeJsonSchema } from '../model/envelope.ts';
import {
  causeSchema,
  errorSchema,
  eventDetailSchema,
  eventSchema,
  explanationSchema,
  liveSchema,
  pageSchema,
  propertyStorySchema,
  readinessSchema,
  receiptSchema,
  statementSchema,
  statsSchema,
} from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

export interface Operation extends Json {
  readonly operationId: string;
  readonly summary: string;
  readonly responses: Readonly<Record<string, Json>>;
}

export interface OpenApi extends Json {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>>; readonly securitySchemes: Json };
}

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const json = (description: string, schema: string): Json => ({ description, content: { 'application/json': { schema: ref(schema) } } });
const parameter = (name: string, description: string, schema: Json, where = 'query'): Json => ({
  name,
  in: where,
  required: where === 'path',
  description,
  schema,
});

/** One answer for each status that these codes have. */
function refusals(...codes: readonly ErrorCode[]): Readonly<Record<string, Json>> {
  const told = new Map<number, string[]>();
  for (const code of codes)
    told.set(ERRORS[code].status, [...(told.get(ERRORS[code].status) ?? []), `\`${code}\`: ${ERRORS[code].advice}`]);
  return Object.fromEntries([...told].map(([status, lines]) => [String(status), json(lines.join(' '), 'Error')]));
}

const ADMIN = { security: [{ adminToken: [] }] };
const text = { type: 'string' };
const instant = { type: 'string', format: 'date-time' };

const LIST_PARAMETERS = [
  parameter('state', '`parked`: an edge of the event still waits for one of its ends.', { type: 'string', enum: [...STATES, 'parked'] }),
  parameter('source', 'The configured name of a sender.', text),
  parameter('type', 'The event type, as the mapping names it.', text),
  parameter('since', 'Received at or after.', instant),
  parameter('until', 'Received before.', instant),
  parameter('entity', 'Events that mention this node, e.g. `Order/acme-shopify/1001`; each part percent-encoded.', text),
  parameter('limit', 'Events a page.', { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  parameter('cursor', '`next` of the page before.', text),
];

const PATHS: OpenApi['paths'] = {
  '/webhooks/{source}': {
    post: {
      operationId: 'receiveWebhook',
      tags: ['webhooks'],
      summary: 'Take in one delivery',
      description: 'Signed as the source documents. A 2xx means that the raw event is on disk.',
      parameters: [parameter('source', 'The configured name of the sender.', { ...text, pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }, 'path')],
      requestBody: {
        required: true,
        description: 'What the sender sends, at most 1 MB; for the source `facts` an envelope.',
        content: { 'application/json': { schema: { anyOf: [ref('FactsEnvelope'), {}] } } },
      },
      responses: {
        '200': json('Known already: nothing was stored again. A ping, which is no event, gets `{"status":"ping"}`.', 'Receipt'),
        '202': json('On disk now.', 'Receipt'),
        ...refusals(
          'BAD_JSON',
          'TOO_DEEP',
          'BAD_HEADER',
          'NO_IDENTITY',
          'BAD_REQUEST',
          'BAD_ENVELOPE',
          'BAD_SIGNATURE',
          'STALE_SIGNATURE',
          'UNKNOWN_SOURCE',
          'METHOD_NOT_ALLOWED',
          'TIMEOUT',
          'BODY_TOO_LARGE',
          'UNSUPPORTED_MEDIA_TYPE',
          'RATE_LIMITED',
          'HEADERS_TOO_LARGE',
          'UNAVAILABLE',
          'OVERLOADED',
        ),
      },
    },
  },
  '/events': {
    get: {
      operationId: 'listEvents',
      tags: ['events'],
      summary: 'List events, the last applied first',
      description: 'A page may be short, even empty, before the end: follow `next` until it is null.',
      ...ADMIN,
      parameters: LIST_PARAMETERS,
      responses: {
        '200': json('One page.', 'EventPage'),
        ...refusals('BAD_REQUEST', 'UNAUTHORIZED', 'RATE_LIMITED', 'NOT_FOUND', 'GRAPH_UNAVAILABLE'),
      },
    },
  },
  '/events/{key}': {
    get: {
      operationId: 'getEvent',
      tags: ['events'],
      summary: 'One event with its body, headers and facts',
      ...ADMIN,
      parameters: [parameter('key', 'The key, percent-encoded once more: `shop:a%2Fb`.', text, 'path')],
      responses: {
        '200': json('The event.', 'EventDetail'),
        ...refusals('BAD_REQUEST', 'UNAUTHORIZED', 'RATE_LIMITED', 'NOT_FOUND', 'GRAPH_UNAVAILABLE'),
      },
    },
  },
  '/admin/stats': {
    get: {
      operationId: 'getStats',
      tags: ['admin'],
      summary: 'Conservation: accepted = sum of states + queued + duplicateLate',
      ...ADMIN,
      responses: {
        '200': json('The counts; exact while nothing is on its way.', 'Stats'),
        ...refusals('UNAUTHORIZED', 'RATE_LIMITED', 'NOT_FOUND', 'GRAPH_UNAVAILABLE', 'QUEUE_UNAVAILABLE'),
      },
    },
  },
  '/admin/explain': {
    get: {
      operationId: 'explainEntity',
      tags: ['admin'],
      summary: 'Why the graph says of a node what it says',
      description: 'For every property and relationship: the event that won, what all others said, and why they lost.',
      ...ADMIN,
      parameters: [
        { ...parameter('entity', 'The node, e.g. `Order/acme-shopify/1001`; each part percent-encoded.', text), required: true },
        parameter('about', 'Only this property, or relationships of this type.', text),
        parameter('value', 'Of the property, only what said this value: why it is not that.', text),
      ],
      responses: {
        '200': json('The explanation.', 'Explanation'),
        ...refusals('BAD_REQUEST', 'UNAUTHORIZED', 'RATE_LIMITED', 'NOT_FOUND', 'GRAPH_UNAVAILABLE'),
      },
    },
  },
  '/health/live': {
    get: {
      operationId: 'getLive',
      tags: ['health'],
      summary: 'Whether the process answers',
      responses: { '200': json('It does.', 'Live') },
    },
  },
  '/health/ready': {
    get: {
      operationId: 'getReady',
      tags: ['health'],
      summary: 'Whether to send traffic here',
      description: '`serve`, `dev`: while events can be made durable. `work`: unless there is work and nothing was committed for 60 s.',
      responses: { '200': json('Ready.', 'Readiness'), '503': json('Not ready, and why.', 'Readiness') },
    },
  },
  '/metrics': {
    get: {
      operationId: 'getMetrics',
      tags: ['operations'],
      summary: 'Prometheus metrics',
      responses: { '200': { description: 'The exposition format.', content: { 'text/plain': { schema: text } } } },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'getOpenApi',
      tags: ['operations'],
      summary: 'This document',
      responses: { '200': { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: { type: 'object' } } } } },
    },
  },
  '/docs': {
    get: {
      operationId: 'getDocs',
      tags: ['operations'],
      summary: 'This document as a page',
      responses: { '200': { description: 'HTML without scripts or anything from elsewhere.', content: { 'text/html': { schema: text } } } },
    },
  },
};

export function openApi(version: string): OpenApi {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Eventgraft',
      version,
      description: 'Events in any order, any number of times; one graph out.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    } as OpenApi['info'],
    tags: [
      { name: 'webhooks', description: 'For senders.' },
      { name: 'events', description: 'The ledger: every event taken in, and what became of it.' },
      { name: 'admin', description: 'For operators.' },
      { name: 'health', description: 'For orchestrators.' },
      { name: 'operations', description: 'For tools.' },
    ],
    paths: PATHS,
    components: {
      schemas: schemas(),
      securitySchemes: {
        adminToken: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Admin-Token',
          description: '`ADMIN_TOKEN`; while it is unset these paths answer 404.',
        },
      },
    },
  };
}

function schemas(): Readonly<Record<string, Json>> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries({
    Error: errorSchema,
    Event: eventSchema,
    EventDetail: eventDetailSchema,
    EventPage: pageSchema,
    Explanation: explanationSchema,
    PropertyStory: propertyStorySchema,
    Statement: statementSchema,
    Cause: causeSchema,
    Stats: statsSchema,
    Receipt: receiptSchema,
    Live: liveSchema,
    Readiness: readinessSchema,
  }))
    registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}`, io: 'output' }).schemas;
  return { ...Object.fromEntries(Object.entries(made).map(([id, schema]) => [id, tidy(schema)])), FactsEnvelope: envelope() };
}

/** A component stands under its own name: `$id` and `$schema` would move its references elsewhere. */
function tidy(schema: unknown): Json {
  const { $id: _id, $schema: _schema, id: _name, ...rest } = schema as Record<string, unknown>;
  return rest;
}

/** The envelope brings definitions of its own; their references are told from where they now are. */
function envelope(): Json {
  const moved: unknown = JSON.parse(
    JSON.stringify(envelopeJsonSchema()).replaceAll('"#/$defs/', '"#/components/schemas/FactsEnvelope/$defs/'),
  );
  return tidy(moved);
}
