/** The configuration of a cluster of both kinds. Each part has one file, that of the original: ours reads it as it is. */
import { join } from 'node:path';
import { stringify } from 'yaml';

export const loopback = '127.0.0.1';

/** The original takes none without a password. */
export const databaseUser = { user: 'dragonfly', password: 'dragonfly' };

/** Paths of PEM files. */
export interface TlsFiles {
  readonly caCert: string;
  readonly cert: string;
  readonly key: string;
}

export interface Ports {
  readonly managerRest: number;
  readonly managerGrpc: number;
  readonly managerMetrics: number;
  readonly redis: number;
  readonly mysql: number;
  /** The manager's gRPC port demands a certificate, and everybody has this one. */
  readonly tls: TlsFiles | undefined;
  /** So do those of schedulers and daemons. */
  readonly memberTls: TlsFiles | undefined;
  /** How proxies count blobs of registries; undefined for what daemons do when nothing is said. */
  readonly blobsByDigest: boolean | undefined;
}

export function managerConfig(directory: string, database: string, ports: Ports): string {
  return stringify({
    server: {
      grpc: {
        advertiseIP: loopback,
        listenIP: loopback,
        port: { start: ports.managerGrpc, end: ports.managerGrpc },
        ...tlsSection(ports.tls),
      },
      rest: { addr: `${loopback}:${ports.managerRest}` },
      ...directories(directory),
    },
    auth: { jwt: { realm: 'Dragonfly', key: 'ZHJhZ29uZmx5Cg==', timeout: '48h', maxRefresh: '48h' } },
    database: {
      type: 'mysql',
      mysql: { ...databaseUser, host: loopback, port: ports.mysql, dbname: database, migrate: true },
      redis: redis(ports),
    },
    cache: { redis: { ttl: '2s' }, local: { size: 10_000, ttl: '2s' } },
    job: { preheat: { allowCIDRs: ['127.0.0.0/8', '198.18.0.0/15'] } },
    metrics: { enable: true, addr: `${loopback}:${ports.managerMetrics}` },
  });
}

export interface SchedulerPlace {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
  /** Where daemons dial: a relay stands there. */
  readonly advertisedPort: number;
  readonly metricsPort: number;
}

export function schedulerConfig(
  { name, directory, port, advertisedPort, metricsPort }: SchedulerPlace,
  ports: Ports,
): string {
  return stringify({
    server: {
      advertiseIP: loopback,
      listenIP: loopback,
      port,
      advertisePort: advertisedPort,
      host: name,
      ...directories(directory),
      ...tlsSection(ports.memberTls),
    },
    database: { redis: redis(ports) },
    manager: {
      addr: `${loopback}:${ports.managerGrpc}`,
      schedulerClusterID: 1,
      keepAlive: { interval: '2s' },
      ...tlsSection(ports.tls),
    },
    seedPeer: { enable: true, ...tlsSection(ports.memberTls) },
    peer: tlsSection(ports.memberTls),
    dynConfig: { refreshInterval: '10s' },
    job: { enable: true },
    // By default the original gives a seed peer two seconds to come; a machine under load needs more.
    scheduler: { retryInterval: '2s' },
    metrics: { enable: true, enableHost: true, addr: `${loopback}:${metricsPort}` },
  });
}

export interface DaemonPorts {
  readonly upload: number;
  readonly tcp: number;
  readonly quic: number;
  readonly proxy: number;
  readonly metrics: number;
  readonly health: number;
  readonly stats: number;
}

export function daemonConfig(
  {
    name,
    directory,
    seed,
    quic,
    daemon,
  }: { name: string; directory: string; seed: boolean; quic: boolean; daemon: DaemonPorts },
  ports: Ports,
): string {
  const at = (port: number) => ({ ip: loopback, port });
  const mirror = { addr: 'https://index.docker.io', enableTaskIDBasedBlobDigest: ports.blobsByDigest };
  return stringify({
    log: { level: 'info' },
    host: { hostname: name, ip: loopback, schedulerClusterID: 1 },
    server: { pluginDir: join(directory, 'plugins'), cacheDir: join(directory, 'cache') },
    download: { server: { socketPath: socketPath(directory) }, ...(quic && { protocol: 'quic' }) },
    upload: {
      server: { ...at(daemon.upload), ...ports.memberTls },
      ...(ports.memberTls && { client: ports.memberTls }),
    },
    manager: { addr: `${ports.tls ? 'https' : 'http'}://${loopback}:${ports.managerGrpc}`, ...ports.tls },
    scheduler: { announceInterval: '10s', scheduleTimeout: '30s', ...ports.memberTls },
    seedPeer: { enable: seed, type: 'super' },
    dynconfig: { refreshInterval: '10s' },
    storage: {
      dir: join(directory, 'storage'),
      keep: true,
      server: { ip: loopback, tcpPort: daemon.tcp, quicPort: daemon.quic },
    },
    proxy: { server: at(daemon.proxy), rules: [{ regex: '.*' }], registryMirror: mirror },
    metrics: { server: at(daemon.metrics) },
    health: { server: at(daemon.health) },
    stats: { server: at(daemon.stats) },
  });
}

export function socketPath(directory: string): string {
  return join(directory, 'dfdaemon.sock');
}

function directories(directory: string) {
  return {
    logDir: join(directory, 'log'),
    cacheDir: join(directory, 'cache'),
    pluginDir: join(directory, 'plugins'),
    dataDir: join(directory, 'data'),
  };
}

function tlsSection(tls: TlsFiles | undefined) {
  return tls ? { tls } : {};
}

function redis({ redis: port }: Ports) {
  return { addrs: [`${loopback}:${port}`], db: 0, brokerDB: 1, backendDB: 2 };
}
