/** `scheduler`: one scheduler as a process. */
import { join } from 'node:path';
import type { Command } from '../core/command.ts';
import { loadConfig } from '../core/config.ts';
import { aborted } from '../core/lifecycle.ts';
import { createLogger } from '../core/logger.ts';
import { announceReady } from '../core/ready.ts';
import { parseServiceFlags } from '../core/service-flags.ts';
import { withJoinToken } from '../rpc/identity/security-config.ts';
import { configNotes, schedulerConfigSchema } from './config.ts';
import { SchedulerService } from './scheduler-service.ts';

const program = {
  name: 'scheduler',
  description: 'Tells each downloading peer of a cluster where its pieces come from.',
  defaultConfigPath: '/etc/dragonfly/scheduler.yaml',
  configVariable: 'SCHEDULER_CONFIG',
};

export const runScheduler: Command = async (argv, io) => {
  const flags = parseServiceFlags(program, argv, io);
  if (typeof flags === 'number') return flags;
  const loaded = await loadConfig(schedulerConfigSchema, flags.config.path, flags.config);
  const config = withJoinToken(loaded.config, io.env);
  const { logDir, logLevel } = config.server;
  const logger = createLogger('scheduler', {
    level: flags.verbose ? 'debug' : logLevel,
    ...(logDir !== undefined && !flags.console && { file: join(logDir, 'scheduler.log') }),
  });
  for (const note of [...loaded.warnings, ...configNotes(config)]) logger.warn(note);
  await using scheduler = await SchedulerService.create(config, { logger });
  await scheduler.start();
  logger.info({ addresses: scheduler.addresses }, 'the scheduler serves');
  announceReady(flags.readyFd, { ...scheduler.addresses });
  await aborted(io.signal);
  logger.info('the scheduler stops');
  return 0;
};
