/** What one scheduler reports of who got how much, while it is connected. Reconnects until closed. */
import { setTimeout as delay } from 'node:timers/promises';
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import {
  SchedulerLiveDefinition,
  type Distribution,
  type EndedDownload,
  type TrafficFrame,
  type TrafficShare,
} from '../../../gen/scheduler/v2/live.ts';
import { recordIntervalMs } from '../limits.ts';

export interface TrafficFeedOptions {
  readonly channels: Channels;
  readonly address: string;
  readonly clusterId: number;
  readonly logger: Logger;
  readonly told: ToldTraffic;
  /** The growth of a share since its last report. */
  readonly onGrown: (clusterId: number, grown: TrafficShare) => void;
  /** @param scheduler its address and start. The same may be reported more than once. */
  readonly onEnded: (clusterId: number, scheduler: string, ended: Ended) => void;
}

export interface Ended {
  readonly distributions: readonly Distribution[];
  readonly downloads: readonly EndedDownload[];
}

/** Reports of a scheduler so far; outlives the feed, since a scheduler may be away for a while. */
export class ToldTraffic {
  /** When listening to schedulers began, by the monotonic clock. */
  readonly #listeningSinceMs: number;
  #startedAtMs = 0;
  readonly #totals = new Map<string, TrafficShare>();
  #counts = false;

  constructor(listeningSinceMs: number) {
    this.#listeningSinceMs = listeningSinceMs;
  }

  /**
   * The growth of the frame's shares. What a scheduler counted before anybody listened is not current; one that started
   * later has reported everything.
   */
  grown({ startedAtMs, uptimeMs, shares, more }: TrafficFrame, nowMs: number): TrafficShare[] {
    if (startedAtMs !== this.#startedAtMs) {
      this.#startedAtMs = startedAtMs;
      this.#totals.clear();
      this.#counts = uptimeMs <= nowMs - this.#listeningSinceMs;
    }
    const grown: TrafficShare[] = [];
    for (const share of shares) {
      const key = `${share.kind} ${share.name}`;
      const before = this.#totals.get(key);
      this.#totals.set(key, share);
      if (this.#counts) grown.push(before ? difference(share, before) : share);
    }
    if (!more) this.#counts = true;
    return grown;
  }
}

export class TrafficFeed implements Closable {
  readonly clusterId: number;
  readonly #options: TrafficFeedOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: TrafficFeedOptions) {
    this.#options = options;
    this.clusterId = options.clusterId;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    const { channels, address, logger } = this.#options;
    const client = createClient(SchedulerLiveDefinition, channels, address);
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        for await (const frame of client.watchTraffic({ intervalMs: recordIntervalMs }, { signal })) {
          failures = 0;
          this.#apply(frame);
        }
      } catch (error) {
        const { code, message } = toDragonflyError(error);
        if (!signal.aborted) logger.debug({ scheduler: address, error: message }, 'a scheduler tells of no traffic');
        // A scheduler of the original never reports, however often it is asked.
        if (code === 'UNSUPPORTED') return;
      }
      await delay(backOffMs(failures), undefined, { signal }).catch(() => undefined);
    }
  }

  #apply(frame: TrafficFrame): void {
    const { address, told, onGrown, onEnded } = this.#options;
    for (const share of told.grown(frame, performance.now())) onGrown(this.clusterId, share);
    const { distributions, downloads, startedAtMs } = frame;
    if (distributions.length + downloads.length > 0)
      onEnded(this.clusterId, `${address} ${startedAtMs}`, { distributions, downloads });
  }
}

function difference(now: TrafficShare, before: TrafficShare): TrafficShare {
  return {
    ...now,
    originBytes: now.originBytes - before.originBytes,
    peerBytes: now.peerBytes - before.peerBytes,
    givenBytes: now.givenBytes - before.givenBytes,
    downloads: now.downloads - before.downloads,
    failures: now.failures - before.failures,
  };
}
