/** Simulated beds: how near the swarm comes to the fluid limit, and what simulating costs beside a fixed piece of work. */
import { defaultSimulation, type SimulationOptions } from '../../src/simulator/options.ts';
import { simulate } from '../../src/simulator/simulation.ts';

const megabyte = 1e6;
/** A piece of 4 MiB takes 3 ms here: what is lost between two pieces shows. */
const fast = { upBytesPerSec: 1300 * megabyte, downBytesPerSec: 1300 * megabyte, loadLimit: 8 };

const beds: Readonly<Record<string, Partial<SimulationOptions>>> = {
  'R of 200 MB to 100': { contentBytes: 200 * megabyte },
  'R of 1 GB to 100': { contentBytes: 1000 * megabyte },
  'R of 1 GB to 8 on fast lines': {
    peers: 8,
    contentBytes: 1000 * megabyte,
    peer: fast,
    seedPeer: fast,
    originUpBytesPerSec: fast.upBytesPerSec,
    latencyMs: 0.05,
  },
};

/** Efficiency (1 ÷ R, the same in every run) of each bed, and `simulating`: work of a fixed size ÷ processor time for all of them. */
export function measureBeds(): Map<string, number> {
  const figures = new Map<string, number>();
  const workMs = processorMs(fixedWork);
  const bedsMs = processorMs(() => {
    for (const [name, options] of Object.entries(beds))
      figures.set(name, 1 / simulate({ ...defaultSimulation, ...options }).r);
  });
  figures.set('simulating beside fixed work', workMs / bedsMs);
  return figures;
}

function processorMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Maps, sorting and arithmetic, as the simulator does. */
function fixedWork(): number {
  let sum = 0;
  for (let round = 0; round < 40; round += 1) {
    const map = new Map<number, number>();
    for (let key = 0; key < 50_000; key += 1) map.set((key * 7919) % 100_003, key);
    const values = [...map.values()].sort((a, b) => (a % 1000) - (b % 1000));
    for (const value of values) sum = (sum + value * round) % 1_000_003;
  }
  return sum;
}
