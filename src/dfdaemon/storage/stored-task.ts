/**
 * One task in the store: its content file, its verified pieces, and who uses it.
 *
 * State changes are synchronous and written through to the metadata; bytes move in PieceWriter and through the
 * descriptors returned by `openPiece`. A piece enters `pieces` and reaches the `onPiece` listeners only after its row
 * is committed, so a listener can serve the piece at once, and after a crash.
 *
 * Pin a task while you work on it: the collector never removes a pinned task. Writers and readers hold a pin.
 */
import { formatDigest, type Digest } from '../../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { pieceLayout, pieceSpan, type PieceLayout, type PieceSpan } from '../../core/piece-layout.ts';
import type { PieceSet } from '../../swarm/shared/piece-set.ts';
import { ContentFile, type FileUse } from './content-file.ts';
import type { IncomingPiece } from './pieces/incoming-piece.ts';
import { maxHeaderBytes } from './limits.ts';
import type { PieceRecord, TaskRow, TaskState } from './metadata.ts';
import type { TaskHost } from './task-host.ts';
import { PieceIndex } from './pieces/piece-index.ts';
import { PieceClaims } from './pieces/piece-claims.ts';
import type { CommitFacts, PieceSlot, PieceWriter } from './pieces/piece-writer.ts';
import { TaskUses, type TaskPin } from './task-uses.ts';
import { TaskRecord, type KeptRecord, type StoredIdentity, type TaskTimes } from './task-record.ts';

export type { TaskPin } from './task-uses.ts';

export interface LayoutFacts {
  /** Undefined while the origin does not report it (chunked): pieces are then written in order until `finish` sets it. */
  readonly contentLengthBytes?: number | undefined;
  readonly pieceLengthBytes: number;
  readonly responseHeader?: Readonly<Record<string, string>> | undefined;
}

/** An open piece: bytes `offset … offset + length − 1` of `fd`. Close it when done. */
export interface OpenPiece extends PieceRecord, Disposable {
  readonly fd: number;
  close(): void;
}

export class StoredTask {
  readonly id: string;
  readonly content: ContentFile;
  /** Row and pieces; only for helpers of the store, other callers use the task. */
  readonly record: TaskRecord;
  readonly index: PieceIndex;
  readonly claims = new PieceClaims((number) => this.#slot(number));
  readonly #host: TaskHost;
  readonly #uses: TaskUses;
  #writes = 0;
  #removed = false;
  #verifiedMs = Number.NEGATIVE_INFINITY;

  constructor(row: TaskRow, bytes: number, contentPath: string, host: TaskHost) {
    this.id = row.id;
    this.#host = host;
    this.record = new TaskRecord(row, host.metadata, host.clock);
    this.index = new PieceIndex(row.id, bytes, host.metadata, (delta) => host.bytesChanged(delta));
    this.#uses = new TaskUses((inUse) => host.inUse(this, inUse));
    this.content = new ContentFile(contentPath, (bytes) => host.relieve(bytes));
  }

  get identity(): StoredIdentity {
    return this.record.identity;
  }

  /** `finished` only while every piece is verified; a task under recovery reads as `running`. */
  get state(): TaskState {
    const { state } = this.record.row;
    return state === 'finished' && this.index.underRecovery ? 'running' : state;
  }

  /** The origin gave the content to a request with credentials, so it is only for callers that have some. */
  get restricted(): boolean {
    return this.record.row.restricted === 1 || this.record.kept?.object !== undefined;
  }

  /** This node holds a replica of imported content, which the collector must not remove before its time is over. */
  get persistent(): boolean {
    return this.record.persistent;
  }

  /** Records that this is imported content, and whether this node's replica is to stay. A pending upload to its store is kept. */
  keep(kept: KeptRecord, persistent: boolean): void {
    this.#requirePresent();
    const upload = kept.object?.state === 'pending' ? (kept.upload ?? this.record.kept?.upload) : undefined;
    this.record.change({ kept: JSON.stringify({ ...kept, upload }), persistent: persistent ? 1 : 0 });
  }

  restrict(): void {
    if (!this.restricted) this.record.change({ restricted: 1 });
  }

  /** Undefined until the length of the content is known. */
  get layout(): PieceLayout | undefined {
    return this.record.layout;
  }

  get pieceLengthBytes(): number | undefined {
    return this.record.row.pieceLength ?? undefined;
  }

  get contentLengthBytes(): number | undefined {
    return this.record.row.contentLength ?? undefined;
  }

  get responseHeader(): Readonly<Record<string, string>> {
    return this.record.responseHeader;
  }

  get times(): TaskTimes {
    return this.record.times;
  }

  /** Committed bytes. */
  get bytes(): number {
    return this.index.bytes;
  }

  get uploadingCount(): number {
    return this.#uses.uploadingCount;
  }

  get uploadedCount(): number {
    return this.record.row.uploadedCount;
  }

  get inUse(): boolean {
    return this.#uses.inUse;
  }

  get removed(): boolean {
    return this.#removed;
  }

  /** The verified pieces; owned by the task, only to be read. */
  get pieces(): PieceSet {
    return this.index.set;
  }

  get complete(): boolean {
    return this.layout !== undefined && this.pieces.count === this.layout.pieceCount;
  }

  piece(number: number): PieceRecord | undefined {
    return this.index.record(number);
  }

  /** The verified pieces, ascending. */
  pieceRecords(): PieceRecord[] {
    return this.index.records();
  }

  /** Called synchronously after each newly committed (or recovered) piece. Returns how to stop. */
  onPiece(listener: (piece: PieceRecord) => void): () => void {
    return this.index.onPiece(listener);
  }

  pin(): TaskPin {
    this.#requirePresent();
    this.touch();
    return this.#uses.pin();
  }

  /** Marks the task as used now, for the order of eviction. */
  touch(): void {
    this.record.used();
    this.#host.used(this);
  }

  /** Counts one upload until the returned function is called, once; `true` when it was sent in full. */
  beginUpload(): (sent: boolean) => void {
    this.touch();
    const end = this.#uses.beginUpload();
    return (sent) => {
      if (sent) this.record.uploaded();
      end();
    };
  }

  /**
   * Sets how the content is cut into pieces. The length of the content may follow once, later; anything already known
   * must be the same, otherwise FAILED_PRECONDITION: call `restart` when the origin has changed.
   */
  setLayout(facts: LayoutFacts): void {
    this.#requirePresent();
    const { contentLengthBytes, pieceLengthBytes, responseHeader } = facts;
    this.record.requireLayout(contentLengthBytes, pieceLengthBytes);
    if (contentLengthBytes !== undefined && !this.layout)
      this.index.requireFitting(pieceLayout(contentLengthBytes, pieceLengthBytes));
    const header = responseHeader && JSON.stringify(responseHeader);
    this.record.change({
      pieceLength: pieceLengthBytes,
      ...(contentLengthBytes !== undefined && { contentLength: contentLengthBytes }),
      ...(header !== undefined && { responseHeader: header.length > maxHeaderBytes ? null : header }),
    });
  }

  /** Claims the piece. Throws IN_USE while another writer has it, ALREADY_EXISTS when it is there. */
  writePiece(number: number): PieceWriter {
    return this.claims.write(number);
  }

  /** The piece while it is being written. */
  incoming(number: number): IncomingPiece | undefined {
    return this.claims.incoming(number);
  }

  /**
   * Throws PIECE_UNAVAILABLE when the piece is not there, or while the content is verified again because its file was
   * changed through a hard link.
   */
  openPiece(number: number): OpenPiece {
    if (this.touchedFromOutside()) this.suspect();
    const piece = this.#removed ? undefined : this.piece(number);
    if (!piece) throw new DragonflyError('PIECE_UNAVAILABLE', `piece ${number} of task ${this.id} is not here`);
    const pin = this.pin();
    const file = this.#openForReading(pin);
    const close = (): void => {
      file.release();
      pin.release();
    };
    return { ...piece, fd: file.fd, close, [Symbol.dispose]: close };
  }

  /**
   * All pieces are there and checked. `contentLengthBytes` ends content of unknown length; `digest` is the one that the
   * caller verified over the whole content. Flushing to the disk continues in the background.
   */
  finish(facts: { readonly contentLengthBytes?: number; readonly digest?: Digest } = {}): void {
    this.#requirePresent();
    const { pieceLength } = this.record.row;
    if (facts.contentLengthBytes !== undefined && pieceLength !== null) {
      this.setLayout({ contentLengthBytes: facts.contentLengthBytes, pieceLengthBytes: pieceLength });
    }
    if (!this.complete) {
      const count = this.layout?.pieceCount ?? 'unknown';
      throw new DragonflyError('FAILED_PRECONDITION', `task ${this.id} has ${this.pieces.count} of ${count} pieces`);
    }
    this.content.end(); // empty content is a file, too
    this.record.change({
      state: 'finished',
      failedMs: null,
      finishedMs: this.#host.clock.wallMs(),
      stamp: this.content.stamp()?.text ?? null,
      ...(facts.digest && { digest: formatDigest(facts.digest) }),
    });
    this.seen();
    this.#host.finished(this);
  }

  /** The download ended in an error; verified pieces stay and can be served and resumed from. */
  fail(): void {
    this.#requirePresent();
    this.record.change({ state: 'failed', failedMs: this.#host.clock.wallMs() });
  }

  /** Continues the download of a failed task. */
  resume(): void {
    this.#requirePresent();
    if (this.record.row.state === 'failed') this.record.change({ state: 'running', failedMs: null });
  }

  /** Drops everything fetched, for instance because the origin has changed. Throws IN_USE while pieces are written. */
  restart(): void {
    this.#requirePresent();
    if (this.claims.size > 0) throw new DragonflyError('IN_USE', `task ${this.id} has pieces being written`);
    this.index.clear();
    this.record.change({
      state: 'running',
      contentLength: null,
      pieceLength: null,
      responseHeader: null,
      finishedMs: null,
      failedMs: null,
    });
  }

  /** Resolves when the pieces found after an unclean stop are verified; at once when there are none. */
  get recovered(): Promise<void> {
    return this.index.recovered;
  }

  /** Takes the content out of use until it is verified again. */
  suspect(): void {
    this.#host.suspect(this);
  }

  // The rest is for the store's own helpers: recovery, flushing, linking out, removal.

  /** Number of pieces written so far, to notice a write during a flush. */
  get writes(): number {
    return this.#writes;
  }

  /** Something other than this node has changed the content file. */
  touchedFromOutside(): boolean {
    const { linkStamp, stamp, state } = this.record.row;
    const left = linkStamp ?? (state === 'finished' ? stamp : null);
    return left !== null && !this.#removed && !this.index.underRecovery && this.content.stamp()?.text !== left;
  }

  /** Time since every byte was last verified; disks lose bytes without a sign. */
  get unseenMs(): number {
    return performance.now() - this.#verifiedMs;
  }

  /** Records that every byte has been read and verified. */
  seen(atMs = performance.now()): void {
    this.#verifiedMs = atMs;
  }

  /** @param stamp of the file that was verified. */
  endRecovery(stamp: string | undefined): void {
    this.index.endRecovery();
    if (this.record.row.state !== 'finished') return;
    this.seen();
    if (this.complete) this.record.change({ stamp: stamp ?? null });
    else this.record.change({ state: 'running', finishedMs: null });
  }

  /** The store has removed the task; nothing can be written or opened any more. */
  markRemoved(): void {
    this.#removed = true;
    this.index.close();
  }

  #slot(number: number): PieceSlot {
    const span = this.#writableSpan(number);
    if (this.claims.has(number))
      throw new DragonflyError('IN_USE', `piece ${number} of task ${this.id} is being written`);
    if (this.pieces.has(number))
      throw new DragonflyError('ALREADY_EXISTS', `piece ${number} of task ${this.id} is already there`);
    this.index.giveUpUnverified(number);
    const pin = this.pin();
    const file = this.#openFile(pin, true);
    return {
      number,
      offset: span.offset,
      maxLengthBytes: span.length,
      lengthKnown: this.layout !== undefined,
      file,
      commit: (length, crc, facts) => this.#commit({ ...span, length }, crc, facts),
      release: () => {
        this.claims.released(number);
        file.release();
        pin.release();
      },
    };
  }

  #commit(span: PieceSpan, crc32: number, { source, costMs }: CommitFacts): void {
    this.#requirePresent();
    const createdMs = this.#host.clock.wallMs();
    this.#writes += 1;
    const isFirst = this.record.row.synced === 1;
    this.index.add({ ...span, crc32, source, costMs: Math.round(costMs), createdMs }, isFirst);
    this.record.pieceAdded(createdMs);
  }

  /** When the file has vanished, its pieces are gone as well. */
  #openForReading(pin: TaskPin): FileUse {
    try {
      return this.#openFile(pin, false);
    } catch (error) {
      const known = toDragonflyError(error);
      if (known.code === 'RESOURCE_EXHAUSTED') throw known;
      this.suspect();
      throw new DragonflyError('PIECE_UNAVAILABLE', `the content of task ${this.id} cannot be opened`, {
        cause: error,
      });
    }
  }

  #openFile(pin: TaskPin, create: boolean): FileUse {
    try {
      return this.content.acquire(create);
    } catch (error) {
      pin.release();
      throw error;
    }
  }

  #writableSpan(number: number): PieceSpan {
    this.#requirePresent();
    const { layout, pieceLengthBytes } = this;
    if (pieceLengthBytes === undefined)
      throw new DragonflyError('FAILED_PRECONDITION', `the layout of task ${this.id} is not known yet`);
    if (!Number.isInteger(number) || number < 0 || (layout && number >= layout.pieceCount)) {
      throw new DragonflyError('INVALID_ARGUMENT', `task ${this.id} has no piece ${number}`);
    }
    return layout ? pieceSpan(layout, number) : { number, offset: number * pieceLengthBytes, length: pieceLengthBytes };
  }

  #requirePresent(): void {
    if (this.#removed) throw new DragonflyError('NOT_FOUND', `task ${this.id} was removed from the store`);
  }
}
