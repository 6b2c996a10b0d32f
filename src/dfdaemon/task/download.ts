/**
 * One running download: carries out the effects of its PeerMachine (swarm/peer/download/), and tells the machine what happens.
 *
 * The machine alone decides what is asked of parents, fetched from the origin and reported to the scheduler, and when to wait,
 * retry or give up. Its effects are carried out by PieceExchange (parents), OriginFetches (origin) and DownloadSession
 * (scheduler); this file handles what the machine cannot know: bytes on disk, and their proof.
 */
import type { RangeSpec } from '../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { PeerEffect } from '../../swarm/peer/download/effects.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { PieceRecord } from '../storage/metadata.ts';
import type { TaskPin, StoredTask } from '../storage/stored-task.ts';
import { ContentProof } from './proof/content-proof.ts';
import type { DownloadContext } from './download-context.ts';
import { DownloadScope } from './download-scope.ts';
import { PieceExchange } from './exchange/piece-exchange.ts';
import { settleFailed, starved } from './failed-content.ts';
import { LearnedLayout } from './learned-layout.ts';
import type { EffectRunner, MachineRunner } from './machine-runner.ts';
import type { DownloadRequest, Receipt } from './open-task.ts';
import { OriginFetches } from './origin/origin-fetches.ts';
import { ReaderMeter } from './reader-meter.ts';
import { DownloadSession } from './session/download-session.ts';
import type { TaskRate } from './traffic-shaper.ts';

const downloadEnded = new DragonflyError('CANCELLED', 'the download has ended');

type DownloadState = 'running' | 'succeeded' | 'failed';

export class Download implements EffectRunner {
  readonly taskId: string;
  readonly peerId: string;
  readonly stored: StoredTask;
  readonly rate: TaskRate;
  readonly proof: ContentProof;
  readonly #scope: DownloadScope;
  readonly #machine: MachineRunner;
  readonly #pin: TaskPin;
  readonly #learned: LearnedLayout;
  readonly #exchange: PieceExchange;
  readonly #origin: OriginFetches;
  readonly #session: DownloadSession;
  readonly #readers: ReaderMeter;
  readonly #listening: readonly (() => void)[];
  readonly #ended = Promise.withResolvers<Receipt>();
  #state: DownloadState = 'running';
  #error: DragonflyError | undefined;
  #generation = 0;

  constructor(context: DownloadContext, stored: StoredTask, request: DownloadRequest, peerId: string) {
    this.taskId = stored.id;
    this.peerId = peerId;
    this.stored = stored;
    this.#pin = stored.pin();
    this.#ended.promise.catch(() => undefined);
    const scope = new DownloadScope(context, { request, stored, peerId }, this);
    this.#scope = scope;
    this.#machine = scope.machine;
    this.rate = scope.rate;
    const proof = new ContentProof(scope);
    const learned = new LearnedLayout(scope, proof);
    const exchange = new PieceExchange(scope, proof, learned);
    const origin = new OriginFetches(scope, { proof, learned, exchange });
    this.proof = proof;
    this.#learned = learned;
    this.#exchange = exchange;
    this.#origin = origin;
    this.#session = new DownloadSession(scope, { proof, learned, exchange, origin });
    this.#readers = new ReaderMeter(scope, origin);
    this.#listening = [
      stored.onPiece((piece) => this.#pieceStored(piece)),
      stored.index.onLost((piece) => this.#machine.take({ kind: 'piece-lost', piece })),
    ];
  }

  /** Resolves when everything wanted is on disk and verified; rejects when the download failed. */
  get ended(): Promise<Receipt> {
    return this.#ended.promise;
  }

  throwIfFailed(): void {
    if (this.#error) throw this.#error;
  }

  /** Incremented when everything fetched so far was thrown away. */
  get generation(): number {
    return this.#generation;
  }

  /** A download that has failed may still be releasing its resources. */
  get state(): DownloadState {
    return this.#state;
  }

  /** Not everything is proven yet, so a reader of the whole content must not get its last byte. */
  get holdsLastByte(): boolean {
    return this.#machine.state.wantsWhole && this.#state !== 'succeeded' && this.proof.pending;
  }

  /** Resolves when the next bytes, piece, layout or end arrive. */
  get changed(): Promise<void> {
    return this.#scope.changed;
  }

  start(): void {
    this.#machine.take({ kind: 'started', held: this.stored.pieces });
    this.#learned.begin();
  }

  /** Adds what a subscriber wants: pieces first … last, or everything. */
  want(range: { first: number; last: number } | undefined): void {
    this.#machine.take({ kind: 'wanted', pieces: range && PieceSet.range(range.first, range.last - range.first + 1) });
  }

  /** A reader waits for this part; its pieces become wanted once the layout is known. */
  readerComes(range: RangeSpec): void {
    this.#readers.add(range);
  }

  readerLeft(range: RangeSpec): void {
    this.#readers.remove(range);
  }

  /** No reader is left. Fetches begun for a reader are finished; the peer stays in the swarm with the pieces it holds. */
  abandon(): void {
    this.#machine.take({ kind: 'readers-left' });
  }

  setReadPositions(pieces: readonly number[]): void {
    this.#machine.take({ kind: 'read-positions', pieces });
  }

  stop(reason: DragonflyError): void {
    this.#fail(reason);
  }

  // ── the machine ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Carries out one effect of the machine. */
  run(effect: PeerEffect): void {
    switch (effect.kind) {
      case 'waiting':
        this.#scope.receipt.waiting(effect.isWaiting);
        return this.#session.waiting(effect.isWaiting);
      case 'nobody-gives': {
        const { patienceMs } = effect;
        const { taskId } = this;
        return this.#scope.context.logger.warn({ taskId, patienceMs }, 'nobody gives anything: going to the origin');
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
        return this.#session.run(effect);
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
    const error = because === 'starved' ? starved(patienceMs) : this.#machine.cause;
    if (!error) return;
    // The origin has content of another length than the cluster believed.
    const isNews = because === 'origin' && error.code === 'SOURCE_CHANGED' && this.#machine.isRunning;
    if (isNews && this.#learned.disown()) this.#machine.take({ kind: 'others-disproved' }, error);
    else this.#fail(error, { discard: because === 'unproven' && this.proof.onHearsay });
  }

  #report({ parentId, piece, fault }: Omit<Extract<PeerEffect, { kind: 'report-parent' }>, 'kind'>): void {
    this.#scope.receipt.retry();
    const reason = this.proof.pieces?.wasDoubted(piece) === true ? 'corrupt' : fault;
    this.#session.run({ kind: 'report-parent', parentId, piece, fault: reason });
  }

  // ── content ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A verified piece is on disk, whether it came from a parent or the origin. */
  #pieceStored(piece: PieceRecord): void {
    const { number, length: bytes, costMs } = piece;
    const parentId = piece.source === 'origin' ? undefined : piece.source;
    const parent = parentId === undefined ? undefined : this.#exchange.parent(parentId);
    this.#machine.take({ kind: 'piece-landed', piece: number, parentId, bytes, costMs });
    this.#scope.receipt.piece(bytes, parentId, parent);
    this.proof.stored(piece);
    this.#scope.signalChange();
  }

  async #verify(whole: boolean): Promise<void> {
    await Promise.resolve(); // the proof has to hear of the last piece first
    try {
      if (!(await this.proof.verify({ whole, signal: this.#scope.signal }))) return; // the machine was told of each lost piece
      if (whole && this.stored.state !== 'finished') this.proof.finish();
    } catch (error) {
      const failure = toDragonflyError(error);
      return this.#machine.take({ kind: 'unproven', code: failure.code }, failure);
    }
    this.#machine.take({ kind: 'verified' });
  }

  async #finish({ whole, fromOrigin }: Extract<PeerEffect, { kind: 'finish' }>): Promise<void> {
    this.#state = 'succeeded';
    this.#scope.session?.succeeded({ fromOrigin });
    await this.#release();
    const digest = whole ? this.proof.digest : undefined;
    this.#ended.resolve(this.#scope.receipt.finish(this.stored.contentLengthBytes ?? 0, digest));
    this.#scope.signalChange();
  }

  /** Deletes what other nodes gave. Readers that got some of it must start over. */
  async #startOver(): Promise<void> {
    const reason = this.#machine.cause?.message;
    this.#scope.context.logger.error({ taskId: this.taskId, reason }, 'other nodes gave corrupt pieces: to the origin');
    await this.#exchange.released();
    this.proof.reset();
    await this.stored.claims.dropParts();
    this.stored.restart();
    this.#generation += 1;
    this.#machine.take({ kind: 'started-over' });
    this.#scope.signalChange();
  }

  /** `staysKnown`: the held pieces are correct and are served on. `discard`: nobody may get them. */
  #fail(error: DragonflyError, { staysKnown = false, discard = false } = {}): void {
    if (this.#state === 'succeeded' || this.#state === 'failed') return;
    this.#state = 'failed';
    this.#error = error;
    this.#machine.take({ kind: 'settled' });
    if (staysKnown) this.#scope.session?.leftOff(error.message);
    else this.#scope.session?.failed(error.message);
    this.#scope.abort(error);
    void this.#release().then(() => {
      settleFailed(this.stored, error, discard);
      this.#ended.reject(error);
      this.#scope.signalChange();
    });
  }

  /** Releases everything; the session ends by itself once the scheduler knows how the download ended. */
  async #release(): Promise<void> {
    this.#scope.abort(downloadEnded);
    this.#machine[Symbol.dispose]();
    this.proof.reset();
    await this.#exchange.close();
    await this.stored.claims.dropParts();
    this.#scope.context.announcer().leaseEnded();
    for (const stop of this.#listening) stop();
    this.#pin.release();
    this.rate[Symbol.dispose]();
  }
}
