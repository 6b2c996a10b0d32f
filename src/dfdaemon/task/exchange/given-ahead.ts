/**
 * What a reader got of a piece before the piece was complete. When that attempt is given up, the piece comes again,
 * perhaps from another node, and the store holds only the new bytes: the reader may go on only if they are the same.
 * Checksums do not prove that, since whoever forges bytes can make them fit a CRC-32.
 */
import { DragonflyError } from '../../../core/errors.ts';
import { readFully } from '../../storage/content-file.ts';
import type { IncomingPiece } from '../../storage/pieces/incoming-piece.ts';
import type { StoredTask } from '../../storage/stored-task.ts';

export class GivenAhead {
  readonly #stored: StoredTask;
  readonly #number: number;
  /** The reader's first byte in the piece. */
  readonly #start: number;
  #from: IncomingPiece | undefined;
  #bytes = 0;

  constructor(stored: StoredTask, number: number, start = 0) {
    this.#stored = stored;
    this.#number = number;
    this.#start = start;
  }

  /** The reader is about to get everything before this byte of the piece. */
  give(bytes: number): void {
    const incoming = this.#stored.pieces.has(this.#number) ? undefined : this.#stored.incoming(this.#number);
    if (!incoming) return;
    this.#from = incoming;
    this.#bytes = bytes;
    incoming.given(bytes);
  }

  /** The attempt was given up: only the complete piece can show whether the reader got the right bytes. */
  get isTorn(): boolean {
    return this.#from?.state === 'aborted';
  }

  /** The piece is complete. Throws DIGEST_MISMATCH when the reader got other bytes. */
  async compare(): Promise<void> {
    const kept = this.#from?.kept?.subarray(this.#start, this.#bytes);
    using piece = this.#stored.openPiece(this.#number);
    const bytes = Buffer.allocUnsafe(this.#bytes - this.#start);
    const read = await readFully(piece.fd, bytes, piece.offset + this.#start);
    if (!kept || read !== bytes.length || !kept.equals(bytes)) {
      throw new DragonflyError(
        'DIGEST_MISMATCH',
        'the first attempt at a piece brought something else than the second',
        {
          hint: 'Ask again: the piece is complete now.',
        },
      );
    }
    this.#from = undefined;
  }
}
