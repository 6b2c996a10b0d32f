/** When a piece is late enough to be asked for a second time. Decides nothing else; the picker chooses the parent. */
import type { PickerLimits } from './picker-limits.ts';
import type { Request } from './request-book.ts';

/** How pieces come in at this moment. */
interface Pace {
  readonly nowMs: number;
  readonly rateBytesPerSec: number;
  /** Pieces whose bytes come in. */
  readonly begun: number;
  /** How long a piece usually takes from the request's parent; 0 while nobody knows. */
  readonly usualMs: number;
}

/** A piece at the pace of a slow line is hedged after this many times the usual time, or this time where nothing is usual yet. */
const mostTimesUsual = 16;
const mostUnknownMs = 10_000;

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
   * The piece takes no longer than the rate of all pieces together lets expect. Where the line itself is slow, or carries more at once than before, a
   * second request would only take from the first, and throw away what has come of it. The rate may fall, so it is looked at again soon. It may
   * also be that of a sick parent alone, which is why that goes no further than some times what a piece usually takes.
   */
  keepsPace(request: Request, { nowMs, rateBytesPerSec, begun, usualMs }: Pace): boolean {
    if (!request.begun || rateBytesPerSec === 0) return false;
    const { hedgeFactor, hedgeMinMs } = this.#limits;
    const pieceMs = (1000 * this.#pieceLengthBytes * begun) / rateBytesPerSec;
    const mostMs = usualMs > 0 ? mostTimesUsual * usualMs : mostUnknownMs;
    const lateAtMs = request.startedAtMs + Math.min(hedgeFactor * pieceMs, mostMs);
    if (nowMs >= lateAtMs) return false;
    request.hedgeAtMs = Math.min(lateAtMs, nowMs + hedgeMinMs);
    return true;
  }

  hedged(piece: number): void {
    this.#counts.set(piece, (this.#counts.get(piece) ?? 0) + 1);
  }

  arrived(piece: number): void {
    this.#counts.delete(piece);
  }
}
