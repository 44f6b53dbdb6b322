/**
 * What a source is: it knows how to verify, identify and map. One file a provider; `test/contract` holds what every
 * source must satisfy. Nothing here does I/O, and the only clock is the delivery's own `receivedAtMs`.
 */
import type { Delivery, Event } from '../event.ts';
import type { Json } from '../json.ts';
import type { Mapped } from '../model/facts.ts';
import type { Declaration, Model } from '../model/model.ts';
import type { SameId } from '../model/resolve.ts';
import type { Secret } from '../secret.ts';

export interface Identity {
  /** Never empty, at most 512 characters, never coarser than the sender's retry intent. */
  readonly id: string;
}

/** An event type that the source does not map: kept in the ledger as `ignored`. */
export interface Ignored {
  readonly type: string;
  /** Without it, wrong facts would pass for an ignored event that has more to say, and compile. */
  readonly facts?: never;
}

/** A source of one model; without D, of any, which the sources of every model are. */
export type Source<D extends Declaration = Declaration> = SourceOver<Model<D>, Mapped<D>>;

/** Over the model and what is said in it, not over D: the compiler takes a D that types facts for one that must be matched exactly. */
interface SourceOver<M, S> {
  /** The configured name, e.g. `acme-shopify`; the first half of every event key. */
  readonly name: string;
  readonly model: M;
  /** Bumped when `map` changes its mind about events that were already seen. Kept in the ledger as `mapping`. */
  readonly version: string;
  /** What another body under a known id is. Default: `conflict`. */
  readonly sameId?: SameId;
  /** Header names (lower-case) worth keeping in the ledger; never signatures or credentials. */
  readonly keepHeaders: readonly string[];
  /** Over the raw bytes, in constant time, before anything is parsed. Returns the id of the secret that matched; throws `BAD_SIGNATURE`, `STALE_SIGNATURE`, `BAD_HEADER` or `NO_IDENTITY`. `document` is what `evidence` asks for. */
  verify(delivery: Delivery, document?: string): string;
  /** For senders whose signature is checked against something that has to be fetched first, such as a certificate. */
  readonly evidence?: Evidence;
  /** The event's identity. `body` is the strictly parsed JSON. Throws `NO_IDENTITY` or `BAD_ENVELOPE` where the source requires what is missing. */
  identify(delivery: Delivery, body: Json, bodyHash: string): Identity;
  /** Whether this is no event but the sender asking if anybody is there: it is unsigned, gets 200 and leaves no trace. */
  ping?(delivery: Delivery): boolean;
  /** What the event says. Pure; a throw marks the event `failed` with the reason and its body. A copy of the object is in `event.fetched`. */
  map(event: Event, body: Json): S | Ignored;
  /** For senders whose events name an object without showing it. */
  readonly hydrate?: Hydrate;
  /** For senders that list what they have. */
  readonly backfill?: Backfill;
  /** For sources behind a gateway that wants to hear what became of its events. */
  readonly acknowledge?: Acknowledge;
}

/** The document that a signature is checked against. Pure: where it is, and whether it is any good; src/documents.ts does the asking. */
export interface Evidence {
  /** The hosts that it may be on, e.g. `https://api.paypal.com`. From the pack, never from a delivery. */
  readonly origins: readonly string[];
  /** Its URL, which a delivery names. Throws what `verify` throws, for that and for all that is seen to be wrong without the document. */
  urlOf(delivery: Delivery): string;
  /** Whether it vouches for the sender at that time: only such a document is kept. Never throws. */
  trusts(document: string, atMs: number): boolean;
}

/** How an object is asked for. Pure: which URL and which headers; the worker does the asking (src/hydrate.ts). */
export interface Hydrate {
  /** The one host that is asked, e.g. `https://shop.example`. From the configuration, never from a payload. */
  readonly origin: string;
  /** Undefined for an event that says everything itself. A throw counts as that. */
  wants(event: Event, body: () => Json): Wanted | undefined;
  /** What proves who asks, made of `FETCH_TOKEN_<SOURCE>`. */
  headers(token: string): Readonly<Record<string, string>>;
  /** Whether a 200 (JSON), 404 or 410 is the object's own answer, and not that of something in front of it. Default: yes. */
  accepts?(status: number, body: Json | undefined): boolean;
}

export interface Wanted {
  readonly url: string;
  /** Names the object within its source: those who want it at once are served by one request. */
  readonly object: string;
}

/**
 * How a sender's lists are read. Pure: which URL, which headers, what a page says; somebody else does the asking
 * (src/backfill). What is found becomes events of the source, for the same `map`.
 */
export interface Backfill {
  /** The one host that is asked. From the configuration: addresses in answers are never followed. */
  readonly origin: string;
  /** What proves who asks, made of `FETCH_TOKEN_<SOURCE>`. */
  headers(token: string): Readonly<Record<string, string>>;
  /** The lists that there are, those first which others refer to. */
  readonly streams: readonly string[];
  /** The lists for a range where nobody says which; `nowMs` since the epoch. Default: all. */
  streamsFor?(range: Range, nowMs: number): readonly string[];
  url(place: Place): string;
  /** The cursor to try where the sender answers 400 or 404 to one, as when the object that it names is gone. Undefined, or without this: it is an error. */
  recover?(cursor: string): string | undefined;
  /** Throws `SENDER_UNAVAILABLE` for what is no page, or not the one that was asked for: it is asked for again. */
  read(page: Page, place: Place): PageRead;
}

/** Instants in epoch nanoseconds: what changed at or after `from` and, if that is given, before `to`. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint | undefined;
}

/** Which page. */
export interface Place {
  readonly stream: string;
  readonly range: Range;
  /** What the page before said comes next; undefined: the first page. */
  readonly cursor: string | undefined;
}

export interface Page {
  /** Valid JSON. */
  readonly text: string;
  /** Milliseconds since the epoch, by the sender's clock: the answer's `Date`. */
  readonly atMs: number;
  /** The same of the first answer of the run. */
  readonly firstMs: number;
}

export interface PageRead {
  readonly found: readonly Found[];
  /** Undefined: that was the last page. */
  readonly next: string | undefined;
}

/** An event to be taken in. */
export type Found = Omit<Event, 'source' | 'receivedAtMs'>;

/** What a gateway hears of an event: it is settled, or it has failed for good. */
export type Verdict = 'ack' | 'fail';

/** How a gateway is told. Pure, as `Hydrate` is; the worker does the telling (src/acknowledge.ts). */
export interface Acknowledge {
  /** The one host that is told, from the configuration. */
  readonly origin: string;
  /** Where a verdict on an event is posted to; undefined for an id that no URL can hold. */
  urlOf(id: string, verdict: Verdict): string | undefined;
  /** What proves who reports, made of `ACKNOWLEDGE_TOKEN_<SOURCE>`. */
  headers(token: string): Readonly<Record<string, string>>;
}

/** What a configuration gives a source: its name, its live secrets, and the model it speaks. */
export interface SourceSettings {
  readonly name: string;
  readonly secrets: readonly Secret[];
  readonly model: Model;
}

/** A source pack with its options taken, waiting for a name. One pack may serve under many names. */
export type SourceBuilder = (settings: SourceSettings) => Source;

export function isIgnored(said: Mapped | Ignored): said is Ignored {
  return said.facts === undefined || said.facts.length === 0;
}
