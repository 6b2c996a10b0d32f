/** The command line that all services share: where the configuration is, how much is logged and to where. */
import { Command as Parser } from 'commander';
import type { CommandIo } from './command.ts';

export interface ServiceProgram {
  readonly name: string;
  readonly description: string;
  /** Read when it exists and no other file is named. */
  readonly defaultConfigPath: string;
  /** Environment variable that names the file. */
  readonly configVariable: string;
}

export interface ServiceFlags {
  /** The file to read; `optional` when it is only the default. */
  readonly config: { readonly path: string; readonly optional: boolean };
  readonly readyFd: number | undefined;
  readonly verbose: boolean;
  readonly console: boolean;
}

/** The exit code when there is nothing to run: help was asked for, or the words are wrong, which has been said. */
export function parseServiceFlags(
  { name, description, defaultConfigPath, configVariable }: ServiceProgram,
  argv: readonly string[],
  io: CommandIo,
): ServiceFlags | number {
  const parser = new Parser(name)
    .description(description)
    .option(
      '-c, --config <file>',
      `configuration file (default ${defaultConfigPath}, used when it exists; env ${configVariable})`,
    )
    .option('--ready-fd <number>', 'write one line of JSON with the bound addresses to this descriptor when serving')
    .option('--verbose', 'log debug messages')
    .option('--console', 'log to standard error rather than to the log directory');
  const code = parseOrExit(parser, argv, io);
  if (code !== undefined) return code;
  const flags = parser.opts<{ config?: string; readyFd?: string; verbose?: boolean; console?: boolean }>();
  const explicit = flags.config ?? io.env[configVariable];
  return {
    config: { path: explicit ?? defaultConfigPath, optional: explicit === undefined },
    readyFd: flags.readyFd === undefined ? undefined : Number(flags.readyFd),
    verbose: flags.verbose === true,
    console: flags.console === true,
  };
}

/** Undefined when the words are right, else the exit code; what the parser has to say goes to the program's output. */
function parseOrExit(parser: Parser, argv: readonly string[], io: CommandIo): number | undefined {
  parser.exitOverride();
  parser.configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) });
  try {
    parser.parse(argv, { from: 'user' });
    return undefined;
  } catch (error) {
    return (error as { exitCode?: number }).exitCode === 0 ? 0 : 2;
  }
}
