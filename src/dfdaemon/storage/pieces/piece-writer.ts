/**
 * Takes the bytes of one piece in the order of arrival and writes them at their final offset while computing the
 * CRC-32. The piece exists only once `commit` has resolved. Exactly one of commit and abort must be awaited: until then
 * the piece is claimed and no other writer gets it.
 */
import { crc32 } from '../../../core/crc32.ts';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { readFully, type FileUse } from '../content-file.ts';
import { IncomingPiece } from './incoming-piece.ts';
import { maxWritesInFlight, writeBlockBytes } from '../limits.ts';

export interface CommitFacts {
  /** `origin`, or the id of the peer the bytes came from. */
  readonly source: string;
  readonly costMs: number;
  /** CRC-32 according to the sender; a difference rejects with DIGEST_MISMATCH. */
  readonly expectedCrc32?: number | undefined;
  /** Examines the bytes in the file; the piece is recorded when it resolves. */
  readonly prove?: ((bytes: { fd: number; offset: number; length: number }) => Promise<void>) | undefined;
}

/** What the writer needs of its task. */
export interface PieceSlot {
  readonly number: number;
  readonly offset: number;
  /** Length of the piece, or its upper bound while the length of the content is unknown. */
  readonly maxLengthBytes: number;
  readonly lengthKnown: boolean;
  readonly file: FileUse;
  /** Records the verified piece. */
  commit(lengthBytes: number, crc: number, facts: CommitFacts): void;
  /** Gives up the claim and the file. */
  release(): void;
}

export class PieceWriter {
  /** What others see of it. */
  readonly incoming: IncomingPiece;
  readonly #slot: PieceSlot;
  #crc = 0;
  #received = 0;
  #flushed = 0;
  #gathered: Uint8Array[] = [];
  #inFlight = new Set<Promise<void>>();
  #failure: DragonflyError | undefined;
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

  /** CRC-32 of the bytes received so far. */
  get crc32(): number {
    return this.#crc;
  }

  /**
   * Takes the chunk, which must not change afterwards. Small chunks are collected and written together. When a promise
   * is returned, await it before the next write: the disk is behind.
   */
  write(chunk: Uint8Array): Promise<void> | undefined {
    this.#take(chunk);
    this.#gathered.push(chunk);
    if (this.#received - this.#flushed >= writeBlockBytes) void this.#flush();
    return this.#inFlight.size >= maxWritesInFlight
      ? Promise.race(this.#inFlight).then(() => this.#check())
      : undefined;
  }

  /**
   * Writes one block immediately. Resolves when the block may be reused; rejects when the disk fails. `crcDone` when
   * the caller passed the same bytes to `digest` as they arrived.
   */
  writeBlock(block: Uint8Array, crcDone = false): Promise<void> {
    this.#take(block, crcDone);
    if (this.#gathered.length > 0) void this.#flush();
    this.#gathered.push(block);
    return this.#flush().then(() => this.#check());
  }

  /** Runs bytes through the CRC while they are in the processor cache; writeBlock with `crcDone` must follow. */
  digest(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
  }

  /** Marks all bytes taken so far as verified, as far as this node can verify them, so that others may read them. */
  vouch(): void {
    this.incoming.vouch({ bytes: this.#received, crc32: this.#crc });
  }

  /**
   * Waits for the bytes, checks their number and digest, and records the piece. Otherwise the piece stays absent:
   * rejects with DIGEST_MISMATCH, FAILED_PRECONDITION for a wrong number of bytes, or the fault of the disk.
   */
  async commit(facts: CommitFacts): Promise<void> {
    this.#end();
    let state: 'committed' | 'aborted' = 'aborted';
    try {
      if (this.#gathered.length > 0) void this.#flush();
      await this.#settled();
      this.#check();
      this.#checkComplete(facts.expectedCrc32);
      const { file, offset } = this.#slot;
      await facts.prove?.({ fd: file.fd, offset, length: this.#received });
      this.#slot.commit(this.#received, this.#crc, facts);
      this.vouch();
      state = 'committed';
    } finally {
      this.#release(state, state === 'aborted' ? await readGiven(this.incoming, this.#slot) : undefined);
    }
  }

  /**
   * Drops what was written, unless a commit has begun. Resolves when no write of this writer is running and the piece
   * can be claimed again. Safe to call at any time.
   */
  async abort(): Promise<void> {
    if (this.#ending) return this.#ended.promise;
    this.#ending = true;
    this.#gathered = [];
    await this.#settled();
    this.#release('aborted', await readGiven(this.incoming, this.#slot));
  }

  #take(chunk: Uint8Array, crcDone = false): void {
    if (this.#ending)
      throw new DragonflyError('FAILED_PRECONDITION', `piece ${this.number} is no longer being written`);
    this.#check();
    if (this.#received + chunk.length > this.#slot.maxLengthBytes) {
      throw new DragonflyError('PROTOCOL', `piece ${this.number} got more than its ${this.#slot.maxLengthBytes} bytes`);
    }
    if (!crcDone) this.#crc = crc32(chunk, this.#crc);
    this.#received += chunk.length;
  }

  /** Never rejects: a disk fault is stored and thrown at the next step. */
  #flush(): Promise<void> {
    const buffers = this.#gathered;
    const position = this.#slot.offset + this.#flushed;
    this.#gathered = [];
    this.#flushed = this.#received;
    const end = this.#received;
    const tracked = this.#slot.file
      .write(buffers, position)
      .then(() => this.incoming.wrote(end)) // writes to one file complete in order
      .catch((error: unknown) => {
        this.#failure ??= toDragonflyError(error);
      })
      .finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
    return tracked;
  }

  #checkComplete(expectedCrc32: number | undefined): void {
    const { lengthKnown, maxLengthBytes } = this.#slot;
    if (lengthKnown ? this.#received !== maxLengthBytes : this.#received === 0) {
      throw new DragonflyError(
        'FAILED_PRECONDITION',
        `piece ${this.number} has ${this.#received} of ${maxLengthBytes} bytes`,
      );
    }
    if (expectedCrc32 !== undefined && expectedCrc32 !== this.#crc) {
      throw new DragonflyError(
        'DIGEST_MISMATCH',
        `piece ${this.number} has CRC-32 ${this.#crc}, expected ${expectedCrc32}`,
      );
    }
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }

  async #settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  #end(): void {
    if (this.#ending) throw new DragonflyError('FAILED_PRECONDITION', `piece ${this.number} was already ended`);
    this.#ending = true;
  }

  #release(state: 'committed' | 'aborted', kept?: Buffer): void {
    this.#slot.release();
    this.incoming.end(state, kept);
    this.#ended.resolve();
  }
}

/**
 * What was given out of a piece that is given up. Undefined when nothing was, or the disk cannot read it back, so that nobody can
 * say what it was.
 */
export async function readGiven(incoming: IncomingPiece, { file, offset }: PieceSlot): Promise<Buffer | undefined> {
  let kept: Buffer | undefined;
  let given: number;
  do {
    given = incoming.givenBytes;
    if (given === 0) return undefined;
    const bytes = Buffer.allocUnsafe(given);
    const read = await readFully(file.fd, bytes, offset).catch(() => 0);
    kept = read === given ? bytes : undefined;
  } while (incoming.givenBytes > given); // readers go on meanwhile
  return kept;
}
