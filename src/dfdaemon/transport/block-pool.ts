/**
 * Buffers of one size under one memory ceiling. Who finds none waits in order; that is the back-pressure of the room. Some are kept for
 * the next transfer, until there has been none for a while.
 */
import { keepFreeMs, maxFreeBlocks } from './limits.ts';

export class BlockPool {
  readonly blockBytes: number;
  readonly #maxBlocks: number;
  readonly #free: Buffer[] = [];
  #letGo: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<(block: Buffer) => void>();
  #inUse = 0;

  constructor(blockBytes: number, totalBytes: number) {
    this.blockBytes = blockBytes;
    this.#maxBlocks = Math.max(1, Math.floor(totalBytes / blockBytes));
  }

  get bufferedBytes(): number {
    return this.#inUse * this.blockBytes;
  }

  tryTake(): Buffer | undefined {
    if (this.#inUse >= this.#maxBlocks) return undefined;
    this.#inUse += 1;
    clearTimeout(this.#letGo);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.blockBytes);
  }

  /** Calls back with a block as soon as there is one, at once if there is. Returns how to stop waiting. */
  take(ready: (block: Buffer) => void): () => void {
    const block = this.#waiting.size === 0 ? this.tryTake() : undefined;
    if (block) {
      ready(block);
      return () => undefined;
    }
    this.#waiting.add(ready);
    return () => this.#waiting.delete(ready);
  }

  give(block: Buffer): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next(block);
      return;
    }
    this.#inUse -= 1;
    if (this.#free.length < maxFreeBlocks) this.#free.push(block);
    if (this.#inUse > 0) return;
    clearTimeout(this.#letGo);
    this.#letGo = setTimeout(() => this.#freeAll(), keepFreeMs).unref();
  }

  /** At once: a process with nothing to do may not collect its garbage for hours. */
  #freeAll(): void {
    for (const { buffer } of this.#free.splice(0)) (buffer as ArrayBuffer).transfer(0);
  }
}
