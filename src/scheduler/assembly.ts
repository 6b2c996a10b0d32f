/** The parts of a scheduler, each created from its configuration and from the parts before it. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { getHeapStatistics } from 'node:v8';
import { hostname } from 'node:os';
import { isIP } from 'node:net';
import { DragonflyError } from '../core/errors.ts';
import { OutboundProxies } from '../core/net/outbound-proxy.ts';
import { outwardAddress } from '../core/net/outward-address.ts';
import { readPrivateKey } from '../core/files/private-file.ts';
import type { Owned } from '../core/process/lifecycle.ts';
import { silentLogger, type Logger } from '../core/process/logger.ts';
import { Channels, type ChannelOptions } from '../rpc/channels.ts';
import { ControlKey, controlKeysHeader } from '../rpc/control-key.ts';
import { hostsHeader, instanceHeader, swarmFeature } from '../rpc/features.ts';
import { ManagerClient } from '../rpc/manager-client.ts';
import { Egress } from '../rpc/registry/egress.ts';
import { namesHost } from '../rpc/registry/insecure-hosts.ts';
import { RegistryClient } from '../rpc/registry/registry-client.ts';
import type { NodeIdentity } from '../rpc/identity/node-identity.ts';
import { clientTls, openIdentity, serverTls } from '../rpc/identity/open-identity.ts';
import { CallMetrics } from '../rpc/server/call-metrics.ts';
import { RpcServer } from '../rpc/server/server.ts';
import type { EvaluatorName } from '../swarm/scheduler/evaluator.ts';
import type { ReplicaLimits } from '../swarm/replicas/limits.ts';
import type { SwarmLimits } from '../swarm/scheduler/limits.ts';
import { Brain } from './brain.ts';
import { Controllers } from './controllers.ts';
import { managerAddresses, type SchedulerConfig } from './config.ts';
import { type DynamicSettings } from './dynamic-config.ts';
import { stateShareOfHeap } from './limits.ts';
import { ManagerLink } from './manager-link.ts';
import { OwnAddresses } from './hosts/own-addresses.ts';
import { SchedulerMetrics } from './metrics.ts';
import { SeedDownloads } from './peers/seed-downloads.ts';

export interface SchedulerOverrides {
  readonly logger?: Logger;
  /** A value in 0 … 1; given for repeatable runs. */
  readonly random?: () => number;
  readonly swarmLimits?: Partial<SwarmLimits>;
  /** How often a silent connection is asked for a sign of life. */
  readonly keepAliveMs?: number;
  readonly heldHostGraceMs?: number;
  readonly replicaLimits?: Partial<ReplicaLimits>;
  /** The key by which daemons recognise this scheduler; a new one by default. */
  readonly controlKey?: ControlKey;
}

/** What every part depends on: the identity of this scheduler, and its proof. */
export interface Base {
  readonly config: SchedulerConfig;
  readonly owned: Owned;
  readonly logger: Logger;
  readonly metrics: SchedulerMetrics;
  readonly hostname: string;
  readonly own: OwnAddresses;
  readonly certificate: NodeIdentity | undefined;
  readonly controlKey: ControlKey;
  /** Who may give this scheduler work. */
  readonly controllers: Controllers;
}

export async function openBase(
  config: SchedulerConfig,
  owned: Owned,
  { logger = silentLogger, controlKey = ControlKey.generate() }: SchedulerOverrides,
): Promise<Base> {
  const own = new OwnAddresses(await advertisedIp(config), config.server.advertisePort);
  const managers = managerAddresses(config);
  const name = config.server.host ?? hostname();
  const certificate = await openIdentity({
    security: config.security,
    directory: config.server.cacheDir,
    managers,
    hostname: name,
    ip: own.ip,
    role: 'scheduler',
    hostId: `${own.ip}-${name}`,
    clusterId: config.manager.schedulerClusterID,
    logger,
  });
  if (certificate) owned.add('certificate of this scheduler', certificate);
  return {
    config,
    owned,
    logger,
    metrics: new SchedulerMetrics(),
    hostname: name,
    own,
    certificate,
    controlKey,
    controllers: new Controllers(managers),
  };
}

/** Certificate files configured for one kind of connection take precedence over this scheduler's own certificate. */
export async function channelsTo(
  { config, owned, certificate }: Base,
  whom: string,
  files: TlsFiles | undefined,
  {
    policy = config.security.tlsPolicy,
    ...options
  }: ChannelOptions & { readonly policy?: SchedulerConfig['security']['tlsPolicy'] },
): Promise<Channels> {
  const tls = files ? await readTls(files) : clientTls(certificate, policy);
  return owned.add(`connections to ${whom}`, new Channels({ tls, ...options }));
}

/** Undefined without a manager. */
export async function managerLink(base: Base): Promise<ManagerLink | undefined> {
  const { config, logger, certificate, controllers } = base;
  const managers = managerAddresses(config);
  if (managers.length === 0) return undefined;
  // A scheduler with a certificate presents it to the manager that issued it, whatever it uses towards others.
  const channels = await channelsTo(base, 'the manager', config.manager.tls, {
    policy: 'prefer',
    onMetadata: (address, metadata) => controllers.heard(address, metadata),
  });
  return new ManagerLink({
    client: new ManagerClient(channels, managers, logger),
    keepAliveMs: config.manager.keepAlive.interval,
    refreshMs: config.dynConfig.refreshInterval,
    logger,
    onRevocation: () => void certificate?.refreshRevocations(),
  });
}

export async function createBrain(
  base: Base,
  settings: DynamicSettings,
  overrides: SchedulerOverrides,
): Promise<Brain> {
  const { config, own, logger, metrics, controlKey } = base;
  const { seedPeer } = config;
  const channels = await channelsTo(base, 'seeds', seedPeer.tls, { controlKey });
  return new Brain({
    swarm: {
      random: overrides.random ?? Math.random,
      limits: { ...swarmLimits(config, settings), ...overrides.swarmLimits },
      evaluator: evaluatorName(config),
      startedAtMs: performance.now(),
    },
    metrics,
    logger,
    countsHostTraffic: config.metrics.enableHost || config.metrics.enablePeerHost,
    ticketFor: (participation) => controlKey.ticketFor(participation),
    stateBytes: config.scheduler.stateMemory || getHeapStatistics().heap_size_limit * stateShareOfHeap,
    seeds: !seedPeer.enable
      ? undefined
      : (events) =>
          new SeedDownloads({
            channels,
            ownAddress: () => own.advertised,
            timeoutMs: seedPeer.taskDownloadTimeout,
            logger,
            ...events,
          }),
  });
}

/** Callers without a certificate are accepted, but only for calls that need no proof of identity. */
export function prefersCertificates({ config, certificate }: Base): boolean {
  return certificate !== undefined && !config.server.tls && config.security.tlsPolicy !== 'default';
}

/** Not listening yet. */
export async function createServer(base: Base, brain: Brain, overrides: SchedulerOverrides): Promise<RpcServer> {
  const { config, own, logger, metrics, certificate, controlKey, controllers } = base;
  const { listenIP, port, requestRateLimit, tls } = config.server;
  const { tlsPolicy } = config.security;
  const instance = randomBytes(12).toString('hex');
  return RpcServer.create(
    { host: listenIP ?? (config.network.enableIPv6 ? '::' : '0.0.0.0'), port },
    {
      tls: tls ? await readTls(tls) : serverTls(certificate, tlsPolicy),
      identityRequired: !tls && certificate !== undefined && tlsPolicy === 'force',
      logger,
      metrics: new CallMetrics(metrics.registry),
      features: [swarmFeature],
      header: () => ({
        [instanceHeader]: instance,
        [hostsHeader]: String(brain.swarm.counts.hosts),
        [controlKeysHeader]: [controlKey.publicKey, ...controllers.keys].join(','),
      }),
      recognize: (facts) => controllers.recognize(facts, own.all),
      limits: {
        requestsPerSec: requestRateLimit,
        ...(overrides.keepAliveMs === undefined ? {} : { keepAliveMs: overrides.keepAliveMs }),
      },
    },
  );
}

async function advertisedIp({ server: { advertiseIP, listenIP }, network }: SchedulerConfig): Promise<string> {
  if (advertiseIP !== undefined) return advertiseIP;
  if (listenIP !== undefined && isIP(listenIP) !== 0 && listenIP !== '0.0.0.0' && listenIP !== '::') return listenIP;
  return outwardAddress(network);
}

export async function registryClient(
  config: SchedulerConfig,
  ownPorts: () => ReadonlySet<number>,
): Promise<RegistryClient> {
  const { tls, registryTimeout, outboundProxy, allowCIDRs, denyCIDRs, insecureHosts } = config.job.preheat;
  return new RegistryClient({
    egress: new Egress({ allow: allowCIDRs, deny: denyCIDRs, ownPorts }),
    timeoutMs: registryTimeout,
    outbound: new OutboundProxies(outboundProxy),
    ca: tls.caCert === undefined ? undefined : (await readPem(tls.caCert)).toString('utf8'),
    insecure: (url) => namesHost(insecureHosts, url),
  });
}

function evaluatorName({ scheduler: { algorithm } }: SchedulerConfig): EvaluatorName {
  return algorithm === 'v2.0.2' || algorithm === 'v2.1.28' || algorithm === 'v2.5' ? algorithm : 'measured';
}

function swarmLimits({ scheduler }: SchedulerConfig, settings: DynamicSettings): Partial<SwarmLimits> {
  const { candidateParentLimit, filterParentLimit } = settings;
  return {
    backToSourceCount: scheduler.backToSourceCount ?? scheduler.backSourceCount ?? 200,
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

/** A certificate that cannot be read ends the start, because going on without it would be worse. */
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
