/**
 * One subscriber of `/events`. Events are collected, by collection and by task, and sent periodically; while the
 * subscriber is behind, collecting goes on, so that a slow one needs no more memory than there are things to report.
 */
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { AccessObject } from '../access/objects.ts';
import {
  eventFlushMs,
  eventHeartbeatMs,
  eventStallMs,
  maxIdsPerEvent,
  maxNodesPerEvent,
  maxTasksPerEvent,
} from '../limits.ts';
import type { LiveTask, TasksEvent, TrafficEvent, TrafficHistoryEvent } from '../live/live-task.ts';
import { nodeKey, type Node, type NodesEvent } from '../nodes/node.ts';

export const changeEventSchema = z
  .object({
    topic: z.string().describe('collection of the API'),
    ids: z.array(z.int()).describe('what changed in it; empty when it is too much to list'),
  })
  .meta({ id: 'ChangeEvent' });

type ChangeEvent = z.output<typeof changeEventSchema>;

interface GatheredTask {
  readonly clusterId: number;
  readonly id: string;
  /** Undefined: gone. */
  readonly task: LiveTask | undefined;
}

/** Asked again before anything is sent: a credential expires, a role is taken away. */
export interface EventRights {
  /** The credential that the stream was opened with still counts. */
  readonly isValid: () => Promise<boolean>;
  readonly mayRead: (object: AccessObject) => Promise<boolean>;
}

export class EventStream {
  readonly #response: ServerResponse;
  readonly #rights: EventRights;
  readonly #timers: NodeJS.Timeout[];
  /** Collection → ids; undefined when there were too many. */
  readonly #changes = new Map<AccessObject, Set<number> | undefined>();
  readonly #tasks = new Map<string, GatheredTask>();
  /** Undefined: forgotten. */
  readonly #nodes = new Map<string, { readonly key: NodesEvent['removed'][number]; readonly node: Node | undefined }>();
  #traffic: TrafficEvent | undefined;
  #flushing = false;
  #lastReadMs = performance.now();

  constructor(response: ServerResponse, rights: EventRights, history?: TrafficHistoryEvent) {
    this.#response = response;
    this.#rights = rights;
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    // Events from before the start of this stream were missed.
    this.#send('reset', {});
    if (history) this.#send('history', history);
    this.#timers = [
      setInterval(() => void this.#flush(), eventFlushMs),
      setInterval(() => this.#isBehind() || this.#send('alive', {}), eventHeartbeatMs),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  addChange(object: AccessObject, id: number): void {
    const ids = this.#changes.has(object) ? this.#changes.get(object) : new Set<number>();
    ids?.add(id);
    this.#changes.set(object, ids && ids.size > maxIdsPerEvent ? undefined : ids);
  }

  addTask(clusterId: number, id: string, task: LiveTask | undefined): void {
    this.#tasks.set(`${clusterId} ${id}`, { clusterId, id, task });
  }

  addNode(clusterId: number, id: string, node: Node | undefined): void {
    const key = { id, scheduler_cluster_id: clusterId };
    this.#nodes.set(nodeKey(key), { key, node });
  }

  /** Only the latest totals matter, together with all growth since those that were sent. */
  setTraffic(traffic: TrafficEvent): void {
    const unsent = this.#traffic?.grown;
    const { at, origin_bytes, peer_bytes } = traffic.grown;
    const grown = {
      at,
      origin_bytes: origin_bytes + (unsent?.origin_bytes ?? 0),
      peer_bytes: peer_bytes + (unsent?.peer_bytes ?? 0),
    };
    this.#traffic = { ...traffic, grown };
  }

  /** A reader that does not read is cut off. */
  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#response.writableNeedDrain) this.#response.destroy();
    else this.#response.end();
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      const { isValid, mayRead } = this.#rights;
      if (!(await isValid()) || this.#isStalled()) return this.end();
      await this.#flushChanges();
      if (this.#tasks.size > 0 && (await mayRead('tasks'))) this.#flushTasks();
      else this.#tasks.clear();
      if (this.#nodes.size > 0 && (await mayRead('nodes'))) this.#flushNodes();
      else this.#nodes.clear();
      if (this.#traffic && (await mayRead('traffic')) && !this.#isBehind()) this.#send('traffic', this.#traffic);
      if (!this.#isBehind()) this.#traffic = undefined;
    } catch {
      // A database that is away says nothing about rights: the next time.
    } finally {
      this.#flushing = false;
    }
  }

  async #flushChanges(): Promise<void> {
    for (const topic of this.#changes.keys()) {
      const allowed = await this.#rights.mayRead(topic);
      if (this.#isBehind()) return;
      const ids = this.#changes.get(topic);
      this.#changes.delete(topic);
      const event: ChangeEvent = { topic, ids: [...(ids ?? [])] };
      if (allowed) this.#send('change', event);
    }
  }

  #flushTasks(): void {
    if (this.#isBehind()) return;
    const event: TasksEvent = { changed: [], removed: [] };
    for (const [key, { clusterId, id, task }] of this.#tasks) {
      if (event.changed.length + event.removed.length >= maxTasksPerEvent) break;
      this.#tasks.delete(key);
      if (task) event.changed.push(task);
      else event.removed.push({ id, scheduler_cluster_id: clusterId });
    }
    this.#send('tasks', event);
  }

  #flushNodes(): void {
    if (this.#isBehind()) return;
    const event: NodesEvent = { changed: [], removed: [] };
    for (const [name, { key, node }] of this.#nodes) {
      if (event.changed.length + event.removed.length >= maxNodesPerEvent) break;
      this.#nodes.delete(name);
      if (node) event.changed.push(node);
      else event.removed.push(key);
    }
    this.#send('nodes', event);
  }

  /** What is collected for one who never reads would grow with everything that ever changes. */
  #isStalled(): boolean {
    if (!this.#isBehind()) this.#lastReadMs = performance.now();
    return performance.now() - this.#lastReadMs > eventStallMs;
  }

  #isBehind(): boolean {
    return this.#response.writableEnded || this.#response.writableNeedDrain;
  }

  #send(name: string, data: object): void {
    if (!this.#response.writableEnded) this.#response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
