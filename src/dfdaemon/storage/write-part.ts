/**
 * How much of a new file one system call writes.
 *
 * The kernel takes memory for the page cache in runs: as long as what is left of the write, and no longer than the place in the file is a
 * multiple of. Where it has no run of that length it moves other pages out of the way for one, and a write costs three to nine times as
 * much. So a write ends before it would ask for longer runs than there are plenty of; otherwise large writes are cheaper: fewer ways
 * between the loop and the threads that write.
 */
import { readFileSync } from 'node:fs';
import { longestRunBytes, runsLookBytes, runsLookMs, shortestRunBytes, sufficientRunsBytes } from './limits.ts';

const runsFile = '/proc/buddyinfo';
const pageBytes = 4096;

let known: { readonly runBytes: number; readonly untilMs: number; leftBytes: number } | undefined;

/** Of so many bytes for that place in the file, what is written now. */
export function writePartBytes(position: number, bytes: number, nowMs: number): number {
  if (!known || nowMs >= known.untilMs || known.leftBytes <= 0)
    known = { runBytes: runFor(readRuns()), untilMs: nowMs + runsLookMs, leftBytes: runsLookBytes };
  const part = partWithin(position, bytes, known.runBytes);
  known.leftBytes -= part;
  return part;
}

/** As much as asks for no longer runs than that: a place that would take twice as much is written in halves. */
export function partWithin(position: number, bytes: number, runBytes: number): number {
  const untilLonger = -position & (2 * runBytes - 1);
  return bytes - untilLonger >= 2 * runBytes ? untilLonger + runBytes : bytes;
}

/** @param runs how many runs of free memory there are of each length, as Linux tells; undefined where nobody does. */
export function runFor(runs: string | undefined): number {
  if (runs === undefined) return longestRunBytes;
  return bytesInRuns(runs, longestRunBytes) < sufficientRunsBytes ? shortestRunBytes : longestRunBytes;
}

/** In runs of at least that length: each line counts those of one page, of two, of four and so on. */
function bytesInRuns(runs: string, leastBytes: number): number {
  let sum = 0;
  for (const [, counts = ''] of runs.matchAll(/^Node \d+, zone\s+\w+((?:\s+\d+)+)\s*$/gm)) {
    for (const [order, count] of counts.trim().split(/\s+/).entries()) {
      const bytes = pageBytes * 2 ** order;
      if (bytes >= leastBytes) sum += Number(count) * bytes;
    }
  }
  return sum;
}

function readRuns(): string | undefined {
  try {
    return readFileSync(runsFile, 'latin1');
  } catch {
    return undefined; // another system
  }
}
