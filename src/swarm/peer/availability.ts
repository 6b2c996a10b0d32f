/** How many of a download's parents hold each piece. */
import type { PieceSet } from '../shared/piece-set.ts';
import type { Random } from '../shared/random.ts';

export class Availability {
  readonly #counts: Uint16Array;

  constructor(pieceCount: number) {
    this.#counts = new Uint16Array(pieceCount);
  }

  of(piece: number): number {
    return this.#counts[piece] ?? 0;
  }

  /** The parent holds the piece now. Pieces outside the content are ignored. */
  gained(has: PieceSet, piece: number): void {
    if (piece < this.#counts.length && has.add(piece)) this.#change(piece, 1);
  }

  lost(has: PieceSet, piece: number): void {
    if (has.delete(piece)) this.#change(piece, -1);
  }

  /** The parent has left; its piece set does not change any more. */
  lostAll(has: PieceSet): void {
    for (const piece of has) this.#change(piece, -1);
  }

  /** The piece that the fewest parents hold, ties at random; any of them when `evenly`. */
  rarest(pieces: readonly number[], random: Random, evenly = false): number | undefined {
    let best: number | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (const piece of pieces) {
      const count = evenly ? 1 : this.of(piece);
      if (count > fewest) continue;
      ties = count === fewest ? ties + 1 : 1;
      if (ties > 1 && random() * ties >= 1) continue;
      best = piece;
      fewest = count;
    }
    return best;
  }

  #change(piece: number, by: number): void {
    this.#counts[piece] = this.of(piece) + by;
  }
}
