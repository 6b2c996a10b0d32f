/** One reader of a task, running or finished: delivers its range in order, or its pieces as they land. */
import { requireRange, type ByteRange, type RangeSpec } from '../../core/byte-range.ts';
import { DragonflyError } from '../../core/errors.ts';
import { piecesOfRange } from '../../core/piece-layout.ts';
import { onAbort } from '../../core/process/lifecycle.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { PieceRecord } from '../storage/metadata.ts';
import type { TaskPin, StoredTask } from '../storage/stored-task.ts';
import type { Download } from './download.ts';
import { GivenAhead } from './exchange/given-ahead.ts';
import type { FileSpan, FinishedPiece, OpenTask, Receipt } from './open-task.ts';

export interface SubscriptionOptions {
  readonly stored: StoredTask;
  /** Undefined when everything was on disk before. */
  readonly download: Download | undefined;
  readonly peerId: string;
  readonly range: RangeSpec | undefined;
  /** The range that the download is to bring first; a separate object for each reader. */
  readonly readerRange?: RangeSpec | undefined;
  readonly signal: AbortSignal;
  readonly localReceipt: () => Receipt;
  readonly onLeave: (subscription: Subscription) => void;
  /** The piece that the reader now waits for; undefined when it has left. */
  readonly onPosition: (subscription: Subscription, piece: number | undefined) => void;
}

export class Subscription implements OpenTask {
  readonly taskId: string;
  readonly peerId: string;
  readonly local: boolean;
  readonly #options: SubscriptionOptions;
  readonly #stored: StoredTask;
  readonly #download: Download | undefined;
  readonly #signal: AbortSignal;
  readonly #pin: TaskPin;
  readonly #aborted: Promise<never>;
  #range: ByteRange | undefined;
  #left = false;
  /** The piece that is being read. */
  #position: number | undefined;
  /** Something that was already read turned out to be corrupt. */
  #isTorn = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#stored = options.stored;
    this.#download = options.download;
    this.taskId = options.stored.id;
    this.peerId = options.peerId;
    this.local = options.download === undefined;
    this.#signal = options.signal;
    this.#pin = options.stored.pin();
    const { signal } = options;
    this.#aborted = new Promise((_, reject) => void onAbort(signal, () => reject(signal.reason as Error)));
    this.#aborted.catch(() => undefined);
  }

  /** Resolves when the content's metadata is known and the range was checked. RANGE_NOT_SATISFIABLE when it lies outside. */
  async ready(): Promise<void> {
    const { range, readerRange } = this.#options;
    if (readerRange) this.#download?.readerComes(readerRange);
    while (!this.#stored.layout && this.#stored.pieceLengthBytes === undefined) await this.#next();
    // Content of unknown length has to be complete before a part of it can be located.
    if (range !== undefined) while (!this.#stored.layout) await this.#next();
    const { layout } = this.#stored;
    if (!layout) return;
    this.#range =
      range === undefined
        ? { start: 0, length: layout.contentLengthBytes }
        : requireRange(range, layout.contentLengthBytes);
    this.#download?.want(this.#wantedPieces());
  }

  get responseHeader(): Readonly<Record<string, string>> {
    return this.#stored.responseHeader;
  }

  get contentLengthBytes(): number | undefined {
    return this.#stored.layout?.contentLengthBytes;
  }

  get pieceLengthBytes(): number {
    return this.#stored.pieceLengthBytes ?? 0;
  }

  get range(): ByteRange | undefined {
    return this.#range;
  }

  get finished(): Promise<Receipt> {
    if (!this.#download) return Promise.resolve(this.#options.localReceipt());
    return Promise.race([this.#download.ended, this.#aborted]);
  }

  /** Bytes are delivered once their piece is verified, or earlier where the node that fetches it vouches for them. */
  async *spans(): AsyncGenerator<FileSpan> {
    const first = this.#firstPiece();
    this.#position = first;
    const stop = this.#stored.index.onLost((number, isCorrupt) => {
      if (isCorrupt && number >= first && number <= (this.#position ?? 0)) this.#isTorn = true;
    });
    try {
      yield* this.#spansFrom(first);
    } finally {
      stop();
    }
  }

  async *#spansFrom(first: number): AsyncGenerator<FileSpan> {
    const generation = this.#download?.generation;
    for (let number = first; ; number += 1) {
      this.#position = number;
      this.#options.onPosition(this, number);
      // A reader may begin in the middle of a piece, whose beginning then comes last.
      let sentBytes = Math.max(0, (this.#range?.start ?? 0) - number * this.pieceLengthBytes);
      const ahead = new GivenAhead(this.#stored, number, sentBytes);
      for (;;) {
        const available = this.#availableOf(number, sentBytes);
        if (available === undefined) return;
        this.#requireSameContent(generation);
        if (ahead.isTorn) {
          if (this.#stored.pieces.has(number)) await ahead.compare();
          else await this.#next();
          continue;
        }
        if (available.bytes > sentBytes) {
          ahead.give(available.bytes);
          yield* this.#spanOf(number, sentBytes, available.bytes);
          sentBytes = available.bytes;
        }
        if (available.complete) break;
        if (this.#endsWithin(number, sentBytes)) return; // the rest of the piece is for other readers
        // A broken fetch starts the piece again, and may have less than was already delivered.
        const now = this.#availableOf(number, sentBytes);
        if (now && !now.complete && now.bytes <= sentBytes) await this.#next();
      }
    }
  }

  async *pieces(): AsyncGenerator<FinishedPiece> {
    let told = new PieceSet();
    let generation = this.#download?.generation;
    for (;;) {
      if (this.#download?.generation !== generation) {
        generation = this.#download?.generation;
        told = new PieceSet();
        await this.ready(); // the length may have been false, too
      }
      const change = this.#download?.changed;
      // Reads only new pieces from the database, since there are several changes for each piece.
      for (const number of this.#stored.pieces.difference(told)) {
        const record = this.#isWanted(number) ? this.#stored.piece(number) : undefined;
        if (!record) continue;
        told.add(number);
        yield toFinishedPiece(record, this.#download === undefined);
      }
      if (this.#allThere(told)) return;
      this.#download?.throwIfFailed();
      await Promise.race([change, this.#aborted]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    if (this.#options.readerRange) this.#download?.readerLeft(this.#options.readerRange);
    this.#pin.release();
    this.#options.onPosition(this, undefined);
    this.#options.onLeave(this);
  }

  *#spanOf(number: number, fromBytes: number, toBytes: number): Generator<FileSpan> {
    const span = this.#clip({ offset: number * this.pieceLengthBytes + fromBytes, length: toBytes - fromBytes });
    if (span.length === 0) return;
    if (this.#stored.pieces.has(number)) {
      using piece = this.#stored.openPiece(number); // checks that nobody has edited the file
      yield { fd: piece.fd, ...span };
      return;
    }
    const file = this.#stored.content.acquire();
    try {
      yield { fd: file.fd, ...span };
    } finally {
      file.release();
    }
  }

  /** How far the piece can be read by a reader that has it up to `sentBytes`; undefined when the content or the range ends before. */
  #availableOf(number: number, sentBytes: number): { readonly bytes: number; readonly complete: boolean } | undefined {
    this.#signal.throwIfAborted();
    const last = this.#lastPiece();
    if (last !== undefined && number > last) return undefined;
    const piece = this.#stored.pieces.has(number) ? this.#stored.piece(number) : undefined;
    const bytes = piece?.length ?? this.#readableAhead(number, sentBytes);
    if (number !== last || !this.#waitsForDigest()) return { bytes, complete: piece !== undefined };
    const length = (this.contentLengthBytes ?? 0) - number * this.pieceLengthBytes;
    return { bytes: Math.max(0, Math.min(bytes, length - 1)), complete: false };
  }

  /** For an arriving piece: excludes the last wanted byte when the piece has to be proven before it counts. */
  #readableAhead(number: number, sentBytes: number): number {
    const bytes = this.#stored.incoming(number)?.readableEnd(sentBytes) ?? 0;
    if (!this.#range || this.#download?.proof.mustProve(number) !== true) return bytes;
    return Math.min(bytes, this.#range.start + this.#range.length - number * this.pieceLengthBytes - 1);
  }

  /**
   * Whole content must not end well unless its digest is right, so its last byte waits for the digest. The end of a
   * part proves nothing, so its reader need not wait for the rest of the content.
   */
  #waitsForDigest(): boolean {
    return this.#download?.holdsLastByte === true && this.#wantedPieces() === undefined;
  }

  /** Whether the range ends within this many bytes of the piece. */
  #endsWithin(number: number, sentBytes: number): boolean {
    const range = this.#range;
    return range !== undefined && range.start + range.length <= number * this.pieceLengthBytes + sentBytes;
  }

  /** Resolves when the download changes; throws its error. */
  async #next(): Promise<void> {
    const download = this.#download;
    if (!download)
      throw new DragonflyError('PIECE_UNAVAILABLE', `task ${this.taskId} has lost pieces while it was read`);
    download.throwIfFailed();
    await Promise.race([download.changed, this.#aborted]);
    download.throwIfFailed();
  }

  /** What was delivered before may have been forged; the reader must not get a mixture. */
  #requireSameContent(generation: number | undefined): void {
    if (this.#isTorn)
      throw new DragonflyError('DIGEST_MISMATCH', 'the disk of this node changed content while it was read', {
        hint: 'Ask again: it is being fetched again. Check the disk.',
      });
    if (this.#download?.generation === generation) return;
    throw new DragonflyError('DIGEST_MISMATCH', 'other nodes gave wrong content, which was noticed while it was read', {
      hint: 'Ask again: it is being fetched from the origin.',
    });
  }

  #wantedPieces(): { first: number; last: number } | undefined {
    const { layout } = this.#stored;
    if (!layout || !this.#range || this.#range.length === layout.contentLengthBytes) return undefined;
    return piecesOfRange(layout, this.#range.start, this.#range.length);
  }

  #firstPiece(): number {
    return this.#range ? Math.floor(this.#range.start / this.pieceLengthBytes) : 0;
  }

  #lastPiece(): number | undefined {
    const { layout } = this.#stored;
    if (!layout) return undefined;
    return this.#wantedPieces()?.last ?? layout.pieceCount - 1;
  }

  #isWanted(number: number): boolean {
    const wanted = this.#wantedPieces();
    return wanted === undefined || (number >= wanted.first && number <= wanted.last);
  }

  #allThere(told: PieceSet): boolean {
    const { layout } = this.#stored;
    if (!layout || this.#waitsForDigest()) return false;
    const wanted = this.#wantedPieces();
    return told.count === (wanted ? wanted.last - wanted.first + 1 : layout.pieceCount);
  }

  /** Clips the piece to the range. */
  #clip(piece: { readonly offset: number; readonly length: number }): { offset: number; length: number } {
    const { layout } = this.#stored;
    const range = this.#range ?? { start: 0, length: layout?.contentLengthBytes ?? Number.MAX_SAFE_INTEGER };
    const start = Math.max(piece.offset, range.start);
    const end = Math.min(piece.offset + piece.length, range.start + range.length);
    return { offset: start, length: Math.max(0, end - start) };
  }
}

function toFinishedPiece(record: PieceRecord, local: boolean): FinishedPiece {
  const fromOrigin = record.source === 'origin';
  return {
    number: record.number,
    offset: record.offset,
    length: record.length,
    digest: `crc32:${record.crc32}`,
    parentId: fromOrigin ? undefined : record.source,
    traffic: local ? 'local' : fromOrigin ? 'origin' : 'remote',
    costMs: record.costMs,
  };
}
