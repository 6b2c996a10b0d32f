/**
 * How much of a new file one system call writes.
 *
 * The kernel takes memory for the page cache in runs as long as the write, where there are such runs. When the last of them is taken it
 * moves other pages out of the way for each one more, and a write costs three to nine times as much. Shorter runs last longer; while
 * there are plenty of long ones, larger writes are cheaper: fewer ways between the loop and the threads that write.
 */
import { readFileSync } from 'node:fs';
import { runsLookBytes, runsLookMs, smallestWriteBytes, sufficientRunsBytes, writeBlockBytes } from './limits.ts';

const runsFile = '/proc/buddyinfo';
const pageBytes = 4096;

let known: { readonly bytes: number; readonly untilMs: number; leftBytes: number } | undefined;

/** For a write of at most so many bytes that begins now. */
export function writePartBytes(nowMs: number, bytes: number): number {
  if (!known || nowMs >= known.untilMs || known.leftBytes <= 0)
    known = { bytes: writePartFor(readRuns()), untilMs: nowMs + runsLookMs, leftBytes: runsLookBytes };
  const part = Math.min(bytes, known.bytes);
  known.leftBytes -= part;
  return part;
}

/** @param runs how many runs of free memory there are of each length, as Linux tells; undefined where nobody does. */
export function writePartFor(runs: string | undefined): number {
  if (runs === undefined) return writeBlockBytes;
  let part = writeBlockBytes;
  while (part > smallestWriteBytes && bytesInRuns(runs, part) < sufficientRunsBytes) part /= 2;
  return part;
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
