/** The configuration row `gc`: a JSON text of times to live, in nanoseconds as all durations of the API. */
import type { Config } from '../configuration/config-queries.ts';

export const gcConfigName = 'gc';
export const gcKinds = ['audit', 'job'] as const;
export type GcKindName = (typeof gcKinds)[number];
export type GcTtls = Readonly<Record<GcKindName, number>>;

export const nsPerHour = 3600 * 1e9;
const defaultTtlsNs: GcTtls = { audit: 7 * 24 * nsPerHour, job: 6 * nsPerHour };

export function ttlsOf(config: Config | undefined): GcTtls {
  try {
    const parsed = JSON.parse(config?.value ?? '{}') as Partial<Record<GcKindName, { ttl?: number }>>;
    return { audit: parsed.audit?.ttl ?? defaultTtlsNs.audit, job: parsed.job?.ttl ?? defaultTtlsNs.job };
  } catch {
    return defaultTtlsNs;
  }
}

export function valueOf(ttls: GcTtls): string {
  return JSON.stringify(Object.fromEntries(gcKinds.map((kind) => [kind, { ttl: ttls[kind] }])));
}
