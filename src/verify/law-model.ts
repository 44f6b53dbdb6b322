/**
 * The model on which the law itself is checked: every merge rule, a tie-break, labels that may be removed and one that
 * may not, and every combination of relationship options.
 */
import { defineModel } from '../model/model.ts';
import { boolean, first, float, integer, max, min, ranked, text, time, union } from '../model/values.ts';

const properties = {
  x: integer,
  y: text,
  status: text,
  seenAt: time,
  flag: boolean,
  low: min(integer),
  high: max(float),
  origin: first(text),
  tags: union(text),
  grade: ranked(['bronze', 'silver', 'gold']),
} as const;
const edgeProperties = { q: integer, note: text } as const;
const line = { line: text } as const;
const tieBreak = { status: ['pending', 'paid', 'fulfilled'] } as const;

const ab = { from: 'A', to: 'B', properties: edgeProperties } as const;
const aa = { from: 'A', to: 'A', properties: edgeProperties } as const;

export const law = defineModel({
  nodes: {
    A: { key: { source: text, id: text }, properties, tieBreak, removable: true },
    B: { key: { id: text }, properties, tieBreak, removable: true },
    /** Never removed; its key has a time in it. */
    Hub: { key: { name: text, since: time }, properties: { x: integer, tags: union(text), firstAt: min(time) } },
  },
  relationships: {
    // each B has one A; each A has one B
    PLACED: { ...ab, one: 'from', missing: 'stub' },
    PLACED_PARK: { ...ab, one: 'from', missing: 'park' },
    OWNS: { ...ab, one: 'from', replace: true, missing: 'stub' },
    OWNS_PARK: { ...ab, one: 'from', replace: true, missing: 'park' },
    BOUGHT: { ...ab, one: 'to', missing: 'stub' },
    BOUGHT_PARK: { ...ab, one: 'to', missing: 'park' },
    PICKS: { ...ab, one: 'to', replace: true, missing: 'stub' },
    PICKS_PARK: { ...ab, one: 'to', replace: true, missing: 'park' },
    // many to many
    TAGS: { ...ab, missing: 'stub' },
    REFUNDS: { ...ab, missing: 'park' },
    LISTS: { ...ab, replace: true, missing: 'stub' },
    LISTS_PARK: { ...ab, replace: true, missing: 'park' },
    // parallel edges, told apart by a key
    RATES: { ...ab, key: line, missing: 'stub' },
    RATES_PARK: { ...ab, key: { at: time, line: text }, missing: 'park' },
    CONTAINS: { ...ab, key: line, replace: true, missing: 'stub' },
    CONTAINS_PARK: { ...ab, key: line, replace: true, missing: 'park' },
    // both ends of one label, self-loops included
    REFERS: { ...aa, missing: 'stub' },
    REFERS_PARK: { ...aa, missing: 'park' },
    FRIENDS: { ...aa, replace: true, missing: 'stub' },
    FRIENDS_PARK: { ...aa, key: line, replace: true, missing: 'park' },
    BOSS: { ...aa, one: 'to', missing: 'stub' },
    BOSS_PARK: { ...aa, one: 'to', missing: 'park' },
    LEADS: { ...aa, one: 'from', replace: true, missing: 'stub' },
    LEADS_PARK: { ...aa, one: 'from', missing: 'park' },
    // one end that cannot be removed
    USES: { from: 'A', to: 'Hub', properties: edgeProperties, missing: 'stub' },
    JOINS: { from: 'A', to: 'Hub', one: 'to', properties: edgeProperties, missing: 'stub' },
    JOINS_PARK: { from: 'A', to: 'Hub', one: 'to', properties: edgeProperties, missing: 'park' },
    SERVES: { from: 'Hub', to: 'B', properties: edgeProperties, replace: true, missing: 'stub' },
    SERVES_PARK: { from: 'Hub', to: 'B', one: 'from', properties: edgeProperties, missing: 'park' },
    // the same, and it is the one with the slot
    CARRIES: { from: 'Hub', to: 'B', one: 'to', properties: edgeProperties, missing: 'stub' },
    HOSTS_PARK: { from: 'A', to: 'Hub', one: 'from', properties: edgeProperties, missing: 'park' },
    // two ends that cannot be removed
    NEXT: { from: 'Hub', to: 'Hub', one: 'to', properties: edgeProperties, missing: 'stub' },
    NEXT_PARK: { from: 'Hub', to: 'Hub', properties: edgeProperties, replace: true, missing: 'park' },
  },
});
