/** One run: daemons arrive, the swarm works, and the result is measured. */
import { percentile } from './statistics.ts';
import { planFaults } from './faults.ts';
import { defaultSimulation, fluidLimitMs, type SimulationOptions } from './options.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

export interface SimulationResult {
  /** Time until the last peer has everything, divided by the fluid limit. */
  readonly r: number;
  readonly originCopies: number;
  /** The part of these copies that was fetched although a live, honest peer already held the piece. */
  readonly avoidableCopies: number;
  readonly originRequests: number;
  readonly timeToLastSeconds: number;
  readonly fluidLimitSeconds: number;
  readonly meanSeconds: number;
  readonly p50Seconds: number;
  readonly p99Seconds: number;
  /** Size divided by its own time: for the slowest peer, the fastest, and on average. */
  readonly speed: { readonly min: number; readonly mean: number; readonly max: number };
  /** Bytes that arrived twice, as a share of all delivered bytes. */
  readonly duplicateShare: number;
  readonly crossZoneCopies: number | undefined;
  readonly unfinished: number;
  readonly failed: number;
  readonly steps: number;
  /** Seconds from its own start until each peer was complete, ascending. */
  readonly completions: readonly number[];
  /** Share of its uplink each peer used until the last was complete, ascending. */
  readonly uplinkUse: readonly number[];
}

export function simulate(options: Partial<SimulationOptions>): SimulationResult {
  const complete: SimulationOptions = { ...defaultSimulation, ...options };
  const cluster = new SimulatedCluster(complete);
  run(cluster);
  return summarise(cluster);
}

export function run(cluster: SimulatedCluster): void {
  const { world, daemons } = cluster;
  const { options } = world;
  for (const daemon of daemons) {
    const atMs = daemon.setup.isSeed
      ? 0
      : 1 + (options.arrivalsMs * (daemon.setup.index - options.seeds)) / options.peers;
    world.at(atMs, () => daemon.start());
  }
  planFaults(cluster);
  world.clock.run(options.deadlineMs, () => world.pending === 0);
}

export function summarise({ world, daemons }: SimulatedCluster): SimulationResult {
  const { options } = world;
  const peers = daemons.filter((daemon) => !daemon.setup.isSeed && !daemon.departed);
  const finished = peers.filter((peer) => peer.finishedMs !== undefined);
  const completions = finished.map((peer) => ((peer.finishedMs ?? 0) - peer.startedMs) / 1000).sort((a, b) => a - b);
  const last = Math.max(0, ...finished.map((peer) => peer.finishedMs ?? 0)) / 1000;
  const limit = fluidLimitMs(options) / 1000;
  return {
    r: last / limit,
    originCopies: world.originBytes / options.contentBytes,
    avoidableCopies: world.avoidableOriginBytes / options.contentBytes,
    originRequests: world.originRequests,
    timeToLastSeconds: last,
    fluidLimitSeconds: limit,
    meanSeconds: completions.reduce((sum, value) => sum + value, 0) / Math.max(1, completions.length),
    speed: speeds(completions.map((seconds) => options.contentBytes / seconds)),
    p50Seconds: percentile(completions, 0.5),
    p99Seconds: percentile(completions, 0.99),
    duplicateShare: world.duplicateBytes / (options.contentBytes * Math.max(1, finished.length)),
    crossZoneCopies: world.betweenZones && world.betweenZones.carriedBytes / options.contentBytes,
    unfinished: peers.length - finished.length,
    failed: peers.filter((peer) => peer.failed !== undefined).length,
    steps: world.clock.steps,
    completions,
    uplinkUse: peers
      .map(({ setup: { up } }) => up.carriedBytes / (up.capacityBytesPerMs * Math.max(1, last * 1000)))
      .sort((a, b) => a - b),
  };
}

function speeds(descending: readonly number[]): SimulationResult['speed'] {
  const mean = descending.reduce((sum, value) => sum + value, 0) / Math.max(1, descending.length);
  return { min: descending.at(-1) ?? 0, mean, max: descending[0] ?? 0 };
}
