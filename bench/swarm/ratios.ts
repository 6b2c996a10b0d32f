/**
 * R (time of the last peer ÷ fluid limit) for each number of peers, size and arm:
 *   node bench/swarm/ratios.ts --peers 100,1000 --sizes 200MB,1GB,10GB --arms ours,dag,tree --seeds 1,2,3 [--json]
 * The goals for `ours`: 1.25 / 1.12 / 1.05 at 100 peers, 1.35 / 1.15 / 1.06 at 1000.
 */
import { parseArgs } from 'node:util';
import type { Arm } from '../../src/simulator/options.ts';
import { simulate } from '../../src/simulator/simulation.ts';

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '100' },
    sizes: { type: 'string', default: '200MB,1GB' },
    arms: { type: 'string', default: 'ours' },
    seeds: { type: 'string', default: '1,2,3' },
    json: { type: 'boolean', default: false },
  },
});

const decimal: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9 };

/** Decimal units, as the published figures use them. */
function bytesOf(text: string): number {
  const match = /^(\d+)(MB|GB)$/.exec(text);
  if (!match) throw new Error(`"${text}" is not a size such as 200MB or 1GB`);
  return Number(match[1]) * (decimal[match[2] ?? ''] ?? 1);
}

for (const size of values.sizes.split(',')) {
  for (const peers of values.peers.split(',').map(Number)) {
    for (const arm of values.arms.split(',') as Arm[]) {
      for (const seed of values.seeds.split(',').map(Number)) {
        const began = performance.now();
        const result = simulate({ peers, contentBytes: bytesOf(size), arm, seed });
        const { completions, uplinkUse: _, ...figures } = result;
        const row = {
          peers,
          size,
          arm,
          seed,
          ...figures,
          wallSeconds: (performance.now() - began) / 1000,
          rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
        };
        if (values.json) console.log(JSON.stringify(row));
        else {
          console.log(
            `${arm.padEnd(4)} ${size.padStart(5)} to ${String(peers).padStart(5)} peers, seed ${seed}: R ${row.r.toFixed(3)}, mean ${(row.meanSeconds / row.fluidLimitSeconds).toFixed(3)}, ` +
              `${row.originCopies.toFixed(3)} origin copies in ${row.originRequests} request(s), ${row.timeToLastSeconds.toFixed(2)} s of ${row.fluidLimitSeconds.toFixed(2)} s; ` +
              `took ${row.wallSeconds.toFixed(1)} s, ${row.rssMiB} MiB, ${completions.length} finished`,
          );
        }
      }
    }
  }
}
