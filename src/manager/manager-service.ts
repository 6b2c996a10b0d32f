/**
 * The manager as one object: its parts, opened in order and closed in reverse.
 *
 * Replicas only share the database. Writes of one reach the others through the change feed; what must happen once is
 * done by the holder of a lease.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Owned, type Closable } from '../core/process/lifecycle.ts';
import { readPrivateKey } from '../core/files/private-file.ts';
import { createLogger, type Logger } from '../core/process/logger.ts';
import { rotationOf, type ServiceFlags } from '../core/process/service-command.ts';
import { createRegistry, metricsRoute, StatusServer, type Registry } from '../core/metrics.ts';
import { swarmFeature } from '../rpc/features.ts';
import { ManagerDefinition } from '../../gen/manager/v2/manager.ts';
import { ManagerWatchDefinition } from '../../gen/manager/v2/watch.ts';
import { CertificateDefinition } from '../../gen/security/v1/security.ts';
import { Channels } from '../rpc/channels.ts';
import { CallMetrics } from '../rpc/server/call-metrics.ts';
import { ControlKey, controlKeysHeader, controlPortsHeader } from '../rpc/control-key.ts';
import { RpcServer, type RpcServerOptions } from '../rpc/server/server.ts';
import { liveTls, type ServerTls } from '../rpc/tls.ts';
import { openAccess, type OperatorSecrets } from './access/access.ts';
import { OAuth } from './access/oauth.ts';
import { AuditLog } from './access/audit.ts';
import { openCa, type Ca } from './ca/ca.ts';
import { ClusterStore } from './clusters/cluster-store.ts';
import { createFirstCluster } from './clusters/first-cluster.ts';
import { KeepAlives } from './clusters/keep-alives.ts';
import { MemberReader } from './clusters/member-reader.ts';
import { Members } from './clusters/members.ts';
import { loadSearcher } from './clusters/searcher-plugin.ts';
import { weightedSearcher, type Searcher } from './clusters/searcher.ts';
import { Topology } from './clusters/topology.ts';
import { parseListenAddress, type ManagerConfig } from './config.ts';
import { ChangeFeed } from './db/change-feed.ts';
import { Database } from './db/database.ts';
import { Timers } from './db/timers.ts';
import { KeptTasks } from './live/kept-tasks.ts';
import { LiveSwarms } from './live/live-swarms.ts';
import { ConcernDesk } from './nodes/concern-desk.ts';
import { ConcernWebhook } from './nodes/concern-webhook.ts';
import { Nodes } from './nodes/nodes.ts';
import { ManagerMetrics } from './metrics.ts';
import { createRestApp } from './rest/app.ts';
import type { RestApp } from './rest/request.ts';
import { createCollectSettings } from './jobs/collect.ts';
import { openJobs, type Jobs } from './jobs/jobs.ts';
import { certificateRpc } from './rpc/certificate-rpc.ts';
import { ManagerReleasesDefinition } from '../../gen/manager/v2/release.ts';
import { managerAccess, releaseAccess, watchAccess } from './rpc/manager-access.ts';
import { managerRpc } from './rpc/manager-rpc.ts';
import { Newcomers } from './rpc/newcomers.ts';
import { releaseRpc } from './rpc/release-rpc.ts';
import { watchRpc } from './rpc/watch-rpc.ts';
import { ComingPacks } from './releases/coming-packs.ts';
import { ReleaseStore } from './releases/release-store.ts';
import { ReleaseWatch } from './releases/release-watch.ts';
import { Replication } from './replication/replication.ts';
import { DistributionStore } from './traffic/distribution-store.ts';
import { DownloadStore } from './traffic/download-store.ts';
import { RecordingStore } from './traffic/recording-store.ts';
import { ShareStore } from './traffic/share-store.ts';
import { TrafficRecorder } from './traffic/traffic-recorder.ts';
import { TrafficStore } from './traffic/traffic-store.ts';
import { timedWork } from './timed-work.ts';

export interface ManagerOverrides {
  readonly logger?: Logger;
  readonly registry?: Registry;
  readonly searcher?: Searcher;
  readonly operator?: OperatorSecrets;
  /** Called with root's generated password on the first start; by default it is logged. */
  readonly announceRootPassword?: (password: string) => void;
}

interface Parts {
  readonly config: ManagerConfig;
  readonly owned: Owned;
  readonly database: Database;
  readonly rpc: RpcServer;
  readonly rest: RestApp;
  readonly keepAlives: KeepAlives;
  readonly timers: Timers;
  readonly nodes: Nodes;
  readonly recorder: TrafficRecorder;
  readonly webhook: ConcernWebhook;
  readonly jobs: Jobs;
  readonly replication: Replication;
  readonly registry: Registry;
  readonly ca: Ca;
  /** Ports listened on. */
  readonly ports: Set<number>;
}

export class ManagerService implements Closable {
  readonly #parts: Parts;
  #metricsServer: StatusServer | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Opens and migrates the database. Serves nothing yet. */
  static async create(config: ManagerConfig, overrides: ManagerOverrides = {}): Promise<ManagerService> {
    const logger = overrides.logger ?? managerLogger(config);
    const registry = overrides.registry ?? createRegistry();
    const owned = new Owned(logger);
    try {
      return new ManagerService(await open(config, overrides, { logger, registry, owned }));
    } catch (error) {
      await owned[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Opens the ports. Throws IN_USE when one is taken; dispose of the service then. */
  async start(): Promise<void> {
    const { config, keepAlives, timers, nodes, recorder, webhook, jobs, replication, rpc, rest, owned, registry } =
      this.#parts;
    const { enableIPv6 } = config.network;
    keepAlives.start();
    timers.start();
    await nodes.start();
    recorder.start();
    webhook.start();
    await rpc.start();
    await rest.listen(parseListenAddress(config.server.rest.addr, enableIPv6));
    for (const port of [this.grpcPort, this.restPort]) this.#parts.ports.add(port);
    jobs.runner.start();
    replication.replicator.start();
    if (config.metrics.enable) {
      const address = parseListenAddress(config.metrics.addr, enableIPv6);
      const routes = { '/metrics': metricsRoute(registry), '/healthy': () => ({ body: 'OK' }) };
      this.#metricsServer = owned.add('metrics server', await StatusServer.listen(address, routes));
    }
  }

  /** Port of gRPC, once started. */
  get grpcPort(): number {
    return this.#parts.rpc.port;
  }

  /** Port of REST and console, once started. */
  get restPort(): number {
    return (this.#parts.rest.server.address() as AddressInfo).port;
  }

  /** Port of the metrics, if enabled. */
  get metricsPort(): number | undefined {
    return this.#metricsServer?.port;
  }

  /** SHA-256 of the certificate authority, if there is one: members identify the manager by this part of the join token. */
  get authorityFingerprint(): string | undefined {
    return this.#parts.ca.authority?.fingerprint;
  }

  /** The REST server, for its description and for requests without a socket. */
  get rest(): RestApp {
    return this.#parts.rest;
  }

  get database(): Database {
    return this.#parts.database;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.keepAlives.drain();
    await this.#parts.owned[Symbol.asyncDispose]();
  }
}

async function open(
  config: ManagerConfig,
  overrides: ManagerOverrides,
  { logger, registry, owned }: { logger: Logger; registry: Registry; owned: Owned },
): Promise<Parts> {
  const owner = randomUUID();
  const metrics = new ManagerMetrics(registry);
  const database = owned.add('database', await Database.open(config.database));
  metrics.countRows(database, registry);
  await createFirstCluster(database);
  await createCollectSettings(database);
  const changes = owned.add('change feed', await ChangeFeed.create(database, logger));
  const access = await openAccess({
    config,
    database,
    changes,
    logger,
    operator: overrides.operator ?? {},
    announceRootPassword:
      overrides.announceRootPassword ??
      ((password) => logger.warn(`first start: sign in as root with ${password} and change it`)),
  });
  const audit = new AuditLog(database, logger);
  const topology = new Topology(database, changes, logger);
  const members = new Members(database, changes);
  const keepAlives = owned.add('keepalives', new KeepAlives(members, owner, logger));
  const ca = await openCa(config, { database, changes, access, joinToken: overrides.operator?.joinToken, logger });
  if (ca.own) owned.add('own certificate', ca.own);
  const controlKey = ControlKey.from(await access.secrets.readOrCreate('control key', () => ControlKey.generate().pem));
  const files = await tlsFiles(config);
  const issued = config.security.tlsPolicy === 'default' ? undefined : ca.own;
  const dialled = files && config.server.grpc.tls?.members === true ? files : issued;
  const channels = owned.add('gRPC channels', new Channels({ tls: dialled, controlKey }));
  const ports = new Set<number>();
  const controlHeader = (): Record<string, string> => ({
    [controlKeysHeader]: controlKey.publicKey,
    [controlPortsHeader]: [...ports].join(','),
  });
  const ownPorts = (): ReadonlySet<number> => ports;
  const jobs = await openJobs(
    { config, database, changes, topology, channels, sealer: access.sealer, metrics, owner, logger, ownPorts },
    owned,
  );
  const releases = new ReleaseStore(database, changes);
  const { sealer } = access;
  const replication = new Replication(
    { database, changes, topology, sealer, jobs, owner, logger, insecureHosts: config.job.preheat.insecureHosts },
    owned,
  );
  const timed = timedWork({ config, database, members, changes, access, jobs, ca, releases });
  const timers = owned.add('timers', new Timers(database, owner, timed, logger));
  const clusters = new ClusterStore(database, changes);
  const rpc = owned.add(
    'gRPC server',
    RpcServer.create(grpcAddress(config), {
      ...rpcOptions(config, { ca, files, logger }),
      header: controlHeader,
      metrics: new CallMetrics(registry),
    }),
  );
  const live = owned.add('live view', new LiveSwarms({ topology, channels, logger }));
  const traffic = new TrafficStore(database);
  const history = {
    traffic,
    shares: new ShareStore(database),
    distributions: new DistributionStore(database),
    downloads: new DownloadStore(database),
    recordings: new RecordingStore(database),
  };
  const recorder = owned.add(
    'history',
    new TrafficRecorder({ ...history, database, topology, channels, logger, owner }),
  );
  const nodes = owned.add('nodes', new Nodes({ database, topology, channels, traffic, logger, owner }));
  const concerns = owned.add('concerns', new ConcernDesk({ database, changes, nodes, logger }));
  const webhook = owned.add(
    'webhooks',
    new ConcernWebhook({ database, concerns, webhooks: config.concerns.webhooks, logger, owner }),
  );
  const oauth = new OAuth({ config, database, sealer: access.sealer, users: access.users, logger });
  const ownAddress = { grpcPort: (): number => rpc.port };
  const keptTasks = new KeptTasks(topology, channels);
  const rest = await createRestApp({
    config,
    logger,
    registry,
    metrics,
    database,
    changes,
    access,
    audit,
    clusters,
    jobs,
    oauth,
    ownAddress,
    ca,
    live,
    keptTasks,
    releases,
    replication,
    nodes,
    concerns,
    history,
  });
  owned.defer('REST server', () => rest.close());
  rpc.addService(
    ManagerDefinition,
    managerRpc({
      topology,
      members,
      reader: new MemberReader(database),
      keepAlives,
      searcher: overrides.searcher ?? (await searcherOf(config, logger)),
      metrics,
      silenceMs: config.liveness.timeout,
      anyAddress: config.security.registerFromAnyAddress,
      newcomers: new Newcomers({ members, certified: newcomersCertified(config), logger }),
    }),
    managerAccess,
  );
  rpc.addService(
    ManagerWatchDefinition,
    watchRpc({ changes, nodes, revokedSerials: () => ca.certificates.revokedSerials() }),
    watchAccess,
  );
  rpc.addService(
    ManagerReleasesDefinition,
    releaseRpc({
      store: releases,
      watch: new ReleaseWatch(releases, changes, logger),
      coming: new ComingPacks(database, changes, logger),
      keptTasks,
      audit,
      certified: newcomersCertified(config),
    }),
    releaseAccess,
  );
  if (ca.issuer) rpc.addService(CertificateDefinition, certificateRpc(ca.issuer));
  return {
    config,
    owned,
    database,
    rpc,
    rest,
    keepAlives,
    timers,
    nodes,
    recorder,
    webhook,
    jobs,
    replication,
    registry,
    ca,
    ports,
  };
}

function searcherOf({ searcher, server }: ManagerConfig, logger: Logger): Searcher | Promise<Searcher> {
  if (searcher === 'plugin') return loadSearcher(server.pluginDir ?? '/usr/local/dragonfly/plugins', logger);
  return weightedSearcher(searcher === 'default' ? undefined : searcher);
}

/** @param flags of the command line, which override the configuration. */
export function managerLogger({ server, verbose, console }: ManagerConfig, flags: ServiceFlags = {}): Logger {
  const toConsole = flags.console === true || (console && flags.logDir === undefined);
  const logDir = flags.logDir ?? server.logDir;
  return createLogger('manager', {
    level: flags.logLevel ?? (flags.verbose === true || verbose ? 'debug' : server.logLevel),
    ...(logDir !== undefined &&
      !toConsole && { file: { path: join(logDir, 'manager.log'), rotation: rotationOf(flags, server) } }),
  });
}

function grpcAddress({ server, network }: ManagerConfig): { host: string; port: number } {
  const fallback = network.enableIPv6 ? '::' : '0.0.0.0';
  return { host: server.grpc.listenIP ?? fallback, port: server.grpc.port.start };
}

function rpcOptions(
  config: ManagerConfig,
  { ca, files, logger }: { ca: Ca; files: ServerTls | undefined; logger: Logger },
): RpcServerOptions {
  return {
    logger,
    features: [swarmFeature],
    tls: files ?? grpcTls(config, ca),
    limits: { requestsPerSec: config.server.grpc.requestRateLimit },
    // A new member has no certificate yet; it needs one for everything else.
    ...(config.security.tlsPolicy === 'force' && { openServices: [CertificateDefinition.fullName] }),
    identityRequired: config.security.tlsPolicy === 'force' && ca.own !== undefined && !config.server.grpc.tls,
  };
}

async function tlsFiles({ server }: ManagerConfig): Promise<ServerTls | undefined> {
  const { tls } = server.grpc;
  if (!tls) return undefined;
  const [ca, cert, key] = await Promise.all([readFile(tls.caCert), readFile(tls.cert), readPrivateKey(tls.key)]);
  return { ca, cert, key };
}

/** TLS with the manager's own certificate. Callers may come without one: to request one, or while the policy allows it. */
function grpcTls({ security }: ManagerConfig, { own }: Ca): ServerTls | undefined {
  const use = { acceptPlain: security.tlsPolicy !== 'force', clientCertificates: 'optional' } as const;
  return own && liveTls(own, use);
}

/** Clusters without certificates have nothing to show; a migrating cluster registered its members before. */
function newcomersCertified({ security }: ManagerConfig): boolean {
  const { newMembers, autoIssueCert, tlsPolicy, registerFromAnyAddress } = security;
  if (newMembers !== undefined) return newMembers === 'certified';
  return autoIssueCert && tlsPolicy !== 'default' && !registerFromAnyAddress;
}
