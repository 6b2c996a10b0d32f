/** The set-ups that are measured again and again, by name. */
import type { Series } from './chart.ts';
import type { Published } from './plots.ts';
import { defaultSimulation, type SimulationOptions } from './options.ts';

const megabyte = 1e6;
const gigabit = 1e9 / 8;

export interface Scenario {
  readonly about: string;
  readonly runs: readonly Partial<SimulationOptions>[];
  /** What was measured with other software in this set-up. */
  readonly published?: Published;
}

const treeSizes = [200 * megabyte, 1000 * megabyte, 10_000 * megabyte];
/** The published comparison says that its peers were in different data centres, with varying bandwidth between them. */
const treeBed: Partial<SimulationOptions> = {
  sites: {
    count: 4,
    leastBytesPerSec: 10 * megabyte,
    mostBytesPerSec: 100 * megabyte,
    changeEveryMs: 5000,
    latencyMs: 5,
  },
};
const cloudNode = { upBytesPerSec: 6 * gigabit, downBytesPerSec: 6 * gigabit, loadLimit: 8 };
const cloudBed = { peer: cloudNode, seedPeer: cloudNode, originUpBytesPerSec: 10 * gigabit };

export const scenarios: Readonly<Record<string, Scenario>> = {
  'tree-dag': {
    about:
      '100 MB/s each way, load limits 8 and 2, one seed peer, four sites with 10 to 100 MB/s between two peers: single parent, several parents, and ours',
    runs: treeSizes.flatMap((contentBytes) =>
      (['tree', 'dag', 'ours'] as const).flatMap((arm) =>
        [10, 30, 100, 300, 1000, 10_000].map((peers) => ({ ...treeBed, contentBytes, arm, peers })),
      ),
    ),
  },
  cloud: {
    about: '10 Gbit/s origin, 6 Gbit/s nodes, 500 MB and 3 GB to 50 … 500 nodes',
    runs: [500, 3000].flatMap((size) =>
      [50, 100, 200, 500].map((peers) => ({ ...cloudBed, contentBytes: size * megabyte, peers })),
    ),
    published: {
      seconds: [
        line('plain, 0.5 GB (published)', [35, 65, 135, 1020]),
        line('Dragonfly 2.0.8, 0.5 GB (published)', [10, 10, 15, 25]),
        line('plain, 3 GB (published)', [260, 1380, 4245, 10_800]),
        line('Dragonfly 2.0.8, 3 GB (published)', [40, 40, 50, 55]),
      ],
      copies: [
        line('Dragonfly 2.0.8, 0.5 GB (published)', [0.99, 1.3, 1.39, 1.5]),
        line('Dragonfly 2.0.8, 3 GB (published)', [1, 1.03, 1.09, 1.56]),
      ],
    },
  },
  'two-zones': {
    about: 'two zones joined by a link of one node’s speed, which everybody may cross, then four nodes of each',
    runs: [0, 4].map((crossZonePeers) => ({
      peers: 100,
      contentBytes: 1000 * megabyte,
      zones: { count: 2, betweenBytesPerSec: 100 * megabyte, latencyMs: 5 },
      limits: { crossZonePeers },
    })),
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

/** Published figures are for these numbers of nodes. They include starting the container, and have a resolution of 5 s. */
function line(label: string, values: readonly number[]): Series {
  const nodes = [50, 100, 200, 500];
  return { label, dashed: true, points: values.map((value, index) => [nodes[index] ?? 0, value]) };
}

/** The expected throughput of a scaled set-up: what a run on shaped links of this speed should show. */
export function linkBed(upBytesPerSec: number, downBytesPerSec = upBytesPerSec): Partial<SimulationOptions> {
  const host = { upBytesPerSec, downBytesPerSec, loadLimit: defaultSimulation.peer.loadLimit };
  return {
    peer: host,
    seedPeer: { ...host, loadLimit: defaultSimulation.seedPeer.loadLimit },
    originUpBytesPerSec: upBytesPerSec,
  };
}
