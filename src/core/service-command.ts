/** The command line that every service has. */
import { CommanderError, Command as Parser } from 'commander';
import type { CommandIo } from './command.ts';
import type { ConfigSource } from './config.ts';
import { DragonflyError } from './errors.ts';

export interface ServiceNames {
  /** Program name, which is also the prefix of its variables: `scheduler`, `SCHEDULER_SERVER_PORT`. */
  readonly name: string;
  readonly description: string;
  /** File that is read when none is named, and may be absent. */
  readonly configPath: string;
  /** Variables that may name the file, the first one that is set. */
  readonly configVariables: readonly string[];
}

export interface ServiceFlags {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly readyFd?: string;
  readonly verbose?: boolean;
  readonly console?: boolean;
}

export function serviceParser(names: ServiceNames, io: CommandIo): Parser {
  const { name, description, configPath, configVariables } = names;
  return new Parser(name)
    .description(description)
    .option(
      '-c, --config <file>',
      `configuration file (default ${configPath}, if there is one) [${configVariables.join(', ')}]`,
    )
    .option(
      '--set <key=value>',
      `one key above the file; may be repeated [${name.toUpperCase()}_<KEY>]`,
      (assignment: string, before: readonly string[] | undefined) => [...(before ?? []), assignment],
    )
    .option('--ready-fd <number>', 'write one line of JSON with the bound addresses to this descriptor when serving')
    .option('--verbose', 'log debug messages')
    .option('--console', 'log to standard error rather than to the log directory')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined });
}

/** False when help was asked for and shown. Throws INVALID_ARGUMENT, and what the actions of sub-commands throw. */
export async function parseArguments(parser: Parser, argv: readonly string[]): Promise<boolean> {
  try {
    await parser.parseAsync([...argv], { from: 'user' });
    return true;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return false;
    throw new DragonflyError('INVALID_ARGUMENT', error.message.replace(/^error: /, ''), {
      hint: `Run "${parser.name()} --help" for the arguments.`,
      cause: error,
    });
  }
}

/** Where the configuration comes from: flags before the environment before the file before the defaults. */
export function configSource(
  { name, configPath, configVariables }: ServiceNames,
  flags: ServiceFlags,
  env: CommandIo['env'],
): { readonly path: string; readonly source: ConfigSource } {
  const explicit = flags.config ?? configVariables.map((variable) => env[variable]).find(Boolean);
  return {
    path: explicit ?? configPath,
    source: {
      optional: explicit === undefined,
      assignments: flags.set ?? [],
      environment: { prefix: name.toUpperCase(), env },
    },
  };
}

export function readyFd(flags: ServiceFlags): number | undefined {
  return flags.readyFd === undefined ? undefined : Number(flags.readyFd);
}
