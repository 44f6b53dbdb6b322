/**
 * `cloudevents`: CloudEvents 1.0 as JSON over HTTP. CloudEvents has no signature of its own, so how a sender proves
 * itself is said by `auth`. In structured mode the whole event is the body, and signed. In binary mode its id, type and
 * time are `ce-*` headers, which no signature covers; docs/guides/cloudevents.md says what a forger could do, and so it
 * must be asked for. (cloudevents/spec 1.0.2: spec.md, http-protocol-binding.md, json-format.md)
 */
import { IngestError } from '../errors.ts';
import type { Delivery, Event } from '../event.ts';
import { isJsonObject, type Json } from '../json.ts';
import type { SameId } from '../model/resolve.ts';
import { createVerifier, type Auth } from './auth.ts';
import { factsIn, typeText } from './data-facts.ts';
import { header } from './signature.ts';
import type { SourceBuilder } from './source.ts';

export interface CloudeventsOptions {
  /** Default `standard`: Standard Webhooks, shared secrets or public keys. `{ token: {} }` is CloudEvents' own web hook specification. */
  readonly auth?: Auth;
  /** Accept binary mode too, whose attributes are not signed. Default false: 415. */
  readonly binary?: boolean;
  /** As for `facts`: `edit` is ordered by `data.observedAt`, which is then required. */
  readonly sameId?: SameId;
}

type Attribute = 'specversion' | 'id' | 'source' | 'type' | 'time';
/** By attribute; undefined where there is none. Throws `BAD_HEADER`. */
type Attributes = (name: Attribute) => Json | undefined;

/** Every unsigned header that has a meaning in binary mode. No other is ever read. */
const UNSIGNED: Readonly<Record<Attribute, string>> = {
  specversion: 'ce-specversion',
  id: 'ce-id',
  source: 'ce-source',
  type: 'ce-type',
  time: 'ce-time',
};

const STRUCTURED = /^application\/cloudevents(?:\+json)?\s*(?:;|$)/i;
const JSON_TYPE = /^[\w.+-]+\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;
/** A URI reference has neither space nor `|`, so the first `|` of an identity is where its id begins. */
const SOURCE = /^[\x21-\x7b\x7d\x7e]+$/;
const ID = /^[^\p{Cc}]+$/u;
const MAX_ID_LENGTH = 512;

/** Identity: `<source>|<id>` of the CloudEvent, which its specification makes unique. */
export function cloudevents({ auth = 'standard', binary = false, sameId = 'conflict' }: CloudeventsOptions = {}): SourceBuilder {
  return ({ name, secrets, model }) => {
    const verify = createVerifier(name, auth, secrets);
    return {
      name,
      model,
      version: 'cloudevents@1',
      sameId,
      keepHeaders: [...Object.values(UNSIGNED), 'webhook-id', 'webhook-timestamp', 'content-type', 'user-agent'],
      verify(delivery) {
        const secretId = verify(delivery);
        checkMode(delivery, binary);
        return secretId;
      },
      identify(delivery, body) {
        const attribute = attributesOf(delivery, body);
        const [source, id] = [attribute('source'), attribute('id')];
        if (typeof source !== 'string' || typeof id !== 'string' || !SOURCE.test(source) || !ID.test(id))
          throw new IngestError('NO_IDENTITY', 'a CloudEvent needs a source, a URI reference, and an id');
        if (source.length + id.length >= MAX_ID_LENGTH)
          throw new IngestError('NO_IDENTITY', `source and id together must be shorter than ${MAX_ID_LENGTH} characters`);
        if (attribute('specversion') !== '1.0') throw new IngestError('BAD_ENVELOPE', 'specversion must be "1.0"', { path: 'specversion' });
        if (typeof attribute('type') !== 'string') throw new IngestError('BAD_ENVELOPE', 'type is required', { path: 'type' });
        return { id: `${source}|${id}` };
      },
      map(event, body) {
        const attribute = attributesOf(event, body);
        const data = isBinary(event) ? body : isJsonObject(body) ? body['data'] : undefined;
        return factsIn(data, { id: event.id, type: typeText(attribute('type')), time: attribute('time'), timeName: 'time' });
      },
    };
  };
}

/** Batches and formats other than JSON are another media type; binary mode is, too, unless it was asked for. */
function checkMode(delivery: Delivery, binary: boolean): void {
  const type = header(delivery, 'content-type') ?? '';
  if (STRUCTURED.test(type)) return;
  const isEvent = !/^application\/cloudevents/i.test(type) && (type === '' || JSON_TYPE.test(type));
  if (!binary || !isEvent)
    throw new IngestError('UNSUPPORTED_MEDIA_TYPE', 'neither structured mode in JSON, nor binary mode where that is accepted');
}

function isBinary({ headers }: Pick<Event, 'headers'>): boolean {
  return headers[UNSIGNED.specversion] !== undefined && !STRUCTURED.test(headers['content-type'] ?? '');
}

function attributesOf(of: Pick<Event, 'headers'>, body: Json): Attributes {
  if (isBinary(of)) return (name) => decodeHeader(UNSIGNED[name], of.headers[UNSIGNED[name]]);
  return (name) => (isJsonObject(body) ? (body[name] ?? undefined) : undefined);
}

/** Quotes off, then one round of percent-decoding; two of a kind, joined by ", ", are neither form. (http-protocol-binding.md, 3.1.3.2) */
function decodeHeader(name: string, text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1]?.replaceAll(/\\(.)/g, '$1');
  try {
    if (quoted !== undefined || /^[\x21-\x7e]+$/.test(text)) return decodeURIComponent(quoted ?? text);
  } catch {
    // A stray % or bytes that are not UTF-8.
  }
  throw new IngestError('BAD_HEADER', `the header ${name} is malformed or repeated`);
}
