/** What the API answers, as zod: checked against the types of what is answered, and the one source of openapi.json's schemas. */
import { z } from 'zod';

import { STATES, type Stats } from '../event.ts';
import type { Explanation } from '../explain/explain.ts';
import type { EventDetail, PublicEvent } from '../graph/event-view.ts';

const instant = z.string().meta({ format: 'date-time', description: 'RFC 3339 in UTC' });
const count = z.int().min(0);

export const errorSchema = z
  .object({
    error: z.object({ code: z.string(), message: z.string(), path: z.string().optional().meta({ description: 'where in the request' }) }),
  })
  .meta({ id: 'Error' });

export const eventSchema = z
  .object({
    key: z.string().meta({ description: '`source:id`; a second body under one id has the suffix `~<16 hex of its body hash>`' }),
    source: z.string(),
    id: z.string(),
    occurrenceId: z.string().nullable(),
    type: z.string().nullable(),
    subject: z.string().nullable().meta({ description: 'the node it is about, e.g. `Order/acme-shopify/1001`' }),
    entities: z.array(z.string()).readonly().meta({ description: 'every node it mentions' }),
    state: z.enum(STATES),
    occurredAt: instant.nullable(),
    receivedAt: instant,
    appliedAt: instant.meta({ description: 'when it entered the ledger' }),
    bodyHash: z.string().meta({ description: 'SHA-256 of the raw body, hex' }),
    conflict: z.boolean().meta({ description: 'whether another body came under this id before' }),
    mapping: z.string().meta({ description: 'version of the mapping that spoke' }),
    error: z.object({ code: z.string(), message: z.string(), path: z.string().exactOptional() }).nullable(),
    attempts: count,
    parked: z.boolean().meta({ description: 'whether one of its edges still waits for an end' }),
  })
  .meta({ id: 'Event' }) satisfies z.ZodType<PublicEvent>;

export const eventDetailSchema = eventSchema
  .extend({
    body: z.string().meta({ description: 'the raw body' }),
    headers: z.record(z.string(), z.string()),
    fetched: z
      .object({
        status: z.int(),
        at: instant.meta({ description: "by the sender's clock" }),
        bodyHash: z.string(),
        body: z.string(),
      })
      .exactOptional()
      .meta({ description: 'the object as its sender showed it when asked' }),
    facts: z.array(z.unknown()).readonly().meta({ description: "what today's mapping says of it, as in the facts envelope" }),
  })
  .meta({ id: 'EventDetail' }) satisfies z.ZodType<EventDetail>;

export const pageSchema = z
  .object({
    events: z.array(eventSchema),
    next: z.string().nullable().meta({ description: 'give it as `cursor` for the next page; null at the end' }),
  })
  .meta({ id: 'EventPage' });

export const causeSchema = z
  .object({
    event: z.string().meta({ description: 'its key in the ledger' }),
    at: z.string().meta({ description: 'the time that it said it of, RFC 3339 in UTC' }),
    type: z.string().nullable(),
    state: z.enum(STATES).nullable(),
    mapping: z.string().nullable(),
  })
  .meta({ id: 'Cause', description: 'An event, as the one that said something; nulls where it is not among those that were read.' });

export const statementSchema = z
  .object({
    by: causeSchema,
    value: z.unknown().optional(),
    outcome: z.enum(['won', 'part', 'lost']).meta({ description: '`part`: of a union' }),
    because: z.string().nullable().meta({ description: 'why it lost' }),
  })
  .meta({ id: 'Statement' });

export const propertyStorySchema = z
  .object({
    name: z.string(),
    rule: z.enum(['last', 'first', 'min', 'max', 'union', 'ranked']),
    value: z.unknown(),
    by: causeSchema.nullable(),
    said: z.array(statementSchema).readonly(),
  })
  .meta({ id: 'PropertyStory' });

export const explanationSchema = z
  .object({
    entity: z.string(),
    state: z.enum(['present', 'removed', 'unseen']),
    existsBy: causeSchema.nullable(),
    removedBy: causeSchema.nullable(),
    properties: z.array(propertyStorySchema).readonly(),
    relationships: z
      .array(
        z.object({
          relationship: z.string(),
          type: z.string(),
          state: z.enum(['present', 'waiting', 'ended']),
          by: causeSchema.nullable(),
          said: z.array(statementSchema).readonly(),
          properties: z.array(propertyStorySchema).readonly(),
        }),
      )
      .readonly(),
    events: z.array(causeSchema).readonly(),
    more: z.boolean().meta({ description: 'there are more events or relationships than were read' }),
  })
  .meta({ id: 'Explanation' }) satisfies z.ZodType<Explanation>;

export const statsSchema = z
  .object({
    accepted: count.meta({ description: 'events taken in, ever = sum of states + queued + duplicateLate' }),
    duplicate: count.meta({ description: 'deliveries answered `duplicate`' }),
    duplicateLate: count.meta({ description: 'taken in, but in the ledger already' }),
    queued: count,
    parked: count.meta({ description: 'a view: these are applied, and an edge of theirs waits' }),
    states: z.record(z.enum(STATES), count),
  })
  .meta({ id: 'Stats' }) satisfies z.ZodType<Stats>;

export const receiptSchema = z
  .object({ id: z.string().meta({ description: "the event's key" }), status: z.enum(['accepted', 'duplicate']) })
  .meta({ id: 'Receipt' });

export const liveSchema = z.object({ status: z.literal('live') }).meta({ id: 'Live' });

export const readinessSchema = z
  .object({
    status: z.enum(['ready', 'unready']),
    role: z.enum(['serve', 'work', 'dev']),
    reasons: z.array(z.string()).meta({ description: 'why it is not ready, or what a reader should know although it is' }),
    queue: z.object({ reachable: z.boolean(), durability: z.string().nullable(), queued: count.nullable() }),
    graph: z.object({ reachable: z.boolean() }),
    epoch: z
      .object({ agrees: z.boolean().nullable() })
      .meta({ description: 'whether queue and graph are of one life; null while either is away' }),
    lastCommitAt: instant.nullable(),
  })
  .meta({ id: 'Readiness' });
export type Readiness = z.infer<typeof readinessSchema>;
