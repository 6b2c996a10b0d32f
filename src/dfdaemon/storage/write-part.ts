/**
 * How much of a new file one system call writes.
 *
 * The kernel allocates page cache in runs: as long as the rest of the write, but no longer than the alignment of the
 * file position. Where no free run of that length exists, it moves other pages away to make one, and the write costs
 * three to nine times as much. So a write ends before it would need longer runs than there are plenty of; otherwise
 * large writes are cheaper, because the loop and the writing threads interact less often.
 */
import { readFileSync } from 'node:fs';
import { longestRunBytes, runsLookBytes, runsLookMs, shortestRunBytes, sufficientRunsBytes } from './limits.ts';

const runsFile = '/proc/buddyinfo';
const pageBytes = 4096;

let known: { readonly runBytes: number; readonly untilMs: number; leftBytes: number } | undefined;

/** How many of these bytes, at that file position, to write now. */
export function writePartBytes(position: number, bytes: number, nowMs: number): number {
  if (!known || nowMs >= known.untilMs || known.leftBytes <= 0)
    known = { runBytes: runFor(readRuns()), untilMs: nowMs + runsLookMs, leftBytes: runsLookBytes };
  const part = partWithin(position, bytes, known.runBytes);
  known.leftBytes -= part;
  return part;
}

/** As much as needs no longer runs than that: a position that would take twice as much is written in halves. */
export function partWithin(position: number, bytes: number, runBytes: number): number {
  const untilLonger = -position & (2 * runBytes - 1);
  return bytes - untilLonger >= 2 * runBytes ? untilLonger + runBytes : bytes;
}

/** @param runs Linux's table of free memory by run length; undefined on other systems. */
export function runFor(runs: string | undefined): number {
  if (runs === undefined) return longestRunBytes;
  return bytesInRuns(runs, longestRunBytes) < sufficientRunsBytes ? shortestRunBytes : longestRunBytes;
}

/** Free memory in runs of at least that length: each line counts runs of one page, of two, of four and so on. */
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
