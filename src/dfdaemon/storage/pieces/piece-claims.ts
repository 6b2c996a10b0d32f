/** Which pieces of a task are being written: each by one writer in order, or by a patcher that several origin responses share. */
import type { IncomingPiece } from './incoming-piece.ts';
import { PiecePatcher } from './piece-patcher.ts';
import { PieceWriter, type PieceSlot } from './piece-writer.ts';

export class PieceClaims {
  readonly #slot: (number: number) => PieceSlot;
  readonly #claims = new Map<number, PieceWriter | PiecePatcher>();

  /** @param slot the place of a piece; throws when it cannot be written. */
  constructor(slot: (number: number) => PieceSlot) {
    this.#slot = slot;
  }

  get size(): number {
    return this.#claims.size;
  }

  has(number: number): boolean {
    return this.#claims.has(number);
  }

  incoming(number: number): IncomingPiece | undefined {
    return this.#claims.get(number)?.incoming;
  }

  /** Whether a patcher is writing the piece, rather than a single writer or nobody. */
  isPatched(number: number): boolean {
    return this.#claims.get(number) instanceof PiecePatcher;
  }

  write(number: number): PieceWriter {
    const writer = new PieceWriter(this.#slot(number));
    this.#claims.set(number, writer);
    return writer;
  }

  /** For a response that brings a part of the piece. Undefined when a single writer has it. */
  patch(number: number): PiecePatcher | undefined {
    const current = this.#claims.get(number);
    if (current) return current instanceof PiecePatcher ? current : undefined;
    const patcher = new PiecePatcher(this.#slot(number));
    this.#claims.set(number, patcher);
    return patcher;
  }

  /** Drops an idle partial piece, so that it can be fetched as a whole. */
  async dropIdle(number: number): Promise<void> {
    const current = this.#claims.get(number);
    if (current instanceof PiecePatcher && current.idle) await current.abort();
  }

  /** Gives up every piece of which there are only parts. */
  async dropParts(): Promise<void> {
    const patchers = [...this.#claims.values()].filter((claim) => claim instanceof PiecePatcher);
    await Promise.all(patchers.map((patcher) => patcher.abort()));
  }

  released(number: number): void {
    this.#claims.delete(number);
  }
}
