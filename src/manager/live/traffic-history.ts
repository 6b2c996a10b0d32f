/** Traffic of the last minutes, computed from totals that only grow, except when a scheduler restarts. Pure. */
import { trafficHistoryMs } from '../limits.ts';
import type { ClusterTraffic, TrafficEvent, TrafficStep } from './live-task.ts';

export class TrafficHistory {
  #last = new Map<number, ClusterTraffic>();
  #steps: TrafficStep[] = [];

  /** Oldest first, and no older than `trafficHistoryMs` before the latest. */
  get steps(): readonly TrafficStep[] {
    return this.#steps;
  }

  /** The growth since the previous totals; none for a cluster that was unknown then. */
  add(atMs: number, clusters: readonly ClusterTraffic[]): TrafficEvent {
    const grown = (bytes: (cluster: ClusterTraffic) => number): number =>
      clusters.reduce((sum, cluster) => {
        const last = this.#last.get(cluster.scheduler_cluster_id);
        return sum + (last ? Math.max(0, bytes(cluster) - bytes(last)) : 0);
      }, 0);
    const step: TrafficStep = {
      at: atMs,
      origin_bytes: grown(({ origin_bytes }) => origin_bytes),
      peer_bytes: grown(({ peer_bytes }) => peer_bytes),
    };
    this.#last = new Map(clusters.map((cluster) => [cluster.scheduler_cluster_id, cluster]));
    this.#steps = [...this.#steps.filter(({ at }) => at > atMs - trafficHistoryMs), step];
    return { at: atMs, grown: step, clusters: [...clusters] };
  }

  /** After a time without viewers, the next totals start a new history. */
  clear(): void {
    this.#last.clear();
    this.#steps = [];
  }
}
