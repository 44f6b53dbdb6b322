#!/usr/bin/env node
/** `eventgraft`: the command line. Exit codes: 0, 1 failure, 2 usage. */
import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';

import { IngestError } from '../errors.ts';
import { addBackfillCommand } from './backfill.ts';
import { addDemoCommand } from './demo.ts';
import { addDoctorCommand } from './doctor.ts';
import { addEventsCommands } from './events.ts';
import { sayError } from './output.ts';
import { addQueryCommand } from './query.ts';
import { addSchemaCommands } from './schema.ts';
import { addSendCommand } from './send.ts';
import { addServiceCommands } from './service.ts';
import { addVerifyCommand } from './verify.ts';

const FAILURE = 1;
const USAGE = 2;

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('eventgraft')
  .description('Events in any order, any number of times; one graph out.')
  .version(version)
  .showHelpAfterError('(see --help)')
  .exitOverride();

program.commandsGroup('Run:');
addServiceCommands(program);
program.commandsGroup('Try:');
addDemoCommand(program);
addSendCommand(program);
addVerifyCommand(program);
program.commandsGroup('Look:');
addEventsCommands(program);
addQueryCommand(program);
program.commandsGroup('Operate:');
addBackfillCommand(program);
addSchemaCommands(program);
addDoctorCommand(program);
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
