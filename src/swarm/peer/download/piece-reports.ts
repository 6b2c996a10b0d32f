/**
 * How finished pieces are reported. A scheduler of the original gets a report for each; one that grants leases gets
 * batches, with the first piece at once, since others wait for it.
 */
import { PieceSet } from '../../shared/piece-set.ts';
import type { PeerEffect, PieceSource } from './effects.ts';
import { downloadLimits } from './limits.ts';

type Report = Extract<PeerEffect, { kind: 'report-pieces' }>;

export interface LandedPiece {
  readonly piece: number;
  /** Undefined for the origin. */
  readonly parentId: string | undefined;
  readonly bytes: number;
  /** From the request to the last byte. */
  readonly costMs: number;
}

export class PieceReports {
  #sources = new Map<string | undefined, { pieces: PieceSet; bytes: number; costMs: number }>();
  #lastMs = Number.NEGATIVE_INFINITY;
  /** When the next report is due; infinite while there is nothing to report. */
  dueMs = Number.POSITIVE_INFINITY;

  landed({ piece, parentId, bytes, costMs }: LandedPiece, nowMs: number): void {
    const source = this.#sources.get(parentId) ?? { pieces: new PieceSet(), bytes: 0, costMs: 0 };
    source.pieces.add(piece);
    source.bytes += bytes;
    source.costMs += costMs;
    this.#sources.set(parentId, source);
    this.dueMs = Math.min(this.dueMs, Math.max(nowMs, this.#lastMs + downloadLimits.reportIntervalMs));
  }

  /** Everything not reported yet; undefined when that is nothing. */
  take(nowMs: number): Report | undefined {
    if (this.#sources.size === 0) return undefined;
    const sources = Array.from(this.#sources, ([parentId, source]): PieceSource => ({ parentId, ...source }));
    this.reset();
    this.#lastMs = nowMs;
    return { kind: 'report-pieces', sources };
  }

  /** Starts over: a new session reports all held pieces at its start; without a session nothing is reported. */
  reset(): void {
    this.#sources = new Map();
    this.dueMs = Number.POSITIVE_INFINITY;
  }
}
