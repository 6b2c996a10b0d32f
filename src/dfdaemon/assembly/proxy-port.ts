/** Opens the HTTP proxy of a daemon if it is configured. */
import { hostPort } from '../../core/net/host-port.ts';
import type { ReadyAddresses } from '../../core/process/ready.ts';
import { S3Buckets } from '../proxy/doors/s3/s3-buckets.ts';
import { S3Server } from '../proxy/doors/s3/s3-server.ts';
import type { StoredContent } from '../proxy/doors/xet/xorb-ranges.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { PushedContent } from '../imports/pushed-content.ts';
import type { StoreParts } from '../open-store.ts';
import { ProxyServer, type BodyMemory, type ProxyServerOptions } from '../proxy/proxy-server.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { Downloads } from './downloads.ts';
import type { DaemonNode } from './node.ts';

/** Undefined when the proxy is off. Throws IN_USE when a port is taken. */
export async function openProxy(
  node: DaemonNode,
  { engine, sources, shared }: Downloads,
  options: {
    readonly schedulers: Schedulers;
    readonly bodyMemory: BodyMemory;
    readonly storage: StoreParts;
    readonly s3Door: ProxyServerOptions['s3Door'];
  },
): Promise<ProxyServer | undefined> {
  const { config, owned, logger, registry, metrics, controlPlane, egress, trust } = node;
  if (!config.proxy.enable) return undefined;
  const proxy = await ProxyServer.create({
    config: { ...config.proxy, prefetch: config.proxy.prefetch || config.download.prefetch },
    filteredQueryParams: config.download.filteredQueryParams,
    engine,
    sources,
    trust,
    egress,
    registry,
    clientMetrics: metrics.client,
    bodyMemory: options.bodyMemory,
    swarm: options.schedulers,
    pushed: pushedContent(node, options),
    shared,
    logger,
    stateDir: config.workHome,
    serverIp: node.identity.ip,
    hostname: node.identity.hostname,
    doors: config.doors,
    stored: storedContent(options.storage.store),
    s3Door: options.s3Door,
  });
  owned.add('proxy', proxy);
  await proxy.start();
  for (const { port, address } of proxy.ownPorts) controlPlane.addOwnPort(port, address);
  return proxy;
}

function storedContent(store: TaskStore): StoredContent {
  return {
    *headers() {
      for (const { complete, responseHeader } of store.list()) if (complete) yield responseHeader;
    },
    discard: (taskId) => void store.remove(taskId),
  };
}

function pushedContent(
  { identity: { hostId }, logger }: DaemonNode,
  { schedulers, storage: { store, collector } }: { readonly schedulers: Schedulers; readonly storage: StoreParts },
): PushedContent {
  return new PushedContent({ store, schedulers, hostId, makeRoom: (bytes) => collector.makeRoom(bytes), logger });
}

/** Throws CONFIG_INVALID. */
export function openS3Buckets(
  { config, owned, logger, egress, trust }: DaemonNode,
  { objects: news }: Pick<Schedulers, 'objects'>,
): S3Buckets {
  const buckets = new S3Buckets({ config: config.doors.s3, egress, trust, news, logger });
  owned.defer('buckets', () => buckets[Symbol.dispose]());
  return buckets;
}

/** Undefined when there are no buckets. Throws IN_USE when its port is taken, CONFIG_INVALID. */
export async function openS3Door(
  node: DaemonNode,
  { engine }: Downloads,
  options: {
    readonly buckets: S3Buckets;
    readonly pool: BodyMemory;
    readonly schedulers: Schedulers;
    readonly storage: StoreParts;
  },
): Promise<S3Server | undefined> {
  const { config, owned, logger, registry, controlPlane } = node;
  const { buckets, pool } = options;
  if (buckets.stores.size === 0) return undefined;
  const { prefetch } = config.download;
  const { s3 } = config.doors;
  const door = owned.add(
    's3 door',
    new S3Server({
      config: s3,
      buckets,
      engine,
      content: pushedContent(node, options),
      gateway: config.objectStorage.enable,
      pool,
      prefetch,
      registry,
      logger,
    }),
  );
  await door.start();
  controlPlane.addOwnPort(door.address.port, door.address.host);
  return door;
}

/** The proxy's addresses for clients on this node, by name. */
export function proxyAddresses(proxy: ProxyServer | undefined, s3: S3Server | undefined): ReadyAddresses {
  const door: ReadyAddresses = s3 ? { s3: hostPort('127.0.0.1', s3.address.port) } : {};
  if (!proxy) return door;
  const sni = proxy.sniPorts.map((port, index) => [`sni-${index}`, `127.0.0.1:${port}`]);
  return { proxy: `127.0.0.1:${proxy.port}`, ...door, ...(Object.fromEntries(sni) as ReadyAddresses) };
}
