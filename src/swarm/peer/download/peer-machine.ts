/**
 * One download on one node, as a state machine: an event goes in, effects come out. It owns what is held, missing, offered and
 * asked of whom, the leases of the origin, the session with the scheduler, and every deadline; it waits for nothing, and knows
 * neither clock nor network. The daemon runs it over sockets, the simulator over a fluid network.
 *
 * It never gives up while somebody can still give something; without scheduler and parents it goes to the origin itself.
 */
import type { PeerEffect } from './effects.ts';
import type { ExchangeEvent, Moment, OriginEvent, PeerEvent, SessionEvent } from './events.ts';
import type { OriginLease } from './origin-lease.ts';
import { OriginLeases } from './origin-leases.ts';
import { ParentExchange, type ParentExchangeOptions } from './parent-exchange.ts';
import { SessionWatch } from './session-watch.ts';
import { patienceMs, Starvation } from './starvation.ts';

export interface PeerMachineOptions extends ParentExchangeOptions, DownloadRules {}

/** What the request for a download and the configuration of its node say. */
export interface DownloadRules {
  /** This node may fetch from the origin without the scheduler's word. */
  readonly mayGoToOrigin: boolean;
  /** How long a scheduler may leave this download without anything to do. */
  readonly scheduleTimeoutMs: number;
  /** How long parents that are there may. */
  readonly pieceTimeoutMs: number;
}

const none: readonly PeerEffect[] = [];

export class PeerMachine {
  readonly #rules: DownloadRules;
  readonly #session: SessionWatch;
  readonly #leases: OriginLeases;
  readonly #exchange: ParentExchange;
  readonly #starvation = new Starvation();
  #effects: PeerEffect[] = [];
  /** `settled`: being verified, or failed. */
  #state: 'new' | 'running' | 'settled' = 'new';
  /** What other nodes gave was wrong. */
  #isAlone = false;
  #isAbandoned = false;
  #isWaiting = false;
  #schedulerSeen = false;
  readonly #landed = { fromParents: 0, fromOrigin: 0 };

  constructor(options: PeerMachineOptions) {
    const emit = (effect: PeerEffect): unknown => this.#effects.push(effect);
    this.#rules = options;
    this.#session = new SessionWatch(options.picker.random);
    this.#leases = new OriginLeases(emit);
    this.#exchange = new ParentExchange(options, emit);
  }

  /** When to send a `tick`; infinite while nothing falls due. */
  get dueMs(): number {
    return Math.min(this.#exchange.dueMs, this.#leases.dueMs, this.#session.dueMs, this.#starvation.dueMs);
  }

  /** Before that, nothing a parent says of its load leads to a request: it need not be heard. */
  get deafUntilMs(): number {
    return this.#exchange.deafUntilMs;
  }

  /** No request to a parent is under way. */
  get isIdle(): boolean {
    return this.#exchange.isIdle;
  }

  /** Parents that are listened to. */
  get parentCount(): number {
    return this.#exchange.parentCount;
  }

  /** Pieces that have come since the download began; none from parents that counts, once others were disproved. */
  get landed(): { readonly fromParents: number; readonly fromOrigin: number } {
    return this.#landed;
  }

  /** What this node fetches from the origin, and under which lease. */
  get leases(): Pick<OriginLeases, 'isActive' | 'openEnded' | 'pieces'> {
    return this.#leases;
  }

  isInFlight(parentId: string, piece: number): boolean {
    return this.#exchange.isInFlight(parentId, piece);
  }

  step(event: PeerEvent, moment: Moment): readonly PeerEffect[] {
    this.#apply(event, moment);
    this.#judge(moment);
    if (this.#effects.length === 0) return none;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #apply(event: PeerEvent, moment: Moment): void {
    switch (event.kind) {
      case 'started':
      case 'session-opened':
      case 'session-ended':
      case 'host-taken':
      case 'reader-came':
      case 'readers-left':
      case 'settled':
      case 'others-disproved':
      case 'started-over':
        return this.#applySession(event, moment);
      case 'lease-granted':
      case 'lease-revoked':
      case 'origin-needed':
      case 'origin-answered':
      case 'origin-fetched':
      case 'origin-failed':
        return this.#applyOrigin(event, moment);
      case 'tick':
        this.#tick(moment);
        return this.#exchange.apply(event, moment);
      case 'layout-known':
        return this.#layoutKnown(event, moment);
      case 'parents-offered':
        if (this.#isAlone) return;
        this.#session.gaveParents();
        return this.#exchange.apply(event, moment);
      case 'piece-landed':
        if (event.parentId === undefined) this.#landed.fromOrigin += 1;
        else this.#landed.fromParents += 1;
        return this.#exchange.apply(event, moment);
      default:
        return this.#exchange.apply(event, moment);
    }
  }

  // ── session ────────────────────────────────────────────────────────────────────────────────────────────────────

  #applySession(event: SessionEvent, moment: Moment): void {
    switch (event.kind) {
      case 'started':
        this.#state = 'running';
        return this.#openSession(false);
      case 'session-opened':
        return this.#session.connected(event.extended);
      case 'session-ended':
        if (this.#session.ended(event, moment.nowMs)) return this.#refused(event.mayDiffer);
        return this.#starvation.schedulerLost();
      case 'host-taken':
        return this.#session.hostTaken(moment.nowMs);
      case 'reader-came':
        this.#isAbandoned = false;
        return;
      case 'readers-left':
        this.#isAbandoned = true;
        if (event.whole) this.#leaveOff();
        return;
      case 'settled':
        this.#state = 'settled';
        return;
      case 'others-disproved':
        this.#state = 'settled';
        this.#isAlone = true;
        this.#landed.fromParents = 0;
        this.#exchange.leaveAll();
        this.#session.left();
        this.#effects.push({ kind: 'leave-session' });
        return;
      case 'started-over':
        this.#state = 'running';
        this.#leases.layoutKnown(undefined, moment.nowMs);
        return this.#goToOrigin(undefined);
    }
  }

  #openSession(renewId: boolean): void {
    this.#session.opening();
    this.#effects.push({ kind: 'open-session', renewId });
  }

  /** The origin's answer to others does not apply to a node with credentials of its own. */
  #refused(mayDiffer: boolean): void {
    if (this.#leases.hasFailed || !mayDiffer) this.#effects.push({ kind: 'fail', because: 'refused', patienceMs: 0 });
    else if (this.#state === 'running' && !this.#leases.isActive) this.#goToOrigin(undefined);
  }

  #leaveOff(): void {
    this.#state = 'settled';
    this.#effects.push({ kind: 'leave-off' });
  }

  // ── origin ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #applyOrigin(event: OriginEvent, moment: Moment): void {
    switch (event.kind) {
      case 'lease-granted':
        return this.#granted(event.lease, event.by, moment);
      case 'lease-revoked':
        this.#leases.revoke(event.leaseId);
        break;
      case 'origin-needed':
        if (this.#state !== 'running' || this.#leases.isActive) return;
        if (this.#rules.mayGoToOrigin) this.#goToOrigin(undefined);
        else this.#effects.push({ kind: 'fail', because: 'no-origin', patienceMs: 0 });
        return;
      case 'origin-answered':
        this.#leases.answered(event.fetch, event.ranges);
        break;
      case 'origin-fetched':
        this.#leases.ended(event.fetch, moment.nowMs);
        break;
      case 'origin-failed': {
        const { fetch, code, temporary } = event;
        const isFinal = this.#leases.failed(fetch, code, { temporary, hasParents: this.parentCount > 0 });
        if (isFinal) this.#effects.push({ kind: 'fail', because: 'origin', patienceMs: 0 });
      }
    }
    this.#originChanged(moment);
  }

  /** A scheduler of the original that has restarted sends whoever comes first to the origin: not one whose parents give. */
  #granted(lease: OriginLease, by: 'scheduler' | 'self', moment: Moment): void {
    const isFed = this.#session.isOriginal && this.parentCount > 0 && this.#landed.fromParents > 0;
    if (by === 'scheduler' && (isFed || this.#isAlone)) return;
    this.#leases.take(lease, moment.nowMs, by);
    this.#originChanged(moment);
  }

  #goToOrigin(patience: number | undefined): void {
    this.#effects.push({ kind: 'go-to-origin', byRange: this.#leases.ranges !== false, patienceMs: patience });
  }

  #originChanged(moment: Moment): void {
    const pieces = this.#leases.pieces({ whole: false });
    this.#exchange.originFetching(pieces, this.#leases.pieces({ whole: true }), moment);
  }

  #layoutKnown(event: Extract<ExchangeEvent, { kind: 'layout-known' }>, moment: Moment): void {
    this.#leases.layoutKnown(event, moment.nowMs);
    this.#originChanged(moment);
    if (!this.#isAlone) this.#exchange.apply(event, moment);
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #tick(moment: Moment): void {
    const { nowMs } = moment;
    if (nowMs >= this.#session.dueMs) this.#openSession(this.#session.needsNewId);
    if (nowMs >= this.#leases.dueMs && this.#leases.tick(nowMs)) this.#originChanged(moment);
    if (nowMs >= this.#starvation.dueMs) this.#starved();
  }

  /** The last resort, with nothing under way and nobody who gives. */
  #starved(): void {
    const patience = this.#starvation.patienceMs;
    if (this.#starvation.ended(this.#session.isLeasing) === 'ask')
      this.#effects.push({ kind: 'ask-scheduler', patienceMs: patience });
    else if (this.#rules.mayGoToOrigin) this.#goToOrigin(patience);
    else this.#effects.push({ kind: 'fail', because: 'starved', patienceMs: patience });
  }

  /** What follows from the state alone, whatever led to it. */
  #judge(moment: Moment): void {
    if (this.#isAbandoned && this.#state === 'running' && !this.#leases.bringsPieces) this.#leaveOff();
    const isWaiting = this.#state === 'running' && this.#exchange.isIdle && !this.#leases.isActive;
    if (isWaiting !== this.#isWaiting) {
      this.#isWaiting = isWaiting;
      this.#effects.push({ kind: 'waiting', isWaiting });
    }
    const hopes = !this.#rules.mayGoToOrigin && this.parentCount > 0;
    if (isWaiting && !hopes) this.#starvation.idle(moment.nowMs, this.#patienceMs(moment));
    else this.#starvation.busy();
  }

  #patienceMs({ schedulers: kinds }: Moment): number {
    const { mayGoToOrigin, scheduleTimeoutMs, pieceTimeoutMs } = this.#rules;
    if (!mayGoToOrigin) return scheduleTimeoutMs;
    this.#schedulerSeen ||= kinds === 'held' || kinds === 'original';
    return patienceMs({
      scheduler: this.#session.state,
      kinds,
      seen: this.#schedulerSeen,
      hasParents: this.parentCount > 0,
      scheduleTimeoutMs,
      pieceTimeoutMs,
    });
  }
}
