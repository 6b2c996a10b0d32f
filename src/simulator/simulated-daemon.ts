/**
 * A daemon in virtual time. It makes no decision of its own: its download is the machine that runs in the real daemon
 * (PeerMachine), uploads are admitted by UploadGate, announcements of a lease holder chosen by SuperSeeder. What is simulated is
 * the transport: messages that take a latency, piece bodies that flow through the network, checksums that find wrong bytes.
 */
import type { Decision, OfferedParent } from '../swarm/shared/decisions.ts';
import type { PeerEffect } from '../swarm/peer/download/effects.ts';
import type { Moment, PeerEvent, RequestFailure } from '../swarm/peer/download/events.ts';
import { PeerMachine } from '../swarm/peer/download/peer-machine.ts';
import { HostLoad } from '../swarm/peer/host-load.ts';
import type { TaskLayout } from '../swarm/shared/events.ts';
import { digestBytes } from '../swarm/shared/piece-digests.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import { SimulatedLease } from './simulated-lease.ts';
import { SimulatedUploads, type Upload } from './simulated-uploads.ts';
import type { SimulatedScheduler } from './simulated-scheduler.ts';
import type { Place, World } from './world.ts';

const reportEveryMs = 200;
/** Nothing came for so long: the transport gives a request up. */
const requestTimeoutMs = 5000;
/** Announcements of one moment are answered together. */
const settleMs = 0.2;
/** A timer this much before another one does for both. */
const timerSlackMs = 1;

export interface DaemonSetup extends Place {
  readonly isSeed: boolean;
  readonly loadLimit: number;
  /** Sends wrong bytes. */
  readonly malicious: boolean;
}

export class SimulatedDaemon implements Moment {
  readonly world: World;
  readonly scheduler: SimulatedScheduler<SimulatedDaemon>;
  readonly setup: DaemonSetup;
  readonly hostId: string;
  readonly held = new PieceSet();
  readonly uploads: SimulatedUploads;
  readonly lease: SimulatedLease;
  readonly receiving = new Map<string, SimulatedDaemon>();
  peerId = '';
  /** What it last said of its uploads, as others have heard it. */
  saidLoad = new HostLoad();
  life = 0;
  alive = false;
  /** This life has told the scheduler about itself. */
  registered = false;
  startedMs = 0;
  finishedMs: number | undefined;
  failed: string | undefined;
  /** It never comes back: nobody waits for it. */
  departed = false;
  #machine: PeerMachine;
  #layout: TaskLayout | undefined;
  /** Those the machine listens to. */
  readonly #parents = new Map<string, SimulatedDaemon>();
  #report = new Map<string, PieceSet>();
  #reportQueued = false;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(world: World, scheduler: SimulatedScheduler<SimulatedDaemon>, setup: DaemonSetup) {
    this.world = world;
    this.scheduler = scheduler;
    this.setup = setup;
    this.hostId = `${setup.isSeed ? 'seed' : 'peer'}-${setup.index}`;
    this.uploads = new SimulatedUploads(this);
    this.lease = new SimulatedLease(this);
    this.#machine = this.#newMachine();
  }

  get isComplete(): boolean {
    return this.finishedMs !== undefined;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get bytesPerSec(): number {
    return this.setup.down.rateBytesPerSec;
  }

  /** Nobody is short of processors here. */
  get answerMs(): number {
    return 0;
  }

  get latestBytesPerSec(): number {
    return this.setup.down.rateBytesPerSec;
  }

  // ── life ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The daemon (re)starts; pieces on disk survived. */
  start(): void {
    this.#serve(true);
    this.registered = false;
    this.life += 1;
    this.peerId = `${this.hostId}#${this.life}`;
    if (this.startedMs === 0) this.startedMs = this.world.nowMs;
    this.#wakeMs = Number.POSITIVE_INFINITY;
    this.uploads.restart();
    if (!this.setup.isSeed || this.held.count > 0) this.register();
    else this.scheduler.announceHost(this);
  }

  register(): void {
    if (!this.alive || this.isComplete) return;
    this.registered = true;
    this.scheduler.register(this, this.#layout);
    // the original's daemons ask the origin for the length themselves
    if (this.world.options.arm !== 'ours') this.#layout = this.world.layout;
    if (this.#layout) this.#learnLayout(this.#layout);
  }

  /** Everything in flight is lost, the disk stays. `silent`: the host dies, and nobody is told; otherwise connections break. */
  crash(silent: boolean): void {
    this.#serve(false);
    this.uploads.crash(silent);
    this.lease.crash();
    for (const parent of Array.from(this.receiving.values())) parent.uploads.childLeft(this);
    this.receiving.clear();
    this.#leaveParents();
    this.#machine = this.#newMachine();
    this.#report.clear();
    if (this.registered) this.scheduler.streamBroke(this.peerId, silent);
  }

  /** It leaves for good before it has finished; nobody waits for it. */
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

  /** The scheduler lost its memory: what is under way is registered anew, what is complete announced. */
  schedulerCameBack(): void {
    if (!this.alive) return;
    if (!this.registered) {
      if (this.setup.isSeed) this.scheduler.announceHost(this);
      return;
    }
    if (this.lease.id !== undefined) this.lease.drop();
    if (this.isComplete) this.scheduler.announceHeld(this);
    else this.register();
  }

  // ── scheduler ──────────────────────────────────────────────────────────────────────────────────────────────────

  decide(decision: Decision): void {
    switch (decision.kind) {
      case 'task-layout':
        this.#learnLayout(decision.layout);
        break;
      case 'offer-parents':
        this.#offer(decision.parents, decision.replace);
        break;
      case 'withdraw-parents':
        this.take({ kind: 'parents-withdrawn', parentIds: decision.parentIds });
        break;
      case 'grant-origin-lease':
        this.lease.take(decision.leaseId, decision.range);
        break;
      case 'revoke-origin-lease':
        if (this.lease.id === decision.leaseId) this.lease.drop();
        break;
      case 'fail-peer':
        this.failed = decision.message;
        this.#ended();
        break;
      case 'host-struck-off':
        this.world.struckOff.add(decision.hostId);
        break;
      case 'trigger-seed':
      case 'piece-digests':
      case 'check-piece':
      case 'empty-task':
      case 'metadata-only':
        break;
    }
  }

  #offer(offered: readonly OfferedParent[], replace: boolean): void {
    if (this.isComplete) return;
    const parents = offered.flatMap(({ peerId, distance }) => {
      const daemon = this.scheduler.daemonOf(peerId);
      return daemon && daemon !== this ? [{ peerId, distance, load: daemon.saidLoad }] : [];
    });
    this.take({ kind: 'parents-offered', parents, replace });
  }

  #leaveParents(): void {
    for (const [parentId, parent] of this.#parents) this.#leave(parentId, parent);
    this.#parents.clear();
  }

  /** A parent that was restarted since knows nothing of a connection to its former life. */
  #leave(parentId: string, parent: SimulatedDaemon): void {
    if (parent.peerId === parentId) parent.uploads.childLeft(this);
  }

  #learnLayout(layout: TaskLayout): void {
    this.#layout = layout;
    this.take({
      kind: 'layout-known',
      pieceCount: this.world.pieceCount,
      pieceLengthBytes: layout.pieceLengthBytes,
      wanted: undefined,
      held: this.held,
    });
    if (this.held.count === this.world.pieceCount) this.#finish();
  }

  /** The holder of the first lease learns the length from the origin and tells the scheduler. */
  originSaidLayout(): void {
    if (this.#layout) return;
    const { layout } = this.world;
    this.#learnLayout(layout);
    this.scheduler.tell(this, (swarm, nowMs) => swarm.taskMetadata(this.peerId, layout, nowMs));
  }

  /** Those that are honest tell one digest for all pieces: only whether it is the same counts here. */
  #tellDigest(first: number): void {
    const told = { first, digests: new Uint8Array(digestBytes), validator: '', checked: false };
    this.scheduler.tell(this, (swarm, nowMs) => swarm.pieceDigests(this.peerId, told, nowMs));
  }

  #flushReport(): void {
    this.#reportQueued = false;
    if (!this.alive) return;
    const report = this.#report;
    this.#report = new Map();
    for (const [from, pieces] of report)
      this.scheduler.tell(this, (swarm, nowMs) => swarm.piecesFinished(this.peerId, { pieces, from }, nowMs));
  }

  // ── the machine of its download ────────────────────────────────────────────────────────────────────────────────

  #newMachine(): PeerMachine {
    const { random, pickerSetup, options } = this.world;
    // ours find out what the line carries, the comparison arms ask for as much as they may
    const capacityBytesPerSec = options.arm === 'ours' ? undefined : Number.POSITIVE_INFINITY;
    return new PeerMachine({ picker: { ...pickerSetup, random, capacityBytesPerSec }, settleMs });
  }

  take(event: PeerEvent): void {
    if (!this.alive || this.isComplete) return;
    const machine = this.#machine;
    for (const effect of machine.step(event, this)) this.#run(effect);
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
      case 'sync-with-parent':
        return this.#connect(effect.parentId);
      case 'ask-parent':
        return this.#askAlive(effect.parentId);
      case 'leave-parent': {
        const parent = this.#parents.get(effect.parentId);
        this.#parents.delete(effect.parentId);
        if (parent) this.#leave(effect.parentId, parent);
        return;
      }
      case 'request-piece':
        return this.#ask(effect.parentId, effect.piece);
      case 'cancel-piece':
        return this.#parents.get(effect.parentId)?.uploads.cancel(this, effect.piece);
      case 'report-parent':
        return this.#reportParent(effect);
    }
  }

  #reportParent({ parentId, piece, fault }: Extract<PeerEffect, { kind: 'report-parent' }>): void {
    const reason = fault === 'gone' ? 'not-held' : fault === 'corrupt' ? 'corrupt' : 'temporary';
    this.scheduler.tell(this, (swarm, nowMs) => swarm.pieceFailed(this.peerId, parentId, reason, nowMs, piece));
  }

  #connect(parentId: string): void {
    const parent = this.scheduler.daemonOf(parentId);
    if (!parent) return;
    this.#parents.set(parentId, parent);
    this.world.after(this.world.latencyMs(this.setup, parent.setup), () => {
      if (this.#parents.get(parentId) !== parent) return;
      if (parent.peerId !== parentId || !parent.alive) this.connectionLost(parentId);
      else parent.uploads.subscribe(this);
    });
  }

  #askAlive(parentId: string): void {
    const parent = this.#parents.get(parentId);
    if (!parent) return;
    this.world.after(2 * this.world.latencyMs(this.setup, parent.setup), () => {
      if (parent.alive && parent.peerId === parentId) this.take({ kind: 'parent-alive', parentId });
    });
  }

  #ask(parentId: string, piece: number): void {
    const { life } = this;
    const parent = this.#parents.get(parentId);
    if (!parent) return;
    const upload: Upload = {
      childId: this.peerId,
      taskId: 't',
      piece,
      child: this,
      childLife: life,
      patient: this.world.options.arm !== 'ours',
    };
    this.world.after(this.world.latencyMs(this.setup, parent.setup), () => {
      if (this.life !== life || !this.alive) return;
      if (!parent.alive || parent.peerId !== parentId) this.connectionLost(parentId);
      else if (!parent.uploads.asked(upload)) this.refused(parentId, piece, 'busy', life);
    });
    if (this.world.options.faults)
      this.world.after(requestTimeoutMs, () => {
        if (this.life === life && this.alive && this.#machine.isInFlight(parentId, piece)) {
          parent.uploads.cancel(this, piece);
          this.refused(parentId, piece, 'temporary', life);
        }
      });
  }

  refused(parentId: string, piece: number, reason: RequestFailure, life: number): void {
    if (this.life === life) this.take({ kind: 'request-failed', parentId, piece, reason });
  }

  /** A piece body has arrived whole. */
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

  connectionLost(parentId: string): void {
    this.#parents.delete(parentId);
    this.take({ kind: 'parent-lost', parentId });
  }

  /** A verified piece is on disk; `from` is a peer id or `source`. */
  stored(piece: number, from: string): void {
    this.held.add(piece);
    this.world.stored(this.setup.index, piece);
    this.take({ kind: 'piece-landed', piece, parentId: from === 'source' ? undefined : from });
    if (from === 'source') this.#tellDigest(piece);
    const batch = this.#report.get(from);
    if (batch) batch.add(piece);
    else this.#report.set(from, PieceSet.of([piece]));
    if (this.held.count === 1) this.#flushReport();
    else if (!this.#reportQueued) {
      this.#reportQueued = true;
      this.world.after(reportEveryMs, () => this.#flushReport());
    }
    this.uploads.stored(piece, from === 'source');
    if (this.held.count === this.world.pieceCount) this.#finish();
  }

  #finish(): void {
    if (this.isComplete) return;
    this.finishedMs = this.world.nowMs;
    this.#flushReport();
    this.#leaveParents();
    this.scheduler.tell(this, (swarm, nowMs) => swarm.peerFinished(this.peerId, nowMs));
    this.#ended();
  }
}
