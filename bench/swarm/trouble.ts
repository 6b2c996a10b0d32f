/**
 * Random faults: node bench/swarm/trouble.ts [FIRST LAST]
 * Prints every run that leaves a peer without the content, fails one, or takes more than 1.02 copies from the origin
 * that live honest peers could have given. What was lost with its only holder has to be fetched again, and is counted apart.
 * The number of the run repeats it.
 */
import { randomTrouble, runTrouble } from '../../src/simulator/trouble.ts';

const [first = 1, last = 1000] = process.argv.slice(2).map(Number);
let bad = 0;
let slowestSeconds = 0;
let withLosses = 0;
let mostCopies = 0;
for (let seed = first; seed <= last; seed += 1) {
  const options = randomTrouble(seed);
  const result = runTrouble(options);
  slowestSeconds = Math.max(slowestSeconds, result.timeToLastSeconds);
  if (result.originCopies > 1.02) withLosses += 1;
  mostCopies = Math.max(mostCopies, result.originCopies);
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
console.log(`copies of all kinds: more than 1.02 in ${withLosses} runs, at most ${mostCopies.toFixed(2)}`);
