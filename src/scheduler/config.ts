/** `scheduler.yaml`: the original's keys, read unchanged, and the keys that this scheduler adds. */
import { z } from 'zod';
import { bytes, durationMs, ignored, logRotationKeys, noted, section, timerMs } from '../core/config/config.ts';
import { outboundProxyConfig } from '../core/net/outbound-proxy.ts';
import { memberSecurity } from '../rpc/identity/security-config.ts';
import { redisConfig, redisSettings, type RedisConfig } from './jobs/redis-config.ts';

const port = z.int().min(0).max(65_535);
const text = z.string();
const count = z.int().min(1);

const tls = z.object({ caCert: text, cert: text, key: text }).optional();

export const schedulerConfigSchema = z.object({
  server: section({
    advertiseIP: text.optional().describe('address told to the manager; by default that of the default route'),
    advertisePort: port.optional().describe('port told to the manager; by default the bound one'),
    listenIP: text.optional().describe('default 0.0.0.0, or :: with network.enableIPv6'),
    port: port.default(8002).describe('0 takes a free one'),
    host: text.optional().describe('host name told to the manager; by default that of the machine'),
    tls: tls.describe('serve gRPC over TLS and require certificates signed by caCert'),
    requestRateLimit: count.default(4000).describe('calls and new streams per second'),
    cacheDir: text
      .default('/var/cache/dragonfly/scheduler')
      .describe('directory of the last good dynamic configuration, used while no manager answers'),
    logDir: text.optional().describe('directory of scheduler.log; standard error when absent'),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
    ...logRotationKeys,
    pluginDir: noted,
    workHome: ignored,
    dataDir: ignored,
  }),
  scheduler: section({
    algorithm: z
      .enum(['default', 'v2.0.2', 'v2.1.28', 'v2.5', 'nt', 'ml', 'plugin'])
      .default('default')
      .describe('how parents are weighed: by measured rates, or by a formula of the original of that version'),
    backToSourceCount: count
      .optional()
      .describe('peers that may fetch one task from the origin at a time; default 200'),
    backSourceCount: count.optional().describe('older name of backToSourceCount'),
    stateMemory: bytes('0').describe(
      'memory for what is known of tasks and peers, half of it at most for callers from one address; 0 for half of the heap',
    ),
    crossZonePeers: z
      .int()
      .min(0)
      .default(0)
      .describe('peers of one IDC that fetch a task from other IDCs, the rest takes it from them; 0 for all'),
    retryBackToSourceLimit: noted,
    retryBackSourceLimit: ignored,
    retryLimit: noted,
    retryInterval: noted,
    maxScheduleCount: ignored,
    networkTopology: ignored,
    training: ignored,
    gc: section({
      pieceDownloadTimeout: durationMs('30m').describe('a downloading peer without a new piece for so long is dropped'),
      peerGCInterval: timerMs('10s'),
      peerTTL: durationMs('24h'),
      taskGCInterval: ignored,
      hostGCInterval: ignored,
      hostTTL: durationMs('1h'),
    }),
  }),
  dynConfig: section({
    type: ignored,
    refreshInterval: timerMs('1m').describe('time between two reads of the manager'),
    path: text
      .default('/etc/dragonfly/dynconfig.yaml')
      .describe('file with limits and priorities of the cluster, read where no manager is configured'),
  }),
  host: section({ idc: text.default(''), location: text.default(''), netTopology: ignored }),
  manager: section({
    addr: z
      .union([text, z.array(text)])
      .optional()
      .describe('host:port of the manager, several separated by commas; without it the scheduler works alone'),
    tls: tls.describe('reach the manager over TLS'),
    schedulerClusterID: count.default(1),
    keepAlive: section({ interval: timerMs('5s') }),
  }),
  seedPeer: section({
    enable: z.boolean().default(true).describe('let seed peers fetch a task first'),
    tls: tls.describe('reach seed peers over TLS'),
    taskDownloadTimeout: timerMs('10h'),
  }),
  peer: section({ tls: tls.describe('reach peers over TLS') }),
  metrics: section({
    enable: z.boolean().default(false),
    addr: text.default(':8000'),
    enableHost: z.boolean().default(false).describe('traffic of each host as a metric of its own'),
    enablePeerHost: z.boolean().default(false).describe('older name of enableHost'),
  }),
  network: section({ enableIPv6: z.boolean().default(false) }),
  job: section({
    preheat: section({
      tls: section({
        caCert: text.optional().describe('further authorities that sign registries'),
      }),
      registryTimeout: timerMs('1m'),
      outboundProxy: outboundProxyConfig,
      allowCIDRs: z
        .array(text)
        .default([])
        .describe('networks registries may live in although denied by default, such as loopback'),
      denyCIDRs: z.array(text).default([]).describe('further networks that are out of bounds'),
      insecureHosts: z.array(text).default([]).describe('registries whose certificates are not verified'),
    }),
    rateLimit: count.default(10).describe('preheats begun per second, unless the cluster says otherwise'),
    enable: z
      .boolean()
      .default(true)
      .describe('serve the jobs that a manager of the original leaves in Redis, where database.redis tells it'),
    globalWorkerNum: ignored,
    schedulerWorkerNum: ignored,
    localWorkerNum: ignored,
    redis: redisConfig.describe('old place of database.redis'),
  }),
  database: section({ redis: redisConfig }),
  resource: ignored,
  storage: ignored,
  security: memberSecurity,
  networkTopology: noted,
  trainer: noted,
  tracing: noted,
  console: z.boolean().default(false).describe('log to standard error rather than to server.logDir'),
  verbose: z.boolean().default(false).describe('log debug messages'),
  jaeger: ignored,
  'service-name': ignored,
  pprofPort: ignored,
  'pprof-port': ignored,
});

export type SchedulerConfig = z.output<typeof schedulerConfigSchema>;

/** Sentences on keys that were given but have no effect here. */
export function configNotes(config: SchedulerConfig): string[] {
  const notes: string[] = [];
  const note = (key: string, value: unknown, why: string): void => {
    if (value !== undefined) notes.push(`${key} has no effect: ${why}`);
  };
  note('tracing', config.tracing, 'set OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_* variables');
  note('trainer', config.trainer, 'there is no trainer');
  note('networkTopology', config.networkTopology, 'distances come from idc, location and measured rates');
  note('scheduler.retryInterval', config.scheduler.retryInterval, 'waiting peers are woken, not retried');
  note('scheduler.retryLimit', config.scheduler.retryLimit, 'waiting peers are woken, not retried');
  note(
    'scheduler.retryBackToSourceLimit',
    config.scheduler.retryBackToSourceLimit,
    'waiting peers are woken, not retried',
  );
  const { algorithm } = config.scheduler;
  if (algorithm === 'nt' || algorithm === 'ml' || algorithm === 'plugin') {
    notes.push(`scheduler.algorithm ${algorithm} does not exist here: parents are weighed by measured rates`);
  }
  note('server.pluginDir', config.server.pluginDir, 'there are no plugins');
  return notes;
}

/** The Redis of managers and schedulers of the original; undefined where none is named. */
export function sharedRedis({ job, database }: SchedulerConfig): RedisConfig | undefined {
  return redisSettings(database.redis, job.redis);
}

/** Jobs of a manager of the original are served. */
export function servesQueue({ job, manager }: SchedulerConfig): boolean {
  return job.enable && manager.addr !== undefined;
}

/** The manager's addresses; empty when the scheduler works alone. */
export function managerAddresses(config: SchedulerConfig): string[] {
  const { addr } = config.manager;
  if (addr === undefined) return [];
  const texts = typeof addr === 'string' ? addr.split(',') : addr;
  return texts.map((part) => part.trim()).filter((part) => part !== '');
}
