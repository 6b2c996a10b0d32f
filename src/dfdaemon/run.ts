/** `dfdaemon`: one daemon as a process, peer or seed peer by its configuration. */
import { Command as Parser } from 'commander';
import type { Command } from '../core/command.ts';
import { aborted } from '../core/lifecycle.ts';
import { createLogger } from '../core/logger.ts';
import { announceReady } from '../core/ready.ts';
import { join } from 'node:path';
import { loadDfdaemonConfig } from './config.ts';
import { withJoinToken } from '../rpc/identity/security-config.ts';
import { DfdaemonService } from './service.ts';

const defaultConfigPath = '/etc/dragonfly/dfget.yaml';

interface Flags {
  readonly config?: string;
  readonly readyFd?: string;
  readonly verbose?: boolean;
  readonly console?: boolean;
}

export const runDfdaemon: Command = async (argv, io) => {
  const parser = new Parser('dfdaemon')
    .description('Stores, serves and fetches pieces on this node; the proxy of its container engine.')
    .option(
      '-c, --config <file>',
      `configuration file (default ${defaultConfigPath}, used when it exists; env DFGET_CONFIG)`,
    )
    .option('--ready-fd <number>', 'write one line of JSON with the bound addresses to this descriptor when serving')
    .option('--verbose', 'log debug messages')
    .option('--console', 'log to standard error rather than to the log directory')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    return (error as { exitCode?: number }).exitCode === 0 ? 0 : 2;
  }
  const flags = parser.opts<Flags>();
  const explicit = flags.config ?? io.env['DFGET_CONFIG'];
  const loaded = await loadDfdaemonConfig(explicit ?? defaultConfigPath, {
    optional: explicit === undefined,
  });
  const config = withJoinToken(loaded.config, io.env);
  const toConsole = flags.console === true || config.console;
  const logger = createLogger('dfdaemon', {
    level: flags.verbose === true || config.verbose ? 'debug' : 'info',
    ...(!toConsole && { file: join(config.logDir, 'daemon', 'core.log') }),
  });
  for (const warning of loaded.warnings) logger.warn(warning);
  await using service = await DfdaemonService.start(config, logger);
  announceReady(flags.readyFd === undefined ? undefined : Number(flags.readyFd), service.addresses);
  await Promise.race([aborted(io.signal), service.idle]);
  logger.info('dfdaemon stops');
  return 0;
};
