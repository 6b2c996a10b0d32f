/**
 * Buffers of one size under one memory ceiling. Who finds none waits in order; that is the back-pressure of the room. Some are kept for
 * the next transfer, until there has been none for a while.
 */
import { SpareBuffers } from '../../core/spare-buffers.ts';
import { maxFreeBlocks } from './limits.ts';

export class BlockPool {
  readonly blockBytes: number;
  readonly #maxBlocks: number;
  readonly #isShared: boolean;
  readonly #free = new SpareBuffers(maxFreeBlocks);
  readonly #waiting = new Set<(block: Buffer) => void>();
  #inUse = 0;

  /** @param isShared other threads may read the blocks. */
  constructor(blockBytes: number, totalBytes: number, isShared = false) {
    this.blockBytes = blockBytes;
    this.#isShared = isShared;
    this.#maxBlocks = Math.max(1, Math.floor(totalBytes / blockBytes));
  }

  get bufferedBytes(): number {
    return this.#inUse * this.blockBytes;
  }

  tryTake(): Buffer | undefined {
    if (this.#inUse >= this.#maxBlocks) return undefined;
    this.#inUse += 1;
    return this.#free.take() ?? this.#make();
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
    this.#free.give(block, this.#inUse > 0);
  }

  #make(): Buffer {
    return this.#isShared
      ? Buffer.from(new SharedArrayBuffer(this.blockBytes))
      : Buffer.allocUnsafeSlow(this.blockBytes);
  }
}
