/**
 * A daemon in virtual time. It makes no decision of its own: its download is the machine that runs in the real daemon
 * (PeerMachine), UploadGate admits uploads, and SuperSeeder chooses what a lease holder announces. Only the transport
 * is simulated: messages with a latency, bodies that flow through the network, checksums that find corrupt pieces.
 */
import type { Decision, OfferedParent } from '../swarm/shared/decisions.ts';
import type { PeerEffect } from '../swarm/peer/download/effects.ts';
import type { Moment, PeerEvent, RequestFailure } from '../swarm/peer/download/events.ts';
import { PeerMachine } from '../swarm/peer/download/peer-machine.ts';
import type { SchedulerKinds } from '../swarm/peer/download/starvation.ts';
import { HostLoad } from '../swarm/peer/host-load.ts';
import type { TaskLayout } from '../swarm/shared/events.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import { SimulatedOrigin } from './simulated-origin.ts';
import { SimulatedParents } from './simulated-parents.ts';
import type { SimulatedScheduler } from './simulated-scheduler.ts';
import { SimulatedSession } from './simulated-session.ts';
import { SimulatedUploads } from './simulated-uploads.ts';
import type { Place, World } from './world.ts';

/** Announcements made at the same moment are answered together. */
const settleMs = 0.2;
/** A timer that is due this shortly before another one serves for both. */
const timerSlackMs = 1;
/** A host whose download has failed asks again after this time. */
const askAgainMs = 1000;
/** The daemon's defaults. */
const rules = { mayGoToOrigin: true, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000 };

export interface DaemonSetup extends Place {
  readonly isSeed: boolean;
  readonly loadLimit: number;
  /** Sends corrupt pieces. */
  readonly malicious: boolean;
}

export class SimulatedDaemon implements Moment {
  readonly world: World;
  readonly scheduler: SimulatedScheduler<SimulatedDaemon>;
  readonly setup: DaemonSetup;
  readonly hostId: string;
  readonly held = new PieceSet();
  readonly uploads: SimulatedUploads;
  readonly origin: SimulatedOrigin;
  readonly receiving = new Map<string, SimulatedDaemon>();
  peerId = '';
  /** Its upload load as last reported to others. */
  saidLoad = new HostLoad();
  life = 0;
  alive = false;
  /** True when this life of the daemon has registered with the scheduler. */
  registered = false;
  startedMs = 0;
  finishedMs: number | undefined;
  failed: string | undefined;
  /** True when it never comes back, so that nobody waits for it. */
  departed = false;
  layout: TaskLayout | undefined;
  readonly #parents: SimulatedParents;
  readonly #session: SimulatedSession;
  #machine: PeerMachine;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(world: World, scheduler: SimulatedScheduler<SimulatedDaemon>, setup: DaemonSetup) {
    this.world = world;
    this.scheduler = scheduler;
    this.setup = setup;
    this.hostId = `${setup.isSeed ? 'seed' : 'peer'}-${setup.index}`;
    this.uploads = new SimulatedUploads(this);
    this.origin = new SimulatedOrigin(this);
    this.#parents = new SimulatedParents(this);
    this.#session = new SimulatedSession(this);
    this.#machine = this.#newMachine();
  }

  get isComplete(): boolean {
    return this.finishedMs !== undefined;
  }

  /** True while it fetches from the origin. */
  get isAtOrigin(): boolean {
    return this.#machine.leases.isActive;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get bytesPerSec(): number {
    return this.setup.down.rateBytesPerSec;
  }

  /** In a simulation processors are never the bottleneck. */
  get answerMs(): number {
    return 0;
  }

  get latestBytesPerSec(): number {
    return this.setup.down.rateBytesPerSec;
  }

  get schedulers(): SchedulerKinds {
    return this.world.options.arm === 'ours' ? 'held' : 'original';
  }

  isInFlight(parentId: string, piece: number): boolean {
    return this.alive && this.#machine.isInFlight(parentId, piece);
  }

  // ── life ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The daemon starts, or restarts with the pieces that are on its disk. */
  start(): void {
    this.#serve(true);
    this.registered = false;
    this.life += 1;
    this.peerId = `${this.hostId}#${this.life}`;
    if (this.startedMs === 0) this.startedMs = this.world.nowMs;
    this.#wakeMs = Number.POSITIVE_INFINITY;
    this.uploads.restart();
    if (!this.setup.isSeed || this.held.count > 0) this.download();
    else this.scheduler.announceHost(this);
  }

  /** Somebody asks for the content: a user, or, on a seed, the scheduler. */
  download(): void {
    if (!this.alive || this.isComplete || this.registered) return;
    this.take({ kind: 'started', held: this.held });
    this.take({ kind: 'wanted', pieces: undefined });
    // the original's daemons ask the origin for the length themselves
    if (this.world.options.arm !== 'ours') this.layout = this.world.layout;
    if (this.layout) this.learnLayout(this.layout);
  }

  openSession(): void {
    const { life } = this;
    this.registered = true;
    this.scheduler.register(this, this.layout);
    this.world.after(2 * this.world.options.latencyMs, () => {
      if (this.life === life) this.take({ kind: 'session-opened', extended: true });
    });
  }

  /** Everything in flight is lost, the disk stays. `silent`: the host dies without notice; otherwise connections break. */
  crash(silent: boolean): void {
    this.#serve(false);
    this.uploads.crash(silent);
    this.origin.crash();
    for (const parent of Array.from(this.receiving.values())) parent.uploads.childLeft(this);
    this.receiving.clear();
    this.#parents.leaveAll();
    this.#machine = this.#newMachine();
    if (this.registered) this.scheduler.streamBroke(this.peerId, silent);
  }

  /** It leaves for good before it has finished, and nobody waits for it. */
  depart(): void {
    this.departed = true;
    this.#ended();
  }

  #serve(alive: boolean): void {
    this.alive = alive;
    if (!this.setup.malicious) this.world.serves(this.setup.index, alive);
  }

  #ended(): void {
    if (!this.setup.isSeed) this.world.pending -= 1;
  }

  #giveUp(message: string): void {
    this.failed = message;
    this.#ended();
  }

  /** Its download fails and is requested again, like a process that was restarted. */
  #askAgain(): void {
    this.crash(false);
    this.world.after(askAgainMs, () => {
      if (!this.alive && !this.departed) this.start();
    });
  }

  /** The scheduler lost its memory: the machine registers a running download again, and a complete one is announced here. */
  schedulerCameBack(): void {
    if (!this.alive) return;
    if (!this.registered) {
      if (this.setup.isSeed) this.scheduler.announceHost(this);
    } else if (this.isComplete) this.scheduler.announceHeld(this);
    else this.take({ kind: 'session-ended', extended: true, code: 'UNAVAILABLE', originSaid: false, mayDiffer: false });
  }

  // ── what the scheduler says ────────────────────────────────────────────────────────────────────────────────────

  decide(decision: Decision): void {
    switch (decision.kind) {
      case 'task-layout':
        return this.learnLayout(decision.layout);
      case 'offer-parents':
        return this.#offer(decision.parents, decision.replace);
      case 'withdraw-parents':
        return this.take({ kind: 'parents-withdrawn', parentIds: decision.parentIds });
      case 'grant-origin-lease': {
        const lease = { id: String(decision.leaseId), ...decision.range };
        return this.take({ kind: 'lease-granted', lease });
      }
      case 'revoke-origin-lease':
        return this.take({ kind: 'lease-revoked', leaseId: String(decision.leaseId) });
      case 'fail-peer':
        return this.#giveUp(decision.message);
      case 'host-struck-off':
        this.world.struckOff.add(decision.hostId);
        return;
      case 'trigger-seed':
      case 'piece-digests':
      case 'check-piece':
      case 'empty-task':
      case 'metadata-only':
    }
  }

  #offer(offered: readonly OfferedParent[], replace: boolean): void {
    const parents = offered.flatMap(({ peerId, distance }) => {
      const daemon = this.scheduler.daemonOf(peerId);
      return daemon && daemon !== this ? [{ peerId, distance, load: daemon.saidLoad }] : [];
    });
    this.take({ kind: 'parents-offered', parents, replace });
  }

  learnLayout(layout: TaskLayout): void {
    this.layout = layout;
    this.take({ kind: 'layout-known', ...layout, pieceCount: this.world.pieceCount, held: this.held });
  }

  // ── the machine of its download ────────────────────────────────────────────────────────────────────────────────

  #newMachine(): PeerMachine {
    const { random, pickerSetup, options } = this.world;
    if (options.arm === 'ours') return new PeerMachine({ ...rules, picker: { ...pickerSetup, random }, settleMs });
    // Arms of the comparison request as much as they may, and wait for their scheduler.
    const picker = { ...pickerSetup, random, capacityBytesPerSec: Number.POSITIVE_INFINITY };
    return new PeerMachine({ ...rules, scheduleTimeoutMs: Number.POSITIVE_INFINITY, picker, settleMs });
  }

  take(event: PeerEvent): void {
    if (!this.alive || this.isComplete) return;
    const machine = this.#machine;
    for (const effect of machine.step(event, this)) if (machine === this.#machine) this.#run(effect);
    if (machine !== this.#machine) return;
    this.world.deafUntilMs[this.setup.index] = machine.deafUntilMs;
    this.#arm(machine.dueMs);
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#wakeMs - timerSlackMs) return;
    this.#wakeMs = dueMs;
    this.world.at(dueMs, () => {
      if (this.#wakeMs !== dueMs) return;
      this.#wakeMs = Number.POSITIVE_INFINITY;
      this.take({ kind: 'tick' });
    });
  }

  #run(effect: PeerEffect): void {
    switch (effect.kind) {
      case 'fail':
        // The origin's error is passed to the user, who asks again. Nothing else may fail here.
        return effect.because === 'origin' ? this.#askAgain() : this.#giveUp(effect.because);
      case 'verify':
        return this.take({ kind: 'verified' });
      case 'finish':
        return this.#finish();
      case 'waiting':
      case 'nobody-gives':
      case 'measure-readers': // no reader of a part is here
      case 'leave-off':
      case 'start-over':
        return;
      case 'fetch-origin':
      case 'change-origin-run':
      case 'resume-origin':
      case 'stop-origin':
      case 'origin-begun':
      case 'origin-left':
        return this.origin.run(effect);
      case 'sync-with-parent':
      case 'ask-parent':
      case 'leave-parent':
      case 'request-piece':
      case 'cancel-piece':
        return this.#parents.run(effect);
      default:
        return this.#session.run(effect);
    }
  }

  refused(parentId: string, piece: number, reason: RequestFailure, life: number): void {
    if (this.life === life) this.take({ kind: 'request-failed', parentId, piece, reason });
  }

  connectionLost(parentId: string): void {
    this.#parents.streamBroke(parentId);
  }

  /** A piece has arrived completely. */
  received(parentId: string, piece: number, corrupt: boolean): void {
    if (this.isComplete) return;
    if (corrupt) {
      this.world.liedTo.add(this.hostId);
      this.refused(parentId, piece, 'corrupt', this.life);
    } else if (this.held.has(piece)) {
      this.world.duplicateBytes += this.world.pieceBytes(piece);
      this.take({ kind: 'request-dropped', parentId, piece, reason: 'cancelled' });
    } else this.stored(piece, parentId);
  }

  /** A verified piece is on disk; `from` is a peer id or `source`. */
  stored(piece: number, from: string): void {
    this.held.add(piece);
    this.world.stored(this.setup.index, piece);
    const parentId = from === 'source' ? undefined : from;
    if (parentId === undefined) this.#session.tellDigest(piece);
    this.world.landed(this.setup.index, parentId);
    this.uploads.stored(piece, parentId === undefined);
    this.take({ kind: 'piece-landed', piece, parentId, bytes: this.world.pieceBytes(piece), costMs: 0 });
  }

  #finish(): void {
    this.finishedMs = this.world.nowMs;
    this.#parents.leaveAll();
    this.origin.stop();
    this.uploads.originEnded();
    this.scheduler.tell(this, (swarm, nowMs) => swarm.peerFinished(this.peerId, nowMs));
    this.#ended();
  }
}
