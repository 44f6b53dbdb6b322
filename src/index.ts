/** The library: what `import … from 'eventgraft'` gives. */
export { backfill, type BackfillOptions, type Progress } from './backfill/backfill.ts';
export type { Run } from './queue/runs.ts';
export { defineConfig, genericFile, type UserConfig } from './load-config.ts';
export { IngestError, type ErrorCode } from './errors.ts';
export type { Delivery, Event, Fetched, State } from './event.ts';
export { isJsonObject, parseJson, type Json, type JsonObject } from './json.ts';
export { commerce } from './model/commerce.ts';
export type { Fact, FactOf, Mapped, MappedOf } from './model/facts.ts';
export { fold, type Changes } from './model/fold.ts';
export { formatInstant, parseInstant } from './model/instant.ts';
export { defineModel, type Model } from './model/model.ts';
export { money } from './model/money.ts';
export { boolean, first, float, integer, max, min, ranked, text, time, union, type PropertyType } from './model/values.ts';
export type { Auth } from './sources/auth.ts';
export { cloudevents, type CloudeventsOptions } from './sources/cloudevents.ts';
export { facts } from './sources/facts.ts';
export { acknowledging, type GatewayOptions } from './sources/gateway.ts';
export { generic, type GenericOptions } from './sources/generic.ts';
export { github, type GithubEvent, type GithubOptions } from './sources/github.ts';
export { paypal, type PaypalOptions } from './sources/paypal.ts';
export { amountAt, idAt, integerAt, listAt, objectAt, readObject, required, textAt, timeAt, type Read } from './sources/read.ts';
export { segment, type SegmentOptions } from './sources/segment.ts';
export { shopify } from './sources/shopify.ts';
export type {
  Acknowledge,
  Backfill,
  Evidence,
  Found,
  Hydrate,
  Identity,
  Ignored,
  Page,
  PageRead,
  Place,
  Range,
  Source,
  SourceBuilder,
  Verdict,
  Wanted,
} from './sources/source.ts';
export { checkStamp, digestOf, header, matchHmac, requireSecrets } from './sources/signature.ts';
export { square, type SquareOptions } from './sources/square.ts';
export { standard } from './sources/standard.ts';
export { stripe, type StripeOptions } from './sources/stripe.ts';
export { woocommerce, type WoocommerceOptions } from './sources/woocommerce.ts';
