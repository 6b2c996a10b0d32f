/** The swarm gets its random numbers from outside, so that a run can be repeated from its seed. */
import assert from 'node:assert/strict';

/** Uniform in [0, 1). */
export type Random = () => number;

/** Reproducible generator with 32 bits of state (mulberry32): fast and uniform enough for choices, not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Whole number in [0, below). */
export function randomIndex(random: Random, below: number): number {
  assert(below > 0, 'a choice needs at least one thing to choose from');
  return Math.min(below - 1, Math.floor(random() * below));
}
