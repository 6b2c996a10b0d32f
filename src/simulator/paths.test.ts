import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from './clock.ts';
import { FluidNetwork } from './fluid-network.ts';
import { Paths } from './paths.ts';

const sites = { count: 2, leastBytesPerSec: 1e6, mostBytesPerSec: 1e7, changeEveryMs: 100, latencyMs: 1 };

/** The capacity of a path every 50 ms while something flows over it. */
function weather(seed: number, from: number, to: number): number[] {
  const clock = new VirtualClock();
  const network = new FluidNetwork(clock);
  const link = new Paths(sites, seed, clock, network).between(from, to);
  network.start([link], 1e9, () => {});
  const seen: number[] = [];
  for (let atMs = 0; atMs < 1000; atMs += 50) clock.at(atMs, () => seen.push(link.rateBytesPerSec));
  clock.run(1000, () => false);
  return seen;
}

test('what a path carries stays within the bounds, changes now and then, and is the same for the same seed', () => {
  const rates = weather(1, 3, 4);
  assert(rates.every((rate) => rate >= 1e6 && rate <= 1e7));
  assert(new Set(rates).size >= 9 && new Set(rates).size <= 11, `${new Set(rates).size} capacities in ten intervals`);
  assert.deepEqual(weather(1, 3, 4), rates);
  assert.notDeepEqual(weather(1, 4, 3), rates);
  assert.notDeepEqual(weather(2, 3, 4), rates);
});
