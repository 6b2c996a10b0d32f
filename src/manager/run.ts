/** The manager as a program. */
import type { Command, CommandIo } from '../core/command.ts';
import { loadConfig } from '../core/config.ts';
import { aborted } from '../core/lifecycle.ts';
import { announceReady } from '../core/ready.ts';
import {
  configSource,
  parseArguments,
  readyFd,
  serviceParser,
  type ServiceFlags,
  type ServiceNames,
} from '../core/service-command.ts';
import { configNotes, managerConfigSchema, parseListenAddress, type ManagerConfig } from './config.ts';
import { backUp, restore } from './db/backup.ts';
import { managerLogger, ManagerService } from './manager-service.ts';

const names: ServiceNames = {
  name: 'manager',
  description: 'The control plane: clusters, rights, jobs, certificates; REST, console and gRPC.',
  configPath: '/etc/dragonfly/manager.yaml',
  configVariables: ['MANAGER_CONFIG'],
};

/** `manager [--config FILE]` serves until the signal aborts; `backup` and `restore` care for an embedded database. */
export const runManager: Command = async (argv, io) => {
  const parser = serviceParser(names, io);
  parser.action((flags: ServiceFlags) => serve(flags, io));
  parser
    .command('backup <directory>')
    .description('copy the embedded database and its key into a new directory; the manager may run')
    .action(async (directory: string) => backUp(await readConfig(parser.opts(), io), directory));
  parser
    .command('restore <directory>')
    .description('put such a copy in place; the manager must not run')
    .action(async (directory: string) => restore(await readConfig(parser.opts(), io), directory));
  await parseArguments(parser, argv);
  return 0;
};

async function serve(flags: ServiceFlags, io: CommandIo): Promise<void> {
  const config = await readConfig(flags, io);
  const logger = managerLogger(config, flags);
  await using manager = await ManagerService.create(config, {
    logger,
    operator: {
      encryptionKey: io.env['DRAGONFLY_ENCRYPTION_KEY'],
      encryptionSecret: io.env['DRAGONFLY_ENCRYPTION_SECRET'],
      rootPassword: io.env['DRAGONFLY_INITIAL_ROOT_PASSWORD'],
      token: io.env['DRAGONFLY_PAT'],
      joinToken: io.env['DRAGONFLY_JOIN_TOKEN'],
    },
    announceRootPassword: (password) => {
      io.stderr.write(`First start: sign in as root with the password ${password} and change it.\n`);
    },
  });
  if (io.signal.aborted) return;
  await manager.start();
  announceReady(readyFd(flags), addresses(config, manager));
  await aborted(io.signal);
  logger.info('shutting down');
}

async function readConfig(flags: ServiceFlags, io: CommandIo): Promise<ManagerConfig> {
  const { path, source } = configSource(names, flags, io.env);
  const { config, warnings } = await loadConfig(managerConfigSchema, path, source);
  for (const note of [...warnings, ...configNotes(config)]) io.stderr.write(`${note}\n`);
  return config;
}

function addresses(config: ManagerConfig, manager: ManagerService): Record<string, string> {
  const { server, network, metrics } = config;
  const grpcHost = server.grpc.listenIP ?? (network.enableIPv6 ? '::' : '0.0.0.0');
  const at = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const authority = manager.authorityFingerprint;
  return {
    ...(authority !== undefined && { authority }),
    grpc: at(grpcHost, manager.grpcPort),
    rest: at(parseListenAddress(server.rest.addr, network.enableIPv6).host, manager.restPort),
    ...(manager.metricsPort === undefined
      ? {}
      : { metrics: at(parseListenAddress(metrics.addr, network.enableIPv6).host, manager.metricsPort) }),
  };
}
