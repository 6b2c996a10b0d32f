/**
 * Where a connection's bytes land. The kernel writes straight into blocks of the shared pool, from which body bytes are
 * written to the disk, so nothing is copied except the few bytes that arrive while the connection holds no block.
 *
 * A block returns to the pool when the connection has moved on and no write from it is running.
 */
import { DragonflyError } from '../../core/errors.ts';
import type { BlockPool } from './block-pool.ts';

/** Used while no block is held: enough for the head of an answer. */
const smallBytes = 4096;

/** TLS delivers what it has decrypted even when reading was paused: the rest of one record buffer. */
const maxCarriedBytes = 256 * 1024;
const none = Buffer.alloc(0);

interface Block {
  readonly bytes: Buffer;
  users: number;
}

export class ReceiveBuffer {
  readonly #pool: BlockPool;
  readonly #small = Buffer.allocUnsafeSlow(smallBytes);
  #block: Block | undefined;
  #waiting: (() => void) | undefined;
  #carried: Buffer = none;
  #writes = 0;
  #closed = false;
  /** Number of bytes in the block, and the position of the first unconsumed one. */
  fill = 0;
  start = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** Writes under way from blocks of this connection. */
  get writes(): number {
    return this.#writes;
  }

  get hasBlock(): boolean {
    return this.#block !== undefined;
  }

  /** There are bytes that need a block to be consumed. */
  get carries(): boolean {
    return this.#carried.length > 0;
  }

  get bytes(): Buffer {
    return this.#block?.bytes ?? this.#small;
  }

  /** Where the next bytes are to be received. */
  target(): Buffer {
    return this.#block ? this.#block.bytes.subarray(this.fill) : this.#small;
  }

  /** Registers the first `count` bytes, wherever they have landed. Throws PROTOCOL when more arrive than a paused socket may bring. */
  accept(received: Buffer, count: number): void {
    const block = this.#block?.bytes;
    if (!block) {
      if (this.#carried.length + count > maxCarriedBytes) {
        throw new DragonflyError('PROTOCOL', 'the parent sends on although it is not being read');
      }
      this.#carried = Buffer.concat([this.#carried, received.subarray(0, count)]);
      return;
    }
    if (received.buffer !== block.buffer) received.copy(block, this.fill, 0, count);
    this.fill += count;
  }

  /** Gets a block, at once or later; `ready` is called when it came later. */
  acquire(ready: () => void): boolean {
    if (this.#block) return true;
    if (this.#waiting) return false;
    let synchronous = true;
    const stop = this.#pool.take((bytes) => {
      this.#waiting = undefined;
      if (this.#closed) return this.#pool.give(bytes);
      this.#block = { bytes, users: 1 };
      this.fill = this.#carried.copy(bytes);
      this.start = 0;
      this.#carried = none;
      if (!synchronous) ready();
    });
    synchronous = false;
    if (!this.#block) this.#waiting = stop;
    return this.#block !== undefined;
  }

  /** Starts a write of the consumed bytes `from … start`; the block stays until it is done. */
  write(from: number, to: number, write: (bytes: Buffer) => Promise<void>): Promise<void> {
    const block = this.#block;
    if (!block) throw new Error('there is no block to write from');
    block.users += 1;
    this.#writes += 1;
    return write(block.bytes.subarray(from, to)).finally(() => {
      this.#writes -= 1;
      this.#leave(block);
    });
  }

  /** Releases the block; unconsumed bytes (part of a head) become the first of the next one. */
  release(): void {
    const block = this.#block;
    if (!block) return;
    this.#carried = Buffer.from(block.bytes.subarray(this.start, this.fill));
    this.#block = undefined;
    this.fill = 0;
    this.start = 0;
    this.#leave(block);
  }

  close(): void {
    this.#closed = true;
    this.#waiting?.();
    this.#waiting = undefined;
    this.release();
  }

  #leave(block: Block): void {
    block.users -= 1;
    if (block.users === 0) this.#pool.give(block.bytes);
  }
}
