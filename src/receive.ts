/**
 * The way in of whatever a sender delivers: verify → identify → enqueue. What we ask a sender for ourselves has nothing to verify and goes
 * into the same inbox by itself (src/backfill).
 */
import { createHash } from 'node:crypto';

import type { Documents } from './documents.ts';
import { IngestError } from './errors.ts';
import { checkEventId, eventKey, type Delivery, type Event } from './event.ts';
import { decodeUtf8, parseJson } from './json.ts';
import { atOnce } from './sources/at-once.ts';
import type { Source } from './sources/source.ts';

export interface Receipt {
  /** The event's key, `source:id`. */
  readonly key: string;
  readonly status: 'accepted' | 'duplicate';
  /** The short id of the secret that matched: tells when a rotation is over. */
  readonly secretId: string;
}

/** Who may deliver, and where it goes. */
export interface Entrance {
  readonly sources: ReadonlyMap<string, Source>;
  /** Resolves once the event is on disk, or was before; throws `UNAVAILABLE` or `OVERLOADED`. */
  readonly inbox: { add(event: Event): Promise<Receipt['status']> };
  /** What some signatures are checked against; throws `UNAVAILABLE` while it cannot be had. */
  readonly documents: Pick<Documents, 'get'>;
}

/**
 * Takes one delivery in. Verified before it is parsed, parsed before it is trusted. When it returns, the raw event is on
 * disk; when it throws, nothing is stored, save that with `UNAVAILABLE` nobody knows. Throws what the source throws, and
 * `NO_IDENTITY` for an id that no event may have.
 */
export async function receive(delivery: Delivery, { sources, inbox, documents }: Entrance): Promise<Receipt> {
  const source = sources.get(delivery.source);
  if (source === undefined) throw new IngestError('UNKNOWN_SOURCE', 'no source of this name is configured');
  const document = source.evidence === undefined ? undefined : await documents.get(source.evidence, delivery);
  const secretId = atOnce(source.verify(delivery, document), `verify of ${source.name}`);
  const body = decodeUtf8(delivery.body);
  const json = parseJson(body);
  const bodyHash = createHash('sha256').update(delivery.body).digest('hex');
  const { id } = atOnce(source.identify(delivery, json, bodyHash), `identify of ${source.name}`);
  checkEventId(id);
  const headers = Object.fromEntries(Object.entries(delivery.headers).filter(([name]) => source.keepHeaders.includes(name)));
  const status = await inbox.add({ source: source.name, id, body, bodyHash, headers, receivedAtMs: delivery.receivedAtMs });
  return { key: eventKey(source.name, id), status, secretId };
}
