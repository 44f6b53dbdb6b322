/**
 * `github`: GitHub's webhooks, and whoever signs like it. The signature covers the body and nothing else, so the event's
 * name and the delivery's id come in headers that anyone who holds one signed body can rewrite. They are pinned by name
 * below; docs/guides/github.md says what a forger could do. What an event means is the user's to say: without `map` all are ignored.
 */
import { IngestError } from '../errors.ts';
import type { Event } from '../event.ts';
import { isJsonObject, type Json, type JsonObject } from '../json.ts';
import type { commerce } from '../model/commerce.ts';
import type { MappedOf } from '../model/facts.ts';
import type { Model } from '../model/model.ts';
import { digestOf, matchHmac, pinnedHeader, requireSecrets } from './signature.ts';
import type { Ignored, SourceBuilder } from './source.ts';

/** An event with its name. */
export interface GithubEvent extends Event {
  /** `X-GitHub-Event`, and the body's `action` where it has one: `push`, `issues.opened`. */
  readonly type: string;
}

export interface GithubOptions<M extends Model = typeof commerce> {
  /** What an event says; pure. `{ type }` alone ignores it. Default: every event is ignored. */
  readonly map?: (event: GithubEvent, body: JsonObject) => MappedOf<M> | Ignored;
  /** Raise it when `map` changes its mind about events that were already seen. Default 1. */
  readonly version?: number;
}

/** Every unsigned header that has a meaning here. No other is ever read. */
const UNSIGNED = { event: 'x-github-event', delivery: 'x-github-delivery' } as const;

const SIGNATURE = 'x-hub-signature-256';
const EVENT = /^[a-z][a-z0-9_]{0,99}$/;
const DELIVERY = /^[\x21-\x7e]{1,128}$/;
const ACTION = /^[\w.:-]{1,100}$/;

/** Identity: `<X-GitHub-Event>/<X-GitHub-Delivery>`, which a redelivery keeps; without a delivery id the body hash in its place. */
export function github(options?: GithubOptions): SourceBuilder;
/** The same for a model of one's own, which `map` is checked against. */
export function github<M extends Model>(options: GithubOptions<M> & { readonly model: M }): SourceBuilder;
export function github({ map, version = 1, model: spoken }: GithubOptions<Model> & { readonly model?: Model } = {}): SourceBuilder {
  return ({ name, secrets, model }) => {
    const live = requireSecrets(name, secrets);
    if (spoken !== undefined && spoken !== model)
      throw new IngestError('BAD_CONFIG', `source ${name}: its mapping speaks another model than the configuration's`);
    return {
      name,
      model,
      version: `github@${version}`,
      keepHeaders: [...Object.values(UNSIGNED), 'x-github-hook-id', 'content-type', 'user-agent'],
      verify: (delivery) => matchHmac(live, [delivery.body], digestOf(delivery, SIGNATURE, 'hex', { prefix: 'sha256=' })),
      identify(delivery, _body, bodyHash) {
        const event = pinnedHeader(delivery, UNSIGNED.event, EVENT);
        if (event === undefined) throw new IngestError('NO_IDENTITY', `the header ${UNSIGNED.event} is missing`);
        return { id: `${event}/${pinnedHeader(delivery, UNSIGNED.delivery, DELIVERY) ?? bodyHash}` };
      },
      map(event, body) {
        const type = typeOf(event, body);
        return map === undefined || !isJsonObject(body) ? { type } : map({ ...event, type }, body);
      },
    };
  };
}

function typeOf(event: Event, body: Json): string {
  const name = event.headers[UNSIGNED.event] ?? 'unknown';
  const action = isJsonObject(body) ? body['action'] : undefined;
  return typeof action === 'string' && ACTION.test(action) ? `${name}.${action}` : name;
}
