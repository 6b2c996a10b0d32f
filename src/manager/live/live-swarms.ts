/**
 * Current distributions of all schedulers. Each active scheduler is watched while there are viewers, and for a while
 * after; without viewers it costs the schedulers nothing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { toDragonflyError } from '../../core/errors.ts';
import { withDeadline, type Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import { SchedulerLiveDefinition } from '../../../gen/scheduler/v2/live.ts';
import { activeSchedulers, type Topology } from '../clusters/topology.ts';
import { firstFrameTimeoutMs, liveIdleMs, liveIntervalMs, taskFrameIntervalMs } from '../limits.ts';
import {
  together,
  toLiveTask,
  toTaskEvent,
  type ClusterTraffic,
  type LiveTask,
  type TaskEvent,
  type TrafficEvent,
  type TrafficStep,
} from './live-task.ts';
import { SchedulerFeed } from './scheduler-feed.ts';
import { TrafficHistory } from './traffic-history.ts';

export interface LiveSwarmsOptions {
  readonly topology: Topology;
  readonly channels: Channels;
  readonly logger: Logger;
}

export interface LiveListener {
  readonly onTraffic: (traffic: TrafficEvent) => void;
  /** An undefined task has been removed. */
  readonly onTask: (clusterId: number, taskId: string, task: LiveTask | undefined) => void;
}

/** What a viewer of one task gets: the whole state, a change, or that no scheduler knows it at the moment. */
export type TaskView = { readonly kind: 'snapshot' | 'delta'; readonly event: TaskEvent } | { readonly kind: 'absent' };

export class LiveSwarms implements Closable {
  readonly #options: LiveSwarmsOptions;
  readonly #listeners = new Set<LiveListener>();
  readonly #feeds = new Map<string, SchedulerFeed>();
  readonly #history = new TrafficHistory();
  #wantedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #reconciling: Promise<void> | undefined;
  #closed = false;

  constructor(options: LiveSwarmsOptions) {
    this.#options = options;
  }

  /** The returned function unsubscribes. */
  subscribe(listener: LiveListener): () => void {
    this.#listeners.add(listener);
    this.#want();
    return () => this.#listeners.delete(listener);
  }

  /** Traffic of the last minutes, recorded while somebody was watching; sent to new viewers. */
  get trafficSteps(): readonly TrafficStep[] {
    return this.#history.steps;
  }

  /** All tasks that any scheduler knows, most recently changed first. */
  async tasks(): Promise<LiveTask[]> {
    await this.#ready();
    const byKey = new Map<string, LiveTask>();
    for (const { clusterId, tasks } of this.#feeds.values()) {
      for (const summary of tasks.values()) {
        const key = `${clusterId} ${summary.id}`;
        const task = toLiveTask(clusterId, summary);
        const known = byKey.get(key);
        byKey.set(key, known ? together(known, task) : task);
      }
    }
    return [...byKey.values()].sort((a, b) => b.updated_at_ms - a.updated_at_ms || (a.id < b.id ? -1 : 1));
  }

  /** Follows one task until the signal aborts. A slow subscriber slows down the scheduler's stream, which merges changes. */
  async *watch(taskId: string, clusterId: number | undefined, signal: AbortSignal): AsyncGenerator<TaskView> {
    let absent = false;
    while (!signal.aborted) {
      await this.#ready();
      const feed = this.#feedOf(taskId, clusterId);
      if (feed) {
        absent = false;
        yield* this.#frames(taskId, feed, signal);
      } else if (!absent) {
        absent = true;
        yield { kind: 'absent' };
      }
      await delay(liveIntervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#reconciling;
    await this.#closeFeeds([...this.#feeds.values()]);
  }

  async *#frames(taskId: string, { address, clusterId }: SchedulerFeed, signal: AbortSignal): AsyncGenerator<TaskView> {
    const client = createClient(SchedulerLiveDefinition, this.#options.channels, address);
    try {
      for await (const frame of client.watchTask({ taskId, intervalMs: taskFrameIntervalMs }, { signal })) {
        const event = toTaskEvent(clusterId, frame);
        if (event) yield { kind: frame.snapshot ? 'snapshot' : 'delta', event };
      }
    } catch (error) {
      if (!signal.aborted)
        this.#options.logger.debug({ taskId, error: toDragonflyError(error).message }, 'the view of a task ended');
    }
  }

  /** The scheduler with the most complete view of the task. */
  #feedOf(taskId: string, clusterId: number | undefined): SchedulerFeed | undefined {
    const knowing = [...this.#feeds.values()].filter(
      (feed) => feed.tasks.has(taskId) && (clusterId === undefined || feed.clusterId === clusterId),
    );
    return knowing.sort((a, b) => (b.tasks.get(taskId)?.peers ?? 0) - (a.tasks.get(taskId)?.peers ?? 0))[0];
  }

  #want(): void {
    this.#wantedAtMs = performance.now();
    if (this.#timer || this.#closed) return;
    this.#timer = setInterval(() => this.#tick(), liveIntervalMs);
    this.#timer.unref();
    void this.#reconcile();
  }

  /** Resolves when every active scheduler has reported or failed. */
  async #ready(): Promise<void> {
    this.#want();
    await this.#reconcile();
    const frames = [...this.#feeds.values()].map(({ firstFrame }) => firstFrame);
    await withDeadline(Promise.all(frames), firstFrameTimeoutMs);
  }

  #tick(): void {
    if (this.#listeners.size > 0) this.#wantedAtMs = performance.now();
    if (performance.now() - this.#wantedAtMs > liveIdleMs) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#history.clear();
      const idle = [...this.#feeds.values()];
      this.#feeds.clear();
      void this.#closeFeeds(idle);
      return;
    }
    void this.#reconcile();
    const traffic = this.#history.add(Date.now(), this.#traffic());
    for (const { onTraffic } of this.#listeners) onTraffic(traffic);
  }

  /** Watches the currently active schedulers, and no others. Never throws. */
  #reconcile(): Promise<void> {
    this.#reconciling ??= this.#reconcileOnce().finally(() => (this.#reconciling = undefined));
    return this.#reconciling;
  }

  async #reconcileOnce(): Promise<void> {
    const { topology, channels, logger } = this.#options;
    try {
      const wanted = activeSchedulers(await topology.current());
      if (this.#closed) return;
      const gone = [...this.#feeds].filter(([key]) => !wanted.has(key));
      for (const [key] of gone) this.#feeds.delete(key);
      for (const [key, { address, clusterId }] of wanted) {
        if (this.#feeds.has(key)) continue;
        const onChange = (cluster: number, taskIds: readonly string[]): void => this.#tellTasks(cluster, taskIds);
        this.#feeds.set(key, new SchedulerFeed({ channels, address, clusterId, logger, onChange }));
      }
      if (gone.length > 0) void this.#closeFeeds(gone.map(([, feed]) => feed));
    } catch (error) {
      logger.warn({ error: toDragonflyError(error).message }, 'cannot tell which schedulers to watch');
    }
  }

  async #closeFeeds(feeds: readonly SchedulerFeed[]): Promise<void> {
    await Promise.all(feeds.map((feed) => feed[Symbol.asyncDispose]()));
  }

  #tellTasks(clusterId: number, taskIds: readonly string[]): void {
    if (this.#listeners.size === 0) return;
    for (const id of new Set(taskIds)) {
      const task = this.#merged(clusterId, id);
      for (const { onTask } of this.#listeners) onTask(clusterId, id, task);
    }
  }

  #merged(clusterId: number, taskId: string): LiveTask | undefined {
    let merged: LiveTask | undefined;
    for (const feed of this.#feeds.values()) {
      const summary = feed.clusterId === clusterId ? feed.tasks.get(taskId) : undefined;
      if (!summary) continue;
      const task = toLiveTask(clusterId, summary);
      merged = merged ? together(merged, task) : task;
    }
    return merged;
  }

  #traffic(): ClusterTraffic[] {
    const byCluster = new Map<number, ClusterTraffic>();
    for (const { clusterId, totals } of this.#feeds.values()) {
      if (!totals) continue;
      const sum = byCluster.get(clusterId);
      byCluster.set(clusterId, {
        scheduler_cluster_id: clusterId,
        origin_bytes: (sum?.origin_bytes ?? 0) + totals.originBytes,
        peer_bytes: (sum?.peer_bytes ?? 0) + totals.peerBytes,
        // a daemon announces itself to every scheduler of its cluster
        hosts: Math.max(sum?.hosts ?? 0, totals.hosts),
        peers_running: (sum?.peers_running ?? 0) + totals.peersRunning,
      });
    }
    return [...byCluster.values()];
  }
}
