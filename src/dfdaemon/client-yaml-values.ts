/**
 * Translates the keys of the Rust client into the keys of this daemon. Absent keys take the Rust client's defaults,
 * ports included, because the other nodes and the probes of such a cluster rely on them.
 */
import { isMap } from '../core/config/config-values.ts';
import type { ClientYaml } from './client-yaml.ts';

/** A scheduler that stays silent longer than this does not delay a download, whatever the file says. */
const longestScheduleMs = 30_000;

/** The same settings under this daemon's keys. */
export function dfdaemonValues(yaml: ClientYaml): Record<string, unknown> {
  const { host, server, download, upload, scheduler, seedPeer, dynconfig, storage, gc, proxy, network } = yaml;
  const managers = [yaml.manager?.addr, ...(yaml.manager?.addrs ?? [])].filter((value) => value !== undefined);
  const policy = gc?.policy;
  const high = policy?.diskHighThresholdPercent ?? policy?.distHighThresholdPercent ?? 80;
  const low = policy?.diskLowThresholdPercent ?? policy?.distLowThresholdPercent ?? 60;
  const rate = download?.bandwidthLimit ?? download?.rateLimit ?? '50GB';
  const scheduleMs = Math.min(scheduler?.scheduleTimeout ?? longestScheduleMs, longestScheduleMs);
  return {
    console: yaml.console ?? false,
    verbose: yaml.verbose ?? ['debug', 'trace'].includes(yaml.log?.level ?? ''),
    logDir: '/var/log/dragonfly/dfdaemon',
    gcInterval: ms(gc?.interval ?? 900_000),
    metrics: listenText(yaml.metrics?.server ?? yaml.metrics, 4_002),
    cacheDir: server?.cacheDir ?? '/var/cache/dragonfly/dfdaemon',
    dataDir: storage?.dir ?? '/var/lib/dragonfly',
    keepStorage: storage?.keep ?? false,
    ...(server?.pluginDir !== undefined && { pluginDir: server.pluginDir }),
    health: { path: '/healthy', tcpListen: listenAt(yaml.health?.server, 4_003) },
    scheduler: {
      manager: {
        enable: managers.length > 0,
        netAddrs: managers.map((addr) => ({ addr: withoutScheme(addr) })),
        refreshInterval: ms(dynconfig?.refreshInterval ?? 60_000),
        seedPeer: {
          enable: seedPeer?.enable ?? false,
          ...(seedPeer?.clusterID !== undefined && { clusterID: seedPeer.clusterID }),
          ...(seedPeer?.keepaliveInterval !== undefined && { keepAlive: { interval: ms(seedPeer.keepaliveInterval) } }),
        },
      },
      scheduleTimeout: ms(scheduleMs),
      disableAutoBackSource: scheduler?.enableBackToSource === false,
    },
    host: {
      ...(given(host?.hostname) && { hostname: host?.hostname }),
      ...(given(host?.ip) && { advertiseIP: host?.ip }),
      idc: host?.idc ?? '',
      location: host?.location ?? '',
      schedulerClusterID: host?.schedulerClusterID ?? 0,
    },
    download: {
      totalRateLimit: rate,
      perPeerRateLimit: rate,
      backToSourceRateLimit: download?.backToSourceBandwidthLimit ?? download?.backToSourceRateLimit ?? '50GB',
      pieceDownloadTimeout: ms(download?.pieceTimeout ?? 360_000),
      concurrentPieceCount: download?.concurrentPieceCount ?? 8,
      downloadGRPC: { unixListen: { socket: download?.server?.socketPath ?? '' } },
      peerGRPC: { tcpListen: listenAt(upload?.server, 4_000), security: tlsOf(upload?.server) },
    },
    upload: {
      rateLimit: upload?.bandwidthLimit ?? upload?.rateLimit ?? '50GB',
      tcpListen: listenAt({ ip: storage?.server?.ip, port: storage?.server?.tcpPort }, 4_005),
      plainPieces: true,
    },
    storage: {
      taskExpireTime: ms(policy?.taskTTL ?? 2_592_000_000),
      diskGCThreshold: policy?.diskThreshold ?? policy?.distThreshold ?? 0,
      diskGCThresholdPercent: high,
      diskGCMarginPercent: Math.max(0, high - low),
    },
    proxy: proxyValues(proxy),
    network: { enableIPv6: network?.enableIPv6 ?? false },
    announcer: { schedulerInterval: ms(scheduler?.announceInterval ?? 300_000) },
  };
}

/** Sentences on keys that were given but behave differently here. */
export function clientYamlNotes(yaml: ClientYaml): string[] {
  const notes: string[] = [];
  const { download, upload, scheduler, backend, tracing, stats } = yaml;
  if (download?.protocol !== undefined && download.protocol !== 'tcp')
    notes.push(`download.protocol ${download.protocol} has no effect: pieces are fetched over TCP`);
  if (upload?.disableShared === true) notes.push('upload.disableShared has no effect: this node gives what it holds');
  if ((scheduler?.scheduleTimeout ?? 0) > longestScheduleMs)
    notes.push('scheduler.scheduleTimeout is 30s: a silent scheduler holds no download up for longer');
  if (backend !== undefined) notes.push('backend has no effect: how origins are asked is decided by their answers');
  if (tracing !== undefined)
    notes.push('tracing has no effect: set OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_* variables');
  if ([upload?.client, scheduler, yaml.manager].some((section) => section?.cert !== undefined))
    notes.push(
      'a node has one certificate here: that of upload.server is shown to schedulers, managers and other nodes',
    );
  if (stats !== undefined) notes.push('stats has no effect: start with node --inspect for a profile');
  return notes;
}

/** In the Rust client the listen address grants access. Here it does not: this host and `allowedNetworks` may use the proxy. */
function proxyValues(proxy: Record<string, unknown> = {}): Record<string, unknown> {
  const server = isMap(proxy['server']) ? proxy['server'] : {};
  const mirror = isMap(proxy['registryMirror']) ? proxy['registryMirror'] : {};
  const { prefetchRateLimit, rules, ...rest } = proxy;
  return {
    ...rest,
    ...(prefetchRateLimit !== undefined && { prefetchBandwidthLimit: prefetchRateLimit }),
    ...(Array.isArray(rules) && { rules: rules.map(withExpression) }),
    server: { ip: '0.0.0.0', port: 4_001, ...server },
    registryMirror: { addr: 'https://index.docker.io', enableTaskIDBasedBlobDigest: false, ...mirror },
  };
}

/** In the Rust client a rule without an expression applies to every URL. */
function withExpression(rule: unknown): unknown {
  return isMap(rule) && rule['regex'] === undefined && rule['regx'] === undefined ? { ...rule, regex: '.*' } : rule;
}

/** In the Rust client only this port uses TLS; between daemons of this project the pieces are encrypted as well. */
function tlsOf(server: { caCert?: string | undefined; cert?: string | undefined; key?: string | undefined } = {}) {
  const { caCert, cert, key } = server;
  return cert === undefined || key === undefined
    ? {}
    : { insecure: false, cert, key, ...(caCert === undefined ? { tlsVerify: false } : { caCert }) };
}

interface Place {
  readonly ip?: string | undefined;
  readonly port?: number | undefined;
}

function listenAt({ ip, port: number }: Place = {}, defaultPort: number): { listen: string; port: number } {
  return { listen: ip ?? '0.0.0.0', port: number ?? defaultPort };
}

function listenText(place: Place | undefined, defaultPort: number): string {
  const { listen, port: number } = listenAt(place, defaultPort);
  return listen.includes(':') ? `[${listen}]:${number}` : `${listen}:${number}`;
}

function withoutScheme(addr: string): string {
  return addr.replace(/^https?:\/\//, '').replace(/\/+$/, '');
}

/** Existing set-ups write '' to mean "detect it". */
function given(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

function ms(milliseconds: number): string {
  return `${milliseconds}ms`;
}
