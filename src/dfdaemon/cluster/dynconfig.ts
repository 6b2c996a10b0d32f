/**
 * The manager's settings for this daemon's cluster: its schedulers, and the downloads that are blocked. They are read
 * when the manager reports a change, and at intervals; the last good answer is kept on disk, so that a daemon starts
 * and runs while the manager is away. Without a manager the schedulers come from the configuration file.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { version } from '../../core/version.ts';
import { writeWholeFile } from '../../core/files/whole-file.ts';
import { hostPort } from '../../core/net/host-port.ts';
import { SourceType, type Scheduler } from '../../../gen/manager/v2/manager.ts';
import type { ManagerClient } from '../../rpc/manager-client.ts';
import { blockListsSchema, blockRulesOf, noBlockLists } from './block-list.ts';
import type { HostIdentity } from './host-info.ts';

const settingsSchema = z.object({
  schedulers: z.array(z.string()),
  /** The cluster of the schedulers; absent until a manager has named it. */
  clusterId: z.int().optional(),
  blocked: blockListsSchema.default(noBlockLists),
});

export type DynamicSettings = z.output<typeof settingsSchema>;

/** The first retry delay after a failure or an empty list; it grows up to the refresh interval. */
const firstRetryMs = 500;

/** All daemons hear of a change at the same moment, so their requests are spread over this time. */
const changeSpreadMs = 2_000;

/** Topics that a daemon does not use; their changes are ignored. */
const foreignTopics = new Set(['application', 'seed_peer']);

export interface DynconfigOptions {
  readonly manager: ManagerClient | undefined;
  /** The settings that apply when no manager is configured. */
  readonly staticSettings: DynamicSettings;
  readonly identity: HostIdentity;
  readonly cacheDirectory: string;
  readonly refreshIntervalMs: number;
  readonly isServing: (address: string, signal: AbortSignal) => Promise<boolean>;
  readonly onSettings: (settings: DynamicSettings) => Promise<void>;
  /** Called when a certificate may have been revoked. */
  readonly onRevocation: () => void;
  readonly logger: Logger;
}

export class Dynconfig implements Closable {
  readonly #options: DynconfigOptions;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #watching: Promise<void> | undefined;
  #retryMs = firstRetryMs;
  #suspected = false;
  #known = false;

  constructor(options: DynconfigOptions) {
    this.#options = options;
  }

  /** Applies the first settings: the manager's, otherwise the saved ones, otherwise the configured ones. */
  async start(): Promise<void> {
    const { manager, staticSettings } = this.#options;
    if (!manager) return this.#apply(staticSettings);
    await this.refresh();
    const { signal } = this.#controller;
    this.#watching = manager.watchChanges(
      { ...this.#caller(), schedulerClusterId: this.#options.identity.schedulerClusterId },
      { signal, onChange: (change) => this.#changed(change?.topic) },
    );
    if (this.#known) return;
    const saved = await this.#load();
    if (saved) await this.#apply(saved);
  }

  /** Uses these schedulers from now on, unless a manager provides others. */
  async useSchedulers(addresses: readonly string[]): Promise<void> {
    const { manager, staticSettings } = this.#options;
    if (!manager) await this.#apply({ ...staticSettings, schedulers: [...addresses] });
  }

  /** Asks the manager now. Concurrent calls share one request; a failure keeps the last good settings. */
  refresh(): Promise<void> {
    if (!this.#options.manager || this.#controller.signal.aborted) return Promise.resolve();
    this.#refreshing ??= this.#refresh(this.#options.manager).finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Called when something suggests that the settings are out of date; asks again soon, once, however often this is called. */
  suspect(withinMs = firstRetryMs): void {
    if (this.#suspected || !this.#options.manager) return;
    this.#suspected = true;
    this.#schedule(withinMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#controller.abort();
    await Promise.all([this.#refreshing, this.#watching]);
  }

  #changed(topic: string | undefined): void {
    if (topic === 'certificate') return this.#options.onRevocation();
    if (topic !== undefined && foreignTopics.has(topic)) return;
    this.suspect(Math.random() * changeSpreadMs);
  }

  #caller(): { sourceType: SourceType; hostname: string; ip: string } {
    const { isSeed, hostname, ip } = this.#options.identity;
    return { sourceType: isSeed ? SourceType.SEED_PEER_SOURCE : SourceType.PEER_SOURCE, hostname, ip };
  }

  async #refresh(manager: ManagerClient): Promise<void> {
    const { identity, logger, refreshIntervalMs } = this.#options;
    const { signal } = this.#controller;
    this.#suspected = false;
    try {
      const request = {
        ...this.#caller(),
        ...(identity.idc !== '' && { idc: identity.idc }),
        ...(identity.location !== '' && { location: identity.location }),
        version,
        commit: 'unknown',
        schedulerClusterId: identity.schedulerClusterId,
      };
      const { schedulers } = await manager.listSchedulers(request, { signal });
      const settings = this.#settingsOf(await this.#ofOneCluster(schedulers));
      await this.#apply(settings);
      await this.#save(settings);
      this.#retryMs = firstRetryMs;
      this.#schedule(this.#suspected ? firstRetryMs : refreshIntervalMs);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ error: toDragonflyError(error).message, retryMs: this.#retryMs }, 'no answer from the manager');
      this.#schedule(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, refreshIntervalMs, 30_000);
    }
  }

  /**
   * The manager lists clusters, best first. Peers never cross clusters, so one must be chosen: the first cluster with a
   * scheduler that serves. When none does, it is the first of all, which may come back.
   */
  async #ofOneCluster(schedulers: readonly Scheduler[]): Promise<readonly Scheduler[]> {
    const clusters = [...Map.groupBy(schedulers, (scheduler) => scheduler.schedulerClusterId).values()];
    const [best] = clusters;
    if (!best) throw new DragonflyError('UNAVAILABLE', 'the manager knows no active scheduler');
    if (clusters.length === 1) return best;
    const { signal } = this.#controller;
    for (const members of clusters) {
      const serving = await Promise.all(members.map((member) => this.#options.isServing(addressOf(member), signal)));
      if (serving.includes(true)) return members;
    }
    return best;
  }

  #settingsOf(schedulers: readonly Scheduler[]): DynamicSettings {
    const cluster = schedulers[0]?.schedulerCluster;
    const config = this.#options.identity.isSeed ? cluster?.seedClientConfig : cluster?.clientConfig;
    const clusterId = schedulers[0]?.schedulerClusterId ?? 0;
    return { schedulers: schedulers.map(addressOf), clusterId, blocked: blockRulesOf(config) };
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#controller.signal.aborted) this.#timer = setTimeout(() => void this.refresh(), ms);
  }

  async #apply(settings: DynamicSettings): Promise<void> {
    this.#known = true;
    await this.#options.onSettings(settings);
  }

  get #file(): string {
    return join(this.#options.cacheDirectory, 'dynamic-config.json');
  }

  async #load(): Promise<DynamicSettings | undefined> {
    try {
      return settingsSchema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch {
      return undefined; // nothing is saved, or the file is not ours: the manager will send the settings
    }
  }

  async #save(settings: DynamicSettings): Promise<void> {
    await mkdir(this.#options.cacheDirectory, { recursive: true, mode: 0o700 });
    await writeWholeFile(this.#file, JSON.stringify(settings), { mode: 0o600 });
  }
}

function addressOf({ ip, port }: Scheduler): string {
  return hostPort(ip, port);
}
