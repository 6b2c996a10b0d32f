/** `scheduler`: one scheduler as a process. */
import { join } from 'node:path';
import type { Command } from '../core/process/command.ts';
import { loadConfig } from '../core/config/config.ts';
import { aborted } from '../core/process/lifecycle.ts';
import { createLogger } from '../core/process/logger.ts';
import { withProxyEnvironment } from '../core/net/outbound-proxy.ts';
import { announceReady } from '../core/process/ready.ts';
import {
  configSource,
  readyFd,
  rotationOf,
  withAssignments,
  parseArguments,
  serviceParser,
  type ServiceFlags,
  type ServiceNames,
} from '../core/process/service-command.ts';
import { tellServiceManager } from '../core/process/service-manager.ts';
import { withJoinToken } from '../rpc/identity/security-config.ts';
import { configNotes, schedulerConfigSchema } from './config.ts';
import { SchedulerService } from './scheduler-service.ts';

const names: ServiceNames = {
  name: 'scheduler',
  description: 'Tells each downloading peer of a cluster where its pieces come from.',
  configPath: '/etc/dragonfly/scheduler.yaml',
  configVariables: ['SCHEDULER_CONFIG'],
};

export const runScheduler: Command = async (argv, io) => {
  const parser = serviceParser(names, io).option(
    '--dynconfig <file>',
    'limits and priorities of the cluster, where no manager is configured [SCHEDULER_DYNCONFIG_PATH]',
  );
  if (!(await parseArguments(parser, argv))) return 0;
  const flags = parser.opts<ServiceFlags & { readonly dynconfig?: string }>();
  const { path, source } = configSource(names, withAssignments(flags, { 'dynConfig.path': flags.dynconfig }), io.env);
  const loaded = await loadConfig(schedulerConfigSchema, path, source);
  const { job, ...rest } = withJoinToken(loaded.config, io.env);
  const outboundProxy = withProxyEnvironment(job.preheat.outboundProxy, io.env);
  const config = { ...rest, job: { ...job, preheat: { ...job.preheat, outboundProxy } } };
  const { logLevel } = config.server;
  const logDir = flags.logDir ?? config.server.logDir;
  const toConsole = flags.console === true || (config.console && flags.logDir === undefined);
  const logger = createLogger('scheduler', {
    level: flags.logLevel ?? (flags.verbose === true || config.verbose ? 'debug' : logLevel),
    ...(logDir !== undefined &&
      !toConsole && { file: { path: join(logDir, 'scheduler.log'), rotation: rotationOf(flags, config.server) } }),
  });
  for (const note of [...loaded.warnings, ...configNotes(config)]) logger.warn(note);
  await using scheduler = await SchedulerService.create(config, { logger });
  await scheduler.start();
  logger.info({ addresses: scheduler.addresses }, 'the scheduler serves');
  announceReady(readyFd(flags), { ...scheduler.addresses });
  tellServiceManager(io, logger);
  await aborted(io.signal);
  logger.info('the scheduler stops');
  return 0;
};
