/**
 * The keys of dfdaemon.yaml, the file of the original's Rust client (1.0 to 1.5). A file belongs to that generation
 * when it has a key that only that client knows. The keys come from the client's configuration documents and from the
 * files that its charts and compose set-ups write.
 */
import { z } from 'zod';
import { ignored, noted } from '../core/config/config.ts';
import { readAs } from '../core/config/config-schema.ts';
import { isMap } from '../core/config/config-values.ts';
import { proxyConfig } from './proxy/proxy-config.ts';

const text = z.string();
const port = z.int().min(0).max(65_535);
const address = z.object({ ip: text.optional(), port: port.optional() }).optional();
const files = { caCert: text.optional(), cert: text.optional(), key: text.optional() };
const size = z.union([text, z.number()]).optional();
/** Parses `30s`, `3h`, `1h 30m` or `2days` into milliseconds. */
const duration = z
  .union([text, z.number()])
  .transform((value, context) => {
    const ms = humanDurationMs(String(value));
    if (ms === undefined) context.addIssue(`"${value}" is not a duration: write 30s, 10m, 3h`);
    return ms ?? 0;
  })
  .optional();

export const clientYamlSchema = z.object({
  verbose: z.boolean().optional(),
  console: z.boolean().optional(),
  log: z.object({ level: text.optional() }).optional(),
  host: z
    .object({
      idc: text.optional(),
      location: text.optional(),
      hostname: text.optional(),
      ip: text.optional(),
      schedulerClusterID: z.int().min(0).optional(),
    })
    .optional(),
  server: z.object({ pluginDir: text.optional(), cacheDir: text.optional(), adaptiveRateLimit: ignored }).optional(),
  download: z
    .object({
      server: z
        .object({ socketPath: text.optional(), requestRateLimit: ignored, requestBufferSize: ignored })
        .optional(),
      protocol: text.optional(),
      bandwidthLimit: size,
      rateLimit: size,
      backToSourceBandwidthLimit: size,
      backToSourceRateLimit: size,
      pieceTimeout: duration,
      collectedPieceTimeout: ignored,
      concurrentPieceCount: z.int().min(1).optional(),
    })
    .optional(),
  upload: z
    .object({
      server: z
        .object({
          ip: text.optional(),
          port: port.optional(),
          ...files,
          requestRateLimit: ignored,
          requestBufferSize: ignored,
        })
        .optional(),
      client: z.object(files).optional(),
      disableShared: z.boolean().optional(),
      bandwidthLimit: size,
      rateLimit: size,
    })
    .optional(),
  manager: z.object({ addr: text.optional(), addrs: z.array(text).optional(), ...files }).optional(),
  scheduler: z
    .object({
      announceInterval: duration,
      scheduleTimeout: duration,
      maxScheduleCount: ignored,
      enableBackToSource: z.boolean().optional(),
      ...files,
    })
    .optional(),
  seedPeer: z
    .object({
      enable: z.boolean().optional(),
      type: text.optional(),
      clusterID: z.int().min(1).optional(),
      keepaliveInterval: duration,
    })
    .optional(),
  dynconfig: z.object({ refreshInterval: duration }).optional(),
  storage: z
    .object({
      server: z
        .object({ ip: text.optional(), tcpPort: port.optional(), tcpFastopen: ignored, quicPort: ignored })
        .optional(),
      dir: text.optional(),
      keep: z.boolean().optional(),
      writePieceTimeout: ignored,
      writeBufferSize: ignored,
      readBufferSize: ignored,
      write_buffer_size: ignored,
      read_buffer_size: ignored,
      cacheCapacity: ignored,
    })
    .optional(),
  backend: noted,
  gc: z
    .object({
      interval: duration,
      policy: z
        .object({
          taskTTL: duration,
          persistentTaskTTL: ignored,
          persistentCacheTaskTTL: ignored,
          pageCacheIdleTimeout: ignored,
          diskThreshold: size,
          distThreshold: size,
          diskHighThresholdPercent: z.number().optional(),
          diskLowThresholdPercent: z.number().optional(),
          // Misspelt like this in the files of all releases.
          distHighThresholdPercent: z.number().optional(),
          distLowThresholdPercent: z.number().optional(),
        })
        .optional(),
    })
    .optional(),
  proxy: readAs(
    z.record(text, z.unknown()).superRefine((value, context) => {
      // This daemon reads the keys of both generations in this section.
      for (const { path, message } of proxyConfig.safeParse(value).error?.issues ?? [])
        context.addIssue({ code: 'custom', path, message });
    }),
    z.object({ ...proxyConfig.unwrap().shape, prefetchRateLimit: size }),
  ).optional(),
  security: ignored,
  health: z.object({ server: address }).optional(),
  metrics: z.object({ server: address, ip: text.optional(), port: port.optional() }).optional(),
  stats: noted,
  tracing: noted,
  network: z.object({ enableIPv6: z.boolean().optional() }).optional(),
});

export type ClientYaml = z.output<typeof clientYamlSchema>;

const ownSections = ['server', 'manager', 'seedPeer', 'dynconfig', 'gc', 'backend', 'stats', 'tracing', 'log'];
/** Keys that only the Go daemon has; its last releases also took up `tracing`. */
const olderKeys = ['aliveTime', 'gcInterval', 'workHome', 'cacheDir', 'dataDir', 'keepStorage', 'logDir', 'pprof-port'];

/** True when a key is present that only the Rust client has. */
export function isClientYaml(values: unknown): boolean {
  const sections = inLowerCase(values);
  if (olderKeys.some((name) => name.toLowerCase() in sections)) return false;
  if ([...ownSections, 'metrics'].some((name) => isMap(sections[name.toLowerCase()]))) return true;
  return ['download', 'upload', 'storage', 'health'].some((name) => {
    const section = inLowerCase(sections[name]);
    return isMap(section['server']) || 'keep' in section || 'dir' in section;
  });
}

function inLowerCase(values: unknown): Readonly<Record<string, unknown>> {
  if (!isMap(values)) return {};
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]));
}

const unitMs: readonly (readonly [RegExp, number])[] = [
  [/^(?:nsec|ns)$/, 1e-6],
  [/^(?:usec|us|µs)$/, 1e-3],
  [/^(?:millis|msec|ms)$/, 1],
  [/^(?:seconds?|secs?|s)$/, 1_000],
  [/^(?:minutes?|mins?|min|m)$/, 60_000],
  [/^(?:hours?|hrs?|hr|h)$/, 3_600_000],
  [/^(?:days?|d)$/, 86_400_000],
  [/^(?:weeks?|wk|w)$/, 604_800_000],
];

function humanDurationMs(value: string): number | undefined {
  const parts = [...value.matchAll(/(\d+)\s*([a-zµ]+)\s*/gi)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== value.trimStart()) return undefined;
  let sum = 0;
  for (const [, count, unit = ''] of parts) {
    const factor = unitMs.find(([pattern]) => pattern.test(unit))?.[1];
    if (factor === undefined) return undefined;
    sum += Number(count) * factor;
  }
  return sum;
}
