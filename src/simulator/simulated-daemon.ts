/**
 * A daemon in virtual time. It makes no decision of its own: pieces are chosen by PiecePicker, uploads admitted by
 * UploadGate, announcements of a lease holder by SuperSeeder, as in the real daemon. What is simulated is the
 * transport: messages that take a latency, piece bodies that flow through the network, checksums that find wrong bytes.
 */
import type { Decision, OfferedParent } from '../swarm/shared/decisions.ts';
import { HostLoad } from '../swarm/peer/host-load.ts';
import type { TaskLayout } from '../swarm/shared/events.ts';
import { PiecePicker } from '../swarm/peer/piece-picker.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import { SimulatedLease } from './simulated-lease.ts';
import { SimulatedUploads, type Upload } from './simulated-uploads.ts';
import type { SimulatedScheduler } from './simulated-scheduler.ts';
import type { Place, World } from './world.ts';

const reportEveryMs = 200;
/** Nothing came for so long: the transport gives a request up. */
const requestTimeoutMs = 5000;
const pumpDelayMs = 0.2;

export interface DaemonSetup extends Place {
  readonly isSeed: boolean;
  readonly loadLimit: number;
  /** Sends wrong bytes. */
  readonly malicious: boolean;
}

export class SimulatedDaemon {
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
  #picker: PiecePicker | undefined;
  #layout: TaskLayout | undefined;
  #parents = new Map<string, { readonly daemon: SimulatedDaemon; readonly distance: number }>();
  #report = new Map<string, PieceSet>();
  #reportQueued = false;
  #pumpQueued = false;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(world: World, scheduler: SimulatedScheduler<SimulatedDaemon>, setup: DaemonSetup) {
    this.world = world;
    this.scheduler = scheduler;
    this.setup = setup;
    this.hostId = `${setup.isSeed ? 'seed' : 'peer'}-${setup.index}`;
    this.uploads = new SimulatedUploads(this);
    this.lease = new SimulatedLease(this);
  }

  get isComplete(): boolean {
    return this.finishedMs !== undefined;
  }

  get picker(): PiecePicker | undefined {
    return this.#picker;
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
    this.#picker = undefined;
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
        if (decision.replace) for (const parentId of Array.from(this.#parents.keys())) this.#dropParent(parentId);
        for (const parent of decision.parents) this.#addParent(parent);
        break;
      case 'withdraw-parents':
        for (const parentId of decision.parentIds) this.#dropParent(parentId);
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
      case 'trigger-seed':
      case 'empty-task':
      case 'metadata-only':
        break;
    }
  }

  #addParent(offered: OfferedParent): void {
    const daemon = this.scheduler.daemonOf(offered.peerId);
    if (this.isComplete || !daemon || daemon === this || this.#parents.has(offered.peerId)) return;
    this.#parents.set(offered.peerId, { daemon, distance: offered.distance });
    if (!this.#picker) return;
    this.#connect(offered.peerId);
  }

  #connect(parentId: string): void {
    const parent = this.#parents.get(parentId);
    if (
      !parent ||
      this.#picker?.parentAdded(parentId, { distance: parent.distance, load: parent.daemon.saidLoad }) !== true
    )
      return;
    const { daemon } = parent;
    this.world.after(this.world.latencyMs(this.setup, daemon.setup), () => {
      if (daemon.peerId !== parentId || !daemon.alive) this.connectionLost(daemon, parentId);
      else if (this.#parents.has(parentId)) daemon.uploads.subscribe(this);
    });
  }

  #dropParent(parentId: string): void {
    const parent = this.#parents.get(parentId);
    if (!parent) return;
    this.#parents.delete(parentId);
    this.#leave(parentId, parent.daemon);
    this.#picker?.parentRemoved(parentId);
    this.pump();
  }

  #leaveParents(): void {
    for (const [parentId, { daemon }] of this.#parents) this.#leave(parentId, daemon);
    this.#parents.clear();
  }

  /** A parent that was restarted since knows nothing of a connection to its former life. */
  #leave(parentId: string, parent: SimulatedDaemon): void {
    if (parent.peerId === parentId) parent.uploads.childLeft(this);
  }

  #learnLayout(layout: TaskLayout): void {
    if (this.#layout && this.#picker) return;
    this.#layout = layout;
    const { order, limits } = this.world.pickerSetup;
    this.#picker = new PiecePicker({
      pieceCount: this.world.pieceCount,
      pieceLengthBytes: layout.pieceLengthBytes,
      held: this.held,
      random: this.world.random,
      limits,
      order,
      // ours find out what the line carries, the comparison arms ask for as much as they may
      capacityBytesPerSec: this.world.options.arm === 'ours' ? undefined : Number.POSITIVE_INFINITY,
    });
    this.#listen();
    for (const parentId of this.#parents.keys()) this.#connect(parentId);
    if (this.#picker.isComplete) this.#finish();
  }

  /** The holder of the first lease learns the length from the origin and tells the scheduler. */
  originSaidLayout(): void {
    if (this.#layout) return;
    const { layout } = this.world;
    this.#learnLayout(layout);
    this.scheduler.tell(this, (swarm, nowMs) => swarm.taskMetadata(this.peerId, layout, nowMs));
  }

  #flushReport(): void {
    this.#reportQueued = false;
    if (!this.alive) return;
    const report = this.#report;
    this.#report = new Map();
    for (const [from, pieces] of report)
      this.scheduler.tell(this, (swarm, nowMs) => swarm.piecesFinished(this.peerId, { pieces, from }, nowMs));
  }

  // ── as a child ─────────────────────────────────────────────────────────────────────────────────────────────────

  hear(parentId: string, pieces: PieceSet | number): void {
    if (!this.#picker) return;
    this.#picker.parentHas(parentId, pieces);
    if (this.world.hears(this.setup.index)) this.hearNews(parentId);
  }

  hearOffer(parentId: string, piece: number): void {
    this.#picker?.parentOffers(parentId, piece);
    this.pump();
  }

  /** A parent has said something, for a load in its `saidLoad`. Called for those that are not deaf at the moment. */
  hearNews(parentId: string): void {
    const picker = this.#picker;
    if (this.#pumpQueued || !picker) return;
    if (picker.wouldAsk(parentId, this.world.nowMs, this.setup.down.rateBytesPerSec)) this.pump();
    else this.#listen();
  }

  #listen(): void {
    this.world.deafUntilMs[this.setup.index] = this.#picker?.deafUntilMs(this.world.nowMs) ?? 0;
  }

  /** Asks the picker soon; many announcements of one moment cost one call. */
  pump(): void {
    if (this.#pumpQueued || !this.#picker || this.isComplete) return;
    this.#pumpQueued = true;
    this.world.after(pumpDelayMs, () => {
      this.#pumpQueued = false;
      this.#request();
    });
  }

  #request(): void {
    const picker = this.#picker;
    if (!picker || !this.alive || this.isComplete) return;
    const { nowMs } = this.world;
    for (const { parentId, piece } of picker.next(nowMs, this.setup.down.rateBytesPerSec)) {
      const parent = this.#parents.get(parentId)?.daemon;
      if (!parent) continue;
      this.#ask(parent, parentId, piece);
    }
    this.#listen();
    const wakeMs = picker.nextWakeMs(nowMs);
    if (wakeMs === undefined || wakeMs >= this.#wakeMs - 1) return;
    this.#wakeMs = wakeMs;
    this.world.at(wakeMs, () => {
      if (this.#wakeMs !== wakeMs) return;
      this.#wakeMs = Number.POSITIVE_INFINITY;
      this.pump();
    });
  }

  #ask(parent: SimulatedDaemon, parentId: string, piece: number): void {
    const { life } = this;
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
      if (!parent.alive || parent.peerId !== parentId) this.connectionLost(parent, parentId);
      else if (!parent.uploads.asked(upload)) this.refused(parentId, piece, 'busy', life);
    });
    if (this.world.options.faults)
      this.world.after(requestTimeoutMs, () => {
        if (this.life === life && this.alive && this.#picker?.isInFlight(parentId, piece) === true) {
          parent.uploads.cancel(this, piece);
          this.refused(parentId, piece, 'temporary', life);
        }
      });
  }

  refused(parentId: string, piece: number, reason: 'busy' | 'temporary' | 'corrupt' | 'gone', life: number): void {
    if (this.life !== life || !this.#picker) return;
    this.#picker.requestFailed(parentId, piece, reason, this.world.nowMs);
    if (reason === 'temporary' || reason === 'corrupt') {
      this.scheduler.tell(this, (swarm, nowMs) => swarm.pieceFailed(this.peerId, parentId, reason, nowMs));
    }
    this.pump();
  }

  /** A piece body has arrived whole. */
  received(parentId: string, piece: number, corrupt: boolean): void {
    if (!this.#picker || this.isComplete) return;
    if (corrupt) {
      this.refused(parentId, piece, 'corrupt', this.life);
      return;
    }
    for (const other of this.#picker.pieceArrived(piece, parentId, this.world.nowMs)) {
      this.#parents.get(other.parentId)?.daemon.uploads.cancel(this, piece);
    }
    if (this.held.has(piece)) this.world.duplicateBytes += this.world.pieceBytes(piece);
    else this.stored(piece, parentId);
    this.pump();
  }

  /** First bytes of a piece come in. */
  beginning(parentId: string, piece: number): void {
    this.#picker?.requestStarted(parentId, piece, this.world.nowMs);
    this.#listen();
  }

  ending(parentId: string, piece: number): void {
    this.#picker?.pieceEnding(parentId, piece);
    this.pump();
  }

  connectionLost(parent: SimulatedDaemon, parentId = parent.peerId): void {
    if (!this.#parents.delete(parentId)) return;
    this.#picker?.parentRemoved(parentId);
    this.scheduler.tell(this, (swarm, nowMs) => swarm.pieceFailed(this.peerId, parentId, 'temporary', nowMs));
    this.pump();
  }

  /** A verified piece is on disk; `from` is a peer id or `source`. */
  stored(piece: number, from: string): void {
    this.held.add(piece);
    this.world.stored(this.setup.index, piece);
    if (from === 'source') this.#picker?.pieceArrived(piece, undefined, this.world.nowMs);
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
