/** The settings of a simulated run. Rates are in bytes per second, times in virtual milliseconds. */
import type { SwarmLimits } from '../swarm/scheduler/limits.ts';
import type { PickerLimits } from '../swarm/peer/picker-limits.ts';
import type { EvaluatorName } from '../swarm/scheduler/evaluator.ts';

/** `ours`: backbone, exchange, rarest first. `dag`: four acyclic parents, pieces in order. `tree`: one parent, pieces in order. */
export type Arm = 'ours' | 'dag' | 'tree';

export interface HostClass {
  readonly upBytesPerSec: number;
  readonly downBytesPerSec: number;
  /** Children served at once. */
  readonly loadLimit: number;
}

/** A piece that a host has received and verified. Hosts are given by index. */
export interface Landed {
  readonly child: number;
  /** Undefined for the origin. */
  readonly parent: number | undefined;
  readonly atMs: number;
}

export interface SimulationOptions {
  readonly peers: number;
  readonly seeds: number;
  readonly contentBytes: number;
  /** The default is the product's rule. */
  readonly pieceLengthBytes?: number | undefined;
  readonly arm: Arm;
  /** The seed of the random numbers; the same seed gives the same run. */
  readonly seed: number;
  readonly peer: HostClass;
  readonly seedPeer: HostClass;
  readonly originUpBytesPerSec: number;
  /** One-way latency between any two hosts of one zone. */
  readonly latencyMs: number;
  /** Peers arrive evenly spread over this time. */
  readonly arrivalsMs: number;
  /** Zones are joined by one link of `betweenBytesPerSec` with this latency; peers are assigned to them in turn. */
  readonly zones?:
    { readonly count: number; readonly betweenBytesPerSec: number; readonly latencyMs: number } | undefined;
  readonly sites?: Sites | undefined;
  /** The bytes per second from host to host that the processors can handle, when one machine runs all hosts. */
  readonly processorsBytesPerSec?: number | undefined;
  /** The share of a link's bytes that are headers of packets and frames. */
  readonly headShare?: number | undefined;
  readonly faults?: Faults | undefined;
  readonly evaluator?: EvaluatorName | undefined;
  readonly limits?: Partial<SwarmLimits> | undefined;
  readonly picker?: Partial<PickerLimits> | undefined;
  /** Called for every piece that lands. */
  readonly onLanded?: ((landed: Landed) => void) | undefined;
  /** The virtual time after which the run is given up. */
  readonly deadlineMs: number;
}

/** Peers are assigned to sites in turn; the capacity of a path between two sites varies. */
export interface Sites {
  readonly count: number;
  readonly leastBytesPerSec: number;
  readonly mostBytesPerSec: number;
  readonly changeEveryMs: number;
  /** One-way latency between hosts of two sites. */
  readonly latencyMs: number;
}

export interface Faults {
  /** Share of the peers that crash once, at a random time within the first `spanMs`, and come back after a pause. */
  readonly crashShare?: number;
  /** Share of crashed peers that never come back. */
  readonly goneShare?: number;
  readonly spanMs?: number;
  /** Share of the peers whose uplink has a twentieth of its capacity. */
  readonly slowShare?: number;
  /** Share of the peers that send corrupt pieces. */
  readonly maliciousShare?: number;
  /** True: one peer sends corrupt pieces and lies to its scheduler. */
  readonly liar?: boolean;
  /** The chance that the answer to a piece request is lost. */
  readonly lossShare?: number;
  readonly seedCrashMs?: number;
  readonly schedulerRestartMs?: number;
  /** The origin does not answer between these times. */
  readonly originDown?: { readonly fromMs: number; readonly untilMs: number };
}

const megabyte = 1e6;

/** The set-up of the published tree-against-DAG comparison: 100 MB/s each way, load limits 8 and 2, one seed peer. */
export const defaultSimulation: SimulationOptions = {
  peers: 100,
  seeds: 1,
  contentBytes: 1e9,
  arm: 'ours',
  seed: 1,
  peer: { upBytesPerSec: 100 * megabyte, downBytesPerSec: 100 * megabyte, loadLimit: 8 },
  seedPeer: { upBytesPerSec: 100 * megabyte, downBytesPerSec: 100 * megabyte, loadLimit: 2 },
  originUpBytesPerSec: 100 * megabyte,
  latencyMs: 0.25,
  arrivalsMs: 0,
  deadlineMs: 3_600_000,
};

/** max(F/u_s, F/d_min, N·F/(u_s + Σu)): no schedule of any kind can be faster (Kumar and Ross 2006). The seeds' uplinks count as helpers. */
export function fluidLimitMs(options: SimulationOptions): number {
  const { contentBytes: bytes, peers } = options;
  const source = options.originUpBytesPerSec;
  const uplinks = source + peers * options.peer.upBytesPerSec + options.seeds * options.seedPeer.upBytesPerSec;
  return 1000 * Math.max(bytes / source, bytes / options.peer.downBytesPerSec, (peers * bytes) / uplinks);
}
