/**
 * The scheduler's brain: owns hosts, tasks and peers, and decides who gives what to whom.
 *
 * Every method is one event: it takes the time, changes the state at once and returns the decisions the shell has to
 * carry out, in order. Nothing here waits, does I/O or knows the clock; `tick` does what falls due by itself and must be
 * called at `nextTickMs`. Events are atomic: each is checked first (Validation), then applied. One about a peer that is not
 * known throws PEER_UNKNOWN, about a host HOST_UNKNOWN, an illegal one FAILED_PRECONDITION, a contradictory one INVALID_ARGUMENT, one over a limit
 * RESOURCE_EXHAUSTED; then this event has changed and decided nothing. The shell ends the peer's stream with the error as it is, and the
 * end of the stream is an event of its own: the peer leaves, and its edges and lease with it.
 *
 * Life of a task: the first registration finds nobody, so the origin desk triggers a seed (or leases the origin to the
 * peer itself). Peers that come meanwhile wait. With the seed's registration it gets the lease and is a root; everybody
 * waiting is attached below it within the same event, and given exchange neighbours. From then on peers trade
 * by themselves; the swarm only hears batched reports, adds parents, and repairs what breaks.
 */
import type { RangeSpec } from '../../core/byte-range.ts';
import type { Claims } from './claims.ts';
import type { Deadlines } from '../shared/deadlines.ts';
import type { Decision } from '../shared/decisions.ts';
import type { DigestDesk, ToldDigests } from './digest-desk.ts';
import {
  type HeldTask,
  type HostInfo,
  type OriginSign,
  type ParentFailure,
  type PiecesFinished,
  type RegisterPeer,
  type TaskLayout,
} from '../shared/events.ts';
import { holderRegistration } from './holder-registration.ts';
import type { Liars } from './liars.ts';
import { defaultSwarmLimits, type SwarmLimits } from './limits.ts';
import type { Matchmaker } from './matchmaker.ts';
import type { Membership } from './membership.ts';
import { Calls } from './origin/calls.ts';
import type { OriginDesk } from './origin/origin-desk.ts';
import type { OriginFailure, OriginFailures } from './origin/origin-failures.ts';
import type { Outbox } from './outbox.ts';
import { PieceSet } from '../shared/piece-set.ts';
import type { Host, Peer, Task } from './records.ts';
import type { Refusals } from './refusals.ts';
import type { Roster } from './roster.ts';
import { originalWaits, promised, type Settlement } from './settlement.ts';
import { isDownloading, nextPeerState, nextTaskState, peerCan, type PeerEvent } from './states.ts';
import type { SwarmOptions } from './swarm-options.ts';
import { swarmParts } from './swarm-parts.ts';
import { progressed, type Upkeep } from './upkeep.ts';
import { sameLayout, Validation } from './validation.ts';

export class Swarm {
  readonly limits: SwarmLimits;
  readonly calls: Calls;
  readonly #roster: Roster;
  readonly #check: Validation;
  readonly #out: Outbox;
  readonly #matchmaker: Matchmaker;
  readonly #origin: OriginDesk;
  readonly #failures: OriginFailures;
  readonly #wakes: Deadlines<Task>;
  readonly #membership: Membership;
  readonly #refusals: Refusals;
  readonly #upkeep: Upkeep;
  readonly #claims: Claims;
  readonly #digests: DigestDesk;
  readonly #liars: Liars;
  readonly #settlement: Settlement;

  constructor(options: SwarmOptions) {
    this.limits = { ...defaultSwarmLimits, ...options.limits };
    const parts = swarmParts(options, this.limits);
    this.#roster = parts.roster;
    this.calls = new Calls(parts.roster, this);
    this.#check = new Validation(parts.roster, this.limits);
    this.#out = parts.out;
    this.#matchmaker = parts.matchmaker;
    this.#origin = parts.origin;
    this.#failures = parts.failures;
    this.#wakes = parts.wakes;
    this.#membership = parts.membership;
    this.#refusals = parts.refusals;
    this.#upkeep = parts.upkeep;
    this.#claims = parts.claims;
    this.#digests = parts.digests;
    this.#liars = parts.liars;
    this.#settlement = parts.settlement;
  }

  /** A daemon announces itself: registers an unknown host, or updates the figures of a known one. */
  announceHost(info: HostInfo, nowMs: number): Decision[] {
    const host = this.#roster.hosts.get(info.hostId);
    if (!host) {
      this.#check.newHost();
      this.#roster.addHost(info, nowMs);
      if (info.type === 'seed') this.#membership.seedsChanged();
      return [];
    }
    const changedSides = host.info.type !== info.type;
    host.info = info;
    if (changedSides) this.#membership.seedsChanged();
    host.slotLimit = this.#roster.slotLimit(info);
    host.lastSeenMs = nowMs;
    for (const peer of host.peers) this.#matchmaker.refresh(peer);
    return [];
  }

  /** The daemon has left or its connection broke: all its peers go at once. Unknown hosts are no error. */
  hostLeft(hostId: string, nowMs: number): Decision[] {
    const host = this.#roster.hosts.get(hostId);
    return host ? this.#settle(this.#membership.removeHost(host, nowMs), nowMs) : [];
  }

  /**
   * One download of one host begins. Registering a known peer again (after a broken stream) keeps what it holds.
   * The answer may be empty: the peer waits and gets its parents or its lease with a later event.
   */
  registerPeer(request: RegisterPeer, nowMs: number): Decision[] {
    const host = this.#check.registration(request);
    const old = this.#roster.peers.get(request.peerId);
    if (old) this.#membership.forget(old, nowMs);
    const unknownLayout = this.#roster.tasks.get(request.taskId)?.layout === undefined;
    const task = this.#roster.taskFor(request, nowMs);
    if (unknownLayout && task.layout) this.#settlement.layoutKnown(task, task.layout);
    const peer = this.#roster.addPeer(request, host, task, nowMs);
    if (task.layout && !(request.knownLayout && sameLayout(task.layout, request.knownLayout))) {
      this.#out.send(peer, { kind: 'task-layout', layout: task.layout });
    }
    this.#digests.registered(peer);
    if (request.heldPieces) this.#roster.addPieces(peer, request.heldPieces);
    // Daemons of the original know the length of everything they register for.
    const known = request.knownLayout !== undefined && request.features.leases;
    this.#membership.expectOthers(task, { known, nowMs });
    if (old?.task === task) this.#roster.addPieces(peer, old.pieces);
    if (task.trigger?.hostId === host.id) task.trigger = undefined;
    if (request.readerRange) this.#origin.readerAsks(peer, request.readerRange);
    this.#fire(peer, task.pieceCount === 0 ? 'RegisterEmpty' : 'RegisterNormal');
    if (request.metadataOnly) this.#registerHolder(peer);
    else if (task.pieceCount === 0) this.#out.send(peer, { kind: 'empty-task' });
    else if (this.#refusals.mayBeFirst(peer)) this.#membership.lookAgain(peer, nowMs);
    else this.#membership.remove(peer, nowMs);
    return [...this.#settle([task], nowMs), ...(request.needBackToSource ? promised(peer, nowMs) : [])];
  }

  /** The peer began to download from its parents. */
  peerStarted(peerId: string, nowMs: number): Decision[] {
    const peer = this.#touch(peerId, nowMs);
    if (peerCan(peer.state, 'Download')) this.#fire(peer, 'Download');
    return [];
  }

  /** A reader of the peer waits for these bytes: those that nobody is about to have are fetched for it at once. */
  readerAsks(peerId: string, range: RangeSpec, nowMs: number): Decision[] {
    const peer = this.#touch(peerId, nowMs);
    if (!isDownloading(peer.state)) return [];
    if (this.#roster.addWanted(peer, range)) this.#origin.readerAsks(peer, range);
    this.#membership.lookAgain(peer, nowMs);
    return this.#settle([peer.task], nowMs);
  }

  /** A daemon of the original went to the origin, on command or on its own. */
  backToSourceStarted(peerId: string, nowMs: number): Decision[] {
    const peer = this.#touch(peerId, nowMs);
    if (peerCan(peer.state, 'DownloadBackToSource')) this.#fire(peer, 'DownloadBackToSource');
    return this.#settle([peer.task], nowMs);
  }

  /** The holder of a lease learned the size; everybody else hears of it. @param ranges whether the origin answers byte ranges. */
  taskMetadata(peerId: string, layout: TaskLayout, nowMs: number, ranges?: boolean): Decision[] {
    this.#check.layout(this.#check.peer(peerId).task.id, layout);
    const peer = this.#touch(peerId, nowMs);
    const { task } = peer;
    this.#origin.answered(peer, nowMs);
    if (ranges === false) this.#origin.rangesRefused(peer, nowMs);
    else if (ranges === true) task.ranges ??= true;
    if (this.#roster.setLayout(task, layout)) this.#settlement.layoutKnown(task, layout);
    return this.#settle([task], nowMs);
  }

  /** Reports verified pieces, in batches or one by one; also serves as the heartbeat of a lease. */
  piecesFinished(peerId: string, report: PiecesFinished, nowMs: number): Decision[] {
    const pieces = report.pieces instanceof PieceSet ? report.pieces : PieceSet.of(report.pieces);
    this.#check.pieces(this.#check.peer(peerId).task, pieces);
    const peer = this.#touch(peerId, nowMs);
    const first = peer.pieces.count === 0;
    const added = this.#roster.addPieces(peer, pieces);
    if (added > 0) progressed(peer, nowMs, first);
    if (report.costMs !== undefined) this.#roster.addCost(peer, report.costMs);
    if (added > 0) this.#claims.reported(peer, pieces, report.from);
    if (report.from === 'source') this.#origin.progress(peer, nowMs);
    else this.#roster.credit(report, added);
    const atOrigin = peer.lease !== undefined || peer.readerLeases.size > 0;
    return first || atOrigin || originalWaits(peer.task) ? this.#settle([peer.task], nowMs) : [];
  }

  /** The peer has compared unproven content with the origin and found it right. */
  originConfirmed(peerId: string, nowMs: number): Decision[] {
    this.#claims.confirmed(this.#touch(peerId, nowMs));
    return [];
  }

  /** Digests that pieces have at the origin, from a peer that has fetched them there. */
  pieceDigests(peerId: string, told: ToldDigests, nowMs: number): Decision[] {
    const peer = this.#touch(peerId, nowMs);
    this.#digests.told(peer, told, nowMs);
    return this.#settle([peer.task], nowMs);
  }

  /** The holder of a lease is alive although no piece may be complete yet; flowing bytes keep the lease alive on a slow link. */
  originProgress(peerId: string, sign: OriginSign, nowMs: number): Decision[] {
    this.#origin.alive(this.#touch(peerId, nowMs), sign, nowMs);
    return [];
  }

  /**
   * The parent failed this child: it is kept from it for a time (`temporary`) or for good (`corrupt`), and replaced at
   * once. `not-held`: the parent answers but lacks this piece; it stays, and a piece that nobody holds any more is
   * fetched again.
   */
  pieceFailed(peerId: string, parentId: string, reason: ParentFailure, nowMs: number, piece?: number): Decision[] {
    const peer = this.#touch(peerId, nowMs);
    const parent = this.#roster.peers.get(parentId);
    if (reason === 'not-held' && piece !== undefined) {
      // Only a child that lacks the piece can know: anybody else could make the swarm go to the origin for nothing.
      if (!parent || !peer.parents.has(parentId) || peer.pieces.has(piece)) return [];
      if (this.#roster.removePiece(parent, piece)) this.#membership.lookAgain(parent, nowMs);
      return this.#settle([peer.task], nowMs);
    }
    const verdict = reason === 'corrupt' ? this.#liars.gaveCorrupt({ parentId, by: peer, piece }, nowMs) : undefined;
    const { blockParentMs, doubtMs } = this.limits;
    const blockMs = verdict === 'open' ? doubtMs : reason === 'corrupt' ? Number.POSITIVE_INFINITY : blockParentMs;
    this.#membership.block(peer, parentId, nowMs + blockMs, nowMs);
    if (parent) parent.host.uploadsFailed += 1;
    if (parent && verdict === 'counts') this.#claims.refuted(parent, nowMs);
    return this.#settle([peer.task], nowMs);
  }

  /** The peer wants other parents; those it names are blocked for a time. */
  reschedule(peerId: string, blockedParents: readonly string[], nowMs: number): Decision[] {
    const peer = this.#touch(peerId, nowMs);
    for (const parentId of blockedParents)
      this.#membership.block(peer, parentId, nowMs + this.limits.blockParentMs, nowMs);
    // a daemon of the original drops all its parents when it asks for new ones
    if (!peer.features.exchange)
      for (const edge of Array.from(peer.parents.values())) this.#matchmaker.disconnect(edge);
    this.#membership.lookAgain(peer, nowMs);
    return [...this.#settle([peer.task], nowMs), ...promised(peer, nowMs)];
  }

  /**
   * The origin refused or failed. When it is `permanent` (it answered with a refusal) or happened too often, everybody
   * who depends on it is told that answer. Otherwise another peer is sent, or the same one after a pause.
   */
  originFailed(peerId: string, failure: OriginFailure, nowMs: number): Decision[] {
    const peer = this.#touch(peerId, nowMs);
    this.#failures.take(peer, failure, nowMs);
    return this.#settle([peer.task], nowMs);
  }

  /** The whole content (or its range) is on disk. The peer stays as a parent. */
  peerFinished(peerId: string, nowMs: number): Decision[] {
    this.#check.transition(peerId, 'DownloadSucceeded');
    const peer = this.#touch(peerId, nowMs);
    const { task } = peer;
    this.#fire(peer, 'DownloadSucceeded');
    if (task.pieceCount !== undefined) this.#roster.addPieces(peer, peer.wanted ?? PieceSet.range(0, task.pieceCount));
    this.#origin.end(peer, nowMs);
    for (const edge of Array.from(peer.parents.values())) this.#matchmaker.disconnect(edge);
    if (!peer.range && !peer.partial && (task.state === 'Running' || task.state === 'Failed'))
      task.state = nextTaskState(task.state, 'DownloadSucceeded');
    this.#matchmaker.refresh(peer);
    return this.#settle([task], nowMs);
  }

  /** No reader is left: the peer wants nothing beyond what it holds, and stays as a parent for that. */
  peerLeftOff(peerId: string, nowMs: number): Decision[] {
    const peer = this.#touch(peerId, nowMs);
    if (!isDownloading(peer.state)) return [];
    peer.partial = true;
    peer.wanted = peer.pieces.clone();
    return this.peerFinished(peerId, nowMs);
  }

  /** The download failed on the peer's side; it stops being a parent. */
  peerFailed(peerId: string, nowMs: number): Decision[] {
    this.#check.transition(peerId, 'DownloadFailed');
    const peer = this.#touch(peerId, nowMs);
    this.#fire(peer, 'DownloadFailed');
    this.#membership.remove(peer, nowMs);
    if (peer.host.info.type === 'seed') this.#origin.seedFailed(peer.task, peer.host.id, nowMs);
    return this.#settle([peer.task], nowMs);
  }

  /** The peer is gone for good. No error when it is unknown. */
  peerLeft(peerId: string, nowMs: number): Decision[] {
    const peer = this.#roster.peers.get(peerId);
    if (!peer) return [];
    this.#membership.remove(peer, nowMs);
    return this.#settle([peer.task], nowMs);
  }

  /** A trigger-seed decision could not be carried out, or the seed's download ended in an error. */
  seedDownloadFailed(taskId: string, hostId: string, nowMs: number): Decision[] {
    const task = this.#roster.tasks.get(taskId);
    if (!task) return [];
    this.#origin.seedFailed(task, hostId, nowMs);
    return this.#settle([task], nowMs);
  }

  /** After a scheduler restart a daemon reports what it holds; its peer is a parent from here on. A known peer is left as it is. */
  announceHeld(hostId: string, held: HeldTask, nowMs: number): Decision[] {
    const request = holderRegistration(hostId, held);
    const host = this.#check.registration(request);
    if (this.#roster.peers.has(held.peerId)) return [];
    const known = this.#roster.tasks.get(held.taskId)?.layout;
    const task = this.#roster.taskFor(request, nowMs);
    if (!known) this.#settlement.layoutKnown(task, held.layout);
    const peer = this.#roster.addPeer(request, host, task, nowMs);
    this.#roster.addPieces(peer, held.pieces);
    this.#membership.expectOthers(task, { known: true, nowMs });
    this.#fire(peer, 'RegisterNormal');
    this.#registerHolder(peer);
    return this.#settle([task], nowMs);
  }

  /** A trusted party says that the host lies. The host may not be known here (yet). */
  strikeOff(hostId: string, nowMs: number): Decision[] {
    return this.#settle(this.#liars.strikeOff(hostId, nowMs), nowMs);
  }

  /** Does what is due: stalled leases, seeds that did not come, expired blocks, silent hosts. */
  tick(nowMs: number): Decision[] {
    const due = new Set<Task>();
    for (let task = this.#wakes.take(nowMs); task !== undefined; task = this.#wakes.take(nowMs))
      if (this.#roster.tasks.get(task.id) === task) due.add(task);
    for (const task of due) {
      this.#origin.expire(task, nowMs);
      this.#refusals.giveUpWaiting(task, nowMs);
      this.#digests.settle(task, nowMs);
    }
    for (const task of this.#upkeep.run(nowMs)) due.add(task);
    return this.#settle(due, nowMs);
  }

  #touch(peerId: string, nowMs: number): Peer {
    const peer = this.#check.peer(peerId);
    this.#roster.touch(peer, nowMs);
    if (peer.silent) this.#membership.heardAgain(peer, nowMs);
    return peer;
  }

  /** When tick is due next; undefined when nothing is. */
  nextTickMs(): number | undefined {
    if (this.#roster.hosts.size === 0 && this.#wakes.size === 0) return undefined;
    return Math.min(this.#wakes.nextMs ?? Number.POSITIVE_INFINITY, this.#upkeep.nextMs);
  }

  host(hostId: string): Readonly<Host> | undefined {
    return this.#roster.hosts.get(hostId);
  }

  task(taskId: string): Readonly<Task> | undefined {
    return this.#roster.tasks.get(taskId);
  }

  peer(peerId: string): Readonly<Peer> | undefined {
    return this.#roster.peers.get(peerId);
  }

  hosts(): Iterable<Readonly<Host>> {
    return this.#roster.hosts.values();
  }

  tasks(): Iterable<Readonly<Task>> {
    return this.#roster.tasks.values();
  }

  get counts(): { readonly hosts: number; readonly tasks: number; readonly peers: number } {
    return { hosts: this.#roster.hosts.size, tasks: this.#roster.tasks.size, peers: this.#roster.peers.size };
  }

  #registerHolder(peer: Peer): void {
    const { task } = peer;
    this.#fire(peer, 'DownloadSucceeded');
    this.#claims.claimed(peer);
    if (task.pieceCount !== undefined && peer.pieces.count === 0)
      this.#roster.addPieces(peer, PieceSet.range(0, task.pieceCount));
    this.#out.send(peer, { kind: 'metadata-only' });
    this.#matchmaker.refresh(peer);
  }

  #settle(tasks: Iterable<Task>, nowMs: number): Decision[] {
    this.#settlement.settle(tasks, nowMs);
    return this.#out.drain();
  }

  #fire(peer: Peer, event: PeerEvent): void {
    peer.state = nextPeerState(peer.state, event);
  }
}
