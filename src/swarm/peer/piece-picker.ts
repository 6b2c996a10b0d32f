/**
 * One download's choice of the next piece and the parent to ask for it. Runs in every daemon; pure: the caller passes
 * the time, carries out the requests and reports what became of them.
 *
 * How a caller uses it:
 *   picker.parentAdded(id, …); picker.parentHas(id, bitmap) and picker.parentLoad(id, queue) as the parent announces them;
 *   for (const request of picker.next(nowMs)) start it; every returned request counts as in flight from then on;
 *   exactly one of pieceArrived / requestFailed ends a request, or the caller cancels it when told to;
 *   requestStarted and pieceEnding tell how far a request is, so that the next goes out in time;
 *   after any of these calls, and at nextWakeMs(nowMs), call next again.
 *
 * Which parent: the one with the least to do before it would serve us, by its own announcements and our requests, and
 * none that is much slower than the others while those have something. Which of its pieces: the one the fewest parents
 * hold, ties at random, among the missing pieces of the window; the window starts at each reader, or at the first
 * missing piece. Load comes first because an idle uplink is lost for good, while the second-rarest piece is nearly as
 * good as the rarest. Among idle parents those with fewer pieces are taken, since others can use them the least.
 */
import { Hedges } from './hedges.ts';
import { HostLoad } from './host-load.ts';
import type { Watched } from './life-watch.ts';
import { type Choice, ParentBook, type PieceOrder } from './parent-book.ts';
import { defaultPickerLimits, type PickerLimits } from './picker-limits.ts';
import { PieceSet } from '../shared/piece-set.ts';
import type { Random } from '../shared/random.ts';
import { RateGovernor } from './rate-governor.ts';
import { SpareLines } from './spare-lines.ts';
import { type Request, RequestBook } from './request-book.ts';

export interface PieceRequest {
  readonly parentId: string;
  readonly piece: number;
  /** A second request for a piece that is late elsewhere. The daemon lets it take over from the first: two do not write one piece. */
  readonly hedge: boolean;
}

export interface PickerOptions {
  readonly pieceCount: number;
  readonly pieceLengthBytes: number;
  readonly contentLengthBytes?: number | undefined;
  /** Pieces this download needs; absent for all. */
  readonly wanted?: PieceSet;
  /** Pieces already on disk; kept up to date from here on. */
  readonly held?: PieceSet;
  readonly random: Random;
  readonly limits?: Partial<PickerLimits>;
  /** The downlink where it is known, such as a configured rate limit; otherwise it is learned. */
  readonly capacityBytesPerSec?: number | undefined;
  readonly order?: PieceOrder;
}

export interface ParentOptions {
  readonly distance?: number;
  /** Shared by all downloads that hear of this host's load. */
  readonly load?: HostLoad;
  /** Kept with the other facts about the parent, for the caller. */
  readonly life?: Watched;
}

export class PiecePicker {
  readonly #limits: PickerLimits;
  readonly #pieceCount: number;
  readonly #missing: PieceSet;
  readonly #held: PieceSet;
  /** Missing, neither in flight nor on its way from the origin. */
  readonly #open: PieceSet;
  readonly #parents: ParentBook;
  readonly #hedges: Hedges;
  readonly #requests = new RequestBook();
  /** Pieces this daemon is fetching from the origin itself. */
  readonly #atOrigin = new PieceSet();
  readonly #offers = new Map<number, string>();
  #readPositions: readonly number[] = [];
  readonly #governor: RateGovernor;
  readonly #spare = new SpareLines();
  #rateBytesPerSec = 0;
  #latestBytesPerSec = 0;

  constructor(options: PickerOptions) {
    this.#limits = { ...defaultPickerLimits, ...options.limits };
    this.#governor = new RateGovernor({ capacityBytesPerSec: options.capacityBytesPerSec });
    this.#pieceCount = options.pieceCount;
    this.#hedges = new Hedges(this.#limits, options.pieceLengthBytes);
    this.#held = options.held ?? new PieceSet(options.pieceCount);
    this.#missing = (options.wanted ?? PieceSet.range(0, options.pieceCount)).difference(this.#held);
    this.#open = this.#missing.clone();
    this.#parents = new ParentBook({ ...options, order: options.order ?? 'rarest', limits: this.#limits });
  }

  get isComplete(): boolean {
    return this.#missing.count === 0;
  }

  get inFlightCount(): number {
    return this.#requests.waiting + this.#requests.running;
  }

  /** No request is under way. */
  get isIdle(): boolean {
    return this.#requests.isEmpty;
  }

  /** Pieces are missing that nobody brings. */
  get isStarved(): boolean {
    return this.#open.count > 0;
  }

  /** Something was requested of this parent. */
  owes(parentId: string): boolean {
    const parent = this.#parents.get(parentId);
    return parent !== undefined && this.#requests.areAny(parent);
  }

  /** All requests for these pieces. */
  requestsFor(pieces: PieceSet): readonly { readonly parentId: string; readonly piece: number }[] {
    if (this.#requests.isEmpty || pieces.count === 0) return [];
    return Array.from(this.#requests.pieces()).flatMap(([piece, requests]) =>
      pieces.has(piece) ? requests.map(({ parent }) => ({ parentId: parent.id, piece })) : [],
    );
  }

  isInFlight(parentId: string, piece: number): boolean {
    return this.#requests.find(parentId, piece) !== undefined;
  }

  /**
   * Until then no announcement of a parent leads to a request, unless something else happens here. While pieces arrive,
   * checking this often is enough to notice that they no longer fill the link.
   */
  deafUntilMs(nowMs: number): number {
    const { running, waiting } = this.#requests;
    if (running >= this.#limits.maxRunning || waiting >= this.#limits.maxWaiting) return Number.POSITIVE_INFINITY;
    return this.#hasRoom(nowMs) ? nowMs : nowMs + this.#limits.lookAgainMs;
  }

  /**
   * Whether this parent would be asked for something now, so that its announcement is worth a call of next(). Most
   * announcements are not, and this check is far cheaper.
   */
  wouldAsk(parentId: string, nowMs: number, rateBytesPerSec = 0, latestBytesPerSec = rateBytesPerSec): boolean {
    this.#rateBytesPerSec = rateBytesPerSec;
    this.#latestBytesPerSec = latestBytesPerSec;
    if (this.#requests.waiting >= this.#limits.maxWaiting) return false;
    const parent = this.#parents.get(parentId);
    if (!parent || !this.#parents.mayAsk(parent, nowMs) || !this.#hasRoom(nowMs)) return false;
    return this.#open.firstCommon(parent.has) !== undefined || this.#requests.hedges(parent, nowMs);
  }

  /** False when the parent was banned before or there are too many; its announcements are then ignored. */
  parentAdded(parentId: string, { distance = 1, load = new HostLoad(), life }: ParentOptions = {}): boolean {
    return this.#parents.add(parentId, distance, load, life);
  }

  lifeOf(parentId: string): Watched | undefined {
    return this.#parents.get(parentId)?.life;
  }

  /** Its requests are forgotten; the pieces become free for others. */
  parentRemoved(parentId: string): void {
    const parent = this.#parents.get(parentId);
    if (!parent) return;
    this.#parents.remove(parent);
    for (const request of this.#requests.toParent(parent)) this.#forget(request);
  }

  /** Some parent holds the piece. */
  isOffered(piece: number): boolean {
    return this.#parents.isOffered(piece);
  }

  /** Adds to what the parent is known to hold. Unknown parents and pieces outside the content are ignored. */
  parentHas(parentId: string, pieces: PieceSet | number): void {
    const parent = this.#parents.get(parentId);
    if (parent) this.#parents.has(parent, pieces);
  }

  /** How many uploads run and wait at the parent, as it announces; or update the HostLoad it was added with. */
  parentLoad(parentId: string, load: number): void {
    this.#parents.get(parentId)?.load.says(load);
  }

  /**
   * The parent wants this child to take the piece and pass it on: it is at the origin and sends everybody something
   * different (SuperSeeder). Such a piece is requested at once, in addition to all others: while it waits for its turn
   * and shares the parent's uplink, the other parents must not wait.
   */
  parentOffers(parentId: string, piece: number): void {
    this.parentHas(parentId, piece);
    if (this.#parents.get(parentId) && this.#open.has(piece)) this.#offers.set(piece, parentId);
  }

  /** Piece numbers where in-order readers wait; empty when nobody reads along. */
  setReadPositions(positions: readonly number[]): void {
    this.#readPositions = positions;
  }

  /** Widens the download for a reader with another range. */
  want(pieces: PieceSet): void {
    const more = pieces.difference(this.#held).difference(this.#missing);
    this.#missing.addAll(more);
    this.#open.addAll(more.difference(this.#atOrigin));
  }

  /** Pieces of an origin lease: not requested of parents until they arrive or `originReleased` gives them back. */
  originFetching(pieces: PieceSet): void {
    this.#atOrigin.addAll(pieces);
    for (const piece of pieces) this.#open.delete(piece);
  }

  originReleased(): void {
    for (const piece of this.#atOrigin) {
      this.#atOrigin.delete(piece);
      this.#reopen(piece);
    }
  }

  /**
   * A verified piece is on disk; `parentId` undefined when it came from the origin. Returns the other requests for the
   * same piece, which the caller should cancel; they are forgotten here already.
   */
  pieceArrived(piece: number, parentId: string | undefined, nowMs: number): PieceRequest[] {
    const others: PieceRequest[] = [];
    for (const request of this.#requests.of(piece)) {
      if (request.parent.id === parentId) this.#parents.delivered(request, nowMs);
      else others.push({ parentId: request.parent.id, piece, hedge: false });
      this.#forget(request);
    }
    this.#missing.delete(piece);
    this.#hedges.arrived(piece);
    this.#open.delete(piece);
    this.#held.add(piece);
    this.#atOrigin.delete(piece);
    return others;
  }

  /** A piece is no longer on disk and has to be fetched again, if it is still wanted. */
  pieceLost(piece: number, wanted: boolean): void {
    if (wanted) this.#missing.add(piece);
    this.#reopen(piece);
  }

  /** The first bytes of the piece came in. */
  requestStarted(parentId: string, piece: number, nowMs: number): void {
    const request = this.#requests.find(parentId, piece);
    if (!request || request.state === 'running') return;
    if (!request.beside) this.#governor.added(this.#requests.running, nowMs, this.#rateBytesPerSec);
    this.#requests.began(request);
    request.parent.stats.responded(nowMs - request.startedAtMs);
  }

  /** What is left of the piece will be here within about a round trip; the next request can go out. */
  pieceEnding(parentId: string, piece: number, nowMs: number): void {
    const request = this.#requests.find(parentId, piece);
    if (!request) return;
    this.#requests.setAside(request);
    this.#hedges.ending(request, nowMs);
  }

  /**
   * `busy`: the parent's queue is full; it is asked again when it announces another load or after a moment.
   * `temporary`: the parent stays until it fails repeatedly. `gone`: it does not hold this piece (any more). `corrupt`:
   * the piece is not what it should be; the parent is banned for the rest of this download.
   */
  requestFailed(
    parentId: string,
    piece: number,
    reason: 'busy' | 'temporary' | 'gone' | 'corrupt',
    nowMs: number,
  ): void {
    const parent = this.#parents.get(parentId);
    const request = this.#requests.find(parentId, piece);
    if (request) this.#forget(request);
    if (!parent) return;
    if (reason === 'busy') this.#parents.refused(parent, request?.drops ?? parent.load.drops, nowMs);
    else this.#parents.failed(parent, piece, reason, nowMs);
    if (reason === 'corrupt') this.parentRemoved(parentId);
  }

  /** The caller has abandoned the request; this says nothing about the parent. */
  requestCancelled(parentId: string, piece: number): void {
    const request = this.#requests.find(parentId, piece);
    if (request) this.#forget(request);
  }

  /**
   * Requests to start now. Each counts as in flight from here on. `rateBytesPerSec`: the current rate of all running
   * requests together, by which the picker judges whether one more would help; `latestBytesPerSec`: the same over the
   * last 75 ms.
   */
  next(nowMs: number, rateBytesPerSec = 0, latestBytesPerSec = rateBytesPerSec): PieceRequest[] {
    this.#rateBytesPerSec = rateBytesPerSec;
    this.#latestBytesPerSec = latestBytesPerSec;
    this.#requests.setLateAside(nowMs - this.#limits.answerMs);
    const started: PieceRequest[] = [];
    for (const [piece, parentId] of this.#offers) {
      this.#offers.delete(piece);
      const parent = this.#parents.get(parentId);
      if (!parent?.has.has(piece) || !this.#open.has(piece)) continue;
      this.#start({ parent, piece }, nowMs, true);
      started.push({ parentId, piece, hedge: false });
    }
    while (this.#hasRoom(nowMs)) {
      const choice = this.#choose(nowMs);
      const hedge = choice ? undefined : this.#chooseHedge(nowMs);
      const chosen = choice ?? hedge;
      if (!chosen) break;
      this.#start(chosen, nowMs);
      if (hedge) this.#hedges.hedged(hedge.piece);
      started.push({ parentId: chosen.parent.id, piece: chosen.piece, hedge: hedge !== undefined });
    }
    return started;
  }

  /** When next() may have something to do without an event: an answer or a hedge is due, or a parent returns. */
  nextWakeMs(nowMs: number): number | undefined {
    const wake = Math.min(
      this.#requests.nextWakeMs(nowMs, this.#limits),
      this.#parents.firstReturnMs(nowMs),
      this.#nextLookMs(nowMs),
    );
    return Number.isFinite(wake) ? wake : undefined;
  }

  #hasRoom(nowMs: number): boolean {
    const { running, waiting } = this.#requests;
    if (running >= this.#limits.maxRunning || waiting >= this.#limits.maxWaiting) return false;
    return (
      this.#governor.mayAdd(running, nowMs, this.#rateBytesPerSec, this.#latestBytesPerSec) ||
      running <= this.#spare.welcome(nowMs, this.#rateBytesPerSec, () => this.#parents.idleShare(this.#open))
    );
  }

  /** When to check whether more transfers are welcome. */
  #nextLookMs(nowMs: number): number {
    const { running, waiting } = this.#requests;
    const looks = running > 0 && running < this.#limits.maxRunning && waiting < this.#limits.maxWaiting;
    return looks && this.#open.count > 0 ? Math.max(nowMs + 1, this.#spare.nextLookMs) : Number.POSITIVE_INFINITY;
  }

  #choose(nowMs: number): Choice | undefined {
    if (this.#open.count === 0) return undefined;
    for (const from of this.#readPositions) {
      const choice = this.#bestOf(this.#window(from, this.#limits.readerWindow), nowMs);
      if (choice) return choice;
    }
    return this.#bestOf(
      this.#open.count <= this.#limits.scanWindow ? this.#open : this.#window(0, this.#limits.scanWindow),
      nowMs,
    );
  }

  /** Of the next `size` missing pieces from `from` on, those that are open. */
  #window(from: number, size: number): PieceSet {
    const window = new PieceSet(this.#pieceCount);
    let seen = 0;
    for (const piece of this.#missing) {
      if (piece < from) continue;
      if (seen >= size) break;
      seen += 1;
      if (this.#open.has(piece)) window.add(piece);
    }
    return window;
  }

  /** The first piece is chosen at random: if every peer started with the rarest, all would want the same few. */
  #bestOf(pieces: PieceSet, nowMs: number): Choice | undefined {
    return this.#parents.best(pieces, nowMs, this.#held.count === 0 && this.#requests.isEmpty);
  }

  #chooseHedge(nowMs: number): Choice | undefined {
    const pace = { nowMs, rateBytesPerSec: this.#rateBytesPerSec, begun: this.#requests.begun };
    for (const [piece, requests] of this.#requests.pieces()) {
      const first = requests[0];
      if (!first || requests.length >= this.#limits.maxCopies || nowMs < first.hedgeAtMs) continue;
      const usualMs = this.#parents.usualMs(first.parent);
      if (this.#atOrigin.has(piece) || this.#hedges.keepsPace(first, { ...pace, usualMs })) continue;
      const best = this.#parents.bestFor(piece, requests, nowMs);
      if (best) return { piece, parent: best };
    }
    return undefined;
  }

  #start({ parent, piece }: Choice, nowMs: number, beside = false): void {
    const hedgeAtMs = this.#hedges.dueMs(piece, this.#parents.usualMs(parent), nowMs);
    this.#requests.add({ parent, piece, startedAtMs: nowMs, hedgeAtMs, beside });
    this.#open.delete(piece);
    if (!beside) this.#parents.asked(parent, nowMs);
  }

  #forget(request: Request): void {
    this.#requests.remove(request);
    this.#reopen(request.piece);
  }

  #reopen(piece: number): void {
    if (this.#missing.has(piece) && !this.#requests.has(piece) && !this.#atOrigin.has(piece)) this.#open.add(piece);
  }
}
