/** The last minutes of traffic, from totals that only ever grow, except when a scheduler starts anew. */
import type { ClusterTraffic, LiveEventMap } from './event-types.ts';

export interface TrafficSample {
  readonly atMs: number;
  readonly originBytesPerSec: number;
  readonly peerBytesPerSec: number;
}

export interface Traffic {
  readonly samples: readonly TrafficSample[];
  readonly originBytes: number;
  readonly peerBytes: number;
  readonly hosts: number;
  readonly peersRunning: number;
  readonly clusters: readonly ClusterTraffic[];
}

/** What grew between two events. */
interface Step {
  readonly atMs: number;
  readonly originBytes: number;
  readonly peerBytes: number;
}

const maxSamples = 180;
/** Peers report whole pieces in beats: rates are over some seconds, or they would jump. */
const smoothedSteps = 5;
const nothing: Traffic = { samples: [], originBytes: 0, peerBytes: 0, hosts: 0, peersRunning: 0, clusters: [] };

export class TrafficHistory {
  #traffic = nothing;
  #steps: readonly Step[] = [];
  readonly #listeners = new Set<() => void>();

  get current(): Traffic {
    return this.#traffic;
  }

  add({ at, clusters }: LiveEventMap['traffic']): void {
    const before = new Map(this.#traffic.clusters.map((cluster) => [cluster.scheduler_cluster_id, cluster]));
    const sum = (of: (cluster: ClusterTraffic) => number): number =>
      clusters.reduce((total, cluster) => total + of(cluster), 0);
    const grown = (of: (cluster: ClusterTraffic) => number): number =>
      sum((cluster) => {
        const last = before.get(cluster.scheduler_cluster_id);
        return last ? Math.max(0, of(cluster) - of(last)) : 0;
      });
    this.#steps = [
      ...this.#steps,
      {
        atMs: at,
        originBytes: grown(({ origin_bytes }) => origin_bytes),
        peerBytes: grown(({ peer_bytes }) => peer_bytes),
      },
    ].slice(-smoothedSteps);
    const sample = rateOver(this.#steps);
    this.#traffic = {
      samples: [...this.#traffic.samples, sample].slice(-maxSamples),
      originBytes: sum(({ origin_bytes }) => origin_bytes),
      peerBytes: sum(({ peer_bytes }) => peer_bytes),
      hosts: sum(({ hosts }) => hosts),
      peersRunning: sum(({ peers_running }) => peers_running),
      clusters,
    };
    for (const listener of this.#listeners) listener();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

function rateOver(steps: readonly Step[]): TrafficSample {
  const [first] = steps;
  const atMs = steps.at(-1)?.atMs ?? 0;
  const seconds = first ? (atMs - first.atMs) / 1000 : 0;
  if (seconds <= 0) return { atMs, originBytesPerSec: 0, peerBytesPerSec: 0 };
  // The first step grew before the time it marks.
  const rest = steps.slice(1);
  return {
    atMs,
    originBytesPerSec: rest.reduce((sum, { originBytes }) => sum + originBytes, 0) / seconds,
    peerBytesPerSec: rest.reduce((sum, { peerBytes }) => sum + peerBytes, 0) / seconds,
  };
}
