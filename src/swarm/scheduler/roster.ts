/** Registry of hosts, tasks and peers, of who holds which piece and which pieces a peer wants (`addWanted`). Decides nothing; its input was validated. */
import { resolveRange, type RangeSpec } from '../../core/byte-range.ts';
import { pieceLayout, piecesOfRange } from '../../core/piece-layout.ts';
import type { HostInfo, PiecesFinished, RegisterPeer, TaskLayout } from '../shared/events.ts';
import { IndexedSet } from './indexed-set.ts';
import type { SwarmLimits } from './limits.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { Rhythm } from './origin/pulse.ts';
import { Fetched, type Host, type Peer, type Task } from './records.ts';
import { nextTaskState } from './states.ts';

/** Number of recent piece costs kept per peer. */
const costsKept = 64;
const rateSmoothing = 0.2;

export class Roster {
  readonly hosts = new Map<string, Host>();
  readonly tasks = new Map<string, Task>();
  readonly peers = new Map<string, Peer>();
  /** Hosts that were struck off, and until when: leaving and coming back does not clear them. */
  readonly struckOff = new Map<string, number>();
  readonly #limits: SwarmLimits;

  constructor(limits: SwarmLimits) {
    this.#limits = limits;
  }

  /** A message of a peer is a sign of life of its host and task as well. */
  touch(peer: Peer, nowMs: number): void {
    peer.updatedAtMs = nowMs;
    peer.host.lastSeenMs = nowMs;
    peer.task.updatedAtMs = nowMs;
  }

  addHost(info: HostInfo, nowMs: number): Host {
    const host: Host = {
      info,
      id: info.hostId,
      peers: new Set(),
      slotsUsed: 0,
      slotLimit: this.slotLimit(info),
      uploads: 0,
      uploadsFailed: 0,
      serveRateBytesPerSec: undefined,
      lastSeenMs: nowMs,
      rhythm: new Rhythm(),
      accusedBy: new Map(),
      accuses: new Set(),
      quarantinedUntilMs: this.struckOff.get(info.hostId) ?? 0,
    };
    this.hosts.set(host.id, host);
    return host;
  }

  strikeOff(host: Host, untilMs: number, nowMs: number): void {
    host.quarantinedUntilMs = untilMs;
    this.remember(host.id, untilMs, nowMs);
  }

  /** Strikes off a host until then, even if it is unknown. */
  remember(hostId: string, untilMs: number, nowMs: number): void {
    for (const [id, atMs] of this.struckOff) if (atMs <= nowMs) this.struckOff.delete(id);
    if (this.struckOff.size < this.#limits.hosts) this.struckOff.set(hostId, untilMs);
  }

  slotLimit(info: HostInfo): number {
    return info.loadLimit ?? (info.type === 'seed' ? this.#limits.seedLoadLimit : this.#limits.normalLoadLimit);
  }

  /** The task of the request, created or updated. */
  taskFor(request: RegisterPeer, nowMs: number): Task {
    const task = this.tasks.get(request.taskId) ?? newTask(request.taskId, nowMs);
    if (request.knownLayout) this.setLayout(task, request.knownLayout);
    this.tasks.set(task.id, task);
    task.url = request.url;
    task.tag = request.tag ?? task.tag;
    task.application = request.application ?? task.application;
    task.updatedAtMs = nowMs;
    if (task.state !== 'Running') task.state = nextTaskState(task.state, 'Download');
    return task;
  }

  addPeer(request: RegisterPeer, host: Host, task: Task, nowMs: number): Peer {
    const peer = newPeer(request, host, task, nowMs);
    this.peers.set(peer.id, peer);
    task.peers.set(peer.id, peer);
    host.peers.add(peer);
    if (host.info.type === 'seed') task.seedPeers.add(peer);
    if (request.readerRange) peer.wantedRanges.push(request.readerRange);
    this.setWanted(peer);
    return peer;
  }

  /** Removes the records only; edges and leases must be gone already. */
  dropPeer(peer: Peer): void {
    const { task } = peer;
    this.stopSharing(peer);
    task.waiting.delete(peer);
    task.asking.delete(peer);
    task.seedPeers.delete(peer);
    task.peers.delete(peer.id);
    this.peers.delete(peer.id);
    peer.host.peers.delete(peer);
  }

  /** Returns how many of them are new. */
  addPieces(peer: Peer, pieces: PieceSet): number {
    const { task } = peer;
    const last = pieces.last;
    if (last === undefined) return 0;
    if (last >= task.holders.length) {
      const bigger = new Uint32Array(Math.max(64, last + 1, task.holders.length * 2));
      bigger.set(task.holders);
      task.holders = bigger;
    }
    let added = 0;
    for (const piece of pieces) {
      if (!peer.pieces.add(piece)) continue;
      if (peer.sharing) task.holders[piece] = (task.holders[piece] ?? 0) + 1;
      added += 1;
    }
    return added;
  }

  /** True when the piece counted as held by this peer; its next report may add it again. */
  removePiece(peer: Peer, piece: number): boolean {
    if (!peer.pieces.delete(piece)) return false;
    if (peer.sharing) peer.task.holders[piece] = (peer.task.holders[piece] ?? 0) - 1;
    return true;
  }

  addCost(peer: Peer, costMs: number): void {
    peer.costsMs.push(costMs);
    if (peer.costsMs.length > costsKept) peer.costsMs.shift();
  }

  /** Credits the parents that sent the pieces. */
  credit({ from, rateBytesPerSec: rate }: PiecesFinished, count: number): void {
    const host = this.peers.get(from)?.host;
    if (!host) return;
    host.uploads += count;
    if (rate === undefined) return;
    const old = host.serveRateBytesPerSec;
    host.serveRateBytesPerSec = old === undefined ? rate : old + rateSmoothing * (rate - old);
  }

  /** From now on the peer does not count as a holder. */
  stopSharing(peer: Peer): void {
    if (!peer.sharing) return;
    peer.sharing = false;
    for (const piece of peer.pieces) peer.task.holders[piece] = (peer.task.holders[piece] ?? 0) - 1;
  }

  /** If it may. */
  shareAgain(peer: Peer, nowMs: number): void {
    if (peer.sharing || !mayShare(peer.host, nowMs)) return;
    peer.sharing = true;
    for (const piece of peer.pieces) peer.task.holders[piece] = (peer.task.holders[piece] ?? 0) + 1;
  }

  /** True when the layout is new. Forgets pieces that were reported before it could be checked and that the content does not have. */
  setLayout(task: Task, layout: TaskLayout): boolean {
    if (task.layout) return false;
    const { pieceCount } = pieceLayout(layout.contentLengthBytes, layout.pieceLengthBytes);
    task.layout = layout;
    task.pieceCount = pieceCount;
    for (const peer of task.peers.values()) {
      if ((peer.pieces.last ?? 0) >= pieceCount)
        for (const piece of peer.pieces) if (piece >= pieceCount) this.removePiece(peer, piece);
      this.setWanted(peer);
    }
    return true;
  }

  /** Adds a range to what a peer for parts wants, as soon as the layout is known. False when a reader now wants everything. */
  addWanted(peer: Peer, readerRange: RangeSpec): boolean {
    const { layout } = peer.task;
    if (!peer.partial) return true;
    const range = layout && resolveRange(readerRange, layout.contentLengthBytes);
    const isOpen = 'first' in readerRange && readerRange.first === 0 && readerRange.last === undefined;
    if (isOpen || (range && range.length === layout?.contentLengthBytes)) {
      peer.partial = false;
      peer.wanted = undefined;
      return false;
    }
    if (layout === undefined) {
      if (peer.wantedRanges.length < this.#limits.readersPerPeer) peer.wantedRanges.push(readerRange);
    } else if (range) {
      const { first, last } = piecesOfRange(
        pieceLayout(layout.contentLengthBytes, layout.pieceLengthBytes),
        range.start,
        range.length,
      );
      peer.wanted?.addAll(PieceSet.range(first, last - first + 1));
    }
    return true;
  }

  setWanted(peer: Peer): void {
    const { layout } = peer.task;
    if (!layout) return;
    if (peer.partial) {
      peer.wanted = new PieceSet();
      for (const readerRange of peer.wantedRanges.splice(0)) this.addWanted(peer, readerRange);
      return;
    }
    if (!peer.range || peer.range.start < 0) return;
    const length = Math.min(peer.range.length, layout.contentLengthBytes - peer.range.start);
    if (length <= 0) return;
    const { first, last } = piecesOfRange(
      pieceLayout(layout.contentLengthBytes, layout.pieceLengthBytes),
      peer.range.start,
      length,
    );
    peer.wanted = PieceSet.range(first, last - first + 1);
  }
}

function newTask(id: string, nowMs: number): Task {
  return {
    id,
    url: '',
    tag: '',
    application: '',
    state: 'Pending',
    layout: undefined,
    pieceCount: undefined,
    peers: new Map(),
    seedPeers: new Set(),
    waiting: new Set(),
    servers: new IndexedSet(),
    traders: new IndexedSet(),
    zones: new Map(),
    proof: 'none',
    claimants: new Set(),
    confirmers: new Set(),
    digests: undefined,
    holders: new Uint32Array(0),
    leases: new Map(),
    asking: new Set(),
    wasCut: false,
    doubledBytes: 0,
    ranges: undefined,
    trigger: undefined,
    failedSeeds: new Map(),
    originFailures: 0,
    originSilences: 0,
    quietUntilMs: 0,
    lastOriginError: undefined,
    refusedBy: new Set(),
    failedAtOrigin: new Map(),
    updatedAtMs: nowMs,
  };
}

/** What a daemon of the original asks for at a time unless it says otherwise. */
const originalConcurrentPieceCount = 8;

function newPeer(request: RegisterPeer, host: Host, task: Task, nowMs: number): Peer {
  return {
    id: request.peerId,
    task,
    host,
    zone: host.info.idc.toLowerCase(),
    features: request.features,
    priority: request.priority,
    range: request.range,
    disableBackToSource: request.disableBackToSource,
    hasFallback: request.hasFallback === true,
    needBackToSource: request.needBackToSource,
    concurrentPieceCount: request.concurrentPieceCount ?? originalConcurrentPieceCount,
    state: 'Pending',
    pieces: new PieceSet(task.pieceCount),
    sharing: mayShare(host, nowMs),
    silent: false,
    deaf: false,
    progressAtMs: nowMs,
    longestPauseMs: undefined,
    partial: request.readerRange !== undefined,
    asking: [],
    wantedRanges: [],
    wanted: undefined,
    parents: new Map(),
    children: new Map(),
    blocked: new Map(),
    leftParents: new Map(),
    costsMs: [],
    exchangeChildren: 0,
    backboneParents: 0,
    backboneChildren: 0,
    lease: undefined,
    readerLeases: new Set(),
    fetched: new Fetched(),
    originBlockedUntilMs: host.quarantinedUntilMs,
    waitingSinceMs: nowMs,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
}

function mayShare({ info, quarantinedUntilMs }: Host, nowMs: number): boolean {
  return !info.disableShared && quarantinedUntilMs <= nowMs;
}
