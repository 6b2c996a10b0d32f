/**
 * A dfdaemon: everything it owns, opened in order and closed in reverse. `start` reads from top to bottom: no part
 * refers to a part that is opened after it; values that become known later are passed to it.
 *
 * A port in use or a locked store is an error at once. An unreachable scheduler or manager is not, since the daemon
 * then serves from its store and from origins.
 */
import { toDragonflyError } from '../core/errors.ts';
import { hostPort } from '../core/net/host-port.ts';
import { Owned, type Closable } from '../core/process/lifecycle.ts';
import type { Logger } from '../core/process/logger.ts';
import type { Registry } from '../core/metrics.ts';
import type { ReadyAddresses } from '../core/process/ready.ts';
import { announceContent, createSchedulers, joinCluster } from './assembly/cluster.ts';
import { openDownloads, type Downloads } from './assembly/downloads.ts';
import { openKeptTasks } from './assembly/kept.ts';
import { openNode, type DaemonNode } from './assembly/node.ts';
import { openProxy, openS3Buckets, openS3Door, proxyAddresses } from './assembly/proxy-port.ts';
import { openRpcPorts } from './assembly/rpc-ports.ts';
import { openStatusServers, watchMetrics } from './assembly/status.ts';
import { openUploads } from './assembly/uploads.ts';
import type { Host } from '../../gen/common/v2/common.ts';
import type { DfdaemonConfig } from './config.ts';
import type { Dynconfig } from './cluster/dynconfig.ts';
import { HostInfo, type HostIdentity } from './cluster/host-info.ts';
import { configuredSettings } from './cluster/local-dynconfig.ts';
import { openStore, startScrubber } from './open-store.ts';
import { bodyMemory, type ProxyServer } from './proxy/proxy-server.ts';

interface Parts {
  readonly node: DaemonNode;
  readonly downloads: Downloads;
  readonly proxy: ProxyServer | undefined;
  readonly dynconfig: Dynconfig;
  readonly addresses: ReadyAddresses;
}

export class DfdaemonService implements Closable {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Resolves when every port accepts connections. Throws IN_USE, PERMISSION_DENIED, STORAGE, CONFIG_INVALID; then nothing stays open. */
  static async start(config: DfdaemonConfig, logger: Logger): Promise<DfdaemonService> {
    const owned = new Owned(logger);
    try {
      return new DfdaemonService(await openParts(config, owned, logger));
    } catch (error) {
      await owned[Symbol.asyncDispose]();
      throw toDragonflyError(error);
    }
  }

  get config(): DfdaemonConfig {
    return this.#parts.node.config;
  }

  get identity(): HostIdentity {
    return this.#parts.node.identity;
  }

  get registry(): Registry {
    return this.#parts.node.registry;
  }

  /** The bound addresses by name: download, peer, upload, proxy, health, metrics. */
  get addresses(): ReadyAddresses {
    return this.#parts.addresses;
  }

  /** Applies the settings that may change while the daemon runs: rules of the proxy, and schedulers when no manager provides them. */
  async reconfigure(config: DfdaemonConfig): Promise<void> {
    this.#parts.proxy?.useRules(config.proxy);
    const { schedulers } = await configuredSettings(config, this.identity.isSeed);
    await this.#parts.dynconfig.useSchedulers(schedulers);
  }

  /** Resolves when the daemon has had neither a download nor an upload for `aliveTime`. */
  get idle(): Promise<void> {
    return this.#parts.downloads.idleWatch.idle;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.node.owned[Symbol.asyncDispose]();
  }
}

async function openParts(config: DfdaemonConfig, owned: Owned, logger: Logger): Promise<Parts> {
  const node = await openNode(config, owned, logger);
  const schedulers = createSchedulers(node);
  const storage = await openStore(config, owned, logger);
  const { store, collector } = storage;
  const downloads = await openDownloads(node, storage, schedulers);
  const { engine, nodeLocal, idleWatch, blockList, sources } = downloads;
  const uploads = await openUploads(node, store, downloads);
  startScrubber(config, owned, { store, busy: () => engine.runningCount > 0, logger });

  const hostInfo = new HostInfo(node.identity, {
    dataDirectory: config.dataDir,
    maxTxBytesPerSec: config.upload.rateLimit,
    maxRxBytesPerSec: config.download.totalRateLimit,
  });
  const readHost = (): Promise<Host> => hostInfo.read(uploads.pieceServer.connectionCount);
  const buckets = openS3Buckets(node, schedulers);
  const imports = openKeptTasks(node, storage, { schedulers, engine, sources });
  const ports = { ...imports, store, schedulers, downloads, uploads, buckets, readHost };
  const { peerPort, socket } = await openRpcPorts(node, ports);
  // Downloads end before the ports close: callers learn how their downloads ended, and so do the schedulers.
  owned.add('task engine', engine);
  owned.add('schedulers', schedulers);
  owned.defer('farewell to the schedulers', () => schedulers.leave());
  const proxyMemory = bodyMemory(node.memory.proxy);
  const s3 = await openS3Door(node, downloads, { buckets, pool: proxyMemory, schedulers, storage });
  const proxy = await openProxy(node, downloads, {
    schedulers,
    storage,
    bodyMemory: proxyMemory,
    s3Door: s3?.address,
  });
  hostInfo.ports = { grpc: config.host.advertisePort ?? peerPort, proxy: proxy?.port ?? 0 };

  watchMetrics(node, downloads, { sent: uploads.pieceServer, proxy: proxyMemory });
  idleWatch.start(() => engine.runningCount > 0);
  announceContent(schedulers, { store, engine, identity: node.identity, nodeLocal, readHost });
  const dynconfig = await joinCluster(node, { schedulers, blockList, peerPort });
  collector.start();
  imports.persistent.resumeUploads();
  const status = await openStatusServers(node, schedulers);
  const addresses = {
    ...status,
    download: `unix:${socket}`,
    peer: hostPort(node.identity.ip, peerPort),
    upload: hostPort(node.identity.ip, uploads.pieceServer.port),
    ...proxyAddresses(proxy, s3),
  };
  logger.info({ hostId: node.identity.hostId, addresses }, 'dfdaemon serves');
  return { node, downloads, proxy, dynconfig, addresses };
}
