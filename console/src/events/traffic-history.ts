/** The last minutes of traffic, and the totals as they are now. */
import type { ClusterTraffic, LiveEventMap, TrafficStep } from './event-types.ts';

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

const maxSamples = 180;
/** Peers report whole pieces in beats: rates are over some seconds, or they would jump. */
const smoothedSteps = 5;

export class TrafficHistory {
  #traffic: Traffic | undefined;
  /** As many as samples can be made of. */
  #steps: readonly TrafficStep[] = [];
  readonly #listeners = new Set<() => void>();

  get current(): Traffic | undefined {
    return this.#traffic;
  }

  /** What happened before this page, or its connection, was there. */
  restore(steps: readonly TrafficStep[]): void {
    this.#steps = steps;
  }

  add({ grown, clusters }: LiveEventMap['traffic']): void {
    const sum = (of: (cluster: ClusterTraffic) => number): number =>
      clusters.reduce((total, cluster) => total + of(cluster), 0);
    this.#steps = [...this.#steps, grown].slice(-(maxSamples + smoothedSteps - 1));
    this.#traffic = {
      samples: this.#steps
        .map((_, index) => rateOver(this.#steps.slice(Math.max(0, index + 1 - smoothedSteps), index + 1)))
        .slice(-maxSamples),
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

function rateOver(steps: readonly TrafficStep[]): TrafficSample {
  const [first, ...rest] = steps;
  const atMs = steps.at(-1)?.at ?? 0;
  const seconds = first ? (atMs - first.at) / 1000 : 0;
  if (seconds <= 0) return { atMs, originBytesPerSec: 0, peerBytesPerSec: 0 };
  // The first step grew before the time it marks.
  return {
    atMs,
    originBytesPerSec: rest.reduce((sum, { origin_bytes }) => sum + origin_bytes, 0) / seconds,
    peerBytesPerSec: rest.reduce((sum, { peer_bytes }) => sum + peer_bytes, 0) / seconds,
  };
}
