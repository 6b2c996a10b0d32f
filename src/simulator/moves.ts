/** Which peer got how many pieces from whom and when, in the format in which the manager reports a real distribution. */
import { defaultSimulation, type Landed, type SimulationOptions } from './options.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { run, summarise, type SimulationResult } from './simulation.ts';

export interface RecordedMoves {
  readonly piece_length: number;
  readonly piece_count: number;
  readonly step_ms: number;
  readonly peers: readonly {
    readonly host_name: string;
    readonly type: 'seed' | 'normal';
    readonly began_ms: number;
    /** 0 when it never ended. */
    readonly ended_ms: number;
  }[];
  /** Four numbers per move: step, child, 0 for the origin or the parent plus one, pieces. */
  readonly moves: readonly number[];
}

/** The number of steps in the picture, however long the run is. */
const wantedSteps = 400;

/** One run, with the moves of its pieces. */
export function simulateMoves(given: Partial<SimulationOptions>): { result: SimulationResult; moves: RecordedMoves } {
  const landed: Landed[] = [];
  const options = { ...defaultSimulation, ...given, onLanded: (one: Landed) => landed.push(one) };
  const cluster = new SimulatedCluster(options);
  run(cluster);
  const result = summarise(cluster);
  const { world, daemons } = cluster;
  const stepMs = Math.max(1, Math.ceil((result.timeToLastSeconds * 1000) / wantedSteps));
  const sums = new Map<string, number>();
  for (const { child, parent, atMs } of landed) {
    const key = [Math.floor(atMs / stepMs), child, parent === undefined ? 0 : parent + 1].join(' ');
    sums.set(key, (sums.get(key) ?? 0) + 1);
  }
  const ended = (ms: number | undefined): number => (ms === undefined ? 0 : Math.max(1, Math.round(ms)));
  return {
    result,
    moves: {
      piece_length: world.layout.pieceLengthBytes,
      piece_count: world.pieceCount,
      step_ms: stepMs,
      peers: daemons.map(({ hostId, setup, startedMs, finishedMs }) => ({
        host_name: hostId,
        type: setup.isSeed ? 'seed' : 'normal',
        began_ms: Math.round(startedMs),
        ended_ms: ended(finishedMs),
      })),
      moves: [...sums].flatMap(([key, pieces]) => [...key.split(' ').map(Number), pieces]),
    },
  };
}
