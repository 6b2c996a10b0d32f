/**
 * The scheduler as one object that any process can hold: configuration in, `start`, and closed with everything it opened.
 *
 * A thin shell: streams become events of the swarm (announce-peer), its decisions become messages (peer-sessions), seeds
 * are called when it says so (seed-downloads), and the manager's word becomes its limits (dynamic-config).
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { getHeapStatistics } from 'node:v8';
import { hostname } from 'node:os';
import { isIP } from 'node:net';
import { DragonflyError } from '../core/errors.ts';
import { hostPort } from '../core/host-port.ts';
import { OutboundProxies } from '../core/outbound-proxy.ts';
import { outwardAddress } from '../core/outward-address.ts';
import { readPrivateKey } from '../core/private-file.ts';
import { Owned, type Closable } from '../core/lifecycle.ts';
import { silentLogger, type Logger } from '../core/logger.ts';
import { metricsRoute, StatusServer } from '../core/metrics.ts';
import { Channels, type ChannelOptions } from '../rpc/channels.ts';
import { ControlKey, controlKeysHeader } from '../rpc/control-key.ts';
import { instanceHeader, swarmFeature } from '../rpc/features.ts';
import { SchedulerLiveDefinition } from '../rpc/generated/scheduler/v2/live.ts';
import { SchedulerDefinition } from '../rpc/generated/scheduler/v2/scheduler.ts';
import { ManagerClient } from '../rpc/manager-client.ts';
import { Egress } from '../rpc/registry/egress.ts';
import { RegistryClient } from '../rpc/registry/registry-client.ts';
import { clientTls, openIdentity, serverTls } from '../rpc/identity/open-identity.ts';
import { CallMetrics } from '../rpc/call-metrics.ts';
import { RpcServer } from '../rpc/server.ts';
import type { EvaluatorName } from '../swarm/scheduler/evaluator.ts';
import type { SwarmLimits } from '../swarm/scheduler/limits.ts';
import { ApplicationPriorities } from './applications.ts';
import { Brain } from './brain.ts';
import { Controllers } from './controllers.ts';
import { managerAddresses, type SchedulerConfig } from './config.ts';
import { DynamicConfig, type DynamicSettings } from './dynamic-config.ts';
import { HeldHosts } from './held-hosts.ts';
import { stateShareOfHeap } from './limits.ts';
import { liveRpc } from './live/live-rpc.ts';
import { ManagerLink } from './manager-link.ts';
import { SchedulerMetrics } from './metrics.ts';
import { OriginalDaemons } from './original-daemons.ts';
import { Preheater } from './preheat/preheater.ts';
import { liveAccess, schedulerAccess } from './scheduler-access.ts';
import { schedulerRpc } from './scheduler-rpc.ts';
import { Reachability } from './reachability.ts';
import { SeedDownloads } from './seed-downloads.ts';

export interface SchedulerOverrides {
  readonly logger?: Logger;
  /** In 0 … 1; for repeatable runs. */
  readonly random?: () => number;
  readonly swarmLimits?: Partial<SwarmLimits>;
  /** Sign of life asked of silent connections. */
  readonly keepAliveMs?: number;
  readonly heldHostGraceMs?: number;
}

export interface SchedulerAddresses {
  /** `host:port` that daemons dial. */
  readonly grpc: string;
  readonly metrics?: string;
}

export class SchedulerService implements Closable {
  readonly brain: Brain;
  readonly metrics: SchedulerMetrics;
  readonly #config: SchedulerConfig;
  readonly #ip: string;
  readonly #owned: Owned;
  readonly #server: RpcServer;
  readonly #link: ManagerLink | undefined;
  #metricsAddress: string | undefined;

  private constructor(parts: {
    brain: Brain;
    metrics: SchedulerMetrics;
    config: SchedulerConfig;
    ip: string;
    owned: Owned;
    server: RpcServer;
    link: ManagerLink | undefined;
  }) {
    this.brain = parts.brain;
    this.metrics = parts.metrics;
    this.#config = parts.config;
    this.#ip = parts.ip;
    this.#owned = parts.owned;
    this.#server = parts.server;
    this.#link = parts.link;
  }

  /** Opens no port yet. Throws CONFIG_INVALID when a certificate file cannot be read. */
  static async create(config: SchedulerConfig, overrides: SchedulerOverrides = {}): Promise<SchedulerService> {
    const logger = overrides.logger ?? silentLogger;
    const owned = new Owned(logger);
    const metrics = new SchedulerMetrics();
    const { seedPeer, security } = config;
    const ip = await advertisedIp(config);
    const certificate = await openIdentity({
      security,
      directory: config.server.cacheDir,
      managers: managerAddresses(config),
      hostname: config.server.host ?? hostname(),
      ip,
      role: 'scheduler',
      hostId: `${ip}-${config.server.host ?? hostname()}`,
      clusterId: config.manager.schedulerClusterID,
      logger,
    });
    if (certificate) owned.add('certificate of this scheduler', certificate);
    const controlKey = ControlKey.generate();
    const controllers = new Controllers(managerAddresses(config));
    /** Files given for one kind of connection come before the certificate of this scheduler. */
    const channelsTo = async (whom: string, files: TlsFiles | undefined, more: ChannelOptions): Promise<Channels> => {
      const tls = files ? await readTls(files) : clientTls(certificate, security.tlsPolicy);
      return owned.add(`connections to ${whom}`, new Channels({ tls, ...more }));
    };
    const seedChannels = await channelsTo('seeds', seedPeer.tls, { controlKey });
    let link: ManagerLink | undefined;
    const dynamic = await DynamicConfig.create({
      localPath: config.dynConfig.path,
      read: managerAddresses(config).length === 0 ? undefined : () => requireLink(link).read(),
      cacheDir: config.server.cacheDir,
      logger,
      onChange: (settings) => apply(settings),
    });
    const brain: Brain = owned.add(
      'swarm',
      new Brain({
        swarm: {
          random: overrides.random ?? Math.random,
          limits: { ...swarmLimits(config, dynamic.settings), ...overrides.swarmLimits },
          evaluator: evaluatorName(config),
        },
        metrics,
        logger,
        countsHostTraffic: config.metrics.enableHost,
        stateBytes: config.scheduler.stateMemory || getHeapStatistics().heap_size_limit * stateShareOfHeap,
        seeds: !seedPeer.enable
          ? undefined
          : (onFailure) =>
              new SeedDownloads({
                channels: seedChannels,
                ownAddress: () => hostPort(ip, config.server.advertisePort ?? server.port),
                timeoutMs: seedPeer.taskDownloadTimeout,
                logger,
                onFailure,
                onAnswer: (taskId, header) => brain.facts.setResponseHeader(taskId, header),
                onResult: (result) => metrics.seedDownloads.inc({ result }),
              }),
      }),
    );
    const peerChannels = await channelsTo('peers', config.peer.tls, { controlKey });
    const preheater = owned.add(
      'preheats',
      new Preheater({
        channels: peerChannels,
        hosts: () => brain.hosts.list().filter((host) => brain.swarm.host(host.id)),
        random: overrides.random ?? Math.random,
        logger,
      }),
    );
    const registry = owned.add('connections to registries', await registryClient(config, () => service.#ownPorts()));
    const apply = ({ applications, jobRateLimit }: DynamicSettings): void => {
      brain.priorities = new ApplicationPriorities(applications);
      preheater.setRate(jobRateLimit ?? config.job.rateLimit);
    };
    apply(dynamic.settings);
    const originals = await OriginalDaemons.create(config.server.cacheDir, logger);
    const held = owned.add('held hosts', new HeldHosts(brain, originals, overrides.heldHostGraceMs));
    if (managerAddresses(config).length > 0) {
      const channels = await channelsTo('the manager', config.manager.tls, {
        onMetadata: (address, metadata) => controllers.heard(address, metadata),
      });
      const client = new ManagerClient(channels, managerAddresses(config), logger);
      link = new ManagerLink({
        client,
        keepAliveMs: config.manager.keepAlive.interval,
        refreshMs: config.dynConfig.refreshInterval,
        logger,
        onChange: () => dynamic.refresh(),
        onRevocation: () => void certificate?.refreshRevocations(),
      });
    }
    const { listenIP, port, requestRateLimit } = config.server;
    const instance = randomBytes(12).toString('hex');
    const ownAddresses = (): string[] => {
      const ports = new Set([server.port, config.server.advertisePort ?? server.port]);
      return [...ports].map((own) => hostPort(ip, own));
    };
    const server: RpcServer = RpcServer.create(
      { host: listenIP ?? (config.network.enableIPv6 ? '::' : '0.0.0.0'), port },
      {
        tls: config.server.tls ? await readTls(config.server.tls) : serverTls(certificate, security.tlsPolicy),
        identityRequired: !config.server.tls && certificate !== undefined && security.tlsPolicy === 'force',
        logger,
        metrics: new CallMetrics(metrics.registry),
        features: [swarmFeature],
        header: () => ({
          [instanceHeader]: instance,
          [controlKeysHeader]: [controlKey.publicKey, ...controllers.keys].join(','),
        }),
        recognize: (facts) => controllers.recognize(facts, ownAddresses()),
        limits: {
          requestsPerSec: requestRateLimit,
          ...(overrides.keepAliveMs === undefined ? {} : { keepAliveMs: overrides.keepAliveMs }),
        },
      },
    );
    server.addService(
      SchedulerDefinition,
      schedulerRpc({
        brain,
        held,
        originals,
        preheater,
        reachability: new Reachability(peerChannels),
        registry,
        loadLimits: () => dynamic.settings,
      }),
      schedulerAccess,
    );
    server.addService(SchedulerLiveDefinition, liveRpc(brain), liveAccess);
    const service = new SchedulerService({ brain, metrics, config, ip, owned, server, link });
    return service;
  }

  /** Serves, and tells the manager. Resolves when daemons can find it there, or the manager did not answer at first. */
  async start(): Promise<void> {
    this.#owned.add('gRPC server', this.#server);
    // Closed before the server: streams that end at once let daemons go to the next scheduler at once.
    this.#owned.defer('peer streams', () =>
      this.brain.sessions.failAll(new DragonflyError('UNAVAILABLE', 'the scheduler is shutting down')),
    );
    await this.#server.start();
    const { metrics, server, host, manager } = this.#config;
    if (metrics.enable) await this.#serveMetrics(metrics.addr);
    if (!this.#link) return;
    this.#owned.add('membership at the manager', this.#link);
    await this.#link.start({
      hostname: server.host ?? hostname(),
      ip: this.#ip,
      port: server.advertisePort ?? this.#server.port,
      idc: host.idc,
      location: host.location,
      clusterId: manager.schedulerClusterID,
    });
  }

  get port(): number {
    return this.#server.port;
  }

  get addresses(): SchedulerAddresses {
    const grpc = hostPort(this.#ip, this.#server.port);
    return this.#metricsAddress === undefined ? { grpc } : { grpc, metrics: this.#metricsAddress };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned[Symbol.asyncDispose]();
  }

  #ownPorts(): ReadonlySet<number> {
    const metricsPort = Number(this.#metricsAddress?.split(':').at(-1));
    return new Set([this.#server.port, ...(metricsPort > 0 ? [metricsPort] : [])]);
  }

  async #serveMetrics(address: string): Promise<void> {
    const separator = address.lastIndexOf(':');
    const host = address.slice(0, separator) || '0.0.0.0';
    const port = Number(address.slice(separator + 1));
    const ok = (): { body: string } => ({ body: 'ok\n' });
    const routes = { '/metrics': metricsRoute(this.metrics.registry), '/healthz': ok, '/server/ping': ok };
    const status = this.#owned.add('metrics server', await StatusServer.listen({ host, port }, routes));
    this.#metricsAddress = `${host === '0.0.0.0' ? '127.0.0.1' : host}:${status.port}`;
  }
}

async function advertisedIp({ server: { advertiseIP, listenIP }, network }: SchedulerConfig): Promise<string> {
  if (advertiseIP !== undefined) return advertiseIP;
  if (listenIP !== undefined && isIP(listenIP) !== 0 && listenIP !== '0.0.0.0' && listenIP !== '::') return listenIP;
  return outwardAddress(network);
}

async function registryClient(config: SchedulerConfig, ownPorts: () => ReadonlySet<number>): Promise<RegistryClient> {
  const { tls, registryTimeout, outboundProxy, allowCIDRs, denyCIDRs, insecureHosts } = config.job.preheat;
  return new RegistryClient({
    egress: new Egress({ allow: allowCIDRs, deny: denyCIDRs, ownPorts }),
    timeoutMs: registryTimeout,
    outbound: new OutboundProxies(outboundProxy),
    ca: tls.caCert === undefined ? undefined : (await readPem(tls.caCert)).toString('utf8'),
    insecure: (host) => insecureHosts.includes(host) || insecureHosts.includes(host.replace(/:\d+$/, '')),
  });
}

function requireLink(link: ManagerLink | undefined): ManagerLink {
  if (!link) throw new DragonflyError('UNAVAILABLE', 'the manager has not been reached yet');
  return link;
}

function evaluatorName({ scheduler: { algorithm } }: SchedulerConfig): EvaluatorName {
  return algorithm === 'v2.0.2' || algorithm === 'v2.1.28' || algorithm === 'v2.5' ? algorithm : 'measured';
}

function swarmLimits({ scheduler }: SchedulerConfig, settings: DynamicSettings): Partial<SwarmLimits> {
  const { candidateParentLimit, filterParentLimit } = settings;
  return {
    backToSourceCount: scheduler.backToSourceCount,
    crossZonePeers: scheduler.crossZonePeers,
    pieceDownloadTimeoutMs: scheduler.gc.pieceDownloadTimeout,
    peerTtlMs: scheduler.gc.peerTTL,
    hostTtlMs: scheduler.gc.hostTTL,
    gcIntervalMs: scheduler.gc.peerGCInterval,
    ...(candidateParentLimit === undefined ? {} : { candidateParentLimit }),
    ...(filterParentLimit === undefined ? {} : { filterParentLimit }),
  };
}

interface TlsFiles {
  readonly caCert: string;
  readonly cert: string;
  readonly key: string;
}

async function readTls({ caCert, cert, key }: TlsFiles): Promise<{ ca: Buffer; cert: Buffer; key: Buffer }> {
  const [ca, certificate, privateKey] = await Promise.all([
    readPem(caCert),
    readPem(cert),
    readPem(key, readPrivateKey),
  ]);
  return { ca, cert: certificate, key: privateKey };
}

/** A certificate that cannot be read ends the start: going on without it would be worse. */
async function readPem(path: string, read: (path: string) => Promise<Buffer> = readFile): Promise<Buffer> {
  try {
    return await read(path);
  } catch (error) {
    if (error instanceof DragonflyError) throw error;
    throw new DragonflyError('CONFIG_INVALID', `cannot read the certificate ${path}: ${(error as Error).message}`, {
      cause: error,
      hint: 'Check the paths under tls in the configuration.',
    });
  }
}
