/** `explain`: why the graph says of a node what it says. */
import type { Command } from 'commander';

import { IngestError } from '../errors.ts';
import {
  createExplainer,
  narrow,
  type Cause,
  type EdgeStory,
  type Explanation,
  type PropertyStory,
  type Statement,
} from '../explain/explain.ts';
import { createEventReader } from '../graph/events.ts';
import type { Model } from '../model/model.ts';
import { parseNodeId } from '../model/refs.ts';
import { graphAddress, loadReader, withGraph } from './context.ts';
import { cellText, print, printJson, say, table } from './output.ts';

interface Options {
  readonly whyNot?: string;
  readonly json?: boolean;
}

export function addExplainCommand(program: Command): void {
  program
    .command('explain <label> <key...>')
    .description('which event won every property and relationship of a node, what others said, and why they lost')
    .usage('[options] <label> <key…> [property or relationship], e.g. Order acme-shopify 1001 status')
    .option('--why-not <value>', 'only what said this value, and why the graph does not')
    .option('--json', 'print one JSON object')
    .action(explain);
}

async function explain(label: string, rest: readonly string[], { whyNot, json }: Options): Promise<void> {
  const { config, setup } = await loadReader();
  const { id, about } = readNode(setup.model, label, rest);
  if (whyNot !== undefined && about === undefined) throw usage('--why-not wants a property after the key');
  const whole = await withGraph(graphAddress(config), (bolt) =>
    createExplainer(bolt, setup.model, { events: createEventReader(bolt), sources: setup.sources }).explain(id),
  );
  const found = narrow(whole, { about, value: whyNot });
  if (json === true) printJson(found);
  else printExplanation(found, about);
  if (whyNot !== undefined && found.properties.every(({ said }) => said.length === 0))
    say(`No event that mentions ${found.entity} says ${about} is ${whyNot}.`);
  if (found.more) say('There are more events or relationships than were read: what is older may be missing above.');
}

/** A label, as many key parts as it has, and then perhaps a name; or an id such as `Order/acme-shopify/1001` and perhaps a name. */
function readNode(model: Model, label: string, rest: readonly string[]): { id: string; about: string | undefined } {
  const shape = model.nodes.get(label);
  if (shape === undefined) throw usage(`the model has no ${label}; it has ${[...model.nodes.keys()].join(', ')}`);
  const parts = shape.key.length;
  if (rest.length < parts || rest.length > parts + 1)
    throw usage(
      `${label} has the key ${shape.key.map(({ name }) => name).join(', ')}: give ${parts === 1 ? 'that' : `these ${parts}`}, and perhaps a property`,
    );
  const id = [label, ...rest.slice(0, parts).map(encodeURIComponent)].join('/');
  const about = rest[parts];
  const types = [...model.relationships.values()].filter(({ from, to }) => from === shape || to === shape).map(({ type }) => type);
  const names = [...shape.properties.keys(), ...types];
  if (about !== undefined && !names.includes(about)) throw usage(`${label} has no ${about}; it has ${names.join(', ')}`);
  const ref = parseNodeId(model, id);
  if (ref === undefined) throw usage(`${id} is no key of a ${label}`);
  return { id: ref.id, about };
}

function printExplanation(found: Explanation, about: string | undefined): void {
  print(`${found.entity}  ${found.state}`);
  if (found.existsBy !== null) print(`  exists by   ${nameCause(found.existsBy)}`);
  if (found.removedBy !== null) print(`  removed by  ${nameCause(found.removedBy)}`);
  if (about === undefined) {
    printTable('properties', ['property', 'value', 'by', 'at', 'mapping'], found.properties.map(propertyRow));
    printTable('relationships', ['relationship', 'state', 'by', 'at', 'mapping'], found.relationships.map(edgeRow));
    printTable('events', ['at', 'event', 'type', 'state', 'mapping'], found.events.map(eventRow));
    return;
  }
  for (const story of found.properties) printProperty(story);
  for (const edge of found.relationships) {
    print(`\n${edge.relationship}  ${edge.state}`);
    printStatements(edge.said);
    edge.properties.forEach(printProperty);
  }
}

function printProperty({ name, value, rule, said }: PropertyStory): void {
  print(`\n${name} = ${value === null ? '(nothing)' : cellText(value)}${rule === 'last' ? '' : `  (${rule})`}`);
  printStatements(said);
}

function printStatements(said: readonly Statement[]): void {
  for (const { by, value, outcome, because } of said) {
    const word = value === undefined ? '' : `${value === null ? '(cleared)' : cellText(value)}  `;
    print(`  ${outcome.padEnd(4)}  ${word}${nameCause(by)}${because === null ? '' : `: ${because}`}`);
  }
}

function printTable(title: string, headers: readonly string[], rows: readonly (readonly unknown[])[]): void {
  if (rows.length > 0) print(`\n${title}\n${table(headers, rows)}`);
}

function propertyRow({ name, value, by }: PropertyStory): unknown[] {
  return [name, value, by?.event, by?.at, by?.mapping];
}

function edgeRow({ relationship, state, by }: EdgeStory): unknown[] {
  return [relationship, state, by?.event, by?.at, by?.mapping];
}

function eventRow({ at, event, type, state, mapping }: Cause): unknown[] {
  return [at, event, type, state, mapping];
}

function nameCause({ event, type, at, mapping }: Cause): string {
  return `${event}${type === null ? '' : ` (${type})`} at ${at}${mapping === null ? '' : `, mapping ${mapping}`}`;
}

function usage(message: string): IngestError {
  return new IngestError('BAD_REQUEST', message);
}
