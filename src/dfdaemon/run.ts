/** `dfdaemon`: one daemon as a process, peer or seed peer by its configuration. */
import { join } from 'node:path';
import type { Command } from '../core/process/command.ts';
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
import { loadDfdaemonConfig } from './config.ts';
import { reloadOnChange } from './config-reload.ts';
import { DfdaemonService } from './service.ts';

const names: ServiceNames = {
  name: 'dfdaemon',
  description: 'Stores, serves and fetches pieces on this node; the proxy of its container engine.',
  configPath: '/etc/dragonfly/dfget.yaml',
  // The path that the Rust client uses; files of both generations are read.
  otherConfigPath: '/etc/dragonfly/dfdaemon.yaml',
  configVariables: ['DFDAEMON_CONFIG', 'DFGET_CONFIG'],
};

export const runDfdaemon: Command = async (argv, io) => {
  const parser = serviceParser(names, io).option(
    '--dynconfig <file>',
    'schedulers and block list, where neither a manager nor schedulers are configured [DFDAEMON_DYNCONFIG]',
  );
  if (!(await parseArguments(parser, argv))) return 0;
  const flags = parser.opts<ServiceFlags & { readonly dynconfig?: string }>();
  const { path, source } = configSource(names, withAssignments(flags, { dynconfig: flags.dynconfig }), io.env);
  const load = () => loadDfdaemonConfig(path, source);
  const loaded = await load();
  const { download, ...rest } = withJoinToken(loaded.config, io.env);
  const outboundProxy = withProxyEnvironment(download.outboundProxy, io.env);
  const config = { ...rest, download: { ...download, outboundProxy } };
  const toConsole = flags.console === true || (config.console && flags.logDir === undefined);
  const logger = createLogger('dfdaemon', {
    level: flags.logLevel ?? (flags.verbose === true || config.verbose ? 'debug' : 'info'),
    ...(!toConsole && {
      file: { path: join(flags.logDir ?? config.logDir, 'daemon', 'core.log'), rotation: rotationOf(flags, config) },
    }),
  });
  for (const warning of loaded.warnings) logger.warn(warning);
  await using service = await DfdaemonService.start(config, logger);
  await using _reload =
    config.reload.interval > 0
      ? reloadOnChange({ path, running: loaded.config, load, apply: (fresh) => service.reconfigure(fresh), logger })
      : undefined;
  announceReady(readyFd(flags), service.addresses);
  tellServiceManager(io, logger);
  await Promise.race([aborted(io.signal), service.idle]);
  logger.info('dfdaemon stops');
  return 0;
};
