/** When a piece is late enough to be asked for a second time. Decides nothing else; the picker chooses the parent. */
import type { PickerLimits } from './picker-limits.ts';
import type { Request } from './request-book.ts';

export class Hedges {
  readonly #limits: Pick<PickerLimits, 'hedgeFactor' | 'hedgeMinMs'>;
  readonly #pieceLengthBytes: number;
  /**
   * How often a piece was asked for a second time. Where the second request takes over from the first, two parents on slow lines
   * would take it from each other for ever if the next one did not get twice the time.
   */
  readonly #counts = new Map<number, number>();

  constructor(limits: Pick<PickerLimits, 'hedgeFactor' | 'hedgeMinMs'>, pieceLengthBytes: number) {
    this.#limits = limits;
    this.#pieceLengthBytes = pieceLengthBytes;
  }

  /** @param usualMs how long a piece usually takes from that parent; 0 while nobody knows */
  dueMs(piece: number, usualMs: number, nowMs: number): number {
    const { hedgeMinMs, hedgeFactor } = this.#limits;
    return nowMs + Math.max(hedgeMinMs, usualMs * hedgeFactor) * 2 ** (this.#counts.get(piece) ?? 0);
  }

  /** What is left of the piece is nearly here. */
  ending(request: Request, nowMs: number): void {
    request.hedgeAtMs = Math.max(request.hedgeAtMs, nowMs + this.#limits.hedgeMinMs);
  }

  /**
   * The piece takes no longer than the rate of all pieces together lets expect. Where the line itself is slow, and no piece has shown yet how long one
   * takes, a second request would only take from the first, and throw away what has come of it. The rate may fall, so it is looked at again soon.
   */
  keepsPace(
    request: Request,
    {
      nowMs,
      rateBytesPerSec,
      begun,
    }: { readonly nowMs: number; readonly rateBytesPerSec: number; readonly begun: number },
  ): boolean {
    if (!request.begun || rateBytesPerSec === 0) return false;
    const pieceMs = (1000 * this.#pieceLengthBytes * begun) / rateBytesPerSec;
    const lateAtMs = request.startedAtMs + this.#limits.hedgeFactor * pieceMs;
    if (nowMs >= lateAtMs) return false;
    request.hedgeAtMs = Math.min(lateAtMs, nowMs + this.#limits.hedgeMinMs);
    return true;
  }

  hedged(piece: number): void {
    this.#counts.set(piece, (this.#counts.get(piece) ?? 0) + 1);
  }

  arrived(piece: number): void {
    this.#counts.delete(piece);
  }
}
