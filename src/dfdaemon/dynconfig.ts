/**
 * Which schedulers this daemon belongs to. The manager knows; its last good answer is kept on disk, so that a daemon
 * starts and runs with the manager away. Without a manager the addresses come from the configuration file.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import type { Closable } from '../core/lifecycle.ts';
import type { Logger } from '../core/logger.ts';
import { version } from '../core/version.ts';
import { SourceType } from '../rpc/generated/manager/v2/manager.ts';
import type { ManagerClient } from '../rpc/manager-client.ts';
import type { HostIdentity } from './host-info.ts';

const savedSchema = z.object({ schedulers: z.array(z.string()) });

/** After a failure or an empty list the manager is asked again this soon, and ever later up to the refresh interval. */
const firstRetryMs = 500;

export interface DynconfigOptions {
  readonly manager: ManagerClient | undefined;
  readonly staticSchedulers: readonly string[];
  readonly identity: HostIdentity;
  readonly cacheDirectory: string;
  readonly refreshIntervalMs: number;
  readonly onSchedulers: (addresses: readonly string[]) => Promise<void>;
  readonly logger: Logger;
}

export class Dynconfig implements Closable {
  readonly #options: DynconfigOptions;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #retryMs = firstRetryMs;
  #suspected = false;
  #known: readonly string[] = [];

  constructor(options: DynconfigOptions) {
    this.#options = options;
  }

  /** Applies the first list: the manager's, else the saved one, else the configured one. */
  async start(): Promise<void> {
    if (!this.#options.manager) return this.#apply(this.#options.staticSchedulers);
    await this.refresh();
    if (this.#known.length > 0) return;
    const saved = await this.#load();
    if (saved.length > 0) await this.#apply(saved);
  }

  /** Asks the manager now. Concurrent calls share one request; a failure keeps the last good list. */
  refresh(): Promise<void> {
    if (!this.#options.manager || this.#controller.signal.aborted) return Promise.resolve();
    this.#refreshing ??= this.#refresh(this.#options.manager).finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Something suggests that the list is out of date; asks again soon, however often this is called. */
  suspect(): void {
    if (this.#suspected || !this.#options.manager) return;
    this.#suspected = true;
    this.#schedule(firstRetryMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#controller.abort();
    await this.#refreshing;
  }

  async #refresh(manager: ManagerClient): Promise<void> {
    const { identity, logger, refreshIntervalMs } = this.#options;
    this.#suspected = false;
    try {
      const { schedulers } = await manager.listSchedulers(
        {
          sourceType: identity.isSeed ? SourceType.SEED_PEER_SOURCE : SourceType.PEER_SOURCE,
          hostname: identity.hostname,
          ip: identity.ip,
          ...(identity.idc !== '' && { idc: identity.idc }),
          ...(identity.location !== '' && { location: identity.location }),
          version,
          commit: 'unknown',
          schedulerClusterId: identity.schedulerClusterId,
        },
        { signal: this.#controller.signal },
      );
      const addresses = schedulers.map(({ ip, port }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`));
      if (addresses.length === 0) throw new DragonflyError('UNAVAILABLE', 'the manager knows no active scheduler');
      await this.#apply(addresses);
      await this.#save(addresses);
      this.#retryMs = firstRetryMs;
      this.#schedule(refreshIntervalMs);
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      logger.warn(
        { error: toDragonflyError(error).message, retryMs: this.#retryMs },
        'no list of schedulers from the manager',
      );
      this.#schedule(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, refreshIntervalMs, 30_000);
    }
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#controller.signal.aborted) this.#timer = setTimeout(() => void this.refresh(), ms);
  }

  async #apply(addresses: readonly string[]): Promise<void> {
    this.#known = addresses;
    await this.#options.onSchedulers(addresses);
  }

  get #file(): string {
    return join(this.#options.cacheDirectory, 'schedulers.json');
  }

  async #load(): Promise<readonly string[]> {
    try {
      return savedSchema.parse(JSON.parse(await readFile(this.#file, 'utf8'))).schedulers;
    } catch {
      return []; // nothing saved, or not by us: the manager will tell
    }
  }

  async #save(schedulers: readonly string[]): Promise<void> {
    const temporary = `${this.#file}.${process.pid}`;
    await mkdir(this.#options.cacheDirectory, { recursive: true, mode: 0o700 });
    await writeFile(temporary, JSON.stringify({ schedulers }), { mode: 0o600 });
    await rename(temporary, this.#file);
  }
}
