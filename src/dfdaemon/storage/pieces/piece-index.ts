/**
 * Which pieces of one task are held: the bitmap, the rows behind it, the listeners, and the pieces that are out of use
 * until they are verified again. The bitmap is read from the rows when first needed.
 */
import { DragonflyError } from '../../../core/errors.ts';
import { pieceSpan, type PieceLayout } from '../../../core/piece-layout.ts';
import { PieceSet } from '../../../swarm/shared/piece-set.ts';
import type { Metadata, PieceRecord } from '../metadata.ts';

/** @param isCorrupt readers of the piece may have got bytes that are not the content's. */
type LostListener = (number: number, isCorrupt: boolean) => void;

export class PieceIndex {
  readonly #taskId: string;
  readonly #metadata: Metadata;
  readonly #bytesChanged: (delta: number) => void;
  readonly #listeners = new Set<(piece: PieceRecord) => void>();
  readonly #lostListeners = new Set<LostListener>();
  #bytes: number;
  #set: PieceSet | undefined;
  #unverified: Map<number, PieceRecord> | undefined;
  #recovered: PromiseWithResolvers<void> | undefined;

  /** @param bytes sum of the recorded pieces. @param bytesChanged called with every change of that sum. */
  constructor(taskId: string, bytes: number, metadata: Metadata, bytesChanged: (delta: number) => void) {
    this.#taskId = taskId;
    this.#bytes = bytes;
    this.#metadata = metadata;
    this.#bytesChanged = bytesChanged;
  }

  /** The verified pieces; only to be read. */
  get set(): PieceSet {
    if (!this.#set) {
      this.#set = new PieceSet();
      for (const piece of this.#metadata.pieces(this.#taskId)) this.#set.add(piece.number);
    }
    return this.#set;
  }

  /** Bytes of all recorded pieces, including those under verification. */
  get bytes(): number {
    return this.#bytes;
  }

  record(number: number): PieceRecord | undefined {
    return this.set.has(number) ? this.#metadata.piece(this.#taskId, number) : undefined;
  }

  /** Ascending. */
  records(): PieceRecord[] {
    return this.recorded().filter((piece) => this.set.has(piece.number));
  }

  /** Includes pieces under verification. */
  recorded(): PieceRecord[] {
    return this.#metadata.pieces(this.#taskId);
  }

  onPiece(listener: (piece: PieceRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A piece is no longer available: permanently, or until it has been verified again. */
  onLost(listener: LostListener): () => void {
    this.#lostListeners.add(listener);
    return () => this.#lostListeners.delete(listener);
  }

  /** Records a piece whose bytes are written, then notifies the listeners. @param isFirst as in Metadata.putPiece. */
  add(record: PieceRecord, isFirst: boolean): void {
    this.#metadata.putPiece(this.#taskId, record, isFirst);
    this.#count(record.length);
    this.set.add(record.number);
    this.#announce(record);
  }

  /** Pieces written before the length of the content was known must agree with it; FAILED_PRECONDITION otherwise. */
  requireFitting(layout: PieceLayout): void {
    if (this.#bytes === 0) return;
    for (const { number, length } of this.recorded()) {
      if (number < layout.pieceCount && pieceSpan(layout, number).length === length) continue;
      throw new DragonflyError(
        'FAILED_PRECONDITION',
        `piece ${number} of task ${this.#taskId} does not fit ${layout.contentLengthBytes} bytes`,
      );
    }
  }

  clear(): void {
    this.#metadata.deletePieces(this.#taskId);
    this.#unverified?.clear();
    this.#set = new PieceSet();
    this.#count(-this.#bytes);
  }

  /** The rows are deleted with the task; listeners are not notified any more. */
  close(): void {
    this.#count(-this.#bytes);
    this.#listeners.clear();
    this.#lostListeners.clear();
    this.#unverified = undefined;
    this.#recovered?.resolve();
  }

  get underRecovery(): boolean {
    return this.#unverified !== undefined;
  }

  /** Resolves when all pieces that were out of use are verified or dropped; at once when there are none. */
  get recovered(): Promise<void> {
    return this.#recovered?.promise ?? Promise.resolve();
  }

  /** Takes all recorded pieces out of use until each is verified again. */
  beginRecovery(): void {
    this.#unverified = new Map(this.recorded().map((record) => [record.number, record]));
    const lost = this.#set ?? new PieceSet();
    this.#set = new PieceSet();
    for (const number of lost) for (const listener of this.#lostListeners) listener(number, false);
    this.#recovered ??= Promise.withResolvers();
  }

  /** Drops a piece whose bytes on the disk are not those that were written. */
  dropCorrupt(record: PieceRecord): void {
    if (!this.set.delete(record.number)) return;
    this.#forget(record);
    for (const listener of this.#lostListeners) listener(record.number, true);
  }

  unverified(): PieceRecord[] {
    return [...(this.#unverified?.values() ?? [])];
  }

  needsVerification(number: number): boolean {
    return this.#unverified?.has(number) ?? false;
  }

  /** Ends the verification of one piece; ignored when a writer has claimed the piece meanwhile. */
  endPieceRecovery(record: PieceRecord, intact: boolean): void {
    if (!this.#unverified?.delete(record.number)) return;
    if (!intact) return this.#forget(record);
    this.set.add(record.number);
    this.#announce(record);
  }

  /** A writer claims a piece that was waiting for its verification. */
  giveUpUnverified(number: number): void {
    const record = this.#unverified?.get(number);
    if (!record) return;
    this.#unverified?.delete(number);
    this.#forget(record);
  }

  /** Drops pieces that were not verified. */
  endRecovery(): void {
    for (const record of this.unverified()) this.#forget(record);
    this.#unverified = undefined;
    this.#recovered?.resolve();
    this.#recovered = undefined;
  }

  #forget(record: PieceRecord): void {
    this.#metadata.deletePiece(this.#taskId, record.number);
    this.#count(-record.length);
  }

  #count(delta: number): void {
    this.#bytes += delta;
    this.#bytesChanged(delta);
  }

  #announce(record: PieceRecord): void {
    for (const listener of this.#listeners) listener(record);
  }
}
