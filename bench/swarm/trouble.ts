/**
 * Random faults: node bench/swarm/trouble.ts [FIRST LAST]
 * Prints every run that leaves a peer without the content, fails one, or takes more than 1.02 copies from the origin
 * that live peers could have given. The number of the run repeats it.
 */
import { randomTrouble, runTrouble } from '../../src/simulator/trouble.ts';

const [first = 1, last = 1000] = process.argv.slice(2).map(Number);
let bad = 0;
let slowestSeconds = 0;
for (let seed = first; seed <= last; seed += 1) {
  const options = randomTrouble(seed);
  const result = runTrouble(options);
  slowestSeconds = Math.max(slowestSeconds, result.timeToLastSeconds);
  if (result.unfinished === 0 && result.failed === 0 && result.avoidableCopies <= 0.02) continue;
  bad += 1;
  const { completions: _, uplinkUse: __, ...figures } = result;
  console.log(
    JSON.stringify({
      run: seed,
      peers: options.peers,
      megabytes: Math.round(options.contentBytes / 1e6),
      ...figures,
      faults: options.faults,
    }),
  );
}
console.log(
  `${last - first + 1} runs, ${bad} of them bad, the slowest took ${slowestSeconds.toFixed(1)} s of virtual time`,
);
