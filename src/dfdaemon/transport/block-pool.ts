/**
 * Buffers of one size under one memory ceiling. Callers that find none wait in order, which creates the back-pressure.
 * Some free buffers are kept for the next transfer, until they have been idle for a while.
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

  /** @param isShared whether other threads may read the blocks. */
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

  /** Calls back with a block as soon as one is free, possibly at once. The returned function stops waiting. */
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
