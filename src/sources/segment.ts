/**
 * `segment`: calls in Segment's form, as its Webhooks destination and those of its kind send them: a visit, the pages
 * seen in it, and whose it was. The body is signed (hex HMAC-SHA1, as Segment has it), so nothing comes from headers.
 * What the calls say is in the table of docs/guides/segment.md; change both together, and bump the version.
 * (segment-docs: connections/spec, destinations/catalog/actions-webhook)
 */
import { IngestError } from '../errors.ts';
import { SOURCE_NAME } from '../event.ts';
import type { Json } from '../json.ts';
import type { commerce, CommerceFact } from '../model/commerce.ts';
import type { Mapped } from '../model/facts.ts';
import { upsertCustomer } from './customers.ts';
import { identityAt } from './identity.ts';
import { idAt, objectAt, readObject, required, textAt, timeAt, typeName, type Read } from './read.ts';
import { digestOf, matchHmac, requireSecrets } from './signature.ts';
import type { Ignored, SourceBuilder } from './source.ts';

export interface SegmentOptions {
  /** The source whose customer ids `userId` holds, e.g. `acme-shopify`: visits join its customers, and traits say nothing. Default: customers of this source. */
  readonly customerSource?: string;
}

/** Who called, and when. */
interface Call {
  readonly body: Read;
  readonly at: string;
  readonly session: string;
  readonly customer: { readonly id: string; readonly source?: string } | undefined;
}

const SIGNATURE = 'x-signature';
const CALLS: ReadonlyMap<string, (call: Call) => readonly CommerceFact[]> = new Map([
  ['identify', identifyFacts],
  ['page', pageFacts],
  ['track', () => []],
]);

/** Identity: `messageId`, by which Segment itself tells duplicates. */
export function segment({ customerSource }: SegmentOptions = {}): SourceBuilder {
  return ({ name, secrets, model }) => {
    const live = requireSecrets(name, secrets);
    if (customerSource !== undefined && !SOURCE_NAME.test(customerSource))
      throw new IngestError('BAD_CONFIG', `source ${name}: customerSource must be the name of a source, such as acme-shopify`);
    return {
      name,
      model,
      version: 'segment@1',
      keepHeaders: ['content-type', 'user-agent'],
      verify: (delivery) => matchHmac(live, [delivery.body], digestOf(delivery, SIGNATURE, 'hex', { algorithm: 'sha1' }), 'sha1'),
      identify: (_delivery, body) => identityAt(body, 'messageId'),
      map: (_event, body) => mapCall(body, customerSource),
    };
  };
}

function mapCall(json: Json, customerSource: string | undefined): Mapped<typeof commerce.declaration> | Ignored {
  const body = readObject(json, '');
  const kind = textAt(body, 'type') || 'unknown';
  const named = kind === 'track' ? textAt(body, 'event') : undefined;
  const type = typeName(named ? `${kind}.${named}` : kind);
  const facts = CALLS.get(kind);
  if (facts === undefined) return { type };
  const user = idAt(body, 'userId');
  const source = customerSource === undefined ? {} : { source: customerSource };
  const call: Call = {
    body,
    at: timeAt(body, 'timestamp'),
    session: sessionOf(body, user),
    customer: user === undefined ? undefined : { id: user, ...source },
  };
  return { type, occurredAt: call.at, facts: [...visitFacts(call), ...facts(call)] };
}

/** What the sender calls a session; else the visitor's browser; else, for calls from servers, the user. */
function sessionOf(body: Read, user: string | undefined): string {
  const context = objectAt(body, 'context');
  const session = (context === undefined ? undefined : idAt(context, 'sessionId')) ?? idAt(body, 'anonymousId');
  return session ?? `user:${required(user, body, 'anonymousId')}`;
}

function visitFacts({ body, at, session, customer }: Call): CommerceFact[] {
  const key = { id: session };
  const isStart = objectAt(body, 'context')?.json['sessionStart'] === true;
  const visit: CommerceFact = { upsert: { node: 'Session', key, set: { startedAt: isStart ? at : undefined } } };
  return customer === undefined ? [visit] : [visit, { link: { relationship: 'HAS_SESSION', from: customer, to: key } }];
}

/** Of pages, the query and fragment belong to the view: a campaign's links lead to one page. */
function pageFacts({ body, at, session }: Call): CommerceFact[] {
  const properties = objectAt(body, 'properties');
  const context = objectAt(body, 'context');
  const page = context === undefined ? undefined : objectAt(context, 'page');
  const tell = (name: string) =>
    (properties === undefined ? undefined : textAt(properties, name)) ?? (page === undefined ? undefined : textAt(page, name));
  const url = tell('url') ?? '';
  const [bare = ''] = url.split(/[?#]/, 1);
  if (bare === '') return [];
  const title = tell('title');
  const view = { sessionId: session, url, timestamp: at };
  return [
    { upsert: { node: 'PageView', key: view, set: { title, referrer: tell('referrer') } } },
    { upsert: { node: 'Page', key: { url: bare }, set: { title } } },
    { link: { relationship: 'VIEWED', from: { id: session }, to: view } },
    { link: { relationship: 'OF', from: view, to: { url: bare } } },
  ];
}

/** Traits of somebody known here; of another source's customers that source tells. */
function identifyFacts({ body, customer }: Call): CommerceFact[] {
  const traits = objectAt(body, 'traits');
  if (customer === undefined || customer.source !== undefined || traits === undefined) return [];
  const address = objectAt(traits, 'address');
  return upsertCustomer({
    key: customer,
    set: {
      email: textAt(traits, 'email'),
      firstName: textAt(traits, 'firstName'),
      lastName: textAt(traits, 'lastName'),
      phone: textAt(traits, 'phone'),
      country: address === undefined ? undefined : textAt(address, 'country'),
    },
  });
}
