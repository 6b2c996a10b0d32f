/**
 * All hosts of all clusters as schedulers report them, watched all the time, so that later viewers miss nothing. What
 * must survive restarts is written by the replica that holds the lease.
 */
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Channels } from '../../rpc/channels.ts';
import { activeSchedulers, type Topology } from '../clusters/topology.ts';
import type { Database } from '../db/database.ts';
import { acquireLease } from '../db/leases.ts';
import { nodeLeaseMs, nodeTickMs } from '../limits.ts';
import type { Traffic, TrafficGrowth, TrafficStore } from '../traffic/traffic-store.ts';
import { HostFeed } from './host-feed.ts';
import { isGone, nodeKey, seenAs, type Node } from './node.ts';
import { NodeRecords, type NodeRecord } from './node-records.ts';
import { NodeStore } from './node-store.ts';

export interface NodesOptions {
  readonly database: Database;
  readonly topology: Topology;
  readonly channels: Channels;
  readonly traffic: TrafficStore;
  readonly logger: Logger;
  /** Name of this replica. */
  readonly owner: string;
}

/** An undefined node was forgotten. */
export type NodeListener = (clusterId: number, hostId: string, node: Node | undefined) => void;

const leaseName = 'nodes';

export class Nodes implements Closable {
  readonly #options: NodesOptions;
  readonly #store: NodeStore;
  readonly #records = new NodeRecords();
  readonly #feeds = new Map<string, HostFeed>();
  readonly #listeners = new Set<NodeListener>();
  readonly #ticks = new Set<() => void>();
  /** Not written yet. */
  #grown: TrafficGrowth[] = [];
  #clusters: ReadonlySet<number> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> | undefined;
  #closed = false;

  constructor(options: NodesOptions) {
    this.#options = options;
    this.#store = new NodeStore(options.database);
  }

  /** Loads the stored nodes, and starts watching. */
  async start(): Promise<void> {
    const { db } = this.#options.database;
    const lease = await db.selectFrom('lease').select('expires_at').where('name', '=', leaseName).executeTakeFirst();
    const watchedUntilMs = lease ? Math.min(Date.now(), lease.expires_at - nodeLeaseMs) : 0;
    for (const record of await this.#store.read(watchedUntilMs)) this.#records.restore(record);
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), nodeTickMs);
    this.#timer.unref();
  }

  list(): Node[] {
    return Array.from(this.#records.all(), ({ node }) => node);
  }

  find(hostId: string, clusterId: number | undefined): NodeRecord | undefined {
    if (clusterId !== undefined) return this.#records.get(nodeKey({ id: hostId, scheduler_cluster_id: clusterId }));
    return [...this.#clusters].map((id) => this.#records.get(`${id} ${hostId}`)).find((record) => record !== undefined);
  }

  /** @param onTick called every few seconds in any case. The returned function unsubscribes. */
  subscribe(listener: NodeListener, onTick: () => void = () => undefined): () => void {
    this.#listeners.add(listener);
    this.#ticks.add(onTick);
    return () => {
      this.#listeners.delete(listener);
      this.#ticks.delete(onTick);
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#ticking;
    await closeAll([...this.#feeds.values()]);
    // The lease is left to expire: its last renewal tells until when nodes were watched.
    await this.#write().catch(() => undefined);
  }

  #tick(): void {
    this.#ticking ??= this.#tickOnce().finally(() => (this.#ticking = undefined));
  }

  async #tickOnce(): Promise<void> {
    try {
      await this.#reconcile();
      if (this.#closed) return;
      this.#findVanished();
      const forgotten = this.#records.forget(Date.now(), (id) => this.#clusters.has(id));
      for (const node of forgotten) this.#tell(node.scheduler_cluster_id, node.id, undefined);
      if (await this.#write()) await this.#store.delete(forgotten);
      // Another replica, which watches the same schedulers, writes it.
      else this.#grown = [];
    } catch (error) {
      this.#options.logger.warn({ error: toDragonflyError(error).message }, 'what is known of nodes could not be kept');
    }
    for (const tick of this.#ticks) tick();
  }

  /** @returns whether this replica is the writer. */
  async #write(): Promise<boolean> {
    const { database, owner } = this.#options;
    if (!(await acquireLease(database, leaseName, owner, nodeLeaseMs))) return false;
    const records = this.#records.takeUnwritten();
    try {
      await this.#store.write(records);
    } catch (error) {
      this.#records.putBack(records);
      throw error;
    }
    const grown = this.#grown;
    this.#grown = [];
    await this.#options.traffic.add(grown);
    return true;
  }

  /** Watches the currently active schedulers, and no others. */
  async #reconcile(): Promise<void> {
    const { topology, channels, logger } = this.#options;
    const snapshot = await topology.current();
    if (this.#closed) return;
    this.#clusters = new Set(snapshot.clusters.keys());
    const wanted = activeSchedulers(snapshot);
    for (const [key, feed] of this.#feeds) {
      if (wanted.has(key)) continue;
      this.#feeds.delete(key);
      this.#changed(feed.clusterId, [...feed.hosts.keys()]);
      void closeAll([feed]);
    }
    const onChange = (clusterId: number, hostIds: readonly string[]): void => this.#changed(clusterId, hostIds);
    const onTraffic = (clusterId: number, traffic: Traffic): void => {
      this.#grown.push({ ...traffic, clusterId, atMs: Date.now() });
    };
    for (const [key, { address, clusterId }] of wanted) {
      if (!this.#feeds.has(key))
        this.#feeds.set(key, new HostFeed({ channels, address, clusterId, logger, onChange, onTraffic }));
    }
  }

  #changed(clusterId: number, hostIds: readonly string[]): void {
    const feeds = this.#feedsOf(clusterId);
    for (const hostId of new Set(hostIds)) {
      const node = seenAs(
        clusterId,
        feeds.flatMap(({ hosts }) => hosts.get(hostId) ?? []),
      );
      if (!node) this.#records.lastWord(`${clusterId} ${hostId}`, Date.now());
      else if (this.#records.seen(node)) this.#tell(clusterId, hostId, this.#records.get(nodeKey(node))?.node);
    }
  }

  /** A restarted scheduler only knows hosts that have come back. */
  #findVanished(): void {
    const nowMs = performance.now();
    for (const clusterId of this.#clusters) {
      const feeds = this.#feedsOf(clusterId);
      if (!feeds.some((feed) => feed.isSettled(nowMs))) continue;
      for (const { node } of this.#records.all()) {
        if (node.scheduler_cluster_id !== clusterId || isGone(node)) continue;
        if (feeds.some(({ hosts }) => hosts.has(node.id))) continue;
        const lost = this.#records.vanished(nodeKey(node));
        if (lost) this.#tell(clusterId, node.id, lost);
      }
    }
  }

  #feedsOf(clusterId: number): HostFeed[] {
    return [...this.#feeds.values()].filter((feed) => feed.clusterId === clusterId);
  }

  #tell(clusterId: number, hostId: string, node: Node | undefined): void {
    for (const listener of this.#listeners) listener(clusterId, hostId, node);
  }
}

async function closeAll(feeds: readonly HostFeed[]): Promise<void> {
  await Promise.all(feeds.map((feed) => feed[Symbol.asyncDispose]()));
}
