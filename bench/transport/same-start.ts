/** The same memory and disk for every contender of a comparison. */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

const blockBytes = 256 * 1024;

/**
 * Nothing is left to write back, the source is in the page cache, and as much memory as the new file takes has just become
 * free. Without it a contender pays for what the one before left: its dirty pages, and memory that a virtual machine has
 * given back to its host and must fetch again page by page.
 */
export function sameStart(source: string, scratch: string, bytes: number): void {
  spawnSync('sync');
  const block = Buffer.alloc(blockBytes);
  const file = openSync(source, 'r');
  while (readSync(file, block) > 0);
  closeSync(file);
  const filler = openSync(scratch, 'w');
  for (let written = 0; written < bytes; written += blockBytes) writeSync(filler, block);
  closeSync(filler);
  rmSync(scratch);
  spawnSync('sync');
}
