/**
 * A dfdaemon: everything it owns, opened in order and closed in reverse.
 *
 * Opening: store → piece port → gRPC ports → schedulers. A port that is taken or a store that is locked is an error at
 * once; a scheduler or manager that is away is not, since the daemon then serves from its store and from origins.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toDragonflyError } from '../core/errors.ts';
import { hostPort } from '../core/host-port.ts';
import { peerId } from '../core/ids.ts';
import { Owned, type Closable } from '../core/lifecycle.ts';
import { isOwnAddress } from '../core/own-address.ts';
import { unknownCaller } from '../rpc/caller.ts';
import type { Logger } from '../core/logger.ts';
import { createRegistry, type Registry } from '../core/metrics.ts';
import { OutboundProxies } from '../core/outbound-proxy.ts';
import { outwardAddress } from '../core/outward-address.ts';
import { requireSocketDirectory } from '../core/private-file.ts';
import { RateLimiter } from '../core/rate-limiter.ts';
import type { ReadyAddresses } from '../core/ready.ts';
import { Channels } from '../rpc/channels.ts';
import { createClient } from '../rpc/client.ts';
import { DfdaemonDownloadDefinition, DfdaemonUploadDefinition } from '../rpc/generated/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../rpc/generated/dfdaemon/v2/local.ts';
import { swarmFeature } from '../rpc/features.ts';
import { isServing } from '../rpc/health.ts';
import { ManagerClient } from '../rpc/manager-client.ts';
import { openIdentity } from '../rpc/identity/open-identity.ts';
import { RpcServer } from '../rpc/server.ts';
import {
  downloadLimits,
  seedPeerConfig,
  listenHost,
  shareMemory,
  socketPath,
  type DfdaemonConfig,
  portNumber,
} from './config.ts';
import { BlockList } from './block-list.ts';
import { ControlPlane } from './control-plane.ts';
import { Dynconfig } from './dynconfig.ts';
import { configuredSettings } from './local-dynconfig.ts';
import { finishedTasks, holdingsOf } from './holdings.ts';
import { hostIdentity, HostInfo, type HostIdentity } from './host-info.ts';
import { openStore, startScrubber } from './open-store.ts';
import { IdleWatch } from './idle-watch.ts';
import { createDaemonMetrics } from './metrics.ts';
import { Receipts } from './receipts.ts';
import { localHandlers } from './rpc/local-service.ts';
import { createPeerServer } from './rpc/peer-server.ts';
import { downloadHandlers, uploadHandlers, type ServiceOptions } from './rpc/services.ts';
import { uploadAccess } from './rpc/upload-access.ts';
import { Schedulers } from './schedulers.ts';
import { joinSeedPeerCluster } from './seed-membership.ts';
import { bodyMemory, ProxyServer } from './proxy/proxy-server.ts';
import { loadSourcePlugins } from './source/plugins.ts';
import { Sources } from './source/sources.ts';
import type { TrustOptions } from './source/trust-store.ts';
import { ContentHasher } from './task/content-hasher.ts';
import { TaskEngine } from './task/engine.ts';
import { NodeLocal } from './task/node-local.ts';
import { TrafficShaper } from './task/traffic-shaper.ts';
import { PieceClient } from './transport/piece-client.ts';
import { UploadDesk } from './transport/upload-desk.ts';
import { PieceServer } from './transport/piece-server.ts';
import { openStatusServers } from './status-servers.ts';
import { loadTransportSecurity } from './transport-security.ts';

export class DfdaemonService implements Closable {
  readonly config: DfdaemonConfig;
  readonly identity: HostIdentity;
  readonly registry: Registry;
  readonly #logger: Logger;
  readonly #owned: Owned;
  readonly #controlPlane: ControlPlane;
  #proxy: ProxyServer | undefined;
  #dynconfig: Dynconfig | undefined;
  #idleWatch: IdleWatch | undefined;
  #addresses: ReadyAddresses = {};

  private constructor(config: DfdaemonConfig, ip: string, logger: Logger) {
    this.config = config;
    this.#logger = logger;
    this.#owned = new Owned(logger);
    this.#controlPlane = new ControlPlane(logger);
    this.registry = createRegistry();
    this.identity = hostIdentity(config, ip);
  }

  /** Resolves when every port accepts. Throws IN_USE, PERMISSION_DENIED, STORAGE, CONFIG_INVALID; then nothing stays open. */
  static async start(config: DfdaemonConfig, logger: Logger): Promise<DfdaemonService> {
    const ip = config.host.advertiseIP ?? (await outwardAddress(config.network));
    const service = new DfdaemonService(config, ip, logger);
    try {
      await service.#start();
      return service;
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw toDragonflyError(error);
    }
  }

  /** Bound addresses by name: download, peer, upload, proxy, health, metrics. */
  get addresses(): ReadyAddresses {
    return this.#addresses;
  }

  /** Takes what may change while the daemon runs: rules of the proxy, and schedulers where no manager names them. */
  async reconfigure(config: DfdaemonConfig): Promise<void> {
    this.#proxy?.useRules(config.proxy);
    await this.#dynconfig?.useSchedulers((await configuredSettings(config, this.identity.isSeed)).schedulers);
  }

  /** Resolves after `aliveTime` without a download or an upload. */
  get idle(): Promise<void> {
    return this.#idleWatch?.idle ?? new Promise(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { config, identity } = this;
    const logger = this.#logger;
    const owned = this.#owned;
    const managers = config.scheduler.manager.enable ? config.scheduler.manager.netAddrs.map(({ addr }) => addr) : [];
    const certificate = await openIdentity({
      security: config.security,
      directory: config.workHome,
      managers,
      hostname: identity.hostname,
      ip: identity.ip,
      role: identity.isSeed ? 'seed' : 'peer',
      hostId: identity.hostId,
      clusterId: identity.isSeed ? seedPeerConfig(config).clusterID : identity.schedulerClusterId,
      logger,
    });
    if (certificate) owned.add('certificate of this node', certificate);
    const security = await loadTransportSecurity(config, certificate);
    const metrics = createDaemonMetrics(this.registry, identity);
    const { store, collector } = await openStore(config, owned, logger);
    const memory = shareMemory(config.bufferMemory);
    const nodeLocal = new NodeLocal(() => schedulers.addresses);
    const egress = {
      ...config.download.egress,
      controlPlane: this.#controlPlane,
      outbound: new OutboundProxies(config.download.outboundProxy),
      isInner: (address: string) => address !== identity.ip && isOwnAddress(address),
    };
    const sources = owned.add(
      'sources',
      new Sources({
        logger,
        trust: await this.#trust(),
        egress,
        caller: unknownCaller,
        ownCredentials: config.download.ownCredentials,
        poolBytes: memory.origin,
        onAsked: (call) => metrics.client.originAsked(call),
        plugins: config.pluginDir === undefined ? [] : await loadSourcePlugins(join(config.pluginDir, 'source')),
      }),
    );
    const channels = owned.add(
      'channels',
      new Channels({
        tls: security.grpcClient,
        onMetadata: (address, metadata) => this.#controlPlane.heard(address, metadata),
      }),
    );
    const proxyMemory = bodyMemory(memory.proxy);
    const hasher = owned.add('content hasher', new ContentHasher());
    const shaper = new TrafficShaper(downloadLimits(config));
    const pieces = owned.add(
      'piece client',
      PieceClient.create({
        limiter: shaper.total,
        poolBytes: memory.received,
        ...(security.pieceClient && { tls: security.pieceClient }),
      }),
    );
    const uploads = owned.add('upload desk', new UploadDesk({ atOrigin: () => engine.atOrigin }));
    const uploadPort = portNumber(config.upload.tcpListen.port);
    const pieceServer = owned.add(
      'piece server',
      await PieceServer.create({
        store,
        limiter: new RateLimiter(config.upload.rateLimit || Infinity),
        host: listenHost(config, config.upload.tcpListen.listen),
        port: uploadPort,
        uploads,
        poolBytes: memory.sent,
        mayRead: (task, address) => isOwnAddress(address) || !nodeLocal.means(task.identity.url),
        ...(security.pieceServer && { tls: security.pieceServer }),
        logger,
        onAsked: (taskId, piece) => engine.pieceAsked(taskId, piece),
        onServed: ({ taskId, number, bytes }) => {
          metrics.uploaded(bytes);
          engine.pieceServed(taskId, number);
          idleWatch.used();
        },
      }),
    );
    this.#controlPlane.addOwnPort(pieceServer.port, listenHost(config, config.upload.tcpListen.listen));
    metrics.watchBuffers(memory, { received: pieces, origin: sources, sent: pieceServer, proxy: proxyMemory });
    const hostInfo = new HostInfo(identity, {
      dataDirectory: config.dataDir,
      maxTxBytesPerSec: config.upload.rateLimit,
      maxRxBytesPerSec: config.download.totalRateLimit,
    });
    const receipts = new Receipts(join(config.dataDir, 'receipts.jsonl'), logger);
    owned.defer('receipts', () => receipts.flushed());

    const peerServer = createPeerServer(config, {
      logger,
      tls: security.peerServer,
      ip: identity.ip,
      certified: certificate !== undefined,
      controlPlane: this.#controlPlane,
    });
    let proxyPort = 0;
    let sniPorts: readonly number[] = [];
    const readHost = () =>
      hostInfo.read(
        { grpc: config.host.advertisePort ?? peerServer.port, proxy: proxyPort },
        pieceServer.connectionCount,
      );
    const schedulers = new Schedulers({
      channels,
      hostId: identity.hostId,
      readHost,
      holdings: async () => {
        await store.recovered();
        return holdingsOf(store, engine, { identity, nodeLocal });
      },
      held: () => finishedTasks(store, nodeLocal),
      newPeerId: () => peerId(identity.ip, identity.hostname, identity.isSeed),
      announceIntervalMs: config.announcer.schedulerInterval,
      onChange: () =>
        peerServer.health.setReady(
          schedulers.announcedCount > 0 || (managers.length === 0 && schedulers.addresses.length === 0),
        ),
      onFailure: () => dynconfig.suspect(),
      logger,
    });
    const blockList = new BlockList();
    const { filteredQueryParams } = config.download;
    const engine: TaskEngine = new TaskEngine({
      store,
      identity,
      admit: (request) => blockList.check(request),
      nodeLocal,
      disableBackToSource: config.scheduler.disableAutoBackSource,
      finishAbandoned: config.download.finishAbandoned,
      onCacheHit: () => (metrics.cacheHit(), idleWatch.used()),
      onFailure: (error, request) => metrics.failed(error, request),
      onReceipt: (receipt, request) => {
        metrics.count(receipt, request);
        receipts.add(receipt);
        idleWatch.used();
      },
      context: {
        hostId: identity.hostId,
        sources,
        pieces,
        hasher,
        shaper,
        makeRoom: (bytes) => collector.makeRoom(bytes),
        schedulerKinds: () => schedulers.kinds,
        openPeerStream: (taskId, requests, options) => schedulers.openPeerStream(taskId, requests, options),
        syncPieces: ({ ip, port }, request, signal) =>
          createClient(DfdaemonUploadDefinition, channels, hostPort(ip, port)).syncPieces(request, { signal }),
        concurrentPieceCount: config.download.concurrentPieceCount,
        originConnections: config.download.originConnections,
        pieceTimeoutMs: config.download.pieceDownloadTimeout,
        scheduleTimeoutMs: config.scheduler.scheduleTimeout,
        logger,
      },
    });
    const idleWatch = owned.add('idle watch', new IdleWatch(config.aliveTime, () => engine.runningCount > 0));
    this.#idleWatch = idleWatch;
    startScrubber(config, owned, { store, busy: () => engine.runningCount > 0, logger });
    metrics.watchRunning(() => engine.runningCount);
    metrics.client.watch(config.dataDir, () => engine.runningCount);
    const services: ServiceOptions = {
      engine,
      store,
      schedulers,
      sources,
      uploads,
      nodeLocal,
      outputRoots: config.download.outputRoots,
      hostId: identity.hostId,
      filteredQueryParams,
      readHost,
      piecePort: () => ({
        ip: identity.ip,
        port: config.upload.advertisePort ?? pieceServer.port,
        tls: security.pieceServer !== undefined,
      }),
    };
    peerServer.health.setReady(managers.length === 0 && config.scheduler.netAddrs.length === 0);
    peerServer.addService(DfdaemonUploadDefinition, uploadHandlers(services), uploadAccess);
    await peerServer.start();
    owned.add('peer gRPC server', peerServer);
    this.#controlPlane.addOwnPort(peerServer.port, listenHost(config, config.download.peerGRPC.tcpListen.listen));

    const socket = socketPath(config);
    requireSocketDirectory(dirname(socket));
    const localServer = RpcServer.create({ socketPath: socket, mode: 0o660 }, { logger, features: [swarmFeature] });
    localServer.addService(DfdaemonDownloadDefinition, downloadHandlers(services));
    localServer.addService(DfdaemonLocalDefinition, localHandlers(store, receipts, config.download.outputRoots));
    await localServer.start();
    owned.add('download gRPC server', localServer);
    owned.add('task engine', engine);
    owned.add('schedulers', schedulers);
    owned.defer('farewell to the schedulers', () => schedulers.leave());

    if (config.proxy.enable) {
      const proxy = await ProxyServer.create({
        config: { ...config.proxy, prefetch: config.proxy.prefetch || config.download.prefetch },
        filteredQueryParams,
        engine,
        sources,
        trust: await this.#trust(),
        egress,
        registry: this.registry,
        clientMetrics: metrics.client,
        bodyMemory: proxyMemory,
        swarm: schedulers,
        logger,
        stateDir: config.workHome,
        serverIp: identity.ip,
      });
      this.#proxy = owned.add('proxy', proxy);
      await proxy.start();
      proxyPort = proxy.port;
      for (const { port, address } of proxy.ownPorts) this.#controlPlane.addOwnPort(port, address);
      sniPorts = proxy.sniPorts;
    }
    const manager = managers.length > 0 ? new ManagerClient(channels, managers, logger) : undefined;
    const dynconfig: Dynconfig = owned.add(
      'dynamic configuration',
      new Dynconfig({
        manager,
        staticSettings: await configuredSettings(config, identity.isSeed),
        identity,
        cacheDirectory: config.cacheDir,
        refreshIntervalMs: config.scheduler.manager.refreshInterval,
        isServing: (address, signal) => isServing(channels, address, signal),
        onSettings: async (settings) => {
          blockList.update(settings.blocked);
          await this.#controlPlane.update('schedulers', settings.schedulers);
          await schedulers.update(settings.schedulers);
        },
        onRevocation: () => void certificate?.refreshRevocations(),
        logger,
      }),
    );
    if (manager && identity.isSeed) {
      owned.add(
        'seed peer membership',
        joinSeedPeerCluster(manager, identity, config, config.host.advertisePort ?? peerServer.port),
      );
    }
    await this.#controlPlane.update('manager', managers);
    await dynconfig.start();
    this.#dynconfig = dynconfig;

    collector.start();
    // Children must not wait for what is not there; it is fetched anew when it is next asked for.
    store.onDamage(({ id }) => schedulers.forgetTask(id));
    store.onRemoved(({ id }, { quietly }) => {
      if (!quietly) schedulers.forgetTask(id);
    });
    const status = await openStatusServers(config, {
      owned,
      registry: this.registry,
      isReady: () => schedulers.announcedCount > 0,
      isReachable: () => schedulers.reachable,
    });
    for (const { port, address } of status.ports) this.#controlPlane.addOwnPort(port, address);
    this.#addresses = {
      ...status.addresses,
      download: `unix:${socket}`,
      peer: hostPort(identity.ip, peerServer.port),
      upload: hostPort(identity.ip, pieceServer.port),
      ...(proxyPort > 0 && { proxy: `127.0.0.1:${proxyPort}` }),
      ...Object.fromEntries(sniPorts.map((port, index) => [`sni-${index}`, `127.0.0.1:${port}`])),
    };
    logger.info({ hostId: identity.hostId, addresses: this.#addresses }, 'dfdaemon serves');
  }

  /** Whom to trust as an origin, for downloads and for what the proxy forwards alike. */
  async #trust(): Promise<TrustOptions> {
    const { sourceCA, insecureSources } = this.config.download;
    return { caPem: await Promise.all(sourceCA.map((path) => readFile(path, 'utf8'))), insecureHosts: insecureSources };
  }
}
