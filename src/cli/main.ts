#!/usr/bin/env node
/** `eventgraft`: the command line. Exit codes: 0, 1 failure, 2 usage. */
import { Command, CommanderError } from 'commander';

import { sayError } from './output.ts';
import { addServiceCommands } from './service.ts';

const USAGE = 2;

const program = new Command('eventgraft')
  .description('Events in any order, any number of times; one graph out.')
  .showHelpAfterError('(see --help)')
  .exitOverride();

addServiceCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  else {
    sayError(error);
    process.exitCode = 1;
  }
}
