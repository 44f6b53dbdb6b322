/**
 * `generic`: any sender of JSON, by a description as data: how it proves itself (auth.ts), what names an event, and what
 * its events say (generic-mapping.ts). It is checked whole at the start, so that what can go wrong later is a body only.
 */
import { z } from 'zod';

import { IngestError } from '../errors.ts';
import type { Event } from '../event.ts';
import { formatPath, type Json } from '../json.ts';
import { readEnvelope } from '../model/envelope.ts';
import type { Mapped } from '../model/facts.ts';
import type { Model } from '../model/model.ts';
import { authSchema, createVerifier, proofHeader } from './auth.ts';
import { typeText } from './data-facts.ts';
import { compileExpression } from './expression.ts';
import { compileFact, expression, factSchema, idOf, isTrue } from './generic-mapping.ts';
import { acknowledgeAt, gatewaySchema } from './gateway.ts';
import { pinnedHeader } from './signature.ts';
import type { Ignored, SourceBuilder } from './source.ts';

const header = z.strictObject({ header: z.string() });
const schema = z.strictObject({
  auth: authSchema,
  /** A header, a path in the body, several fields that only together are unique, or the hash of the body after such fields. But for a header, a type that is one comes first. */
  identity: z.union(
    [
      header,
      z.strictObject({ body: expression }),
      z.strictObject({ fields: z.array(expression).min(1, 'must name at least one') }),
      z.strictObject({ hash: z.array(expression) }),
    ],
    'must be one of header, body, fields and hash',
  ),
  type: z.union([expression, header]),
  /** RFC 3339 text. */
  time: expression,
  observedAt: expression.exactOptional(),
  sequence: expression.exactOptional(),
  occurrenceId: expression.exactOptional(),
  /** Every row whose `type` and `when` hold is heard; an event that none hears is ignored. */
  events: z.array(
    z.strictObject({
      type: z.union([z.string(), z.array(z.string())]).exactOptional(),
      when: expression.exactOptional(),
      facts: z.array(factSchema).min(1),
    }),
  ),
  /** What another body under a known id is. `edit` is ordered by `observedAt`, which it needs. Default `conflict`. */
  sameId: z.enum(['conflict', 'edit']).exactOptional(),
  /** A gateway that wants to hear what became of its events, under ids that it knows: those of a header or a field. */
  acknowledge: gatewaySchema.exactOptional(),
  /** Raise it when the mapping changes its mind about events that were already seen. Default 1. */
  version: z.int().positive().exactOptional(),
});

/** The whole description, as YAML has it too. */
export type GenericOptions = z.input<typeof schema>;

type Config = z.output<typeof schema>;

const TOKEN = /^[\x21-\x7e]{1,512}$/;
const MAX_ID_LENGTH = 512;
/** Headers that are never kept, and so can name nothing. */
const SECRET = /signature|hmac|authorization|cookie|token|secret|password|credential|(api|access|private)-?key/;

export function generic(options: GenericOptions): SourceBuilder {
  return genericOf(options);
}

/** The same of whatever a file holds. Everything wrong with it is `BAD_CONFIG` with its path, and with the expression where it is one. */
export function genericOf(description: unknown): SourceBuilder {
  return ({ name, secrets, model }) => {
    const config = readConfig(name, description);
    const { identity, type, version = 1, sameId = 'conflict', acknowledge } = config;
    if (sameId === 'edit' && config.observedAt === undefined)
      throw new IngestError('BAD_CONFIG', `${name}.sameId: an edit is ordered by observedAt, which is not said`);
    const isNamed = 'header' in identity || ('body' in identity && typeof type === 'string');
    if (acknowledge !== undefined && !isNamed)
      throw new IngestError(
        'BAD_CONFIG',
        `${name}.acknowledge: a gateway knows the ids that it gave, so identity must be header, or body without a header as type`,
      );
    const pinned = [identity, type].flatMap((from) =>
      typeof from === 'object' && 'header' in from ? [keptHeader(name, from.header, proofHeader(config.auth))] : [],
    );
    const typeOf = typeof type === 'string' ? compileExpression(type, `${name}.type`) : undefined;
    const idsOf = 'header' in identity ? undefined : compileIdentity(name, identity);
    const mapping = compileMapping(name, config, model);
    return {
      name,
      model,
      version: `generic@${version}`,
      sameId,
      ...(acknowledge === undefined ? {} : { acknowledge: acknowledgeAt(name, acknowledge) }),
      keepHeaders: [...new Set([...pinned, 'content-type', 'user-agent'])],
      verify: createVerifier(name, config.auth, secrets),
      identify(delivery, body, bodyHash) {
        const [first] = pinned.map((from) => pinnedHeader(delivery, from, TOKEN));
        if (idsOf === undefined) return { id: checkId(first, `the header ${pinned[0]}`) };
        const id = idsOf(body, bodyHash);
        // One body under two types is two events.
        return { id: typeOf === undefined ? checkId(`${encodeURIComponent(typeText(first ?? null))}/${id}`, 'the identity') : id };
      },
      map: (event, body) => mapping(event, body, typeText(typeOf === undefined ? event.headers[pinned.at(-1) ?? ''] : typeOf(body))),
    };
  };
}

function readConfig(name: string, description: unknown): Config {
  const { data, error } = schema.safeParse(description);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  throw new IngestError('BAD_CONFIG', `${formatPath([name, ...(issue?.path ?? [])])}: ${issue?.message ?? 'is not understood'}`);
}

/** Lower-case, as deliveries have it. */
function keptHeader(name: string, given: string, proof: string): string {
  const lower = given.toLowerCase();
  if (/^[a-z0-9-]+$/.test(lower) && !SECRET.test(lower) && lower !== proof) return lower;
  throw new IngestError('BAD_CONFIG', `${name}: the header ${given} can name nothing, since it is never kept`);
}

/** One path is the id itself; several are encoded, so that no two lists of them are one text. */
function compileIdentity(
  name: string,
  identity: Exclude<Config['identity'], { header: string }>,
): (body: Json, bodyHash: string) => string {
  const [kind, texts] =
    'body' in identity ? ['body', [identity.body]] : 'fields' in identity ? ['fields', identity.fields] : ['hash', identity.hash];
  const parts = texts.map((text) => ({ text, read: compileExpression(text, `${name}.identity.${kind}`, 'NO_IDENTITY') }));
  return (body, bodyHash) => {
    const ids = parts.map(({ text, read }) => checkId(idOf(read(body)), text));
    if (kind === 'body') return ids.join('');
    return checkId([...ids.map(encodeURIComponent), ...(kind === 'hash' ? [bodyHash] : [])].join('/'), 'the identity');
  };
}

/** Never empty, and never too long. */
function checkId(id: string | undefined, what: string): string {
  if (id === undefined || id === '') throw new IngestError('NO_IDENTITY', `${what} is missing or gives no id`);
  if (id.length > MAX_ID_LENGTH) throw new IngestError('NO_IDENTITY', `${what} is longer than ${MAX_ID_LENGTH} characters`);
  return id;
}

function compileMapping(name: string, config: Config, model: Model): (event: Event, body: Json, type: string) => Mapped | Ignored {
  const optional = (path: 'observedAt' | 'sequence' | 'occurrenceId') => {
    const text = config[path];
    return text === undefined ? () => null : compileExpression(text, `${name}.${path}`);
  };
  const [observedAt, sequence, occurrenceId] = [optional('observedAt'), optional('sequence'), optional('occurrenceId')];
  const time = compileExpression(config.time, `${name}.time`);
  const rows = config.events.map(({ type, when, facts }, index) => {
    const path = `${name}.events[${index}]`;
    const types = type === undefined ? undefined : [type].flat();
    const holds = when === undefined ? undefined : compileExpression(when, `${path}.when`);
    return { types, holds, says: facts.map((fact, at) => compileFact(fact, `${path}.facts[${at}]`, model)) };
  });
  return (event, body, type) => {
    const heard = rows.filter(({ types, holds }) => types?.includes(type) !== false && (holds === undefined || isTrue(holds(body))));
    const facts = heard.flatMap(({ says }) => says.flatMap((say) => say(body)));
    if (facts.length === 0) return { type };
    const occurredAt = time(body);
    if (typeof occurredAt !== 'string') throw new IngestError('NO_CLOCK', `${config.time} gives no time`, { path: `${name}.time` });
    const told = { observedAt: observedAt(body), sequence: sequence(body), occurrenceId: idOf(occurrenceId(body)) ?? null };
    const known = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== null));
    return readEnvelope({ id: event.id, type, occurredAt, ...known, facts });
  };
}
