/**
 * One download on one node, as a state machine: an event goes in, effects come out. It owns what is held, missing, offered and
 * asked of whom, the leases of the origin, the session with the scheduler, and every deadline; it waits for nothing, and knows
 * neither clock nor network. The daemon runs it over sockets, the simulator over a fluid network.
 * It never gives up while somebody can still give something; without scheduler and parents it goes to the origin itself.
 */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { ErrorCode } from '../../../core/errors.ts';
import { PieceSet } from '../../shared/piece-set.ts';
import { Completion } from './completion.ts';
import type { DownloadRules } from './download-rules.ts';
import type { FailureCause, PeerEffect } from './effects.ts';
import type { ExchangeEvent, Moment, OriginEvent, PeerEvent } from './events.ts';
import type { OriginLease } from './origin-lease.ts';
import { OriginLeases } from './origin-leases.ts';
import { ParentExchange, type ParentExchangeOptions } from './parent-exchange.ts';
import { PieceReports } from './piece-reports.ts';
import { PartReaders } from './part-readers.ts';
import { SessionWatch } from './session-watch.ts';
import { Starvation } from './starvation.ts';

export interface PeerMachineOptions extends ParentExchangeOptions, DownloadRules {}

const none: readonly PeerEffect[] = [];

export class PeerMachine {
  readonly #options: PeerMachineOptions;
  readonly #session: SessionWatch;
  readonly #leases: OriginLeases;
  readonly #readers: PartReaders;
  readonly #reports = new PieceReports();
  readonly #starvation = new Starvation();
  readonly #completion = new Completion();
  /** Replaced by a new one when pieces of other nodes proved corrupt. */
  #exchange: ParentExchange;
  #effects: PeerEffect[] = [];
  /** Time of the event that is being applied. */
  #nowMs = 0;
  /** `settled`: being verified, or failed. */
  #state: 'new' | 'running' | 'settled' = 'new';
  /** Pieces of other nodes proved corrupt: only the origin is asked. */
  #isAlone = false;
  #isAbandoned = false;
  #isWaiting = false;

  constructor(options: PeerMachineOptions) {
    this.#options = options;
    this.#session = new SessionWatch(options.picker.random);
    this.#leases = new OriginLeases(
      (effect) => {
        // A due report is also a sign of life.
        if (effect.kind !== 'report-lease-alive' || this.#reports.dueMs === Infinity) this.#effects.push(effect);
      },
      options.picker.random,
      (piece) => this.#exchange.isElsewhere(piece),
    );
    this.#readers = new PartReaders({
      prefetch: options.prefetch === true,
      leases: this.#leases,
      emit: (effect) => this.#effects.push(effect),
      ask: (range) => this.#askForReader(range),
      grant: (lease) => this.#leases.take(lease, this.#nowMs, 'self'),
    });
    this.#exchange = this.#newExchange(new PieceSet());
  }

  /** When to send a `tick`; infinite while nothing falls due. */
  get dueMs(): number {
    const dueMs = Math.min(this.#exchange.dueMs, this.#leases.dueMs, this.#session.dueMs);
    return Math.min(dueMs, this.#reports.dueMs, this.#starvation.dueMs, this.#readers.dueMs);
  }

  /** Until then, no load announcement of a parent leads to a request, so it need not be handled. */
  get deafUntilMs(): number {
    return this.#exchange.deafUntilMs;
  }

  /** No request to a parent is under way. */
  get isIdle(): boolean {
    return this.#exchange.isIdle;
  }

  get parentCount(): number {
    return this.#exchange.parentCount;
  }

  /** The download still waits for something. */
  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Everything is wanted, not only parts. */
  get wantsWhole(): boolean {
    return this.#exchange.wanted === undefined;
  }

  /** What this node fetches from the origin, and under which lease. */
  get leases(): Pick<OriginLeases, 'isActive' | 'openEnded' | 'pieces'> {
    return this.#leases;
  }

  isInFlight(parentId: string, piece: number): boolean {
    return this.#exchange.isInFlight(parentId, piece);
  }

  step(event: PeerEvent, moment: Moment): readonly PeerEffect[] {
    this.#nowMs = moment.nowMs;
    if (event.kind === 'parent-has')
      this.#exchange.apply(event, moment); // comes more often than all others together
    else this.#apply(event, moment);
    this.#judge(moment);
    if (this.#effects.length === 0) return none;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  // ── session ────────────────────────────────────────────────────────────────────────────────────────────────────

  #apply(event: PeerEvent, moment: Moment): void {
    switch (event.kind) {
      case 'started':
        this.#state = 'running';
        this.#exchange.held.addAll(event.held);
        return this.#openSession(false);
      case 'session-opened':
        return this.#sessionOpened(event.extended);
      case 'session-ended':
        this.#reports.reset();
        if (this.#session.ended(event, moment.nowMs)) return this.#refused(event.mayDiffer, moment);
        return this.#starvation.schedulerLost();
      case 'host-taken':
        return this.#session.hostTaken(moment.nowMs);
      case 'reader-came':
        this.#isAbandoned = false;
        return this.#readers.came(event.reader, event.range, { isHere: event.isHere, nowMs: moment.nowMs });
      case 'reader-left':
        return this.#readers.left(event.reader);
      case 'readers-measured':
        if (event.alone) this.#readers.wentAlone(event, moment.nowMs);
        else this.#readers.looked(event, moment.nowMs);
        return this.#originChanged(moment);
      case 'readers-left':
        this.#isAbandoned = true;
        if (this.wantsWhole && !this.#completion.isVerifying) this.#leaveOff(moment.nowMs); // complete content is still worth verifying
        return;
      case 'verified':
        return this.#finish(moment.nowMs);
      case 'unproven':
        return this.#unproven(event.code);
      case 'storage-failed':
        return this.#fail('storage');
      case 'settled':
        this.#state = 'settled';
        return;
      case 'others-disproved':
        return this.#leaveOthers();
      case 'started-over':
        this.#state = 'running';
        this.#exchange = this.#newExchange(this.#exchange.wanted);
        this.#leases.layoutKnown(undefined, moment.nowMs);
        return this.#goToOrigin(moment);
      default:
        return this.#applyOrigin(event, moment);
    }
  }

  #newExchange(wanted: PieceSet | undefined): ParentExchange {
    return new ParentExchange(this.#options, wanted, (effect) => this.#effects.push(effect));
  }

  #openSession(renewId: boolean): void {
    if (this.#session.isOpen) this.#effects.push({ kind: 'leave-session' });
    this.#session.opening();
    this.#effects.push({ kind: 'open-session', renewId, readerRange: this.#readers.register() });
  }

  /** Held pieces are reported at once; later reports continue from there. */
  #sessionOpened(extended: boolean): void {
    this.#session.connected(extended);
    this.#reports.reset();
    const { held } = this.#exchange;
    if (this.#session.isLeasing && held.count > 0) this.#effects.push({ kind: 'report-held', held: held.clone() });
    this.#readers.connected();
  }

  /** The origin's answer to others does not apply to a node with credentials of its own. */
  #refused(mayDiffer: boolean, moment: Moment): void {
    if (this.#leases.hasFailed || !mayDiffer) this.#fail('refused');
    else if (this.#state === 'running' && !this.#leases.isActive) this.#goToOrigin(moment);
  }

  #fail(because: FailureCause, patienceMs = 0): void {
    this.#effects.push({ kind: 'fail', because, patienceMs });
  }

  #leaveOff(nowMs: number): void {
    this.#state = 'settled';
    this.#flush(nowMs);
    this.#effects.push({ kind: 'leave-off' });
  }

  #askForReader(range: RangeSpec): boolean {
    if (!this.#session.isLeasing) return false;
    this.#flush(this.#nowMs);
    this.#effects.push({ kind: 'ask-for-reader', range });
    return true;
  }

  // ── content ────────────────────────────────────────────────────────────────────────────────────────────────────

  #pieceLanded(event: Extract<ExchangeEvent, { kind: 'piece-landed' }>, moment: Moment): void {
    this.#completion.landed(event.parentId);
    if (this.#session.isLeasing) this.#reports.landed(event, moment.nowMs);
    else if (this.#session.isOpen) this.#effects.push({ ...event, kind: 'report-piece' });
    this.#exchange.apply(event, moment);
    this.#verifyIfComplete();
  }

  /** The content that was being verified has changed. */
  #pieceLost(event: Extract<ExchangeEvent, { kind: 'piece-lost' }>, moment: Moment): void {
    if (this.#completion.dropped()) this.#state = 'running';
    this.#exchange.apply(event, moment);
    this.#originChanged(moment); // a running fetch brings it again
    // A scheduler that overestimates what is held here would not send anybody to give it.
    if (this.#session.isLeasing && !this.#leases.isActive && this.#exchange.isIdle) this.#openSession(true);
    this.#verifyIfComplete();
  }

  /** While a fetch for a part is running, more of the content may be on its way. */
  #verifyIfComplete(): void {
    const { completion: has } = this.#exchange;
    if (this.#state !== 'running' || has === 'less' || (has === 'part' && this.#leases.isActive)) return;
    this.#state = 'settled';
    this.#effects.push(this.#completion.verify(has));
  }

  #finish(nowMs: number): void {
    const finish = this.#completion.finish();
    if (finish) this.#flush(nowMs);
    if (finish) this.#effects.push(finish);
  }

  /** Pieces of other nodes are corrupt: one more try, with the origin alone. */
  #unproven(code: ErrorCode): void {
    if (!this.#completion.dropped()) return;
    const isForged = code === 'DIGEST_MISMATCH' && this.#completion.fromParents > 0;
    if (isForged && this.#options.mayGoToOrigin && !this.#isAbandoned) this.#leaveOthers();
    else this.#fail('unproven');
  }

  #leaveOthers(): void {
    this.#state = 'settled';
    this.#isAlone = true;
    this.#completion.fromParents = 0;
    this.#exchange.leaveAll();
    this.#session.left();
    this.#reports.reset();
    this.#effects.push({ kind: 'leave-session' }, { kind: 'start-over' });
  }

  /** Reports every finished piece before the scheduler is asked for something. */
  #flush(nowMs: number): void {
    const report = this.#reports.take(nowMs);
    if (report) this.#effects.push(report);
  }

  #applyExchange(event: ExchangeEvent, moment: Moment): void {
    switch (event.kind) {
      case 'tick':
        this.#tick(moment);
        return this.#exchange.apply(event, moment);
      case 'layout-known':
        return this.#layoutKnown(event, moment);
      case 'parents-offered':
        if (this.#isAlone) return;
        this.#session.gaveParents();
        return this.#exchange.apply(event, moment);
      case 'parents-withdrawn':
        if (event.parentIds.length === 0) this.#starvation.promised(moment.nowMs, this.#options.scheduleTimeoutMs);
        return this.#exchange.apply(event, moment);
      case 'piece-landed':
        return this.#pieceLanded(event, moment);
      case 'piece-lost':
        return this.#pieceLost(event, moment);
      case 'wanted':
        return this.#want(event, moment);
      default:
        return this.#exchange.apply(event, moment);
    }
  }

  #want(event: Extract<ExchangeEvent, { kind: 'wanted' }>, moment: Moment): void {
    this.#isAbandoned = false;
    const widens = event.pieces === undefined && !this.wantsWhole;
    this.#exchange.apply(event, moment);
    if (widens) this.#readers.wantWhole();
  }

  // ── origin ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #applyOrigin(event: OriginEvent | ExchangeEvent, moment: Moment): void {
    switch (event.kind) {
      case 'lease-granted':
        return this.#granted(event.lease, moment);
      case 'lease-revoked':
        this.#leases.revoke(event.leaseId);
        break;
      case 'origin-needed':
        if (this.#state !== 'running' || this.#leases.isActive) return;
        if (this.#options.mayGoToOrigin) this.#goToOrigin(moment);
        else this.#fail('no-origin');
        return;
      case 'origin-answered':
        this.#leases.answered(event.fetch, event.ranges);
        break;
      case 'origin-fetched':
        this.#leases.ended(event.fetch, moment.nowMs);
        break;
      case 'origin-failed':
        if (this.#leases.goesOn(event, moment.nowMs)) break;
        this.#flush(moment.nowMs);
        if (this.#leases.failed(event, this.parentCount > 0)) this.#fail('origin');
        break;
      default:
        return this.#applyExchange(event, moment);
    }
    this.#originChanged(moment);
    this.#verifyIfComplete();
  }

  /** A restarted scheduler of the original sends the first peer it sees to the origin; a peer whose parents are giving does not go. */
  #granted(lease: OriginLease, moment: Moment): void {
    const isFed = this.#session.isOriginal && this.parentCount > 0 && this.#completion.fromParents > 0;
    if (isFed || this.#isAlone) return;
    this.#leases.take(lease, moment.nowMs);
    this.#originChanged(moment);
  }

  /** Goes to the origin without a lease. */
  #goToOrigin(moment: Moment): void {
    this.#readers.goAlone(this.#leases.ranges !== false);
    this.#originChanged(moment);
  }

  #originChanged(moment: Moment): void {
    const pieces = this.#leases.pieces({ whole: false });
    this.#exchange.originFetching(pieces, this.#leases.pieces({ whole: true }), moment);
  }

  #layoutKnown(event: Extract<ExchangeEvent, { kind: 'layout-known' }>, moment: Moment): void {
    this.#leases.layoutKnown(event, moment.nowMs);
    this.#originChanged(moment);
    this.#exchange.apply(event, moment);
    this.#verifyIfComplete();
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #tick(moment: Moment): void {
    const { nowMs } = moment;
    if (nowMs >= this.#session.dueMs) this.#openSession(this.#session.needsNewId);
    if (nowMs >= this.#reports.dueMs) this.#flush(nowMs);
    if (nowMs >= this.#leases.dueMs && this.#leases.tick(nowMs)) this.#originChanged(moment);
    if (nowMs >= this.#readers.dueMs) this.#readers.tick(nowMs);
    if (nowMs >= this.#starvation.dueMs) this.#starved(moment);
  }

  /** The last resort, when nothing is running and nobody gives anything. */
  #starved(moment: Moment): void {
    const { patienceMs } = this.#starvation;
    if (this.#starvation.ended(this.#session.isLeasing) === 'ask') {
      this.#flush(moment.nowMs);
      this.#effects.push({ kind: 'ask-scheduler', patienceMs });
    } else if (this.#options.mayGoToOrigin) {
      this.#effects.push({ kind: 'nobody-gives', patienceMs });
      this.#goToOrigin(moment);
    } else this.#fail('starved', patienceMs);
  }

  /** Derives effects from the state alone, whatever event led to it. */
  #judge(moment: Moment): void {
    if (this.#isAbandoned && this.#state === 'running' && !this.#leases.bringsPieces) this.#leaveOff(moment.nowMs);
    const isWaiting = this.#state === 'running' && this.#exchange.isIdle && !this.#leases.isActive;
    if (isWaiting !== this.#isWaiting) {
      this.#isWaiting = isWaiting;
      this.#effects.push({ kind: 'waiting', isWaiting });
    }
    if (!isWaiting) return this.#starvation.busy();
    const { mayGoToOrigin, hasFallback = false, scheduleTimeoutMs, pieceTimeoutMs } = this.#options;
    const hasParents = this.parentCount > 0;
    const hasAnotherWay = mayGoToOrigin || hasFallback;
    if (hasParents && !hasAnotherWay) return this.#starvation.busy();
    const { state: scheduler, isSilent } = this.#session;
    const hopes = { scheduler, isSilent, kinds: moment.schedulers, hasParents, scheduleTimeoutMs, pieceTimeoutMs };
    this.#starvation.idle(moment.nowMs, hopes, hasAnotherWay);
  }
}
