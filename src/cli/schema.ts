/** `schema print|apply|check`: the graph's schema, as the model derives it. */
import type { Command } from 'commander';

import { IngestError } from '../errors.ts';
import { describeSchema } from '../graph/schema-page.ts';
import { applySchema, checkSchema, ruleCypher, schemaOf } from '../graph/schema.ts';
import { findGraph, graphAddress, loadReader, withGraph } from './context.ts';
import { print, printJson, say } from './output.ts';

interface PrintOptions {
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly cypher?: boolean;
}

interface JsonOption {
  readonly json?: boolean;
}

export function addSchemaCommands(program: Command): void {
  const schema = program.command('schema').description('labels, keys, properties and relationships, and the constraints behind them');
  schema
    .command('print')
    .description('the page for analysts, with counts and examples where there is a graph')
    .option('--markdown', 'as Markdown (the default)')
    .option('--json', 'as one JSON object')
    .option('--cypher', 'the constraints and indexes as Cypher, without asking a graph')
    .action(printSchema);
  schema
    .command('apply')
    .description('make the constraints and indexes that are missing; changes nothing else')
    .option('--json', 'print one JSON object')
    .action(apply);
  schema
    .command('check')
    .description('tell what is missing; exit 1 if anything is')
    .option('--json', 'print one JSON object')
    .action(check);
}

async function printSchema({ json, markdown, cypher }: PrintOptions): Promise<void> {
  if ([json, markdown, cypher].filter((one) => one === true).length > 1)
    throw new IngestError('BAD_REQUEST', 'give one of --markdown, --json and --cypher');
  const { config, setup } = await loadReader();
  if (cypher === true) {
    for (const rule of schemaOf(setup.model)) print(`${ruleCypher(rule)};`);
    return;
  }
  const address = findGraph(config);
  if (address === undefined) say('No graph to count in; this is the model alone.');
  const page =
    address === undefined
      ? await describeSchema(undefined, setup.model)
      : await withGraph(address, (bolt) => describeSchema(bolt, setup.model));
  if (json === true) printJson(page.json);
  else print(page.markdown.trimEnd());
}

async function apply({ json }: JsonOption): Promise<void> {
  const { config, setup } = await loadReader();
  const { missing, rules } = await withGraph(graphAddress(config), async (bolt) => ({
    missing: await checkSchema(bolt, setup.model),
    rules: await applySchema(bolt, setup.model),
  }));
  if (json === true) printJson({ made: missing, rules: rules.map((rule) => rule.name) });
  else {
    for (const problem of missing) print(problem.replace(/^[^:]+/, 'made'));
    say(
      missing.length === 0
        ? `All ${rules.length} constraints and indexes were there.`
        : `${rules.length} constraints and indexes are there.`,
    );
  }
}

async function check({ json }: JsonOption): Promise<void> {
  const { config, setup } = await loadReader();
  const problems = await withGraph(graphAddress(config), (bolt) => checkSchema(bolt, setup.model));
  if (json === true) printJson({ ok: problems.length === 0, problems });
  else for (const problem of problems) print(problem);
  if (problems.length > 0) {
    say('Make them with `eventgraft schema apply`.');
    process.exitCode = 1;
  } else say("The schema is the model's.");
}
