/**
 * The scheduler as one object that any process can hold: configuration in, `start`, and closed with everything it
 * opened.
 *
 * A thin shell: streams become events of the swarm (announce-peer), the swarm's decisions become messages
 * (peer-sessions), seeds are called when a decision says so (seed-downloads), and the manager's settings become its
 * limits (dynamic-config).
 */
import { DragonflyError } from '../core/errors.ts';
import { hostPort } from '../core/net/host-port.ts';
import { Owned, type Closable } from '../core/process/lifecycle.ts';
import { silentLogger } from '../core/process/logger.ts';
import { metricsRoute, StatusServer } from '../core/metrics.ts';
import { SchedulerLiveDefinition } from '../../gen/scheduler/v2/live.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import type { RpcServer } from '../rpc/server/server.ts';
import { ApplicationPriorities } from './applications.ts';
import type { Brain } from './brain.ts';
import type { SchedulerConfig } from './config.ts';
import { DynamicConfig, type DynamicSettings } from './dynamic-config.ts';
import { HeldHosts } from './hosts/held-hosts.ts';
import { IntroducedHosts } from './hosts/introduced-hosts.ts';
import { bringBack, KeptHosts } from './hosts/kept-hosts.ts';
import { KnownSeeds } from './hosts/known-seeds.ts';
import { liveRpc } from './live/live-rpc.ts';
import { managerJobs } from './jobs/manager-jobs.ts';
import { managerRedis } from './jobs/manager-redis.ts';
import type { ManagerLink, ServesJobs } from './manager-link.ts';
import {
  channelsTo,
  createBrain,
  createServer,
  managerLink,
  openBase,
  prefersCertificates,
  registryClient,
  type Base,
  type SchedulerOverrides,
} from './assembly.ts';
import type { SchedulerMetrics } from './metrics.ts';
import { OriginalDaemons } from './peers/original-daemons.ts';
import { Preheater } from './preheat/preheater.ts';
import { liveAccess, schedulerAccess } from './scheduler-access.ts';
import { ReplicaDesk } from './replicas/replica-desk.ts';
import { schedulerRpc } from './scheduler-rpc.ts';
import { Reachability } from './hosts/reachability.ts';

export interface SchedulerAddresses {
  /** `host:port` that daemons dial. */
  readonly grpc: string;
  readonly metrics?: string;
}

interface Parts {
  readonly base: Base;
  readonly brain: Brain;
  readonly server: RpcServer;
  readonly link: ManagerLink | undefined;
  readonly dynamic: DynamicConfig;
  readonly servesJobs: ServesJobs;
  readonly introduced: IntroducedHosts;
}

export class SchedulerService implements Closable {
  readonly #parts: Parts;
  #metricsAddress: string | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Does not open a port yet. Throws CONFIG_INVALID when a certificate file cannot be read; then nothing stays open. */
  static async create(config: SchedulerConfig, overrides: SchedulerOverrides = {}): Promise<SchedulerService> {
    const owned = new Owned(overrides.logger ?? silentLogger);
    try {
      return new SchedulerService(await createParts(config, overrides, owned));
    } catch (error) {
      await owned[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Opens the ports and registers at the manager. Resolves when daemons can find this scheduler there, or when the manager's first answer failed. */
  async start(): Promise<void> {
    const { base, brain, server, link, dynamic, servesJobs, introduced } = this.#parts;
    const { config, owned, own } = base;
    owned.add('gRPC server', server);
    // Closed before the server: when their streams end at once, daemons go to the next scheduler at once.
    owned.defer('peer streams', () =>
      brain.sessions.failAll(new DragonflyError('UNAVAILABLE', 'the scheduler is shutting down')),
    );
    await introduced.recorded(); // before the first daemon asks for anything
    await server.start();
    own.bound(server.port);
    if (config.metrics.enable) await this.#serveMetrics(config.metrics.addr);
    if (!link) return;
    owned.add('membership at the manager', link);
    const { host, manager } = config;
    await link.start(
      {
        hostname: base.hostname,
        ip: own.ip,
        port: own.advertisedPort,
        idc: host.idc,
        location: host.location,
        clusterId: manager.schedulerClusterID,
      },
      { onChange: () => dynamic.refresh(), servesJobs, onStruckOff: (host) => brain.struckOffElsewhere(host) },
    );
  }

  get brain(): Brain {
    return this.#parts.brain;
  }

  get metrics(): SchedulerMetrics {
    return this.#parts.base.metrics;
  }

  /** That is bound. */
  get port(): number {
    return this.#parts.server.port;
  }

  get addresses(): SchedulerAddresses {
    const grpc = hostPort(this.#parts.base.own.ip, this.port);
    return this.#metricsAddress === undefined ? { grpc } : { grpc, metrics: this.#metricsAddress };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.base.owned[Symbol.asyncDispose]();
  }

  async #serveMetrics(address: string): Promise<void> {
    const { owned, own } = this.#parts.base;
    const separator = address.lastIndexOf(':');
    const host = address.slice(0, separator) || '0.0.0.0';
    const port = Number(address.slice(separator + 1));
    const ok = (): { body: string } => ({ body: 'ok\n' });
    const routes = { '/metrics': metricsRoute(this.metrics.registry), '/healthz': ok, '/server/ping': ok };
    const status = owned.add('metrics server', await StatusServer.listen({ host, port }, routes));
    own.metricsBound(status.port);
    this.#metricsAddress = `${host === '0.0.0.0' ? '127.0.0.1' : host}:${status.port}`;
  }
}

async function createParts(config: SchedulerConfig, overrides: SchedulerOverrides, owned: Owned): Promise<Parts> {
  const base = await openBase(config, owned, overrides);
  const { own, logger, controlKey } = base;
  const random = overrides.random ?? Math.random;
  const link = await managerLink(base);
  const dynamic = await DynamicConfig.create({
    localPath: config.dynConfig.path,
    read: link && (() => link.read()),
    cacheDir: config.server.cacheDir,
    logger,
  });
  const brain = owned.add('swarm', await createBrain(base, dynamic.settings, overrides));
  const peerChannels = await channelsTo(base, 'peers', config.peer.tls, { controlKey });
  const preheater = owned.add(
    'preheats',
    new Preheater({
      channels: peerChannels,
      hosts: () => brain.hosts.list().filter((host) => brain.swarm.host(host.id)),
      random,
      logger,
      calls: brain.calls,
    }),
  );
  const registry = owned.add('connections to registries', await registryClient(config, () => own.ports));
  const originals = await OriginalDaemons.create(config.server.cacheDir, logger);
  const held = owned.add('held hosts', new HeldHosts(brain, originals, overrides.heldHostGraceMs));
  const keptHosts = owned.add('hosts without a stream', await KeptHosts.create(config.server.cacheDir, logger));
  const redis = await managerRedis(config, logger);
  const servesJobs = managerJobs(base, { brain, preheater, originals, redis });
  const server = await createServer(base, brain, overrides);
  const reachability = new Reachability(peerChannels);
  const replicas = owned.add(
    'replicas',
    new ReplicaDesk({
      brain,
      channels: peerChannels,
      ownAddress: () => own.advertised,
      logger,
      limits: overrides.replicaLimits,
    }),
  );
  const seeds = new KnownSeeds({ proven: prefersCertificates(base), dynamic, logger });
  const loadLimits = (): DynamicSettings => dynamic.settings;
  const introduced = owned.add(
    'introduced hosts',
    new IntroducedHosts({
      brain,
      channels: peerChannels,
      settings: loadLimits,
      believesSeed: (host) => seeds.believes(host),
      redis,
      clusterId: config.manager.schedulerClusterID,
      logger,
    }),
  );
  bringBack(keptHosts, { brain, loadLimits, believesSeeds: !prefersCertificates(base) });
  dynamic.applyBy(({ applications, jobRateLimit, seedPeers }) => {
    brain.priorities = new ApplicationPriorities(applications);
    preheater.setRate(jobRateLimit ?? config.job.rateLimit);
    introduced.listed(seedPeers);
  });
  server.addService(
    SchedulerDefinition,
    schedulerRpc({
      brain,
      held,
      keptHosts,
      originals,
      preheater,
      reachability,
      registry,
      replicas,
      loadLimits,
      isKnownSeed: (host, by) => seeds.has(host, by),
    }),
    schedulerAccess,
  );
  server.addService(SchedulerLiveDefinition, liveRpc(brain, replicas), liveAccess);
  return { base, brain, server, link, dynamic, servesJobs, introduced };
}
