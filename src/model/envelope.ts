/**
 * The facts envelope: what any producer sends to speak the model directly. The zod schema is the one source of its
 * shape; `docs/facts.schema.json` is written from it. Names and types are the model's business (resolve.ts).
 */
import { z } from 'zod';

import { IngestError } from '../errors.ts';
import { SOURCE_NAME } from '../event.ts';
import { formatPath, type Json } from '../json.ts';
import type { Mapped } from './facts.ts';
import { parseInstant } from './instant.ts';
import { Decimal } from './values.ts';

/** JSON Schema counts characters as code points, where zod counts UTF-16 units. */
const text = (maxLength: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .refine((t) => t.length <= maxLength || Array.from(t).length <= maxLength, `must have at most ${maxLength} characters`)
    .meta({ maxLength });

const instant = z
  .string()
  .refine((t) => parseInstant(t) !== undefined, 'must be an RFC 3339 time with Z or offset')
  .meta({ id: 'instant', format: 'date-time', description: 'RFC 3339 with Z or offset, at most nine fraction digits, no leap second' });

const name = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'must be a letter, then letters, digits or _, at most 63')
  .meta({ id: 'name' });

const key = z
  .record(z.string(), z.string().min(1, 'must not be empty'))
  .refine((parts) => Object.keys(parts).length > 0, 'must have at least one part')
  .meta({ id: 'key', minProperties: 1, description: "natural key parts; source defaults to the event's source" });

type Said = string | number | bigint | boolean | null | Decimal | readonly Json[];
const value = z
  .custom<Said>((v) => v === null || typeof v !== 'object' || Array.isArray(v) || v instanceof Decimal, 'must not be an object')
  .meta({ type: ['string', 'integer', 'number', 'boolean', 'null', 'array'] });

const set = z.record(z.string(), value).meta({ id: 'set', description: 'property → value; null clears, absent keeps' });

const sequence = z
  .custom<number | bigint>(
    (v) => (typeof v === 'bigint' ? v >= 0n : Number.isSafeInteger(v) && Number(v) >= 0),
    'must be an integer of 0 or more',
  )
  .meta({ type: 'integer', minimum: 0 });

const at = instant.exactOptional();
const node = { node: name, key, at };
const ends = { relationship: name, from: key, to: key, key: key.exactOptional(), at };
const member = z.strictObject({ to: key, key: key.exactOptional(), set: set.exactOptional() });

const fact = z
  .strictObject({
    upsert: z.strictObject({ ...node, set: set.exactOptional() }).exactOptional(),
    remove: z.strictObject(node).exactOptional(),
    link: z.strictObject({ ...ends, set: set.exactOptional() }).exactOptional(),
    unlink: z.strictObject(ends).exactOptional(),
    replace: z.strictObject({ relationship: name, from: key, links: z.array(member), at }).exactOptional(),
    clear: z.strictObject({ relationship: name, owner: key, at }).exactOptional(),
  })
  .refine((said) => Object.keys(said).length === 1, 'must be exactly one of upsert, remove, link, unlink, replace, clear')
  .meta({ id: 'fact', minProperties: 1, maxProperties: 1 });

export const envelopeSchema = z
  .strictObject({
    id: text(512),
    type: text(256),
    occurredAt: instant,
    observedAt: instant.exactOptional(),
    sequence: sequence.exactOptional(),
    occurrenceId: text(512).exactOptional(),
    subject: z.strictObject({ node: name, key }).exactOptional(),
    source: z
      .string()
      .regex(SOURCE_NAME, 'must be lower-case letters, digits and -, at most 63')
      .exactOptional()
      .meta({ description: 'only in POST /events, import and the batch queue' }),
    facts: z.array(fact),
  })
  .meta({
    title: 'Eventgraft facts envelope, version 1',
    description:
      'One event. Node and relationship names, key parts and property names and types are checked against the model; this schema fixes the shape.',
  });

export interface Envelope extends Mapped {
  readonly id: string;
  /** Only where rows of many sources come together: `POST /events`, import, the batch queue. */
  readonly source?: string;
}

/** The envelope that the JSON is, itself and unchanged. Throws `BAD_ENVELOPE` with the path of the first thing that is wrong. */
export function readEnvelope(json: Json): Envelope {
  const said: unknown = json;
  if (isEnvelope(said)) return said;
  throw firstProblem(envelopeSchema.safeParse(json).error?.issues[0]);
}

/** Measured on five facts: 3.2 µs, against 8.8 interpreted. */
const compiled = z.compile(envelopeSchema);

/** A guard, since zod's own copy would lose a property called `__proto__`, which the model must get to refuse. */
function isEnvelope(json: unknown): json is Envelope {
  return compiled.validate(json);
}

const KINDS: Readonly<Record<string, string>> = { object: 'an object', record: 'an object', array: 'a list', string: 'text' };

function firstProblem(issue: z.core.$ZodIssue | undefined): IngestError {
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const path = formatPath([...(issue?.path ?? []), ...unknown]);
  const problem = describe(issue);
  return new IngestError('BAD_ENVELOPE', path === '' ? `the envelope ${problem}` : `${path} ${problem}`, path === '' ? {} : { path });
}

function describe(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === 'unrecognized_keys') return 'is no field of the envelope';
  if (issue?.code !== 'invalid_type') return issue?.message ?? 'is not understood';
  return issue.message.endsWith('received undefined') ? 'is required' : `must be ${KINDS[issue.expected] ?? issue.expected}`;
}

/** The envelope as JSON Schema (draft 2020-12): the contents of `docs/facts.schema.json`. */
export function envelopeJsonSchema(): object {
  return z.toJSONSchema(envelopeSchema, {
    unrepresentable: 'any',
    // Every name in JSON is a string.
    override: ({ jsonSchema }) => void delete jsonSchema.propertyNames,
  });
}
