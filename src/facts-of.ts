/** What today's mapping says of an event, for people to look at; nothing is written. */
import type { FactsOf } from './graph/event-view.ts';
import { parseJson } from './json.ts';
import { Decimal } from './model/values.ts';
import { atOnce } from './sources/at-once.ts';
import type { Source } from './sources/source.ts';

/** Facts in the form of the envelope; none where the source is gone, ignores the event, or cannot map it. */
export function createFactsOf(sources: ReadonlyMap<string, Source>): FactsOf {
  return (event) => {
    const source = sources.get(event.source);
    if (source === undefined) return [];
    try {
      const said = atOnce(source.map(event, parseJson(event.body)), 'map');
      return (said.facts ?? []).map(plain);
    } catch {
      return [];
    }
  };
}

/** JSON has one kind of number: what a double would round is written as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (value instanceof Decimal) return value.text;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([name, item]) => (item === undefined ? [] : [[name, plain(item)]])));
}
