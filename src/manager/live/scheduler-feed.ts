/** What one scheduler reports of its swarms, while it is connected. Reconnects until closed. */
import { setTimeout as delay } from 'node:timers/promises';
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { SchedulerLiveDefinition, type TasksFrame, type TaskSummary } from '../../../gen/scheduler/v2/live.ts';
import { liveIntervalMs } from '../limits.ts';

/** Totals since the scheduler started. */
export interface SchedulerTotals {
  readonly originBytes: number;
  readonly peerBytes: number;
  readonly hosts: number;
  readonly peersRunning: number;
}

export interface SchedulerFeedOptions {
  readonly channels: Channels;
  readonly address: string;
  readonly clusterId: number;
  readonly logger: Logger;
  /** Ids of the tasks that changed, came or went. */
  readonly onChange: (clusterId: number, taskIds: readonly string[]) => void;
}

export class SchedulerFeed implements Closable {
  readonly address: string;
  readonly clusterId: number;
  readonly tasks = new Map<string, TaskSummary>();
  totals: SchedulerTotals | undefined;
  /** Settles with the first frame, or with the first failure to get one. */
  readonly firstFrame: Promise<void>;
  readonly #options: SchedulerFeedOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: SchedulerFeedOptions) {
    this.#options = options;
    this.address = options.address;
    this.clusterId = options.clusterId;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.firstFrame = promise;
    this.#running = this.#run(resolve);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(settled: () => void): Promise<void> {
    const { signal } = this.#closed;
    const { channels, address, logger } = this.#options;
    const client = createClient(SchedulerLiveDefinition, channels, address);
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        for await (const frame of client.watchTasks({ intervalMs: liveIntervalMs }, { signal })) {
          failures = 0;
          this.#apply(frame);
          settled();
        }
      } catch (error) {
        if (!signal.aborted)
          logger.debug({ scheduler: address, error: toDragonflyError(error).message }, 'no live view of a scheduler');
      }
      settled();
      this.#forget();
      await delay(backOffMs(failures), undefined, { signal }).catch(() => undefined);
    }
  }

  #apply({ snapshot, tasks, removed, originBytes, peerBytes, hosts, peersRunning }: TasksFrame): void {
    const gone = snapshot ? [...this.tasks.keys()] : removed;
    for (const id of gone) this.tasks.delete(id);
    for (const task of tasks) this.tasks.set(task.id, task);
    this.totals = { originBytes, peerBytes, hosts, peersRunning };
    this.#options.onChange(this.clusterId, [...gone, ...tasks.map(({ id }) => id)]);
  }

  /** When a scheduler no longer reports, it is not assumed to have anything. */
  #forget(): void {
    const ids = [...this.tasks.keys()];
    this.tasks.clear();
    this.totals = undefined;
    if (ids.length > 0) this.#options.onChange(this.clusterId, ids);
  }
}
