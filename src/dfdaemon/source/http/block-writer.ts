/**
 * Gathers arriving bytes into large blocks and hands them to the sink.
 *
 * While the sink works on one block the next is filled, so the network and the disk overlap; when both are taken there
 * is no room and the connection stops reading: that is the back-pressure. A sink that returns nothing costs one block.
 *
 * Readers may be waiting for the bytes, so those of a slow origin are handed on before they fill a block. The block stays
 * in use then: the place of the next read was fixed behind those bytes, and a read may be under way into it.
 */
import { SpareBuffers } from '../../../core/spare-buffers.ts';
import { blockBytes, blockPoolBytes, gatherMs, maxSpareBlocks, smallBlockBytes } from '../limits.ts';
import type { ByteSink } from '../source.ts';

/**
 * Blocks under one memory limit. When none is left, a small block is used: it is more expensive to write, but nobody
 * has to wait for another body's slow origin.
 */
export class BlockPool {
  readonly #maxBlocks: number;
  readonly #spare = new SpareBuffers(maxSpareBlocks);
  #inUse = 0;

  constructor(totalBytes = blockPoolBytes) {
    this.#maxBlocks = Math.floor(totalBytes / blockBytes);
  }

  get bufferedBytes(): number {
    return this.#inUse * blockBytes;
  }

  take(): Buffer {
    if (this.#inUse >= this.#maxBlocks) return Buffer.allocUnsafeSlow(smallBlockBytes);
    this.#inUse += 1;
    return this.#spare.take() ?? Buffer.allocUnsafeSlow(blockBytes);
  }

  give(block: Buffer): void {
    if (block.length < blockBytes) return;
    this.#inUse -= 1;
    this.#spare.give(block, this.#inUse > 0);
  }
}

interface Part {
  readonly block: Buffer;
  readonly from: number;
  readonly to: number;
  /** True when the rest of the block is not used, so that it is free once the sink is done. */
  readonly last: boolean;
}

const maxHeldBlocks = 2;

export class BlockWriter {
  /** The sink's error; after it nothing more is accepted. */
  failure: unknown;
  readonly #sink: ByteSink;
  readonly #pool: BlockPool;
  readonly #changed: () => void;
  #block: Buffer | undefined;
  #filled = 0;
  /** How many bytes of the block were already handed on. */
  #handed = 0;
  /** Full blocks that the sink is still working on. */
  #held = 0;
  readonly #queue: Part[] = [];
  #busy = false;
  #failed = false;
  #due = false;
  #begun = false;
  #timer: NodeJS.Timeout | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param changed called when there is room again or the sink has failed, never from within `wrote`. */
  constructor(sink: ByteSink, pool: BlockPool, changed: () => void) {
    this.#sink = sink;
    this.#pool = pool;
    this.#changed = changed;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** Where the next bytes go, never empty; undefined while the sink is behind. */
  room(): Buffer | undefined {
    if (this.#held >= maxHeldBlocks || this.#failed) return undefined;
    this.#block ??= this.#pool.take();
    return this.#block.subarray(this.#filled);
  }

  wrote(bytes: number): void {
    this.#filled += bytes;
    if (this.#filled === this.#block?.length) this.#endBlock();
    else this.#handOnSoon();
  }

  /** Flushes gathered bytes; resolves when the sink has taken everything or has failed. */
  async finish(): Promise<void> {
    if (this.#filled > this.#handed && !this.#failed) this.#endBlock();
    await this.idle();
  }

  /** Resolves when the sink holds no block, and returns the blocks to the pool. */
  async idle(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#busy) await (this.#idle ??= Promise.withResolvers<void>()).promise;
    if (this.#block) this.#pool.give(this.#block);
    this.#block = undefined;
    this.#filled = this.#handed = 0;
  }

  /** Accepts nothing more, because the body was given up. */
  stop(): void {
    this.#failed = true;
    clearTimeout(this.#timer);
    for (const { block, last } of this.#queue.splice(0)) if (last) this.#pool.give(block);
  }

  /** Hands on the first bytes at once; later bytes once nothing more has arrived for a moment and the sink is free. */
  #handOnSoon(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#due = true;
        this.#deliver();
        this.#changed();
      },
      this.#begun ? gatherMs : 0,
    );
    this.#begun = true;
  }

  #endBlock(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = false;
    this.#queue.push({ block: this.#block as Buffer, from: this.#handed, to: this.#filled, last: true });
    this.#held += 1;
    this.#block = undefined;
    this.#filled = this.#handed = 0;
    this.#deliver();
  }

  #deliver(): void {
    while (!this.#busy && !this.#failed) {
      const part = this.#queue.shift() ?? this.#duePart();
      if (!part) return;
      try {
        const taken = this.#sink(part.block.subarray(part.from, part.to));
        if (taken) {
          this.#busy = true;
          taken.then(
            () => this.#taken(part),
            (error: unknown) => this.#taken(part, { error }),
          );
          return;
        }
      } catch (error) {
        this.failure = error;
        this.stop();
      }
      this.#release(part);
    }
  }

  #duePart(): Part | undefined {
    if (!this.#due || !this.#block || this.#filled === this.#handed) return undefined;
    const part = { block: this.#block, from: this.#handed, to: this.#filled, last: false };
    this.#handed = this.#filled;
    this.#due = false;
    return part;
  }

  #taken(part: Part, failed?: { readonly error: unknown }): void {
    this.#busy = false;
    this.#release(part);
    if (failed && !this.#failed) {
      this.failure = failed.error;
      this.stop();
    }
    this.#deliver();
    if (!this.#busy) this.#idle?.resolve();
    this.#changed();
  }

  #release({ block, last }: Part): void {
    if (!last) return;
    this.#held -= 1;
    if (this.#block || this.#failed) this.#pool.give(block);
    else this.#block = block;
  }
}
