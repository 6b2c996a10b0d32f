/** The beds that are measured again and again, by name. */
import { defaultSimulation, type SimulationOptions } from './options.ts';

const megabyte = 1e6;
const gigabit = 1e9 / 8;

export interface Scenario {
  readonly about: string;
  readonly runs: readonly Partial<SimulationOptions>[];
}

const treeBed = [200 * megabyte, 1000 * megabyte, 10_000 * megabyte];
const cloudNode = { upBytesPerSec: 6 * gigabit, downBytesPerSec: 6 * gigabit, loadLimit: 8 };
const cloudBed = { peer: cloudNode, seedPeer: cloudNode, originUpBytesPerSec: 10 * gigabit };

export const scenarios: Readonly<Record<string, Scenario>> = {
  'tree-dag': {
    about: '100 MB/s each way, load limits 8 and 2, one seed peer: single parent, several parents, and ours',
    runs: treeBed.flatMap((contentBytes) =>
      (['tree', 'dag', 'ours'] as const).map((arm) => ({ contentBytes, arm, peers: 100 })),
    ),
  },
  cloud: {
    about: '10 Gbit/s origin, 6 Gbit/s nodes, 500 MB and 3 GB to 50 … 500 nodes',
    runs: [500, 3000].flatMap((size) =>
      [50, 100, 200, 500].map((peers) => ({ ...cloudBed, contentBytes: size * megabyte, peers })),
    ),
  },
  'two-zones': {
    about: 'two zones joined by a link of one node’s speed',
    runs: [
      {
        peers: 100,
        contentBytes: 1000 * megabyte,
        zones: { count: 2, betweenBytesPerSec: 100 * megabyte, latencyMs: 5 },
      },
    ],
  },
  'flash-crowd': { about: '1000 nodes at once', runs: [{ peers: 1000, contentBytes: 200 * megabyte }] },
  rolling: {
    about: 'arrivals spread over a minute',
    runs: [{ peers: 200, contentBytes: 1000 * megabyte, arrivalsMs: 60_000 }],
  },
  churn: {
    about: 'a fifth of the nodes crash on the way, some for good',
    runs: [{ peers: 100, contentBytes: 1000 * megabyte, faults: { crashShare: 0.2, goneShare: 0.2, spanMs: 10_000 } }],
  },
};

/** Throughput of one bed scaled: what a run on shaped links of this speed should show. */
export function linkBed(upBytesPerSec: number, downBytesPerSec = upBytesPerSec): Partial<SimulationOptions> {
  const host = { upBytesPerSec, downBytesPerSec, loadLimit: defaultSimulation.peer.loadLimit };
  return {
    peer: host,
    seedPeer: { ...host, loadLimit: defaultSimulation.seedPeer.loadLimit },
    originUpBytesPerSec: upBytesPerSec,
  };
}
