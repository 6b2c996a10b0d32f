/** What one scheduler reports of its hosts, while it is connected. Reconnects until closed. */
import { setTimeout as delay } from 'node:timers/promises';
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { SchedulerLiveDefinition, type HostsFrame, type HostState } from '../../../gen/scheduler/v2/live.ts';
import { liveIntervalMs, nodeReturnMs } from '../limits.ts';
import type { Traffic } from '../traffic/traffic-store.ts';

export interface HostFeedOptions {
  readonly channels: Channels;
  readonly address: string;
  readonly clusterId: number;
  readonly logger: Logger;
  /** Ids of the hosts that changed, came or went. */
  readonly onChange: (clusterId: number, hostIds: readonly string[]) => void;
  /** What its nodes got since its last report. */
  readonly onTraffic: (clusterId: number, traffic: Traffic) => void;
}

export class HostFeed implements Closable {
  readonly clusterId: number;
  /** Empty while the scheduler does not report. */
  readonly hosts = new Map<string, HostState>();
  readonly #options: HostFeedOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;
  #wholeSinceMs: number | undefined;
  #totals: Traffic | undefined;

  constructor(options: HostFeedOptions) {
    this.#options = options;
    this.clusterId = options.clusterId;
    this.#running = this.#run();
  }

  /** Whether it has reported all of its hosts, and those that look for it have had time to return. */
  isSettled(nowMs: number): boolean {
    return this.#wholeSinceMs !== undefined && nowMs - this.#wholeSinceMs > nodeReturnMs;
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
        for await (const frame of client.watchHosts({ intervalMs: liveIntervalMs }, { signal })) {
          failures = 0;
          this.#apply(frame);
        }
      } catch (error) {
        const { code, message } = toDragonflyError(error);
        if (!signal.aborted)
          logger.debug({ scheduler: address, error: message }, 'no live view of the hosts of a scheduler');
        // A scheduler of the original never reports, however often it is asked.
        if (code === 'UNSUPPORTED') return;
      }
      const ids = [...this.hosts.keys()];
      this.#wholeSinceMs = undefined;
      this.hosts.clear();
      if (!signal.aborted) this.#options.onChange(this.clusterId, ids);
      await delay(backOffMs(failures), undefined, { signal }).catch(() => undefined);
    }
  }

  #apply({ snapshot, hosts, removed, more, originBytes, peerBytes, downloads }: HostsFrame): void {
    this.#grow({ originBytes, peerBytes, downloads });
    const gone = snapshot ? [...this.hosts.keys()] : removed;
    for (const hostId of gone) this.hosts.delete(hostId);
    for (const host of hosts) this.hosts.set(host.id, host);
    if (!more) this.#wholeSinceMs ??= performance.now();
    this.#options.onChange(this.clusterId, [...gone, ...hosts.map(({ id }) => id)]);
  }

  /** Traffic before the first frame is not current. Totals below the previous ones are those of a restarted scheduler. */
  #grow(totals: Traffic): void {
    const before = this.#totals;
    this.#totals = totals;
    if (!before) return;
    const isAnew = totals.originBytes < before.originBytes || totals.peerBytes < before.peerBytes;
    const grown = (of: (traffic: Traffic) => number): number => of(totals) - (isAnew ? 0 : of(before));
    const traffic = {
      originBytes: grown((one) => one.originBytes),
      peerBytes: grown((one) => one.peerBytes),
      downloads: Math.max(
        0,
        grown((one) => one.downloads),
      ),
    };
    if (traffic.originBytes + traffic.peerBytes + traffic.downloads > 0)
      this.#options.onTraffic(this.clusterId, traffic);
  }
}
