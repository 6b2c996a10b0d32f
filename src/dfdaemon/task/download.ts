/**
 * One running download: carries out what its machine wants (PeerMachine), and tells the machine what happens.
 *
 * The machine decides what is asked of parents (PieceExchange), fetched from the origin (OriginFetches) and said to the scheduler
 * (DownloadSession), and when to wait, retry or give up. Here is what it cannot know: bytes on disk, and their proof.
 */
import type { RangeSpec } from '../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { PeerEffect } from '../../swarm/peer/download/effects.ts';
import type { PeerEvent } from '../../swarm/peer/download/events.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { PieceRecord } from '../storage/metadata.ts';
import type { Lease, StoredTask } from '../storage/stored-task.ts';
import { ContentProof } from './proof/content-proof.ts';
import type { DownloadContext } from './download-context.ts';
import { settleFailed, starved } from './failed-content.ts';
import { LearnedLayout } from './learned-layout.ts';
import { openExchange } from './exchange/open-exchange.ts';
import { MachineRunner } from './machine-runner.ts';
import type { DownloadRequest, Receipt } from './open-task.ts';
import { OriginFetches } from './origin/origin-fetches.ts';
import type { PieceExchange } from './exchange/piece-exchange.ts';
import { ReaderDesk } from './reader-desk.ts';
import { ReceiptBuilder } from './receipt-builder.ts';
import { DownloadSession } from './session/download-session.ts';
import type { TaskRate } from './traffic-shaper.ts';

type DownloadState = 'running' | 'succeeded' | 'failed';

export class Download {
  readonly taskId: string;
  readonly peerId: string;
  readonly stored: StoredTask;
  readonly rate: TaskRate;
  readonly proof: ContentProof;
  readonly #context: DownloadContext;
  readonly #lease: Lease;
  readonly #stopListening: () => void;
  readonly #runner: MachineRunner;
  readonly #exchange: PieceExchange;
  readonly #session: DownloadSession;
  readonly #origin: OriginFetches;
  readonly #readers: ReaderDesk;
  readonly #learned: LearnedLayout;
  readonly #receipt: ReceiptBuilder;
  readonly #controller = new AbortController();
  readonly #ended = Promise.withResolvers<Receipt>();
  #change = Promise.withResolvers<void>();
  #state: DownloadState = 'running';
  #error: DragonflyError | undefined;
  /** What the last event was about that brought an error. */
  #cause: DragonflyError | undefined;
  #generation = 0;

  constructor(context: DownloadContext, stored: StoredTask, request: DownloadRequest, peerId: string) {
    this.taskId = stored.id;
    this.peerId = peerId;
    this.stored = stored;
    this.#context = context;
    this.#lease = stored.lease();
    this.rate = context.shaper.open(request.rateLimit);
    const stops = [
      stored.onPiece((piece) => this.#pieceStored(piece)),
      stored.index.onLost((piece) => this.#take({ kind: 'piece-lost', piece })),
    ];
    this.#stopListening = () => stops.forEach((stop) => stop());
    this.#receipt = new ReceiptBuilder({ taskId: stored.id, peerId, url: request.url });
    this.#receipt.local(stored.bytes);
    this.#ended.promise.catch(() => undefined);
    const { signal } = this.#controller;
    const take = (event: PeerEvent, cause?: DragonflyError): void => this.#take(event, cause);
    const onBytes = (): void => this.#signalChange();
    this.#runner = new MachineRunner({
      context,
      taskId: stored.id,
      peerId,
      mayGoToOrigin: request.disableBackToSource !== true,
      prefetch: request.prefetch === true,
      run: (effect) => this.#run(effect),
    });
    this.proof = new ContentProof({
      context,
      stored,
      request,
      signal,
      events: {
        session: () => this.#session.current,
        liar: ({ source, number }) => this.#report({ parentId: source, piece: number, fault: 'corrupt' }),
      },
    });
    this.#learned = new LearnedLayout({
      stored,
      makeRoom: context.makeRoom,
      isRunning: () => this.#runner.isRunning,
      takesEmpty: () => this.proof.digest !== undefined && request.disableBackToSource === true,
      events: { begin: () => this.#begin(), askOrigin: (error) => take({ kind: 'origin-needed' }, error) },
    });
    this.#exchange = openExchange(context, stored, {
      rate: this.rate,
      prove: async (number, bytes) => this.proof.pieces?.prove(number, bytes),
      take,
      events: {
        layout: (facts) => void this.#learned.take(facts),
        refused: (error) => take({ kind: 'origin-needed' }, error),
        bytes: onBytes,
        storageFailed: (error) => this.#fail(toDragonflyError(error)),
      },
    });
    this.#session = new DownloadSession({
      context,
      request,
      stored,
      peerId,
      signal,
      take,
      atOrigin: () => this.#runner.machine.leases.isActive,
      flows: () => this.#origin.takeFlow(),
      learnLayout: (facts) => this.#learned.take(facts),
      onParents: (parents, options) => {
        this.proof.offered(options);
        this.#exchange.offer(parents, options.replace);
      },
      onDigests: (message) => this.proof.pieces?.take(message),
    });
    this.#origin = new OriginFetches({
      context,
      request,
      stored,
      limiters: () => this.rate.fromOrigin,
      signal,
      take,
      released: () => this.#exchange.released(),
      onAnswer: ({ validator }) => this.#originAnswered(validator),
      onFetched: () => this.#begin(),
      onBytes,
      onRetry: () => this.#receipt.retry(),
    });
    this.#readers = new ReaderDesk({
      stored,
      fetchOf: (fetch) => this.#origin.of(fetch),
      take,
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
    return this.proof.pending && this.#runner.machine.wantsWhole && this.#state !== 'succeeded';
  }

  /** Resolves at the next bytes, piece, layout or end. */
  get changed(): Promise<void> {
    return this.#change.promise;
  }

  start(): void {
    this.#take({ kind: 'started', held: this.stored.pieces });
    if (this.stored.layout) this.#begin();
  }

  /** Adds what a subscriber wants: pieces first … last, or everything. */
  want(range: { first: number; last: number } | undefined): void {
    this.#take({ kind: 'wanted', pieces: range && PieceSet.range(range.first, range.last - range.first + 1) });
  }

  /** A reader waits for this part; its pieces are wanted from when they are known. */
  readerComes(range: RangeSpec): void {
    this.#readers.add(range);
  }

  readerLeft(range: RangeSpec): void {
    this.#readers.remove(range);
  }

  /** No reader is left. Fetches begun for a reader are finished; the peer stays in the swarm with the pieces it holds. */
  abandon(): void {
    this.#take({ kind: 'readers-left' });
  }

  setReaders(pieces: readonly number[]): void {
    this.#take({ kind: 'readers-at', pieces });
  }

  stop(reason: DragonflyError): void {
    this.#fail(reason);
  }

  // ── the machine ────────────────────────────────────────────────────────────────────────────────────────────────

  /** @param cause the error that the event is about. */
  #take(event: PeerEvent, cause?: DragonflyError): void {
    if (cause) this.#cause = cause;
    this.#runner.take(event);
  }

  #run(effect: PeerEffect): void {
    switch (effect.kind) {
      case 'waiting':
        this.#receipt.waiting(effect.isWaiting);
        return this.#session.waiting(effect.isWaiting);
      case 'nobody-gives': {
        const { patienceMs } = effect;
        const { taskId } = this;
        return this.#context.logger.warn({ taskId, patienceMs }, 'nobody gives anything: going to the origin');
      }
      case 'measure-readers':
        return this.#readers.measure(effect);
      case 'verify':
        return void this.#verify(effect.whole);
      case 'finish':
        return void this.#finish(effect);
      case 'start-over':
        return void this.#startOver().catch((failure) => this.#fail(toDragonflyError(failure)));
      case 'leave-off':
        return this.#fail(new DragonflyError('CANCELLED', 'the last reader has left'), {
          staysKnown: this.stored.pieces.count > 0,
        });
      case 'fail':
        return this.#failBecause(effect);
      case 'report-parent':
        return this.#report(effect);
      case 'open-session':
      case 'leave-session':
      case 'ask-scheduler':
      case 'ask-for-reader':
      case 'report-held':
      case 'report-piece':
      case 'report-pieces':
      case 'report-lease-alive':
      case 'report-lease-started':
      case 'report-lease-failed':
      case 'report-layout':
        return this.#session.run(effect, this.#cause);
      case 'fetch-origin':
      case 'change-origin-run':
      case 'resume-origin':
      case 'stop-origin':
      case 'origin-begun':
      case 'origin-left':
        return this.#origin.run(effect);
      default:
        return this.#exchange.run(effect);
    }
  }

  #failBecause({ because, patienceMs }: Extract<PeerEffect, { kind: 'fail' }>): void {
    const error = because === 'starved' ? starved(patienceMs) : this.#cause;
    if (!error) return;
    // The origin has content of another length than others said.
    const isNews = because === 'origin' && error.code === 'SOURCE_CHANGED' && this.#runner.isRunning;
    if (isNews && this.#learned.disown()) this.#take({ kind: 'others-disproved' }, error);
    else this.#fail(error, { discard: because === 'unproven' && this.proof.onHearsay });
  }

  #report({ parentId, piece, fault }: Omit<Extract<PeerEffect, { kind: 'report-parent' }>, 'kind'>): void {
    this.#receipt.retry();
    const reason = this.proof.pieces?.wasDoubted(piece) === true ? 'corrupt' : fault;
    this.#session.run({ kind: 'report-parent', parentId, piece, fault: reason }, undefined);
  }

  // ── content ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The layout is known: pieces can be chosen, the hash can follow, readers can start. */
  #begin(): void {
    const { layout, pieces } = this.stored;
    if (!layout) return;
    const { contentLengthBytes, pieceLengthBytes, pieceCount } = layout;
    this.proof.advance();
    this.#take({ kind: 'layout-known', contentLengthBytes, pieceLengthBytes, pieceCount, held: pieces });
    this.#signalChange();
  }

  #originAnswered(validator: string | undefined): void {
    this.proof.pieces?.atOrigin(validator);
    this.#receipt.originRequest();
    this.#context.announcer().layoutKnown();
    this.#begin();
  }

  /** A verified piece is on disk, whichever way it came. */
  #pieceStored(piece: PieceRecord): void {
    const { number, length: bytes, costMs } = piece;
    const parentId = piece.source === 'origin' ? undefined : piece.source;
    const parent = parentId === undefined ? undefined : this.#exchange.parent(parentId);
    this.#take({ kind: 'piece-landed', piece: number, parentId, bytes, costMs });
    this.#receipt.piece(bytes, parentId, parent);
    this.proof.stored(piece);
    this.#signalChange();
  }

  async #verify(whole: boolean): Promise<void> {
    await Promise.resolve(); // not before the proof has heard of the last piece
    try {
      await this.proof.verify({ whole, signal: this.#controller.signal });
      if (whole && this.stored.state !== 'finished') this.proof.finish();
    } catch (error) {
      const failure = toDragonflyError(error);
      return this.#take({ kind: 'unproven', code: failure.code }, failure);
    }
    this.#take({ kind: 'verified' });
  }

  async #finish({ whole, fromOrigin }: Extract<PeerEffect, { kind: 'finish' }>): Promise<void> {
    this.#state = 'succeeded';
    this.#session.current?.succeeded({ fromOrigin });
    await this.#release();
    const digest = whole ? this.proof.digest : undefined;
    this.#ended.resolve(this.#receipt.finish(this.stored.contentLengthBytes ?? 0, digest));
    this.#signalChange();
  }

  /** Deletes what other nodes gave. Readers that were fed must start over. */
  async #startOver(): Promise<void> {
    const reason = this.#cause?.message;
    this.#context.logger.error({ taskId: this.taskId, reason }, 'other nodes gave wrong content: to the origin');
    await this.#exchange.released();
    this.proof.reset();
    await this.stored.claims.dropParts();
    this.stored.restart();
    this.#generation += 1;
    this.#take({ kind: 'started-over' });
    this.#signalChange();
  }

  /** `staysKnown`: what is held is right, and served; `discard`: nobody may be given it. */
  #fail(error: DragonflyError, { staysKnown = false, discard = false } = {}): void {
    if (this.#state === 'succeeded' || this.#state === 'failed') return;
    this.#state = 'failed';
    this.#error = error;
    this.#take({ kind: 'settled' });
    if (staysKnown) this.#session.current?.leftOff(error.message);
    else this.#session.current?.failed(error.message);
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
    this.#runner[Symbol.dispose]();
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
