/** `dfdaemon`: one daemon as a process, peer or seed peer by its configuration. */
import { join } from 'node:path';
import type { Command } from '../core/command.ts';
import { aborted } from '../core/lifecycle.ts';
import { createLogger } from '../core/logger.ts';
import { announceReady } from '../core/ready.ts';
import { parseServiceFlags } from '../core/service-flags.ts';
import { withJoinToken } from '../rpc/identity/security-config.ts';
import { loadDfdaemonConfig } from './config.ts';
import { DfdaemonService } from './service.ts';

const program = {
  name: 'dfdaemon',
  description: 'Stores, serves and fetches pieces on this node; the proxy of its container engine.',
  defaultConfigPath: '/etc/dragonfly/dfget.yaml',
  configVariable: 'DFGET_CONFIG',
};

export const runDfdaemon: Command = async (argv, io) => {
  const flags = parseServiceFlags(program, argv, io);
  if (typeof flags === 'number') return flags;
  const loaded = await loadDfdaemonConfig(flags.config.path, flags.config);
  const config = withJoinToken(loaded.config, io.env);
  const toConsole = flags.console || config.console;
  const logger = createLogger('dfdaemon', {
    level: flags.verbose || config.verbose ? 'debug' : 'info',
    ...(!toConsole && { file: join(config.logDir, 'daemon', 'core.log') }),
  });
  for (const warning of loaded.warnings) logger.warn(warning);
  await using service = await DfdaemonService.start(config, logger);
  announceReady(flags.readyFd, service.addresses);
  await Promise.race([aborted(io.signal), service.idle]);
  logger.info('dfdaemon stops');
  return 0;
};
