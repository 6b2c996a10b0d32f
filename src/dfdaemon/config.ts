/**
 * dfget.yaml: the configuration of a dfdaemon, peer or seed peer, with the keys that running clusters already use.
 * Keys that only steered the inner works of the original (pprof-port, jaeger, storage.strategy) are accepted
 * without effect, so that existing files start without a warning.
 */
import { z } from 'zod';
import { bytes, durationMs, loadConfig, section, type LoadedConfig } from '../core/config.ts';
import { proxyConfig } from './proxy/proxy-config.ts';
import type { TrafficShaperOptions } from './task/traffic-shaper.ts';

/** A port, 0 for any free one, or a range of which the first free one is taken. */
const port = (defaultPort: number) =>
  z
    .union([
      z.int().min(0).max(65_535),
      z
        .object({ start: z.int().min(1).max(65_535), end: z.int().min(1).max(65_535) })
        .refine((range) => range.start <= range.end, 'start is past end'),
    ])
    .default(defaultPort);

export type Port = z.output<ReturnType<typeof port>>;

const tcpListen = (defaultPort: number, defaultHost: string) =>
  section({ port: port(defaultPort), listen: z.string().default(defaultHost), namespace: z.string().optional() });

const netAddress = z.object({ type: z.enum(['tcp', 'unix']).default('tcp'), addr: z.string() });

const seedPeer = section({
  enable: z.boolean().default(false),
  type: z.enum(['super', 'strong', 'weak']).default('super'),
  clusterID: z.int().min(1).default(1),
  keepAlive: section({ interval: durationMs('5s') }),
});

const transportSecurity = section({
  insecure: z.boolean().default(true),
  tlsVerify: z.boolean().default(true),
  caCert: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
});

export const dfdaemonConfigSchema = z.object({
  aliveTime: durationMs('0s'),
  gcInterval: durationMs('1m'),
  metrics: z.string().default(''),
  workHome: z.string().default('/usr/local/dragonfly'),
  cacheDir: z.string().default('/var/cache/dragonfly'),
  logDir: z.string().default('/var/log/dragonfly'),
  dataDir: z.string().default('/var/lib/dragonfly'),
  keepStorage: z.boolean().default(true),
  console: z.boolean().default(true),
  verbose: z.boolean().default(false),
  health: section({ path: z.string().default('/server/ping'), tcpListen: tcpListen(40_901, '127.0.0.1') }),
  scheduler: section({
    manager: section({
      enable: z.boolean().default(false),
      netAddrs: z.array(netAddress).default([]),
      refreshInterval: durationMs('10m'),
      seedPeer,
    }),
    /** Where the published set-ups put this block; read as well, because they mean it. */
    seedPeer: seedPeer.optional(),
    netAddrs: z.array(netAddress).default([]),
    scheduleTimeout: durationMs('30s'),
    disableAutoBackSource: z.boolean().default(false),
  }),
  host: section({
    hostname: z.string().optional(),
    advertiseIP: z.union([z.ipv4(), z.ipv6()]).optional(),
    idc: z.string().default(''),
    location: z.string().default(''),
    schedulerClusterID: z.int().min(0).default(0),
  }),
  download: section({
    calculateDigest: z.boolean().default(true),
    totalRateLimit: bytes('10Gi'),
    perPeerRateLimit: bytes('5Gi'),
    backToSourceRateLimit: bytes('10Gi'),
    /** `sampling` divides the total between running tasks by need. */
    trafficShaperType: z.enum(['', 'plain', 'sampling']).default('plain'),
    pieceDownloadTimeout: durationMs('30s'),
    watchdogTimeout: durationMs('30s'),
    prefetch: z.boolean().default(false),
    /** Goes on with a download after its last subscriber has left. */
    finishAbandoned: z.boolean().default(false),
    concurrentPieceCount: z.int().min(1).max(256).default(16),
    downloadGRPC: section({
      security: transportSecurity,
      unixListen: section({ socket: z.string().default('') }),
    }),
    peerGRPC: section({ security: transportSecurity, tcpListen: tcpListen(65_000, '0.0.0.0') }),
    /** Networks (CIDR) that may be origins; with `allow`, nothing else may. Metadata services of clouds never are by default. */
    egress: section({ allow: z.array(z.string()).default([]), deny: z.array(z.string()).default([]) }),
    /** PEM files of authorities to trust for origins besides the system's. */
    sourceCA: z.array(z.string()).default([]),
    /** `host` or `host:port` of origins whose certificate is not verified. */
    insecureSources: z.array(z.string()).default([]),
  }),
  upload: section({
    rateLimit: bytes('10Gi'),
    security: transportSecurity,
    tcpListen: tcpListen(65_002, '0.0.0.0'),
  }),
  storage: section({
    taskExpireTime: durationMs('72h'),
    diskGCThreshold: bytes('0'),
    diskGCThresholdPercent: z.number().min(0).max(100).default(90),
    multiplex: z.boolean().default(true),
    strategy: z.string().default('io.d7y.storage.v2.simple'),
  }),
  proxy: proxyConfig,
  objectStorage: section({ enable: z.boolean().default(false), tcpListen: tcpListen(65_004, '127.0.0.1') }),
  security: section({
    autoIssueCert: z.boolean().default(false),
    caCert: z.string().default(''),
    tlsVerify: z.boolean().default(false),
    tlsPolicy: z.enum(['default', 'prefer', 'force']).default('default'),
    certSpec: section({
      dnsNames: z.array(z.string()).default([]),
      ipAddresses: z.array(z.string()).default([]),
      validityPeriod: durationMs('4320h'),
    }),
  }),
  network: section({ enableIPv6: z.boolean().default(false) }),
  announcer: section({ schedulerInterval: durationMs('30s') }),
  'pprof-port': z.int().optional(),
  jaeger: z.string().optional(),
  /** Its folder `source` holds modules for further origin protocols. */
  pluginDir: z.string().optional(),
});

export type DfdaemonConfig = z.output<typeof dfdaemonConfigSchema>;

export function loadDfdaemonConfig(
  path: string,
  options: { optional: boolean },
): Promise<LoadedConfig<DfdaemonConfig>> {
  return loadConfig(dfdaemonConfigSchema, path, options);
}

/** The seed peer block, wherever the file carries it. */
export function seedPeerConfig(config: DfdaemonConfig): DfdaemonConfig['scheduler']['manager']['seedPeer'] {
  const misplaced = config.scheduler.seedPeer;
  return misplaced?.enable ? misplaced : config.scheduler.manager.seedPeer;
}

/** Rates of zero set no limit. */
export function downloadLimits({ download, proxy }: DfdaemonConfig): TrafficShaperOptions {
  const rate = (bytesPerSec: number): number => (bytesPerSec > 0 ? bytesPerSec : Infinity);
  return {
    sampling: download.trafficShaperType === 'sampling' && download.totalRateLimit > 0,
    rates: {
      total: rate(download.totalRateLimit),
      perTask: rate(download.perPeerRateLimit),
      backToSource: rate(download.backToSourceRateLimit),
      prefetch: rate(proxy.prefetchBandwidthLimit),
    },
  };
}

export function socketPath(config: DfdaemonConfig): string {
  return config.download.downloadGRPC.unixListen.socket || '/var/run/dragonfly/dfdaemon.sock';
}
