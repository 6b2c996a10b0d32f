/**
 * The same memory and disk for every contender of a comparison.
 *
 * A virtual machine gives free memory back to its host within seconds, and a page that it must fetch again costs more than
 * ten times what the copy into it does. So all memory but a rest is held by a file in memory, and freed as the contender
 * takes it: what it gets has just been in use. Its source is in the page cache, and nothing is left to write back.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const blockBytes = 2 ** 20;
/** Below this the kernel begins to drop the page cache. */
const keptFreeBytes = 2 ** 30;
const lookMs = 5;

export class SameStart implements Disposable {
  readonly #block = Buffer.alloc(blockBytes, 1);
  readonly #mounted: string;
  readonly #file: number;
  #held = 0;

  /** Needs root: mounts a file system in memory below the directory. */
  constructor(directory: string) {
    this.#mounted = join(directory, 'held-memory');
    mkdirSync(this.#mounted);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100%', 'tmpfs', this.#mounted]);
    this.#file = openSync(join(this.#mounted, 'file'), 'w');
  }

  /** Run the contender until the answer is disposed of. */
  for(source: string): Disposable {
    this.#hold();
    spawnSync('sync');
    this.#readThrough(source);
    this.#hold();
    const timer = setInterval(() => this.#give(keptFreeBytes - freeBytes()), lookMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
    execFileSync('umount', [this.#mounted]);
  }

  #hold(): void {
    while (freeBytes() > keptFreeBytes) {
      for (let count = 0; count < 16; count += 1)
        this.#held += writeSync(this.#file, this.#block, 0, blockBytes, this.#held);
    }
  }

  #give(bytes: number): void {
    if (bytes <= 0) return;
    this.#held = Math.max(0, this.#held - bytes);
    ftruncateSync(this.#file, this.#held);
  }

  #readThrough(source: string): void {
    const file = openSync(source, 'r');
    while (readSync(file, this.#block) > 0);
    closeSync(file);
    this.#block.fill(1);
  }
}

function freeBytes(): number {
  const [, kibibytes] = /MemFree: +(\d+) kB/.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}
