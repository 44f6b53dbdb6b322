/**
 * A mapping as data: facts in the envelope's shape, with a JMESPath expression wherever a value belongs. Expressions are
 * compiled and names held against the model once, at the start; what a body then lacks fails its own event only.
 */
import { z } from 'zod';

import { IngestError } from '../errors.ts';
import type { Json } from '../json.ts';
import { readEnvelope } from '../model/envelope.ts';
import type { Model } from '../model/model.ts';
import { resolve } from '../model/resolve.ts';
import { Decimal, type PropertyType } from '../model/values.ts';
import { compileExpression, type Expression } from './expression.ts';
import { mappingFailed } from './read.ts';

export const expression = z.string().min(1, 'must be an expression');
const keys = z.record(z.string(), expression);
const set = z.record(z.string(), z.union([expression, z.strictObject({ value: expression, absent: z.enum(['keep', 'clear']) })]));
const links = z.strictObject({ each: expression, to: keys, key: keys.exactOptional(), set: set.exactOptional() });
const name = z.string().exactOptional();
const end = keys.exactOptional();
const template = z
  .strictObject({ node: name, relationship: name, key: end, from: end, to: end, owner: end, at: expression.exactOptional() })
  .extend({ set: set.exactOptional(), links: links.exactOptional() });
const saying = template.exactOptional();

/** One row: what to say, whether (`when`), and of which items (`each`: expressions then see `item` and `body`). */
export const factSchema = z
  .strictObject({ when: expression.exactOptional(), each: expression.exactOptional() })
  .extend({ upsert: saying, remove: saying, link: saying, unlink: saying, replace: saying, clear: saying });

type Template = z.infer<typeof template>;
type Row = z.infer<typeof factSchema>;
type Compile = (text: string, path: string) => Expression;
/** What expressions see, and the body that it is part of. */
interface Sight {
  readonly see: Json;
  readonly body: Json;
}
type Say = (sight: Sight) => readonly Json[];

/** The facts that one row says of a body, in the envelope's form. Throws `BAD_CONFIG` for what the model does not have. */
export function compileFact(row: Row, path: string, model: Model): (body: Json) => readonly Json[] {
  checkNames(row, path, model);
  return buildRow(row, path, compileExpression);
}

function buildRow({ when, each, ...kinds }: Row, path: string, compileAt: Compile): (body: Json) => readonly Json[] {
  const says = Object.entries(kinds).map(([kind, said]) => ({ kind, say: buildTemplate(said, `${path}.${kind}`, compileAt) }));
  const holds = when === undefined ? undefined : compileAt(when, `${path}.when`);
  const items = each === undefined ? undefined : buildItems(each, path, compileAt);
  return (body) => {
    const sights = items === undefined ? [{ see: body, body }] : (items({ see: body, body }) ?? []);
    const heard = sights.filter(({ see }) => holds === undefined || isTrue(holds(see)));
    return heard.flatMap((sight) => says.flatMap(({ kind, say }) => say(sight).map((fact): Json => ({ [kind]: fact }))));
  };
}

function buildTemplate({ node, relationship, at, set: values, links: list, ...ends }: Template, path: string, compileAt: Compile): Say {
  const keysOf = Object.entries(ends).map(([end, parts]) => ({ end, read: buildValues(parts, `${path}.${end}`, compileAt, true) }));
  const setOf = values === undefined ? undefined : buildValues(values, `${path}.set`, compileAt, false);
  const timeOf = at === undefined ? undefined : compileAt(at, `${path}.at`);
  const { each, ...member } = list ?? { each: undefined };
  const items = each === undefined ? undefined : buildItems(each, `${path}.links`, compileAt);
  const sayMember = list === undefined ? undefined : buildTemplate(member, `${path}.links`, compileAt);
  return (sight) => {
    const { see } = sight;
    const members = items?.(sight);
    // A list that the body does not tell is not an empty one.
    if (items !== undefined && members === undefined) return [];
    const links = sayMember === undefined ? undefined : members?.flatMap(sayMember);
    const keysSaid = Object.fromEntries(keysOf.map(({ end, read }) => [end, read(see)]));
    const parts = Object.entries({ node, relationship, links, set: setOf?.(see), at: timeOf?.(see) ?? undefined });
    const said = parts.flatMap(([name, part]): [string, Json][] => (part === undefined ? [] : [[name, part]]));
    return [{ ...Object.fromEntries(said), ...keysSaid }];
  };
}

/** Undefined where there is no list. */
function buildItems(each: string, path: string, compileAt: Compile): (sight: Sight) => readonly Sight[] | undefined {
  const list = compileAt(each, `${path}.each`);
  return ({ see, body }) => {
    const items = list(see);
    if (items === null) return undefined;
    if (!Array.isArray(items)) throw mappingFailed(`${path}.each`, `${each} must give a list`);
    return items.map((item: Json) => ({ see: { item, body }, body }));
  };
}

/** A key must be there, and is text digit by digit. A property that is not there is not told, unless that was said to clear it. */
function buildValues(values: z.infer<typeof set>, path: string, compileAt: Compile, isKey: boolean): (see: Json) => Json {
  const reads = Object.entries(values).map(([part, given]) => {
    const { value, absent } = typeof given === 'string' ? { value: given, absent: 'keep' } : given;
    return { part, absent, value, read: compileAt(value, `${path}.${part}`) };
  });
  return (see) =>
    Object.fromEntries(
      reads.flatMap(({ part, absent, value, read }): [string, Json][] => {
        const said = isKey ? idOf(read(see)) : read(see);
        if (said === undefined) throw mappingFailed(`${path}.${part}`, `${value} gives no id`);
        return said === null && absent === 'keep' ? [] : [[part, said]];
      }),
    );
}

/** Text that is not empty, or an integer of any size as text. */
export function idOf(id: Json): string | undefined {
  if (typeof id === 'string') return id === '' ? undefined : id;
  return typeof id === 'bigint' || (typeof id === 'number' && Number.isSafeInteger(id)) ? String(id) : undefined;
}

/** As JMESPath has it: null, false and whatever is empty are not. */
export function isTrue(value: Json): boolean {
  if (value === null || value === false || value === '') return false;
  return typeof value !== 'object' || value instanceof Decimal || Object.keys(value).length > 0;
}

const SAMPLE = '2000-01-01T00:00:00Z';

/** With a value of the right type for each expression, the row must be one fact of an envelope, and one that the model has. */
function checkNames(row: Row, path: string, model: Model): void {
  const { when: _when, each: _each, ...kinds } = row;
  const [said] = Object.values(kinds);
  const shape = model.nodes.get(said?.node ?? '') ?? model.relationships.get(said?.relationship ?? '');
  const sample: Compile = (_text, at) => () =>
    at.endsWith('.each') ? [null] : sampleOf(shape?.properties.get(/\.set\.([^.]+)$/.exec(at)?.[1] ?? ''));
  try {
    const facts = [Object.assign({}, ...buildRow(row, path, sample)(null))];
    const envelope = readEnvelope({ id: 'sample', type: 'sample', occurredAt: SAMPLE, facts });
    resolve(model, { source: 'sample', id: 'sample', bodyHash: '' }, envelope);
  } catch (cause) {
    throw new IngestError('BAD_CONFIG', `${path}: ${messageOf(cause).replaceAll(/facts\[0\]\.?/g, '')}`, {}, cause);
  }
}

function sampleOf(type: PropertyType | undefined): Json {
  if (type?.type === 'boolean') return true;
  return type?.type === 'integer' || type?.type === 'float' ? 0 : (type?.ranks?.[0] ?? SAMPLE);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
