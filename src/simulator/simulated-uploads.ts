/** The parent side of a simulated daemon: UploadGate admits, SuperSeeder announces while the daemon is at the origin, and bodies flow. */
import type { PeerEvent } from '../swarm/peer/download/events.ts';
import { HostLoad } from '../swarm/peer/host-load.ts';
import { LoadNews } from '../swarm/peer/load-news.ts';
import { SuperSeeder } from '../swarm/peer/super-seeder.ts';
import { burstBytes, endingLeadMs, minUnsentBytes, promiseMs, unsentMs } from '../swarm/peer/transfer-timing.ts';
import { UploadGate, type UploadRequest } from '../swarm/peer/upload-gate.ts';
import type { Flow } from './fluid-network.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';
import type { World } from './world.ts';

export interface Upload extends UploadRequest {
  readonly child: SimulatedDaemon;
  /** The life of the child that asked: a restarted child does not accept the answer. */
  readonly childLife: number;
}

interface Sending {
  readonly upload: Upload;
  readonly flow: Flow;
  /** True when the kernel has the last byte, so that another may begin. */
  handedOver: boolean;
  /** True when the child has noticed that the piece is about to end. */
  told: boolean;
}

/** A piece that is arriving from the origin: children receive it along with this daemon, never sooner. */
interface Incoming {
  readonly piece: number;
  /** Continuations of uploads that have sent everything that has arrived. */
  readonly caughtUp: (() => void)[];
}

const gateRecheckMs = 4;
const loadDelayMs = 0.2;
/** The size of a kernel's socket buffer, however much the daemon would allow. */
const socketBufferBytes = 2.5e6;
const shortestWaitMs = 0.05;

export class SimulatedUploads {
  readonly #daemon: SimulatedDaemon;
  readonly #world: World;
  readonly #sending = new Set<Sending>();
  readonly #subscribers = new Map<number, SimulatedDaemon>();
  #gate: UploadGate<Upload>;
  #seeder: SuperSeeder | undefined;
  #incoming: Incoming | undefined;
  #seedWakeMs = Number.POSITIVE_INFINITY;
  #gateQueued = false;
  #news = new LoadNews();
  #tellAtMs = Number.POSITIVE_INFINITY;

  constructor(daemon: SimulatedDaemon) {
    this.#daemon = daemon;
    this.#world = daemon.world;
    this.#gate = this.#newGate();
  }

  /** The daemon starts again. */
  restart(): void {
    this.#seedWakeMs = Number.POSITIVE_INFINITY;
    this.#news = new LoadNews();
    this.#daemon.saidLoad = new HostLoad();
  }

  /** Everything being sent is lost. `silent`: the children are not notified. */
  crash(silent: boolean): void {
    this.#seeder = undefined;
    this.#incoming = undefined;
    for (const sending of Array.from(this.#sending)) this.#stopSending(sending);
    if (!silent) for (const child of this.#subscribers.values()) child.connectionLost(this.#daemon.peerId);
    this.#subscribers.clear();
    this.#gate = this.#newGate();
  }

  /** The daemon got a lease. */
  originBegan(): void {
    this.#gate.atOrigin = true;
    this.#seeder ??= this.#world.options.arm === 'ours' ? new SuperSeeder({}, this.#daemon.held) : undefined;
    this.#seeder?.moreComes();
    for (const child of this.#subscribers.values()) this.#seeder?.childJoined(child.peerId);
  }

  /** Nothing more arrives from the origin. */
  originEnded(): void {
    this.#gate.atOrigin = false;
    this.#seeder?.allHeld();
    this.#announceSeeded();
  }

  /** The first bytes of a piece arrive from the origin. The original's daemons pass on whole pieces only. */
  begun(piece: number): void {
    if (!this.#seeder) return;
    this.#incoming = { piece, caughtUp: [] };
    this.#seeder.pieceHeld(piece);
    this.#announceSeeded();
  }

  /** The piece will not be complete; children that were receiving it start over elsewhere. */
  givenUp(piece: number): void {
    if (this.#incoming?.piece !== piece) return;
    this.#incoming = undefined;
    this.#seeder?.pieceLost(piece);
    for (const sending of Array.from(this.#sending)) {
      const { upload } = sending;
      if (upload.piece !== piece) continue;
      this.#stopSending(sending);
      upload.child.refused(this.#daemon.peerId, piece, 'temporary', upload.childLife);
    }
    this.#pumpGate();
  }

  stored(piece: number, fromOrigin: boolean): void {
    const caughtUp = this.#incoming?.piece === piece ? this.#incoming.caughtUp : [];
    if (this.#incoming?.piece === piece) this.#incoming = undefined;
    this.#tellStored(piece, fromOrigin);
    for (const finish of caughtUp) finish();
  }

  #tellStored(piece: number, fromOrigin: boolean): void {
    if (this.#seeder) {
      if (fromOrigin) this.#seeder.pieceHeld(piece);
      else this.#seeder.pieceShared(piece);
      this.#announceSeeded();
    } else this.#announce(piece);
  }

  subscribe(child: SimulatedDaemon): void {
    this.#subscribers.set(child.setup.index, child);
    if (this.#seeder) {
      this.#seeder.childJoined(child.peerId);
      this.#announceSeeded();
      return;
    }
    if (this.#daemon.held.count === 0) return;
    this.#tell(child, { kind: 'parent-has', parentId: this.#daemon.peerId, pieces: this.#daemon.held.clone() });
  }

  #announce(piece: number): void {
    if (this.#subscribers.size === 0) return;
    const event: PeerEvent = { kind: 'parent-has', parentId: this.#daemon.peerId, pieces: piece };
    this.#world.after(this.#world.options.latencyMs, () => {
      for (const [index, child] of this.#subscribers) if (!this.#world.holds(index, piece)) child.take(event);
    });
  }

  #tell(child: SimulatedDaemon, event: PeerEvent): void {
    this.#world.after(this.#world.latencyMs(this.#daemon.setup, child.setup), () => child.take(event));
  }

  #announceSeeded(): void {
    const seeder = this.#seeder;
    if (!seeder) return;
    const { peerId: parentId } = this.#daemon;
    for (const { childId, piece, exclusive } of seeder.next(this.#world.nowMs)) {
      const child = this.#daemon.scheduler.daemonOf(childId);
      if (!child) continue;
      if (exclusive) this.#tell(child, { kind: 'parent-offers', parentId, pieces: [piece] });
      else this.#tell(child, { kind: 'parent-has', parentId, pieces: piece });
    }
    const wakeMs = seeder.nextWakeMs();
    if (wakeMs !== undefined && wakeMs < this.#seedWakeMs) {
      this.#seedWakeMs = wakeMs;
      this.#world.at(wakeMs, () => {
        this.#seedWakeMs = Number.POSITIVE_INFINITY;
        this.#announceSeeded();
      });
    }
  }

  asked(upload: Upload): boolean {
    if (!this.#has(upload.piece)) {
      upload.child.refused(this.#daemon.peerId, upload.piece, 'gone', upload.childLife);
      return true;
    }
    this.#seeder?.pieceAsked(upload.piece, this.#world.nowMs);
    const withinMs = promiseMs + 2 * this.#world.latencyMs(this.#daemon.setup, upload.child.setup);
    let endingSoon = 0;
    for (const sending of this.#sending)
      if (!sending.handedOver && this.#heldBackMs(sending) <= withinMs) endingSoon += 1;
    const uplink = { bytesPerSec: this.#daemon.setup.up.rateBytesPerSec, endingSoon };
    const accepted = this.#gate.request(upload, this.#world.nowMs, uplink);
    if (!accepted) this.#news.refused();
    this.#pumpGate();
    if (!accepted) this.#refused(upload.piece);
    return accepted;
  }

  #has(piece: number): boolean {
    return this.#daemon.held.has(piece) || this.#incoming?.piece === piece;
  }

  cancel(child: SimulatedDaemon, piece: number): void {
    if (!this.#gate.cancel(child.peerId, 't', piece)) {
      for (const sending of this.#sending)
        if (sending.upload.child === child && sending.upload.piece === piece) this.#stopSending(sending);
    }
    this.#pumpGate();
    this.#refused(piece);
  }

  #refused(piece: number): void {
    this.#seeder?.pieceRefused(piece, this.#world.nowMs);
    this.#announceSeeded();
  }

  childLeft(child: SimulatedDaemon): void {
    this.#subscribers.delete(child.setup.index);
    this.#seeder?.childLeft(child.peerId);
    this.#gate.childLeft(child.peerId);
    for (const sending of this.#sending) if (sending.upload.child === child) this.#stopSending(sending);
    this.#pumpGate();
    this.#announceSeeded();
  }

  /** Checks again soon whether the uplink has room, since a child may have found another sender. */
  recheckGate(): void {
    if (this.#gateQueued || this.#gate.waiting === 0) return;
    this.#gateQueued = true;
    this.#world.after(gateRecheckMs, () => {
      this.#gateQueued = false;
      this.#pumpGate();
    });
  }

  #pumpGate(): void {
    if (!this.#daemon.alive) return;
    for (;;) {
      const upload = this.#gate.start(this.#world.nowMs, { bytesPerSec: this.#daemon.setup.up.rateBytesPerSec });
      if (!upload) break;
      if (this.#has(upload.piece)) this.#send(upload);
      else {
        this.#gate.ended();
        upload.child.refused(this.#daemon.peerId, upload.piece, 'gone', upload.childLife);
      }
    }
    this.#announceLoad();
  }

  /** Tells the children the current load, once for all changes of one moment. */
  #announceLoad(): void {
    const { nowMs } = this.#world;
    const dueMs = Math.max(nowMs + loadDelayMs, this.#news.dueMs(this.#gate.load, this.#subscribers.size));
    if (dueMs >= this.#tellAtMs || this.#world.options.arm !== 'ours') return;
    this.#tellAtMs = dueMs;
    this.#world.at(dueMs, () => {
      if (this.#tellAtMs === dueMs) this.#tellLoad();
    });
  }

  #tellLoad(): void {
    this.#tellAtMs = Number.POSITIVE_INFINITY;
    const { load } = this.#gate;
    if (!this.#daemon.alive || load === this.#news.told) return;
    if (this.#news.dueMs(load, this.#subscribers.size) > this.#world.nowMs) return this.#announceLoad();
    this.#news.tell(load, this.#world.nowMs);
    const event: PeerEvent = { kind: 'parent-load', parentId: this.#daemon.peerId, uploads: undefined };
    this.#world.after(this.#world.options.latencyMs, () => {
      this.#daemon.saidLoad.says(load);
      for (const [index, child] of this.#subscribers) if (this.#world.hears(index)) child.take(event);
    });
  }

  #send(upload: Upload): void {
    const { child, piece } = upload;
    const finish = (): void => {
      if (!this.#sending.has(sending)) return; // given up meanwhile
      this.#ended(sending);
      this.#seeder?.pieceSpread(piece);
      this.#announceSeeded();
      const { peerId } = this.#daemon;
      const lost = this.#world.loses();
      if (!lost) {
        this.#world.after(this.#world.latencyMs(this.#daemon.setup, child.setup), () => {
          if (child.alive && child.life === upload.childLife)
            child.received(peerId, piece, this.#daemon.setup.malicious);
        });
      }
      this.#pumpGate();
    };
    const flow = this.#world.network.start(
      this.#world.path(this.#daemon.setup, child.setup),
      this.#world.pieceBytes(piece),
      () => {
        if (this.#incoming?.piece === piece) this.#incoming.caughtUp.push(finish);
        else finish();
      },
    );
    const sending: Sending = { upload, flow, handedOver: false, told: false };
    this.#sending.add(sending);
    this.#watchEnd(sending);
    const { peerId } = this.#daemon;
    this.#tell(child, { kind: 'piece-begun', parentId: peerId, piece });
    child.receiving.set(`${peerId}/${piece}`, this.#daemon);
    for (const parent of child.receiving.values()) if (parent !== this.#daemon) parent.uploads.recheckGate();
  }

  /** Both ends notice that a piece is about to end, and prepare the next one. */
  #watchEnd(sending: Sending): void {
    const { flow, upload } = sending;
    if (this.#world.options.arm !== 'ours') return;
    const heldBackMs = this.#heldBackMs(sending);
    const unseenMs = this.#unseenMs(sending);
    if (!sending.handedOver && heldBackMs < shortestWaitMs) {
      sending.handedOver = true;
      this.#gate.ended();
      this.#pumpGate();
    }
    if (!sending.told && unseenMs < shortestWaitMs) {
      sending.told = true;
      upload.child.take({ kind: 'piece-ending', parentId: this.#daemon.peerId, piece: upload.piece });
    }
    const nextMs = Math.min(sending.handedOver ? Infinity : heldBackMs, sending.told ? Infinity : unseenMs);
    if (nextMs === Infinity) return;
    // the rate may change meanwhile, so a distant end is checked again half way
    this.#world.after(Math.max(shortestWaitMs, nextMs > 1 ? nextMs / 2 : nextMs), () => {
      if (!flow.ended && this.#daemon.alive) this.#watchEnd(sending);
    });
  }

  #leftMs({ flow }: Sending): number {
    return flow.remainingBytes / flow.rate - (this.#world.nowMs - flow.updatedMs);
  }

  /** Time until the kernel has the last byte. */
  #heldBackMs(sending: Sending): number {
    const { rate } = sending.flow;
    const unsentBytes = Math.min(socketBufferBytes, Math.max(minUnsentBytes, rate * unsentMs));
    return this.#leftMs(sending) - unsentBytes / rate;
  }

  /** Time until the child can foresee the end: it must know the rate, and little may be left. */
  #unseenMs(sending: Sending): number {
    const { flow, upload } = sending;
    const latencyMs = this.#world.latencyMs(this.#daemon.setup, upload.child.setup);
    const arrivedMs = this.#leftMs(sending) + latencyMs;
    return arrivedMs - Math.min(endingLeadMs + 2 * latencyMs, (flow.bytes - burstBytes) / flow.rate);
  }

  #stopSending(sending: Sending): void {
    this.#world.network.cancel(sending.flow);
    this.#ended(sending);
  }

  #ended(sending: Sending): void {
    if (!this.#sending.delete(sending)) return;
    sending.upload.child.receiving.delete(`${this.#daemon.peerId}/${sending.upload.piece}`);
    if (!sending.handedOver) this.#gate.ended();
  }

  #newGate(): UploadGate<Upload> {
    if (this.#world.options.arm === 'ours') return new UploadGate({ maxActive: this.#daemon.setup.loadLimit });
    // the original's daemons send whatever is requested at once; its load limit applies to children, and its scheduler enforces
    // it
    return new UploadGate({ maxActive: Number.POSITIVE_INFINITY, capacityBytesPerSec: Number.POSITIVE_INFINITY });
  }
}
