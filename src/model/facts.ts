/**
 * Facts as mappings and envelopes write them, typed by the model: a wrong label, key or property name does not compile.
 * The JSON form is the facts envelope (docs/facts.schema.json).
 */
import type { Declaration, Model, RelationshipDeclaration } from './model.ts';
import type { PropertyType } from './values.ts';

type In<P> = P extends PropertyType<infer I> ? I : never;

/** `source` may be left out: it defaults to the event's source. */
export type KeyOf<K> = { readonly [P in keyof K as P extends 'source' ? never : P]: In<K[P]> } & { readonly source?: string };
/** Null clears, undefined is not told: so a mapping can write what it read, and each name is checked where it stands. */
export type SetOf<S> = { readonly [P in keyof S]?: In<S[P]> | null | undefined };
type NodeKey<D extends Declaration, L> = L extends keyof D['nodes'] ? KeyOf<D['nodes'][L]['key']> : never;
type PropertiesOf<T> = T extends { readonly properties: infer P } ? P : Record<never, never>;
type EdgeKey<R> = R extends { readonly key: infer K } ? { readonly key: { readonly [P in keyof K]: In<K[P]> } } : { readonly key?: never };

interface At {
  /** RFC 3339; default: the event's `occurredAt`. */
  readonly at?: string;
}

type Where<T, C> = { [K in keyof T]: T[K] extends C ? K : never }[keyof T];

type NodeFact<D extends Declaration> = {
  [L in keyof D['nodes'] & string]: {
    readonly node: L;
    readonly key: NodeKey<D, L>;
    readonly set?: SetOf<PropertiesOf<D['nodes'][L]>>;
  } & At;
}[keyof D['nodes'] & string];

type RemoveFact<D extends Declaration> = {
  [L in Where<D['nodes'], { readonly removable: true }> & string]: { readonly node: L; readonly key: NodeKey<D, L> } & At;
}[Where<D['nodes'], { readonly removable: true }> & string];

type Ends<D extends Declaration, T extends keyof D['relationships']> = {
  readonly from: NodeKey<D, D['relationships'][T]['from']>;
  readonly to: NodeKey<D, D['relationships'][T]['to']>;
};

type LinkFact<D extends Declaration> = {
  [T in keyof D['relationships'] & string]: { readonly relationship: T; readonly set?: SetOf<PropertiesOf<D['relationships'][T]>> } & Ends<
    D,
    T
  > &
    EdgeKey<D['relationships'][T]> &
    At;
}[keyof D['relationships'] & string];

type UnlinkFact<D extends Declaration> = {
  [T in keyof D['relationships'] & string]: { readonly relationship: T } & Ends<D, T> & EdgeKey<D['relationships'][T]> & At;
}[keyof D['relationships'] & string];

type ReplaceFact<D extends Declaration> = {
  [T in Where<D['relationships'], { readonly replace: true }> & string]: {
    readonly relationship: T;
    readonly from: NodeKey<D, D['relationships'][T]['from']>;
    readonly links: readonly ({
      readonly to: NodeKey<D, D['relationships'][T]['to']>;
      readonly set?: SetOf<PropertiesOf<D['relationships'][T]>>;
    } & EdgeKey<D['relationships'][T]>)[];
  } & At;
}[Where<D['relationships'], { readonly replace: true }> & string];

type OwnerKey<D extends Declaration, R extends RelationshipDeclaration> = R extends { readonly one: 'from' }
  ? NodeKey<D, R['to']>
  : NodeKey<D, R['from']>;

type ClearFact<D extends Declaration> = {
  [T in Where<D['relationships'], { readonly one: 'from' | 'to' }> & string]: {
    readonly relationship: T;
    readonly owner: OwnerKey<D, D['relationships'][T]>;
  } & At;
}[Where<D['relationships'], { readonly one: 'from' | 'to' }> & string];

type Raw = Readonly<Record<string, unknown>>;

/** A fact of whatever model: what an envelope may say, and what every model's facts can be passed on as. */
export type AnyFact =
  | { readonly upsert: { readonly node: string; readonly key: Raw; readonly set?: Raw } & At }
  | { readonly remove: { readonly node: string; readonly key: Raw } & At }
  | { readonly link: { readonly relationship: string; readonly from: Raw; readonly to: Raw; readonly key?: Raw; readonly set?: Raw } & At }
  | { readonly unlink: { readonly relationship: string; readonly from: Raw; readonly to: Raw; readonly key?: Raw } & At }
  | {
      readonly replace: {
        readonly relationship: string;
        readonly from: Raw;
        readonly links: readonly { readonly to: Raw; readonly key?: Raw; readonly set?: Raw }[];
      } & At;
    }
  | { readonly clear: { readonly relationship: string; readonly owner: Raw } & At };

/** One fact of a mapping under the model declared by D; without D, of any model. */
export type Fact<D extends Declaration = Declaration> = Declaration extends D ? AnyFact : TypedFact<D>;

type TypedFact<D extends Declaration> =
  | { readonly upsert: NodeFact<D> }
  | { readonly remove: RemoveFact<D> }
  | { readonly link: LinkFact<D> }
  | { readonly unlink: UnlinkFact<D> }
  | { readonly replace: ReplaceFact<D> }
  | { readonly clear: ClearFact<D> };

/** What a mapping says of one event. No facts: the event is `ignored`. */
export type Mapped<D extends Declaration = Declaration> = Said<Fact<D>>;

interface Said<F> {
  readonly type: string;
  /** RFC 3339: when it happened, by the sender. */
  readonly occurredAt: string;
  readonly observedAt?: string;
  /** Breaks ties of time. */
  readonly sequence?: number | bigint;
  readonly occurrenceId?: string;
  readonly subject?: { readonly node: string; readonly key: Readonly<Record<string, string>> };
  readonly facts: readonly F[];
}

/** The facts type of a model value: `FactOf<typeof commerce>`. */
export type FactOf<M> = M extends Model<infer D> ? Fact<D> : never;
export type MappedOf<M> = M extends Model<infer D> ? Mapped<D> : never;
