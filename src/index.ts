/** The library: what `import … from 'eventgraft'` gives. */
export { defineConfig, type UserConfig } from './load-config.ts';
export { IngestError, type ErrorCode } from './errors.ts';
export type { Delivery, Event, State } from './event.ts';
export { parseJson, type Json, type JsonObject } from './json.ts';
export { commerce } from './model/commerce.ts';
export type { Fact, FactOf, Mapped, MappedOf } from './model/facts.ts';
export { fold, type Changes } from './model/fold.ts';
export { formatInstant, parseInstant } from './model/instant.ts';
export { defineModel, type Model } from './model/model.ts';
export { money } from './model/money.ts';
export { boolean, first, float, integer, max, min, ranked, text, time, union, type PropertyType } from './model/values.ts';
export { facts } from './sources/facts.ts';
export { github, type GithubEvent, type GithubOptions } from './sources/github.ts';
export { idAt, integerAt, listAt, objectAt, readObject, required, textAt, timeAt, told, type Read } from './sources/read.ts';
export { shopify } from './sources/shopify.ts';
export type { Identity, Ignored, Source, SourceBuilder } from './sources/source.ts';
export { standard } from './sources/standard.ts';
export { stripe, type StripeOptions } from './sources/stripe.ts';
