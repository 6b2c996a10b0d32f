/** The manager as a program. */
import type { Command, CommandIo } from '../core/process/command.ts';
import { loadConfig } from '../core/config/config.ts';
import { aborted } from '../core/process/lifecycle.ts';
import { withProxyEnvironment } from '../core/net/outbound-proxy.ts';
import { announceReady } from '../core/process/ready.ts';
import {
  configSource,
  parseArguments,
  readyFd,
  serviceParser,
  type ServiceFlags,
  type ServiceNames,
} from '../core/process/service-command.ts';
import { tellServiceManager } from '../core/process/service-manager.ts';
import { hostPort } from '../core/net/host-port.ts';
import { configNotes, managerConfigSchema, parseListenAddress, type ManagerConfig } from './config.ts';
import { openSecrets, type OperatorSecrets } from './access/access.ts';
import { backUp, restore } from './db/backup.ts';
import { Database } from './db/database.ts';
import { importOriginal } from './import/import-original.ts';
import { OriginalDatabase } from './import/original-database.ts';
import { managerLogger, ManagerService } from './manager-service.ts';

const names: ServiceNames = {
  name: 'manager',
  description: 'The control plane: clusters, rights, jobs, certificates; REST, console and gRPC.',
  configPath: '/etc/dragonfly/manager.yaml',
  configVariables: ['MANAGER_CONFIG'],
};

/** `manager [--config FILE]` serves until the signal aborts; `backup` and `restore` are for an embedded database. */
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
  parser
    .command('import <original>')
    .description('take over what a manager of the original has in its database; its manager.yaml tells where that is')
    .action(async (original: string) => importFrom(original, await readConfig(parser.opts(), io), io));
  await parseArguments(parser, argv);
  return 0;
};

async function serve(flags: ServiceFlags, io: CommandIo): Promise<void> {
  const { job, ...rest } = await readConfig(flags, io);
  const outboundProxy = withProxyEnvironment(job.preheat.outboundProxy, io.env);
  const config = { ...rest, job: { ...job, preheat: { ...job.preheat, outboundProxy } } };
  const logger = managerLogger(config, flags);
  await using manager = await ManagerService.create(config, {
    logger,
    operator: operatorSecrets(io),
    announceRootPassword: (password) => {
      io.stderr.write(`First start: sign in as root with the password ${password} and change it.\n`);
    },
  });
  if (io.signal.aborted) return;
  await manager.start();
  announceReady(readyFd(flags), addresses(config, manager));
  tellServiceManager(io, logger);
  await aborted(io.signal);
  logger.info('shutting down');
}

function operatorSecrets({ env }: CommandIo): OperatorSecrets {
  return {
    encryptionKey: env['DRAGONFLY_ENCRYPTION_KEY'],
    encryptionSecret: env['DRAGONFLY_ENCRYPTION_SECRET'],
    rootPassword: env['DRAGONFLY_INITIAL_ROOT_PASSWORD'],
    token: env['DRAGONFLY_PAT'],
    joinToken: env['DRAGONFLY_JOIN_TOKEN'],
  };
}

async function importFrom(original: string, config: ManagerConfig, io: CommandIo): Promise<void> {
  const { config: theirs } = await loadConfig(managerConfigSchema, original);
  await using from = await OriginalDatabase.open(theirs.database);
  await using to = await Database.open(config.database);
  const { sealer } = await openSecrets(config, to, operatorSecrets(io));
  const tables = await importOriginal(from, to, sealer);
  for (const { name, found, imported, leftOut } of tables) {
    io.stdout.write(`${name.padEnd(36)}${`${imported} of ${found}`.padStart(14)}${leftOut && `  (${leftOut})`}\n`);
  }
  io.stdout.write('Everything was imported and counted. Start this manager in place of the original.\n');
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
  const authority = manager.authorityFingerprint;
  return {
    ...(authority !== undefined && { authority }),
    grpc: hostPort(grpcHost, manager.grpcPort),
    rest: hostPort(parseListenAddress(server.rest.addr, network.enableIPv6).host, manager.restPort),
    ...(manager.metricsPort === undefined
      ? {}
      : { metrics: hostPort(parseListenAddress(metrics.addr, network.enableIPv6).host, manager.metricsPort) }),
  };
}
