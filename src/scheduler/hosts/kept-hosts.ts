/**
 * Hosts that run daemons of the original, kept on disk. Such a daemon holds no stream: after a restart of the scheduler
 * it announces itself only at its next interval, five minutes by default. Until then its downloads would be refused,
 * and a seed that holds content, or is fetching it, would not be asked. So its last announcement is kept, and it is a
 * host again from the start. A host that has died meanwhile costs one failing call, and is forgotten when its
 * announcement does not come.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Host as HostMessage, type Host } from '../../../gen/common/v2/common.ts';
import { makeDirectory } from '../../core/files/make-directory.ts';
import { writeWholeFile } from '../../core/files/whole-file.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Brain } from '../brain.ts';
import { hostInfo, isSeed } from './host-registry.ts';
import { keptHostsAgeMs, keptHostsNewMs, keptHostsSeenMs, maxKeptHosts } from '../limits.ts';

const fileName = 'hosts.json';

export interface KeptHost {
  readonly host: Host;
  /** The address it calls from; empty for this machine. */
  readonly address: string;
  readonly intervalMs: number | undefined;
  readonly unreachable: boolean;
  /** Of the wall clock. */
  readonly seenMs: number;
}

const storedHosts = z.array(
  z.object({
    host: z.base64(),
    address: z.string(),
    intervalMs: z.number().optional(),
    unreachable: z.boolean(),
    seenMs: z.number(),
  }),
);

export class KeptHosts implements Closable {
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #hosts: Map<string, KeptHost>;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #writing: Promise<void> = Promise.resolve();

  private constructor(directory: string, hosts: readonly KeptHost[], logger: Logger) {
    this.#directory = directory;
    this.#hosts = new Map(hosts.map((kept) => [kept.host.id, kept]));
    this.#logger = logger;
  }

  static async create(directory: string, logger: Logger): Promise<KeptHosts> {
    return new KeptHosts(directory, await readHosts(join(directory, fileName), logger), logger);
  }

  /** The hosts kept by the previous run, in the order of their announcements. */
  list(): KeptHost[] {
    return [...this.#hosts.values()];
  }

  /** Called for a host that holds no stream to this scheduler. */
  announced(kept: Omit<KeptHost, 'seenMs'>): void {
    const { id } = kept.host;
    const known = this.#hosts.get(id);
    if (!known && this.#hosts.size >= maxKeptHosts) return;
    this.#hosts.set(id, { ...kept, seenMs: Date.now() });
    const isNews = known?.host.ip !== kept.host.ip || known.host.port !== kept.host.port;
    this.#writeWithin(isNews ? keptHostsNewMs : keptHostsSeenMs);
  }

  /** The host has left, or holds a stream from now on. */
  gone(hostId: string): void {
    if (this.#hosts.delete(hostId)) this.#writeWithin(keptHostsNewMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer) this.#write();
    await this.#writing;
  }

  #writeWithin(ms: number): void {
    const dueMs = performance.now() + ms;
    if (dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#write(), ms);
    this.#timer.unref();
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#writing = this.#writing.then(() => this.#replaceFile());
  }

  async #replaceFile(): Promise<void> {
    const stored = this.list().map(({ host, ...rest }) => ({
      host: Buffer.from(HostMessage.encode(host).finish()).toString('base64'),
      ...rest,
    }));
    try {
      makeDirectory(this.#directory, 0o700);
      await writeWholeFile(join(this.#directory, fileName), JSON.stringify(stored), { mode: 0o600 });
    } catch (error) {
      this.#logger.warn(
        { reason: (error as Error).message },
        'daemons of the original could not be noted: after a restart they are known at their next announcement only',
      );
    }
  }
}

export interface ReturningOptions {
  readonly brain: Brain;
  readonly loadLimits: () => {
    readonly peerLoadLimit?: number | undefined;
    readonly seedLoadLimit?: number | undefined;
  };
  /** True when a host without a certificate is believed to be a seed. */
  readonly believesSeeds: boolean;
}

/** Makes the hosts of the previous run hosts again, and forgets them when the scheduler does. */
export function bringBack(kept: KeptHosts, { brain, loadLimits, believesSeeds }: ReturningOptions): void {
  const { peerLoadLimit, seedLoadLimit } = loadLimits();
  for (const { host, address, intervalMs, unreachable } of kept.list()) {
    const owner = { isCertified: false, address };
    const usesSeeds = brain.usesSeeds && believesSeeds;
    const loadLimit = isSeed(host) ? seedLoadLimit : peerLoadLimit;
    brain.run(
      (swarm, nowMs) => swarm.announceHost(hostInfo(host, { owner, intervalMs, loadLimit, usesSeeds }), nowMs),
      () => {
        brain.hosts.announce(host, { unreachable, owner });
        brain.book.announced(host, { unreachable }, performance.now());
      },
    );
  }
  brain.onHostGone((hostId) => kept.gone(hostId));
}

async function readHosts(path: string, logger: Logger): Promise<KeptHost[]> {
  try {
    const stored = storedHosts.parse(JSON.parse(await readFile(path, 'utf8')));
    return stored
      .filter(({ seenMs }) => Math.abs(Date.now() - seenMs) < keptHostsAgeMs)
      .slice(0, maxKeptHosts)
      .map(({ host, intervalMs, ...rest }) => ({
        ...rest,
        intervalMs,
        host: HostMessage.decode(Buffer.from(host, 'base64')),
      }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      logger.warn({ path, reason: (error as Error).message }, 'the hosts of before the start cannot be read');
    return [];
  }
}
