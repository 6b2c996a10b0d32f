/**
 * One hostile member among 20: node bench/swarm/lies.ts [FIRST LAST]
 * Prints every run in which a peer that is honest fails or is struck off, more than 1.05 copies that live honest peers could have given
 * come from the origin, or the liar goes on after two children found it out. The number of the run repeats it.
 */
import { runLies } from '../../src/simulator/trouble.ts';

const [first = 1, last = 1000] = process.argv.slice(2).map(Number);
let bad = 0;
let struckOff = 0;
let mostCopies = 0;
for (let seed = first; seed <= last; seed += 1) {
  const result = runLies(seed);
  struckOff += result.liarStruckOff ? 1 : 0;
  mostCopies = Math.max(mostCopies, result.originCopies);
  if (result.isRight) continue;
  bad += 1;
  console.log(JSON.stringify({ run: seed, ...result }));
}
console.log(
  `${last - first + 1} runs, ${bad} bad; the liar was struck off in ${struckOff}, gave to fewer than two in the rest`,
);
console.log(`copies from the origin: at most ${mostCopies.toFixed(3)}`);
