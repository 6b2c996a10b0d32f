/** Types of clusters for the rest of the manager, and their conversion from rows. */
import { z } from 'zod';
import { patternSchema } from '../../core/config/pattern-schema.ts';

const names = (maxLength: number) => z.array(z.string().min(1).max(maxLength)).max(200);

const pattern = (maxLength: number) => patternSchema(maxLength).min(1);

export const scopesSchema = z.object({
  idc: z.string().max(1024).optional(),
  location: z.string().max(1024).optional(),
  cidrs: z
    .array(z.union([z.cidrv4(), z.cidrv6()]))
    .max(1000)
    .optional(),
  hostnames: z.array(pattern(256)).max(100).optional(),
});

const downloadBlock = z.object({
  applications: names(1024).optional(),
  urls: z.array(pattern(1024)).max(200).optional(),
  tags: names(1024).optional(),
  priorities: z.array(z.int().min(0).max(6)).max(7).optional(),
});
const uploadBlock = downloadBlock.omit({ priorities: true });
const bothBlocks = z.object({ download: downloadBlock.optional(), upload: uploadBlock.optional() });

export const blockListSchema = z.object({
  task: z.object({ download: downloadBlock.optional() }).optional(),
  persistent_task: bothBlocks.optional(),
  persistent_cache_task: bothBlocks.optional(),
});

export const schedulerClusterConfigSchema = z.object({
  candidate_parent_limit: z.int().min(1).max(20).optional(),
  filter_parent_limit: z.int().min(10).max(1000).optional(),
  job_rate_limit: z.int().min(1).max(1_000_000).optional(),
});
export const peerClusterConfigSchema = z.object({
  load_limit: z.int().min(1).max(2000).optional(),
  block_list: blockListSchema.optional(),
});
export const seedPeerClusterConfigSchema = z.object({
  load_limit: z.int().min(1).max(50_000).optional(),
  block_list: blockListSchema.optional(),
});

export type SchedulerClusterConfig = z.output<typeof schedulerClusterConfigSchema>;
export type PeerClusterConfig = z.output<typeof peerClusterConfigSchema>;
export type SeedPeerClusterConfig = z.output<typeof seedPeerClusterConfigSchema>;

export interface Scopes {
  readonly idc?: string | undefined;
  readonly location?: string | undefined;
  readonly cidrs: readonly string[];
  readonly hostnames: readonly string[];
}

export const defaultSchedulerClusterConfig: SchedulerClusterConfig = {
  candidate_parent_limit: 3,
  filter_parent_limit: 15,
  job_rate_limit: 10,
};
export const defaultPeerClusterConfig: PeerClusterConfig = { load_limit: 200 };
export const defaultSeedPeerClusterConfig: SeedPeerClusterConfig = { load_limit: 2000 };

export const memberStates = ['active', 'inactive'] as const;
export const schedulerFeatures = ['schedule', 'preheat'] as const;

export function parseScopes(json: string): Scopes {
  const scopes = parseJson<Partial<Scopes>>(json, {});
  return { ...scopes, cidrs: scopes.cidrs ?? [], hostnames: scopes.hostnames ?? [] };
}

/** In the original's form: all four keys are present, since its console mistakes a missing one for text. */
export const toldScopes = z.object({
  idc: z.string(),
  location: z.string(),
  cidrs: z.array(z.string()),
  hostnames: z.array(z.string()),
});

export function tellScopes(json: string): z.output<typeof toldScopes> {
  const { idc = '', location = '', cidrs, hostnames } = parseScopes(json);
  return { idc, location, cidrs: [...cidrs], hostnames: [...hostnames] };
}

/** Parses a JSON column; empty and malformed text yield the fallback. */
export function parseJson<T>(json: string | null, fallback: T): T {
  if (json === null || json === '') return fallback;
  try {
    return (JSON.parse(json) as T | null) ?? fallback;
  } catch {
    return fallback;
  }
}
