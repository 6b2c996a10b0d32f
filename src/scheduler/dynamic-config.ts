/**
 * The manager's settings for this scheduler's cluster: limits and priorities. The last good answer is kept on disk, so
 * that a scheduler that starts while no manager answers works as before.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { loadConfig } from '../core/config/config.ts';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import { makeDirectory } from '../core/files/make-directory.ts';
import type { Logger } from '../core/process/logger.ts';
import { writeWholeFile } from '../core/files/whole-file.ts';
import type { Application, Scheduler } from '../../gen/manager/v2/manager.ts';

const limit = (low: number, high: number) => z.int().min(low).max(high).optional().catch(undefined);

/** A value out of range counts as absent: the manager validates values, and the default is the safer guess. */
const settingsSchema = z.object({
  candidateParentLimit: limit(1, 20),
  filterParentLimit: limit(10, 1000),
  /** Preheats started per second. */
  jobRateLimit: limit(1, 1_000_000),
  /** How many children a normal host, or a seed, serves at once. */
  peerLoadLimit: limit(1, 2000),
  seedLoadLimit: limit(1, 50_000),
  /** That are active. */
  seedPeers: z
    .array(
      z.object({
        hostname: z.string(),
        ip: z.string(),
        clusterId: z.int().default(0),
        port: z.int().min(0).max(65_535).catch(0),
        downloadPort: z.int().min(0).max(65_535).catch(0),
        idc: z.string().default(''),
        location: z.string().default(''),
      }),
    )
    .default([]),
  applications: z
    .array(
      z.object({
        name: z.string(),
        priority: z.object({ value: z.int(), urls: z.array(z.object({ regex: z.string(), value: z.int() })) }),
      }),
    )
    .default([]),
});

export type DynamicSettings = z.output<typeof settingsSchema>;

export interface DynamicConfigOptions {
  /** Reads from the manager; undefined when the scheduler works alone. */
  readonly read: (() => Promise<{ scheduler: Scheduler; applications: readonly Application[] }>) | undefined;
  /** Settings used without a manager, from a local file if there is one. */
  readonly localPath: string;
  readonly cacheDir: string;
  readonly logger: Logger;
}

const cacheFile = 'dynamic-config.json';

export class DynamicConfig {
  readonly #options: DynamicConfigOptions;
  #settings: DynamicSettings;
  #apply: (settings: DynamicSettings) => void = () => undefined;
  #running: Promise<void> | undefined;

  private constructor(options: DynamicConfigOptions, settings: DynamicSettings) {
    this.#options = options;
    this.#settings = settings;
  }

  /** Starts with the copy on disk, or without a manager with the local file. Throws CONFIG_INVALID when that cannot be used. */
  static async create(options: DynamicConfigOptions): Promise<DynamicConfig> {
    const settings = options.read ? await readCache(options) : await readLocal(options.localPath);
    return new DynamicConfig(options, settings);
  }

  get settings(): DynamicSettings {
    return this.#settings;
  }

  /** Applies the current settings, and every later change. */
  applyBy(apply: (settings: DynamicSettings) => void): void {
    this.#apply = apply;
    apply(this.#settings);
  }

  /** Reads from the manager; concurrent calls share one request. Never throws: on failure the current settings stay in force. */
  refresh(): Promise<void> {
    this.#running ??= this.#refresh().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #refresh(): Promise<void> {
    const { read, logger } = this.#options;
    if (!read) return;
    try {
      const { scheduler, applications } = await read();
      const settings = settingsFrom(scheduler, applications);
      if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
      this.#settings = settings;
      this.#apply(settings);
      await this.#writeCache(settings);
    } catch (error) {
      logger.warn({ reason: toDragonflyError(error).message }, 'the dynamic configuration stays as it is');
    }
  }

  async #writeCache(settings: DynamicSettings): Promise<void> {
    const { cacheDir, logger } = this.#options;
    try {
      makeDirectory(cacheDir, 0o700);
      await writeWholeFile(join(cacheDir, cacheFile), JSON.stringify(settings), { mode: 0o600 });
    } catch (error) {
      logger.warn({ cacheDir, reason: (error as Error).message }, 'the dynamic configuration cannot be kept on disk');
    }
  }
}

const loadLimit = z.object({ loadLimit: z.int().optional() }).optional();

/** dynconfig.yaml of the original's scheduler, which exists since 2.5.1. */
const localSchema = z.object({
  applications: z.unknown().optional(),
  schedulerClusterConfig: z
    .object({
      candidateParentLimit: z.int().optional(),
      filterParentLimit: z.int().optional(),
      jobRateLimit: z.int().optional(),
    })
    .optional(),
  schedulerClusterClientConfig: loadLimit,
  seedPeerClusterConfig: loadLimit,
});

async function readLocal(path: string): Promise<DynamicSettings> {
  const { config } = await loadConfig(localSchema, path, { optional: true });
  const settings = settingsSchema.safeParse({
    ...config.schedulerClusterConfig,
    peerLoadLimit: config.schedulerClusterClientConfig?.loadLimit,
    seedLoadLimit: config.seedPeerClusterConfig?.loadLimit,
    applications: config.applications ?? [],
  });
  if (settings.success) return settings.data;
  throw new DragonflyError(
    'CONFIG_INVALID',
    `${path}: ${settings.error.issues.map(({ message }) => message).join('; ')}`,
  );
}

async function readCache({ cacheDir, logger }: DynamicConfigOptions): Promise<DynamicSettings> {
  try {
    return settingsSchema.parse(JSON.parse(await readFile(join(cacheDir, cacheFile), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      logger.warn({ cacheDir, reason: (error as Error).message }, 'the kept dynamic configuration is not readable');
    }
    return settingsSchema.parse({});
  }
}

function settingsFrom(scheduler: Scheduler, applications: readonly Application[]): DynamicSettings {
  const cluster = jsonObject(scheduler.schedulerCluster?.config);
  const client = jsonObject(scheduler.schedulerCluster?.clientConfig);
  // Older managers send it only to a scheduler whose cluster has a registered seed peer.
  const ofSeeds = jsonObject(scheduler.schedulerCluster?.seedClientConfig);
  const ofFirstSeed = jsonObject(scheduler.seedPeers[0]?.seedPeerCluster?.config);
  return settingsSchema.parse({
    candidateParentLimit: cluster['candidate_parent_limit'],
    filterParentLimit: cluster['filter_parent_limit'],
    jobRateLimit: cluster['job_rate_limit'],
    peerLoadLimit: client['load_limit'],
    seedLoadLimit: ofSeeds['load_limit'] ?? ofFirstSeed['load_limit'],
    seedPeers: scheduler.seedPeers.map(({ seedPeerClusterId: clusterId, ...seed }) => ({ ...seed, clusterId })),
    applications: applications.flatMap(({ name, priority }) => (priority ? [{ name, priority }] : [])),
  });
}

function jsonObject(bytes: Uint8Array | undefined): Record<string, unknown> {
  if (!bytes || bytes.length === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
