/** `scheduler`: one scheduler as a process. */
import { join } from 'node:path';
import { Command as Parser } from 'commander';
import type { Command } from '../core/command.ts';
import { loadConfig } from '../core/config.ts';
import { aborted } from '../core/lifecycle.ts';
import { createLogger } from '../core/logger.ts';
import { announceReady } from '../core/ready.ts';
import { withJoinToken } from '../rpc/identity/security-config.ts';
import { configNotes, schedulerConfigSchema } from './config.ts';
import { SchedulerService } from './scheduler-service.ts';

const defaultConfigPath = '/etc/dragonfly/scheduler.yaml';

interface Flags {
  readonly config?: string;
  readonly readyFd?: string;
  readonly verbose?: boolean;
  readonly console?: boolean;
}

export const runScheduler: Command = async (argv, io) => {
  const parser = new Parser('scheduler')
    .description('Tells each downloading peer of a cluster where its pieces come from.')
    .option(
      '-c, --config <file>',
      `configuration file (default ${defaultConfigPath}, used when it exists; env SCHEDULER_CONFIG)`,
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
  const explicit = flags.config ?? io.env['SCHEDULER_CONFIG'];
  const loaded = await loadConfig(schedulerConfigSchema, explicit ?? defaultConfigPath, {
    optional: explicit === undefined,
  });
  const config = withJoinToken(loaded.config, io.env);
  const { logDir, logLevel } = config.server;
  const logger = createLogger('scheduler', {
    level: flags.verbose === true ? 'debug' : logLevel,
    ...(logDir !== undefined && flags.console !== true ? { file: join(logDir, 'scheduler.log') } : {}),
  });
  for (const note of [...loaded.warnings, ...configNotes(config)]) logger.warn(note);
  await using scheduler = await SchedulerService.create(config, { logger });
  await scheduler.start();
  logger.info({ addresses: scheduler.addresses }, 'the scheduler serves');
  announceReady(flags.readyFd === undefined ? undefined : Number(flags.readyFd), { ...scheduler.addresses });
  await aborted(io.signal);
  logger.info('the scheduler stops');
  return 0;
};
