/**
 * How much of a new file one system call writes.
 *
 * The kernel takes memory for the page cache in runs as long as the write, where there are such runs. Once memory is fragmented it moves
 * other pages out of the way for them, and a write of 1 MiB costs six times as much as four of a quarter. While it is not, larger
 * writes are cheaper: fewer ways between the loop and the threads that write.
 */
import { readFileSync } from 'node:fs';
import { longRunsBytes, runsLookMs, smallWriteBytes, writeBlockBytes } from './limits.ts';

const runsFile = '/proc/buddyinfo';
const pageBytes = 4096;

let known: { readonly bytes: number; readonly untilMs: number } | undefined;

/** For a write that begins now. */
export function writePartBytes(nowMs: number): number {
  if (!known || nowMs >= known.untilMs) known = { bytes: writePartFor(readRuns()), untilMs: nowMs + runsLookMs };
  return known.bytes;
}

/** @param runs how many runs of free memory there are of each length, as Linux tells; undefined where nobody does. */
export function writePartFor(runs: string | undefined): number {
  if (runs === undefined) return writeBlockBytes;
  return longBytes(runs) < longRunsBytes ? smallWriteBytes : writeBlockBytes;
}

/** In runs of at least a whole block: each line counts those of one page, of two, of four and so on. */
function longBytes(runs: string): number {
  let sum = 0;
  for (const [, counts = ''] of runs.matchAll(/^Node \d+, zone\s+\w+((?:\s+\d+)+)\s*$/gm)) {
    for (const [order, count] of counts.trim().split(/\s+/).entries()) {
      const bytes = pageBytes * 2 ** order;
      if (bytes >= writeBlockBytes) sum += Number(count) * bytes;
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
