#!/usr/bin/env node
/** `eventgraft`: the command line. Exit codes: 0, 1 failure, 2 usage. */
import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';

import { IngestError } from '../errors.ts';
import { sayError } from './output.ts';

const FAILURE = 1;
const USAGE = 2;

/** Only the command that is run is loaded, with what it needs: for most that is a quarter of a second. Help shows all. */
const COMMANDS: readonly { group: string; names: readonly string[]; load: () => Promise<(program: Command) => void> }[] = [
  { group: 'Run:', names: ['dev', 'serve', 'work'], load: async () => (await import('./service.ts')).addServiceCommands },
  { group: 'Try:', names: ['demo'], load: async () => (await import('./demo.ts')).addDemoCommand },
  { group: 'Try:', names: ['send'], load: async () => (await import('./send.ts')).addSendCommand },
  { group: 'Try:', names: ['verify'], load: async () => (await import('./verify.ts')).addVerifyCommand },
  { group: 'Look:', names: ['events'], load: async () => (await import('./events.ts')).addEventsCommands },
  { group: 'Look:', names: ['explain'], load: async () => (await import('./explain.ts')).addExplainCommand },
  { group: 'Look:', names: ['query'], load: async () => (await import('./query.ts')).addQueryCommand },
  { group: 'Operate:', names: ['backfill'], load: async () => (await import('./backfill.ts')).addBackfillCommand },
  { group: 'Operate:', names: ['schema'], load: async () => (await import('./schema.ts')).addSchemaCommands },
  { group: 'Operate:', names: ['doctor'], load: async () => (await import('./doctor.ts')).addDoctorCommand },
];

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('eventgraft')
  .description('Events in any order, any number of times; one graph out.')
  .version(version)
  .showHelpAfterError('(see --help)')
  .exitOverride();

const named = COMMANDS.filter(({ names }) => names.includes(process.argv[2] ?? ''));
for (const { group, load } of named.length === 0 ? COMMANDS : named) {
  program.commandsGroup(group);
  (await load())(program);
}
program.commandsGroup('Help:').helpCommand('help [command]', 'how to use a command');
program.addHelpText('after', '\nWithout NEO4J_URI and REDIS_URL, commands join the `eventgraft dev` that runs in this directory.');

// `eventgraft events list | head` closes the pipe early, and that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : FAILURE));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  else {
    sayError(error);
    process.exitCode = error instanceof IngestError && error.code === 'BAD_REQUEST' ? USAGE : FAILURE;
  }
}
