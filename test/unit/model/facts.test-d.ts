import type { commerce, CommerceFact, CommerceLine } from '../../../src/model/commerce.ts';
import type { Fact, FactOf, Mapped, MappedOf } from '../../../src/model/facts.ts';
import type { Ignored, Source } from '../../../src/sources/source.ts';
export const ok: FactOf<typeof commerce>[] = [
  { upsert: { node: 'Order', key: { id: '1' }, set: { status: 'paid', totalMinor: 3n, name: null } } },
  { link: { relationship: 'PLACED', from: { id: 'c' }, to: { id: '1' } } },
  { link: { relationship: 'CONTAINS', from: { id: 'c' }, to: { id: '1' }, key: { line: '1' }, set: { quantity: 1 } } },
  { remove: { node: 'Customer', key: { id: 'c' } } },
  { clear: { relationship: 'HAS_EMAIL', owner: { id: 'c' } } },
  { link: { relationship: 'HAS_EMAIL', from: { id: 'c' }, to: { address: 'a@b' } } },
  { replace: { relationship: 'CONTAINS', from: { id: '1' }, links: [{ to: { id: 'p' }, key: { line: '1' } }] } },
  // What was not told need not be left out by a function, behind which names would go unchecked.
  { upsert: { node: 'Order', key: { id: '1' }, set: { name: undefined, totalMinor: undefined } } },
];
export const bad: FactOf<typeof commerce>[] = [
  // @ts-expect-error
  { upsert: { node: 'Ordr', key: { id: '1' } } },
  // @ts-expect-error
  { upsert: { node: 'Order', key: { id: '1' }, set: { stats: 'x' } } },
  // @ts-expect-error
  { upsert: { node: 'Order', key: { id: '1' }, set: { name: undefined, stats: undefined } } },
  // @ts-expect-error
  { upsert: { node: 'Order', key: { id: undefined } } },
  // @ts-expect-error
  { upsert: { node: 'Order', key: { idd: '1' } } },
  // @ts-expect-error
  { upsert: { node: 'Order', key: { id: '1' }, set: { totalMinor: 'x' } } },
  // @ts-expect-error
  { link: { relationship: 'CONTAINS', from: { id: 'c' }, to: { id: '1' } } },
  // @ts-expect-error
  { remove: { node: 'Product', key: { id: 'c' } } },
  // @ts-expect-error
  { replace: { relationship: 'PLACED', from: { id: 'c' }, links: [] } },
  // @ts-expect-error
  { link: { relationship: 'PLACED', from: { id: 'c' }, to: { id: '1' }, key: { line: '1' } } },
  // @ts-expect-error
  { clear: { relationship: 'CONTAINS', owner: { id: 'c' } } },
];
/** Facts of a model are facts, and so are what they are part of. */
export const passedOn = (mapped: MappedOf<typeof commerce>): Mapped => mapped;
export const anyModel: Fact[] = [...ok, { remove: { node: 'X', key: { id: '1' } } }, { clear: { relationship: 'R', owner: { id: '1' } } }];
export const anySource = (source: Source<(typeof commerce)['declaration']>): Source => source;

const said = { type: 't', occurredAt: '2026-11-21T09:00:00Z' };
type Said = MappedOf<typeof commerce> | Ignored;
export const saying: (() => Said)[] = [
  () => ({ type: 't' }),
  () => ({ ...said, facts: [{ remove: { node: 'Order', key: { id: '1' } } }] }),
];
/** Facts that are wrong do not pass for an event that is ignored. */
export const notSaying: (() => Said)[] = [
  // @ts-expect-error
  () => ({ ...said, facts: [{ remove: { node: 'Ordr', key: { id: '1' } } }] }),
  // @ts-expect-error
  () => ({ ...said, facts: [{ upsert: { node: 'Order', key: { id: '1' }, set: { totalMajor: 1 } } }] }),
  // @ts-expect-error
  () => ({ type: 't', facts: [{ remove: { node: 'Order', key: { id: '1' } } }] }),
];

/** As packs say them: what is read may be undefined or null, and each name is checked where it stands. */
declare const read: string | null | undefined;
declare const minor: bigint | undefined;
export const inPacks = (id: string): CommerceFact[] => [
  { upsert: { node: 'Payment', key: { id }, set: { status: read, amountMinor: minor, method: read } } },
  // @ts-expect-error a name that the label does not have, though others have it
  { upsert: { node: 'Payment', key: { id }, set: { status: read, title: read } } },
  // @ts-expect-error the same where nothing was read
  { upsert: { node: 'Refund', key: { id }, set: { amountMinor: minor, status: undefined } } },
  // @ts-expect-error a typing error
  { upsert: { node: 'Order', key: { id }, set: { totalMajor: minor } } },
  // @ts-expect-error a number's place
  { upsert: { node: 'Order', key: { id }, set: { totalMinor: read } } },
];
export const line = (id: string): CommerceLine => ({ to: { id }, key: { line: id }, set: { quantity: 1, sku: read } });
export const badLine = (id: string): CommerceLine => ({
  to: { id },
  key: { line: id },
  // @ts-expect-error a name that lines do not have
  set: { quantity: 1, price: minor },
});
