/**
 * dfget.yaml: the configuration of a dfdaemon, peer or seed peer, with the keys that running clusters already use. Keys
 * that only controlled internals of the original (pprof-port, jaeger, storage.strategy) are accepted without effect, so
 * that existing files start without a warning; a warning is given only for keys that somebody may rely on.
 */
import { stringify } from 'yaml';
import { z } from 'zod';
import {
  bytes,
  durationMs,
  ignored,
  logRotationKeys,
  misplaced,
  noted,
  overridesOf,
  parseConfig,
  readConfigText,
  section,
  timerMs,
  type ConfigSource,
  type LoadedConfig,
} from '../core/config/config.ts';
import { parseValues } from '../core/config/config-values.ts';
import { outboundProxyConfig } from '../core/net/outbound-proxy.ts';
import { memberSecurity } from '../rpc/identity/security-config.ts';
import { defaultPickerLimits } from '../swarm/peer/picker-limits.ts';
import { clientYamlNotes, dfdaemonValues } from './client-yaml-values.ts';
import { clientYamlSchema, isClientYaml } from './client-yaml.ts';
import type { BufferKind } from './metrics.ts';
import { doorsConfig } from './proxy/doors/doors-config.ts';
import { gatewayConfig } from './proxy/doors/s3/gateway/gateway-config.ts';
import { proxyConfig } from './proxy/proxy-config.ts';
import type { TrafficShaperOptions } from './task/traffic-shaper.ts';

const maxOriginConnections = 16;
const pieceCount = z.int().min(1).max(256).default(defaultPickerLimits.maxRunning);

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

type Port = z.output<ReturnType<typeof port>>;

const tcpListen = (defaultPort: number, defaultHost: string) =>
  section({
    port: port(defaultPort).describe('0 takes a free one; of a range the first free one'),
    listen: z.string().default(defaultHost),
    namespace: ignored,
  });

const netAddress = z.object({ type: noted, addr: z.string() });

const seedPeer = section({
  enable: z.boolean().default(false).describe('serve as a seed peer, the first to go to the origin'),
  type: z.enum(['super', 'strong', 'weak']).default('super'),
  clusterID: z.int().min(1).default(1).describe('seed peer cluster to join'),
  keepAlive: section({ interval: timerMs('5s') }),
});

const transportSecurity = section({
  insecure: z.boolean().default(true).describe('false: TLS on this port'),
  tlsVerify: z.boolean().default(true).describe('require certificates of callers'),
  caCert: z.string().optional().describe('PEM, or the path of a PEM file'),
  cert: z.string().optional().describe('PEM, or the path of a PEM file'),
  key: z.string().optional().describe('PEM, or the path of a PEM file'),
});

export const dfdaemonConfigSchema = z.object({
  aliveTime: timerMs('0s').describe('ends after so long without a download or an upload; 0 never'),
  gcInterval: timerMs('1m').describe('time between two runs of the collector'),
  metrics: z.string().default('').describe('host:port of /metrics; empty: no such port'),
  workHome: z.string().default('/usr/local/dragonfly').describe('directory of the certificate authority of the proxy'),
  cacheDir: z
    .string()
    .default('/var/cache/dragonfly')
    .describe('directory of the last good dynamic configuration, used while no manager answers'),
  logDir: z.string().default('/var/log/dragonfly'),
  ...logRotationKeys,
  workHomeMode: ignored,
  cacheDirMode: ignored,
  dataDirMode: ignored,
  dataDir: z.string().default('/var/lib/dragonfly').describe('directory of pieces, metadata and receipts'),
  keepStorage: z.boolean().default(true).describe('keep what is stored when the daemon ends'),
  bufferMemory: bytes('128Mi').describe(
    'most memory for content on its way: 6/16 from nodes, 3/16 from origins, 4/16 to nodes, 3/16 by the proxy; what finds none waits, or goes on in small steps where an origin is the other side',
  ),
  console: z.boolean().default(true).describe('log to standard error rather than to logDir'),
  verbose: z.boolean().default(false).describe('log debug messages'),
  reload: section({
    interval: timerMs('1m').describe(
      '0: this file is read once. Else rules of the proxy, and schedulers where there is no manager, follow its changes at once',
    ),
  }),
  health: section({
    path: z.string().default('/server/ping'),
    security: ignored,
    tcpListen: tcpListen(40_901, '127.0.0.1'),
  }),
  scheduler: section({
    manager: section({
      enable: z.boolean().default(false).describe('learn the schedulers from a manager'),
      netAddrs: z.array(netAddress).default([]),
      refreshInterval: timerMs('10m').describe('time between two reads of the manager, besides the changes it pushes'),
      seedPeer,
    }),
    /** Published set-ups put this block here deliberately. */
    seedPeer: misplaced(seedPeer.optional(), 'scheduler.manager.seedPeer'),
    netAddrs: z.array(netAddress).default([]),
    scheduleTimeout: timerMs('30s').describe(
      'how long a connected scheduler may give nothing before it is asked for something; one without origin leases: before the origin is asked',
    ),
    disableAutoBackSource: z.boolean().default(false).describe('never go to the origin from this node'),
  }),
  dynconfig: z
    .string()
    .default('/etc/dragonfly/dynconfig.yaml')
    .describe(
      'file with the schedulers and the block list, read where neither a manager nor schedulers are configured',
    ),
  host: section({
    hostname: z.string().optional().describe('by default that of the machine'),
    advertiseIP: z
      .union([z.ipv4(), z.ipv6()])
      .optional()
      .describe('address other nodes reach this one by; by default that of the default route'),
    advertisePort: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('gRPC port other nodes reach this one by, behind address translation; by default the bound one'),
    idc: z.string().default('').describe('data centre; nodes of the same one are preferred as parents'),
    location: z.string().default('').describe('place in parts from large to small, `|` between them'),
    schedulerClusterID: z.int().min(0).default(0).describe('cluster to use; 0 lets the manager choose'),
    listenIP: ignored,
    netTopology: ignored,
    securityDomain: ignored,
  }),
  download: section({
    calculateDigest: z
      .boolean()
      .default(true)
      .describe('has no effect: every piece is verified, and the content when its digest is known'),
    totalRateLimit: bytes('10Gi').describe('bytes per second of all downloads; 0 sets no limit'),
    perPeerRateLimit: bytes('5Gi').describe('bytes per second of one task; 0 sets no limit'),
    backToSourceRateLimit: bytes('10Gi').describe('bytes per second from origins; 0 sets no limit'),
    trafficShaperType: z
      .enum(['', 'plain', 'sampling'])
      .default('plain')
      .describe('sampling divides the total between running tasks by need'),
    pieceDownloadTimeout: timerMs('30s').describe('deadline of one piece from one parent'),
    watchdogTimeout: ignored,
    grpcDialTimeout: ignored,
    getPiecesMaxRetry: ignored,
    defaultPattern: ignored,
    splitRunningTasks: ignored,
    syncPieceViaHTTPS: ignored,
    transportOption: ignored,
    recursiveConcurrent: ignored,
    cacheRecursiveMetadata: ignored,
    resourceClients: noted,
    prefetch: z.boolean().default(false).describe('with a range: fetch the rest of the content in the background'),
    filteredQueryParams: z
      .array(z.string())
      .default([])
      .describe('query parameters that sign URLs here, left out of every identity beside those known to every release'),
    finishAbandoned: z.boolean().default(false).describe('go on with a download after its last reader has left'),
    recordings: z
      .int()
      .min(0)
      .max(1000)
      .default(0)
      .describe(
        'how many of the newest downloads are written down event by event in `<dataDir>/recordings`, for `dragonfly simulate --replay`; at most 16 MiB each; 0 for none',
      ),
    pieceDigests: z
      .boolean()
      .default(true)
      .describe(
        'content without a digest: compare each piece that another node gives with what whoever was at the origin says it is; off where every member is trusted',
      ),
    concurrentPieceCount: pieceCount.describe('pieces of one task asked for at a time'),
    originConnections: z
      .int()
      .min(1)
      .max(maxOriginConnections)
      .optional()
      .describe(
        'requests to an origin for one task at a time, each for a part; for origins that limit each connection; default 1',
      ),
    concurrent: section({
      goroutineCount: z.int().min(0).default(0).describe('name of originConnections in the first generation'),
      thresholdSize: ignored,
      thresholdSpeed: ignored,
      initBackoff: ignored,
      maxBackoff: ignored,
      maxAttempts: ignored,
    }),
    downloadGRPC: section({
      security: ignored,
      unixListen: section({ socket: z.string().default('').describe('default /var/run/dragonfly/dfdaemon.sock') }),
    }),
    outputRoots: z
      .array(z.string().startsWith('/'))
      .default([])
      .describe(
        'directories below which this daemon writes outputs of dfget; anywhere its user may when there are none',
      ),
    peerGRPC: section({ security: transportSecurity, tcpListen: tcpListen(65_000, '0.0.0.0') }),
    egress: section({
      allow: z
        .array(z.string())
        .default([])
        .describe('networks (CIDR) that may be origins; when given, nothing else may'),
      deny: z
        .array(z.string())
        .default([])
        .describe('networks (CIDR) that may not, besides the metadata services of clouds and the control plane'),
    }),
    outboundProxy: outboundProxyConfig,
    ownCredentials: z
      .boolean()
      .default(false)
      .describe(
        "read objects of s3://, gs://, abs:// and the other stores with this daemon's own credentials, found as their SDKs do, where a request brings none: whoever may use the daemon then reads what they can read",
      ),
    sourceCA: z.array(z.string()).default([]).describe("PEM files of authorities to trust besides the system's"),
    insecureSources: z
      .array(z.string())
      .default([])
      .describe('origins, host or host:port, whose certificate is not verified'),
  }),
  upload: section({
    rateLimit: bytes('10Gi').describe('bytes per second to other nodes; 0 sets no limit'),
    advertisePort: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('port of pieces other nodes reach this one by, behind address translation; by default the bound one'),
    restricted: z
      .enum(['members', 'all'])
      .default('members')
      .describe(
        'who is given what an origin gave to credentials: nodes that a scheduler has sent, or whoever knows the id, as daemons of the original do',
      ),
    security: transportSecurity,
    plainPieces: z
      .boolean()
      .default(false)
      .describe(
        'give pieces in the clear as well, and take them so: daemons of the original know no other; between daemons of this project they stay encrypted',
      ),
    tcpListen: tcpListen(65_002, '0.0.0.0'),
  }),
  storage: section({
    taskExpireTime: durationMs('72h').describe('a task that nobody has read for so long is removed'),
    diskGCThreshold: bytes('0').describe('bytes the store may hold; 0 leaves it to the percentage'),
    diskGCThresholdPercent: z
      .number()
      .min(0)
      .max(100)
      .default(90)
      .describe('use of the disk at which tasks are removed'),
    diskGCMarginPercent: z
      .number()
      .min(0)
      .max(100)
      .default(10)
      .describe(
        'so much lower than that is the use down to which they are removed, and a quota in the same proportion',
      ),
    scrubRateLimit: bytes('16Mi').describe(
      'bytes per second at which an idle node reads its content again and drops what the disk has damaged; 0 never',
    ),
    multiplex: ignored,
    strategy: ignored,
    dataPath: ignored,
    writeBufferSize: ignored,
  }),
  proxy: proxyConfig,
  doors: doorsConfig,
  objectStorage: gatewayConfig,
  security: memberSecurity,
  network: section({
    enableIPv6: z
      .boolean()
      .default(false)
      .describe('prefer IPv6 for the address told to others, and listen on :: where listen is 0.0.0.0'),
  }),
  announcer: section({ schedulerInterval: timerMs('30s').describe('time between two reports of this host') }),
  'pprof-port': ignored,
  pprofPort: ignored,
  'service-name': ignored,
  jaeger: ignored,
  tracing: noted,
  networkTopology: ignored,
  pluginDir: z.string().optional().describe('its folder `source` holds modules for further origin protocols'),
});

export type DfdaemonConfig = z.output<typeof dfdaemonConfigSchema>;

/** Reads a file of either generation, recognised by its keys. Throws CONFIG_INVALID. */
export async function loadDfdaemonConfig(path: string, source: ConfigSource): Promise<LoadedConfig<DfdaemonConfig>> {
  const text = await readConfigText(path, source);
  const overrides = overridesOf(dfdaemonConfigSchema, source);
  if (!isClientYaml(parseValues(text).toJS())) {
    const { config, warnings } = parseConfig(dfdaemonConfigSchema, text, path, overrides);
    return { config, warnings: [...warnings, ...notes(config)] };
  }
  const client = parseConfig(clientYamlSchema, text, path);
  const { config } = parseConfig(dfdaemonConfigSchema, stringify(dfdaemonValues(client.config)), path, overrides);
  return { config, warnings: [...client.warnings, ...clientYamlNotes(client.config)] };
}

/** Sentences on keys that were given but do not have the effect their author expects. */
function notes({ doors, download, objectStorage, scheduler, proxy, tracing }: DfdaemonConfig): string[] {
  const found: string[] = [];
  if (tracing !== undefined)
    found.push('tracing has no effect: set OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_* variables');
  if (download.resourceClients !== undefined)
    found.push(
      'download.resourceClients has no effect: download.outboundProxy names a proxy, download.insecureSources origins that are not verified',
    );
  for (const [name, rules] of Object.entries({ 'proxy.proxies': proxy.proxies, 'proxy.rules': proxy.rules })) {
    for (const [index, { regx, regex }] of rules.entries())
      if (regx === undefined && regex === undefined) found.push(`${name}.${index} has no regx, so it matches nothing`);
  }
  if (download.calculateDigest === false)
    found.push(
      'download.calculateDigest has no effect: every piece is verified, and the content when its digest is known',
    );
  if (objectStorage.enable && doors.s3.buckets.length === 0)
    found.push('objectStorage.enable has no effect without buckets: name them in doors.s3.buckets');
  if (objectStorage.tcpListen !== undefined)
    found.push('objectStorage.tcpListen has no effect: the gateway is on the port of doors.s3.tcpListen');
  if ([...scheduler.netAddrs, ...scheduler.manager.netAddrs].some(({ type }) => type === 'unix'))
    found.push('the type unix of an address has no effect: services are reached over TCP');
  if (proxy.dumpHTTPContent === true)
    found.push('proxy.dumpHTTPContent has no effect: what clients send and get is nobody’s to log');
  return found;
}

/** The seed peer block, wherever the file carries it. */
export function seedPeerConfig(config: DfdaemonConfig): DfdaemonConfig['scheduler']['manager']['seedPeer'] {
  const misplaced = config.scheduler.seedPeer;
  return misplaced?.enable ? misplaced : config.scheduler.manager.seedPeer;
}

/** Zero means no limit. */
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

/** The value of its own key, otherwise that of the first generation's key. */
export function originConnections({ download }: DfdaemonConfig): number {
  const { goroutineCount } = download.concurrent;
  return download.originConnections ?? Math.min(maxOriginConnections, Math.max(1, goroutineCount));
}

/** The first of a range. */
export function portNumber(port: Port): number {
  return typeof port === 'number' ? port : port.start;
}

/** `::` takes IPv4 as well. */
export function listenHost({ network }: DfdaemonConfig, listen: string): string {
  return network.enableIPv6 && listen === '0.0.0.0' ? '::' : listen;
}

/**
 * Each kind has its own share, so that a slow origin, child or client of the proxy takes nothing from the others.
 * Uploads use sendfile and need little memory, so received content gets the largest share.
 */
export function shareMemory(bufferBytes: number): Readonly<Record<BufferKind, number>> {
  const share = (sixteenths: number): number => Math.floor((bufferBytes * sixteenths) / 16);
  return { received: share(6), origin: share(3), sent: share(4), proxy: share(3) };
}

export function socketPath(config: DfdaemonConfig): string {
  return config.download.downloadGRPC.unixListen.socket || '/var/run/dragonfly/dfdaemon.sock';
}
