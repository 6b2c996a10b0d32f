/** The command line that every service has. */
import { existsSync } from 'node:fs';
import { CommanderError, Option, Command as Parser } from 'commander';
import type { CommandIo } from './command.ts';
import { logRotation, type ConfigSource } from '../config/config.ts';
import { DragonflyError } from '../errors.ts';
import type { LogRotation } from '../files/rotating-file.ts';
import { parseBytes } from '../units.ts';
import { usageError } from '../usage-error.ts';

export interface ServiceNames {
  /** Program name, also the prefix of its environment variables: `scheduler`, `SCHEDULER_SERVER_PORT`. */
  readonly name: string;
  readonly description: string;
  /** Default configuration file, which may be absent. */
  readonly configPath: string;
  /** Used when no file is named and the default one is absent. */
  readonly otherConfigPath?: string;
  /** Variables that may name the file; the first one that is set counts. */
  readonly configVariables: readonly string[];
}

export interface ServiceFlags {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly readyFd?: string;
  readonly verbose?: boolean;
  readonly console?: boolean;
  readonly logLevel?: LogLevel;
  readonly logDir?: string;
  readonly logMaxFiles?: string;
  readonly logMaxFileSize?: string;
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;
type LogLevel = (typeof logLevels)[number];

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
    .addOption(new Option('-l, --log-level <level>', `least important messages that are logged`).choices(logLevels))
    .option('--log-dir <directory>', 'directory of the log, above the configuration')
    .option('--log-max-files <number>', 'log files put aside that are kept, above the configuration')
    .option('--log-max-file-size <size>', 'size at which the log file is put aside, above the configuration')
    .option('--console', 'log to standard error rather than to the log directory')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined });
}

/** False when help was requested and shown. Throws INVALID_ARGUMENT, and errors of sub-commands. */
export async function parseArguments(parser: Parser, argv: readonly string[]): Promise<boolean> {
  try {
    await parser.parseAsync([...argv], { from: 'user' });
    return true;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return false;
    throw usageError(error, `Run "${parser.name()} --help" for the arguments.`);
  }
}

/** The sources of the configuration: flags override the environment, which overrides the file, which overrides the defaults. */
export function configSource(
  { name, configPath, otherConfigPath, configVariables }: ServiceNames,
  flags: ServiceFlags,
  env: CommandIo['env'],
): { readonly path: string; readonly source: ConfigSource } {
  const explicit = flags.config ?? configVariables.map((variable) => env[variable]).find(Boolean);
  const standard = otherConfigPath !== undefined && !existsSync(configPath) ? otherConfigPath : configPath;
  return {
    path: explicit ?? standard,
    source: {
      optional: explicit === undefined,
      assignments: flags.set ?? [],
      environment: { prefix: name.toUpperCase(), env },
    },
  };
}

/** Flags that are shorthand for a configuration key, as with `--set`. */
export function withAssignments<F extends ServiceFlags>(
  flags: F,
  keys: Readonly<Record<string, string | undefined>>,
): F {
  const given = Object.entries(keys).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  return { ...flags, set: [...(flags.set ?? []), ...given] };
}

/** @param keys of the configuration. Throws INVALID_ARGUMENT for malformed flags. */
export function rotationOf(flags: ServiceFlags, keys: Parameters<typeof logRotation>[0]): LogRotation {
  const rotation = logRotation(keys);
  const { logMaxFiles, logMaxFileSize } = flags;
  if (logMaxFiles !== undefined && !/^\d{1,6}$/.test(logMaxFiles)) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${logMaxFiles}" is not a number of files`, {
      hint: 'Write for example --log-max-files 6.',
    });
  }
  return {
    ...rotation,
    ...(logMaxFiles !== undefined && { maxBackups: Number(logMaxFiles) }),
    ...(logMaxFileSize !== undefined && { maxBytes: parseBytes(logMaxFileSize) }),
  };
}

export function readyFd(flags: ServiceFlags): number | undefined {
  return flags.readyFd === undefined ? undefined : Number(flags.readyFd);
}
