import { backOffFirstMs, backOffLongestMs } from './limits.ts';

/** Exponential with full jitter: the clients of one failed service do not return all at once. */
export function backOffMs(failures: number, random: () => number = Math.random): number {
  const longest = Math.min(backOffLongestMs, backOffFirstMs * 2 ** Math.min(failures - 1, 16));
  return longest / 2 + (random() * longest) / 2;
}
