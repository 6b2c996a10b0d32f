/**
 * Takes the bytes of one piece from the origin in any order, from several responses at once: a reader in the middle of
 * a piece gets its bytes first, and the rest of the piece comes later. Readers on this node see every part as it is
 * written; other nodes, and the CRC-32, follow the part that begins with the first byte.
 *
 * Parts stay when the response that brought them fails. A caller that abandons the piece calls `abort`.
 */
import { crc32 } from '../../../core/crc32.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { readFully } from '../content-file.ts';
import { IncomingPiece } from './incoming-piece.ts';
import { verifyBlockBytes } from '../limits.ts';
import { readGiven, type CommitFacts, type PieceSlot } from './piece-writer.ts';

export class PiecePatcher {
  /** What others see of it. */
  readonly incoming: IncomingPiece;
  readonly #slot: PieceSlot;
  /** CRC-32 of the contiguous bytes from the start, and their number. */
  #crc = 0;
  #crcBytes = 0;
  /** Number of responses that are adding parts. */
  #users = 0;
  readonly #writes = new Set<Promise<void>>();
  #ending = false;
  readonly #ended = Promise.withResolvers<void>();

  constructor(slot: PieceSlot) {
    this.#slot = slot;
    const { number, offset, maxLengthBytes, lengthKnown } = slot;
    this.incoming = new IncomingPiece({ number, offset, maxLengthBytes, lengthKnown });
  }

  get number(): number {
    return this.#slot.number;
  }

  /** Neither recorded nor given up yet. */
  get isOpen(): boolean {
    return !this.#ending;
  }

  /** No response is adding bytes at the moment. */
  get idle(): boolean {
    return this.#users === 0 && !this.#ending;
  }

  /** Joins a response. The returned function leaves, once. */
  join(): () => void {
    this.#users += 1;
    let left = false;
    return () => {
      if (!left) this.#users -= 1;
      left = true;
    };
  }

  /** Resolves when the block may be reused; rejects when the disk fails. @param offset in the piece. */
  async write(offset: number, block: Uint8Array): Promise<void> {
    if (this.#ending)
      throw new DragonflyError('FAILED_PRECONDITION', `piece ${this.number} is no longer being written`);
    const end = offset + block.length;
    if (end > this.#slot.maxLengthBytes)
      throw new DragonflyError('PROTOCOL', `piece ${this.number} got more than its ${this.#slot.maxLengthBytes} bytes`);
    if (offset <= this.#crcBytes && end > this.#crcBytes) {
      this.#crc = crc32(block.subarray(this.#crcBytes - offset), this.#crc);
      this.#crcBytes = end;
      this.incoming.vouch({ bytes: end, crc32: this.#crc });
    }
    const written = this.#slot.file.write([block], this.#slot.offset + offset);
    const settled = written.catch(() => undefined).finally(() => this.#writes.delete(settled));
    this.#writes.add(settled);
    await written;
    this.incoming.filled(offset, end);
    this.incoming.wrote(this.incoming.filledFromStart);
  }

  /** Waits for the bytes and records the piece. When bytes are missing or the disk fails, it rejects and the piece stays absent. */
  async commit(facts: CommitFacts): Promise<void> {
    if (this.#ending) throw new DragonflyError('FAILED_PRECONDITION', `piece ${this.number} was already ended`);
    this.#ending = true;
    let state: 'committed' | 'aborted' = 'aborted';
    try {
      await Promise.all(this.#writes);
      const { lengthKnown, maxLengthBytes } = this.#slot;
      const bytes = this.incoming.filledFromStart;
      if (lengthKnown ? bytes !== maxLengthBytes : bytes === 0) {
        throw new DragonflyError(
          'FAILED_PRECONDITION',
          `piece ${this.number} has ${bytes} of ${maxLengthBytes} bytes from its start`,
        );
      }
      await this.#sumUpTo(bytes);
      this.#slot.commit(bytes, this.#crc, facts);
      this.incoming.vouch({ bytes, crc32: this.#crc });
      state = 'committed';
    } finally {
      this.#release(state);
    }
  }

  /** Drops what was written, unless a commit has begun. Resolves when the piece can be claimed again. Safe to call at any time. */
  async abort(): Promise<void> {
    if (this.#ending) return this.#ended.promise;
    this.#ending = true;
    await Promise.all(this.#writes);
    this.#release('aborted', await readGiven(this.incoming, this.#slot));
  }

  /** Reads back bytes that arrived before the ones in front of them, for the checksum. */
  async #sumUpTo(bytes: number): Promise<void> {
    const { file, offset } = this.#slot;
    const block = Buffer.allocUnsafe(Math.min(verifyBlockBytes, bytes - this.#crcBytes));
    while (this.#crcBytes < bytes) {
      const wanted = block.subarray(0, Math.min(block.length, bytes - this.#crcBytes));
      const read = await readFully(file.fd, wanted, offset + this.#crcBytes);
      if (read !== wanted.length)
        throw new DragonflyError('STORAGE', `the disk gives back less of piece ${this.number} than was written`);
      this.#crc = crc32(wanted, this.#crc);
      this.#crcBytes += read;
    }
  }

  #release(state: 'committed' | 'aborted', kept?: Buffer): void {
    this.#slot.release();
    this.incoming.end(state, kept);
    this.#ended.resolve();
  }
}
