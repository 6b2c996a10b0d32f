/**
 * One running download: the only owner of its state.
 *
 * It asks the scheduler (SchedulerSession) and does what the answers say: get pieces from parents (PieceExchange), or
 * fetch a run of them from the origin (OriginFetch). Every piece that lands is told to the readers and the scheduler.
 * It never ends while somebody can still give something; without scheduler and parents it goes to the origin itself.
 */
import type { RangeSpec } from '../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { ParentFault } from '../../swarm/peer/download/effects.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { PieceRecord } from '../storage/metadata.ts';
import type { Lease, StoredTask } from '../storage/stored-task.ts';
import { ContentProof } from './proof/content-proof.ts';
import type { DownloadContext } from './download-context.ts';
import { downloadKeeper } from './download-keeper.ts';
import { daemonLimits } from '../limits.ts';
import { settleFailed } from './failed-content.ts';
import { LearnedLayout } from './learned-layout.ts';
import { openExchange } from './exchange/open-exchange.ts';
import type { DownloadRequest, Receipt } from './open-task.ts';
import { OriginSide } from './origin/origin-side.ts';
import { mayAskItself } from './own-identity.ts';
import type { PieceExchange } from './exchange/piece-exchange.ts';
import { ReceiptBuilder } from './receipt-builder.ts';
import { patienceMs, starved, StarvationWatch } from './starvation-watch.ts';
import type { SessionKeeper } from './session/session-keeper.ts';
import type { TaskRate } from './traffic-shaper.ts';

type DownloadState = 'running' | 'verifying' | 'succeeded' | 'failed';

export class Download {
  readonly taskId: string;
  readonly peerId: string;
  readonly stored: StoredTask;
  readonly rate: TaskRate;
  readonly #context: DownloadContext;
  readonly #request: DownloadRequest;
  readonly #lease: Lease;
  readonly #stopListening: () => void;
  readonly #exchange: PieceExchange;
  readonly #receipt: ReceiptBuilder;
  readonly #controller = new AbortController();
  readonly #ended = Promise.withResolvers<Receipt>();
  readonly proof: ContentProof;
  #wanted: PieceSet | undefined = new PieceSet();
  readonly #keeper: SessionKeeper;
  readonly #origin: OriginSide;
  readonly #starvation = new StarvationWatch({
    patienceMs: () => this.#patienceMs(),
    ask: (patienceMs) => this.#keeper.session?.starved(patienceMs) === true,
    promiseMs: () => this.#context.scheduleTimeoutMs * (daemonLimits.starvedAsks + 1),
    giveUp: (patienceMs) => this.#goToOrigin(patienceMs),
  });
  readonly #learned: LearnedLayout;
  #change = Promise.withResolvers<void>();
  #state: DownloadState = 'running';
  #error: DragonflyError | undefined;
  #originPieces = 0;
  #remotePieces = 0;
  #generation = 0;
  #schedulerSeen = false;
  /** Nobody reads any more: what is under way for a reader is finished, and nothing else begun. */
  #abandoned = false;

  constructor(context: DownloadContext, stored: StoredTask, request: DownloadRequest, peerId: string) {
    this.taskId = stored.id;
    this.peerId = peerId;
    this.stored = stored;
    this.#context = context;
    this.#request = request;
    this.#lease = stored.lease();
    this.rate = context.shaper.open(request.rateLimit);
    this.#stopListening = stored.onPiece((piece) => this.#pieceStored(piece));
    this.proof = new ContentProof({
      context,
      stored,
      request,
      signal: this.#controller.signal,
      events: {
        session: () => this.#keeper.session,
        liar: ({ source, number }) => this.#parentFailed(source, number, 'corrupt'),
      },
    });
    this.#learned = new LearnedLayout({
      stored,
      makeRoom: context.makeRoom,
      isRunning: () => this.#state === 'running',
      takesEmpty: () => this.proof.digest !== undefined && request.disableBackToSource === true,
      events: { begin: () => this.#begin(), askOrigin: (error) => this.#askOrigin(error) },
    });
    this.#receipt = new ReceiptBuilder({ taskId: stored.id, peerId, url: request.url });
    this.#receipt.local(stored.bytes);
    this.#ended.promise.catch(() => undefined);
    this.#exchange = openExchange(context, stored, {
      peerId,
      rate: this.rate,
      prove: async (number, bytes) => this.proof.pieces?.prove(number, bytes),
      events: {
        layout: (facts) => void this.#learned.take(facts),
        refused: (error) => this.#askOrigin(error),
        parentFailed: (id, piece, reason) => this.#parentFailed(id, piece, reason),
        changed: () => this.#watchStarvation(),
        bytes: () => this.#signalChange(),
        storageFailed: (error) => this.#fail(toDragonflyError(error)),
      },
    });
    this.#keeper = this.#createKeeper();
    this.#origin = new OriginSide({
      context,
      request,
      stored,
      exchange: this.#exchange,
      receipt: this.#receipt,
      limiters: () => this.rate.fromOrigin,
      session: () => this.#keeper.session,
      signal: this.#controller.signal,
      events: {
        began: () => this.#starvation.busy(),
        answered: (validator) => this.proof.pieces?.atOrigin(validator),
        learned: () => this.#begin(),
        bytes: () => this.#signalChange(),
        ended: () => this.#originEnded(),
        failed: (error) => this.#originFailed(error),
      },
    });
  }

  /** Rejects when the download failed; resolves when everything wanted is on disk and verified. */
  get ended(): Promise<Receipt> {
    return this.#ended.promise;
  }

  throwIfFailed(): void {
    if (this.#error) throw this.#error;
  }

  /** Grows when everything fetched so far had to be thrown away. */
  get generation(): number {
    return this.#generation;
  }

  /** One that has failed may still be letting go of what it holds. */
  get state(): DownloadState {
    return this.#state;
  }

  /** A digest is expected and has not been confirmed yet: a reader of the whole must not get its last byte. */
  get holdsLastByte(): boolean {
    return this.proof.pending && this.#wanted === undefined && this.#state !== 'succeeded';
  }

  /** Resolves at the next bytes, piece, layout or end. */
  get changed(): Promise<void> {
    return this.#change.promise;
  }

  start(): void {
    this.#keeper.open();
    if (this.stored.layout) this.#begin();
    this.#watchStarvation();
  }

  /** Adds what a subscriber wants: pieces first … last, or everything. */
  want(range: { first: number; last: number } | undefined): void {
    this.#abandoned = false;
    if (this.#wanted === undefined) return;
    if (range === undefined) {
      this.#wanted = undefined;
      this.#origin.readers.wantWhole();
    } else this.#wanted.addAll(PieceSet.range(range.first, range.last - range.first + 1));
    const { layout } = this.stored;
    if (layout) this.#exchange.want(this.#wanted ?? PieceSet.range(0, layout.pieceCount));
  }

  /** A reader waits for this part; its pieces are wanted from when they are known. */
  readerComes(range: RangeSpec): void {
    this.#abandoned = false;
    this.#origin.readers.add(range);
  }

  readerLeft(range: RangeSpec): void {
    this.#origin.readers.remove(range);
  }

  /** No reader is left. Fetches begun for a reader are finished; the peer stays in the swarm with the pieces it holds. */
  abandon(): void {
    this.#abandoned = true;
    if (this.#wanted === undefined || !this.#origin.bringsPieces) this.#leaveOff();
  }

  setReaders(pieces: readonly number[]): void {
    this.#exchange.setReaders(pieces);
  }

  stop(reason: DragonflyError): void {
    this.#fail(reason);
  }

  #createKeeper(): SessionKeeper {
    return downloadKeeper({
      context: this.#context,
      request: this.#request,
      stored: this.stored,
      peerId: this.peerId,
      signal: this.#controller.signal,
      atOrigin: () => this.#origin.active,
      reader: () => this.#origin.readers.register(),
      learnLayout: (facts) => this.#learned.take(facts),
      events: {
        connected: () => {
          this.#origin.readers.connected();
          this.#watchStarvation();
        },
        parents: (parents, options) => {
          this.proof.offered(options);
          this.#exchange.addParents(parents, options);
        },
        digests: (message) => this.proof.pieces?.take(message),
        dropParents: (ids) => (ids.length > 0 ? this.#exchange.dropParents(ids) : this.#starvation.promised()),
        lease: (lease) => this.#isFed || this.#origin.take(lease),
        revokeLease: (id) => this.#origin.revoke(id),
        lost: () => this.#watchStarvation({ lost: true }),
        refused: (error) => this.#refused(error),
      },
    });
  }

  /** A scheduler of the original that has restarted sends whoever comes first to the origin: not one whose parents give. */
  get #isFed(): boolean {
    return this.#keeper.session?.extended === false && this.#exchange.parentCount > 0 && this.#remotePieces > 0;
  }

  /** The origin's answer to others does not apply to a node with credentials of its own. */
  #refused(error: DragonflyError): void {
    if (this.#origin.hasFailed || !mayAskItself(this.#request, error)) return this.#fail(error);
    if (this.#state === 'running' && !this.#origin.active) this.#origin.goAlone();
  }

  /** Only the origin says that content is empty, for what is missing would look complete, and whether it is for everybody. */
  #askOrigin(otherwise: DragonflyError): void {
    if (this.#origin.active || this.#state !== 'running') return;
    if (this.#request.disableBackToSource !== true) return this.#origin.goAlone();
    this.#fail(otherwise);
  }

  /** The layout is known: the exchange can choose, the hash can follow, readers can start. */
  #begin(): void {
    const { layout } = this.stored;
    if (!layout) return;
    this.#origin.layoutKnown();
    this.#exchange.begin(layout, this.#wanted);
    this.proof.advance();
    this.#signalChange();
    void this.#finishIfComplete();
  }

  /** A verified piece is on disk, whichever way it came. */
  #pieceStored(piece: PieceRecord): void {
    const parentId = piece.source === 'origin' ? undefined : piece.source;
    this.#exchange.landed(piece.number, parentId);
    this.#receipt.piece(piece.length, parentId, parentId === undefined ? undefined : this.#exchange.parent(parentId));
    this.#keeper.session?.pieceFinished(piece.number, this.stored.layout, piece.length, parentId, piece.costMs);
    if (parentId === undefined) this.#originPieces += 1;
    else this.#remotePieces += 1;
    this.proof.stored(piece);
    this.#signalChange();
    void this.#finishIfComplete();
  }

  #parentFailed(id: string, piece: number | undefined, reason: ParentFault): void {
    this.#receipt.retry();
    this.#keeper.session?.pieceFailed(id, piece, this.proof.pieces?.wasDoubted(piece) === true ? 'corrupt' : reason);
  }

  #originEnded(): void {
    if (this.#abandoned && !this.#origin.bringsPieces) this.#leaveOff();
    this.#watchStarvation();
  }

  /** The last resort, with nothing under way and nobody who gives: to the origin, after as long as what can be hoped for is worth. */
  #watchStarvation({ lost = false } = {}): void {
    if (lost) this.#starvation.schedulerLost();
    const waiting = this.#state === 'running' && !this.#origin.active && this.#exchange.idle;
    this.#receipt.waiting(waiting);
    this.#keeper.waiting(waiting);
    const hopes = this.#request.disableBackToSource === true && this.#exchange.parentCount > 0;
    if (waiting && !hopes) this.#starvation.idle();
    else this.#starvation.busy();
  }

  #goToOrigin(patienceMs: number): void {
    if (this.#request.disableBackToSource === true) return this.#fail(starved(patienceMs));
    this.#context.logger.warn({ taskId: this.taskId, patienceMs }, 'nobody gives anything: going to the origin');
    this.#origin.goAlone();
  }

  #patienceMs(): number {
    const { scheduleTimeoutMs, pieceTimeoutMs, schedulerKinds } = this.#context;
    const { session } = this.#keeper;
    if (this.#request.disableBackToSource === true) return scheduleTimeoutMs;
    const scheduler = session?.connected === true ? 'connected' : session ? 'asked' : 'lost';
    const kinds = schedulerKinds();
    this.#schedulerSeen ||= kinds === 'held' || kinds === 'original';
    const hopes = { scheduler, kinds, seen: this.#schedulerSeen, hasParents: this.#exchange.parentCount > 0 } as const;
    return patienceMs({ ...hopes, scheduleTimeoutMs, pieceTimeoutMs });
  }

  async #finishIfComplete(): Promise<void> {
    const { stored } = this;
    const { layout } = stored;
    if (this.#state !== 'running' || !layout) return;
    const whole = stored.complete;
    const done = whole || (this.#wanted !== undefined && this.#wanted.count > 0 && stored.pieces.hasAll(this.#wanted));
    if (!done || (this.#origin.active && !whole)) return;
    this.#state = 'verifying';
    try {
      await this.proof.verify({ whole, signal: this.#controller.signal });
      if (whole && stored.state !== 'finished') this.proof.finish();
    } catch (error) {
      return this.#verificationFailed(toDragonflyError(error));
    }
    this.#state = 'succeeded';
    this.#keeper.session?.succeeded({ fromOrigin: this.#originPieces > 0 });
    await this.#release();
    const digest = whole ? this.proof.digest : undefined;
    this.#ended.resolve(this.#receipt.finish(layout.contentLengthBytes, digest));
    this.#signalChange();
  }

  /** Pieces of other nodes were not what they should be: one more try, with the origin alone. Readers that were fed must start over. */
  async #verificationFailed(error: DragonflyError): Promise<void> {
    const forged =
      error.code === 'DIGEST_MISMATCH' && this.#remotePieces > 0 && this.#request.disableBackToSource !== true;
    if (forged && this.#state === 'verifying') return this.#startOver(error.message);
    this.#fail(error, { discard: this.proof.onHearsay });
  }

  /** The origin has content of another length than others said. */
  #originFailed(error: DragonflyError): void {
    const isNews = error.code === 'SOURCE_CHANGED' && this.#state === 'running' && this.#learned.disown();
    if (!isNews) return this.#fail(error);
    this.#startOver(error.message).catch((failure) => this.#fail(toDragonflyError(failure)));
  }

  async #startOver(reason: string): Promise<void> {
    this.#context.logger.error({ taskId: this.taskId, reason }, 'other nodes gave wrong content: to the origin');
    this.#keeper.leave(reason);
    await this.#exchange.close();
    this.proof.reset();
    await this.stored.claims.dropParts();
    this.stored.restart();
    this.#remotePieces = 0;
    this.#generation += 1;
    this.#state = 'running';
    this.#origin.goAlone();
    this.#signalChange();
  }

  #leaveOff(): void {
    this.#fail(new DragonflyError('CANCELLED', 'the last reader has left'), {
      staysKnown: this.stored.pieces.count > 0,
    });
  }

  /** `staysKnown`: what is held is right, and served; `discard`: nobody may be given it. */
  #fail(error: DragonflyError, { staysKnown = false, discard = false } = {}): void {
    if (this.#state === 'succeeded' || this.#state === 'failed') return;
    this.#state = 'failed';
    this.#error = error;
    if (staysKnown) this.#keeper.session?.leftOff(error.message);
    else this.#keeper.session?.failed(error.message);
    this.#controller.abort(error);
    void this.#release().then(() => {
      settleFailed(this.stored, error, discard);
      this.#ended.reject(error);
      this.#signalChange();
    });
  }

  /** Lets go of everything; the session ends by itself, when the scheduler has heard how the download ended. */
  async #release(): Promise<void> {
    this.#controller.abort(new DragonflyError('CANCELLED', 'the download has ended'));
    this.#starvation.busy();
    this.#origin.readers[Symbol.dispose]();
    this.proof.reset();
    await this.#exchange.close();
    await this.stored.claims.dropParts();
    this.#context.announcer().leaseEnded();
    this.#stopListening();
    this.#lease.release();
    this.rate[Symbol.dispose]();
  }

  #signalChange(): void {
    const change = this.#change;
    this.#change = Promise.withResolvers();
    change.resolve();
  }
}
