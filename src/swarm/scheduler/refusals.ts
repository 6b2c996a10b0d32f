/** Rejects peers: those that may not be first, whose origin refuses, or that nobody can serve. */
import type { ErrorCode } from '../../core/errors.ts';
import type { OriginError } from '../shared/events.ts';
import { firstDownload } from './origin/first-download.ts';
import { needsParent } from './matchmaker.ts';
import type { Membership } from './membership.ts';
import type { Outbox } from './outbox.ts';
import { PieceSet } from '../shared/piece-set.ts';
import type { Peer, Task } from './records.ts';
import { isDownloading, nextPeerState, nextTaskState } from './states.ts';

export class Refusals {
  readonly #out: Outbox;
  readonly #membership: Membership;
  readonly #waitMs: number;

  constructor(options: { readonly out: Outbox; readonly membership: Membership; readonly waitMs: number }) {
    this.#out = options.out;
    this.#membership = options.membership;
    this.#waitMs = options.waitMs;
  }

  /** Requests with priority 1 or 2 never cause a first download: rejected while nobody holds or fetches the task. */
  mayBeFirst(peer: Peer): boolean {
    const { task } = peer;
    const verdict = firstDownload(peer.priority);
    if (verdict === 'seed' || verdict === 'self' || task.leases.size > 0 || task.trigger) return true;
    if (task.holders.some((count) => count > 0)) return true;
    if (verdict === 'forbidden')
      this.#refuse(peer, 'FAILED_PRECONDITION', `priority ${peer.priority} is forbidden to download`);
    else this.#refuse(peer, 'NOT_FOUND', `nobody holds the task, and priority ${peer.priority} may not fetch it first`);
    return false;
  }

  /** Fails the peers that want content nobody holds, with the origin's response. */
  failStranded(task: Task, error: OriginError, nowMs: number): void {
    task.originFailures = 0;
    for (const peer of Array.from(task.peers.values())) this.failIfStranded(peer, error, nowMs);
    if (task.state === 'Running') task.state = nextTaskState(task.state, 'DownloadFailed');
  }

  /** The origin's answer applies to this peer alone: others have credentials of their own. */
  failIfStranded(peer: Peer, error: OriginError, nowMs: number): void {
    if (!isDownloading(peer.state) || !lacksHeldByNobody(peer)) return;
    this.#passOn(peer, error);
    peer.state = nextPeerState(peer.state, 'DownloadFailed');
    this.#membership.remove(peer, nowMs);
  }

  /** Rejects peers that waited too long for a parent while nobody is at the origin. */
  giveUpWaiting(task: Task, nowMs: number): void {
    for (const peer of Array.from(task.waiting)) {
      if (!needsParent(peer) || peer.parents.size > 0 || task.leases.size > 0 || task.trigger) continue;
      if (nowMs - peer.waitingSinceMs < this.#waitMs) continue;
      this.#giveUp(peer);
      this.#membership.remove(peer, nowMs);
    }
  }

  /**
   * Once the origin has refused every peer that may ask it, rejects those that may not: nobody holds or fetches what
   * they want, and no seed is left to be sent. A peer that can still ask may appear, so peers whose callers have no
   * fallback wait a while.
   */
  failHopeless(task: Task, nowMs: number): void {
    const { lastOriginError: error } = task;
    if (task.waiting.size === 0 || task.servers.size > 0) return;
    if (task.leases.size > 0 || task.trigger || nowMs < task.quietUntilMs) return;
    for (const peer of task.peers.values()) if (isDownloading(peer.state) && !peer.disableBackToSource) return;
    for (const peer of Array.from(task.waiting)) {
      // Neighbours that wait as well cannot help.
      if (!needsParent(peer) || !lacksHeldByNobody(peer) || !(error || peer.hasFallback)) continue;
      this.#giveUp(peer);
      this.#membership.remove(peer, nowMs);
    }
  }

  #giveUp(peer: Peer): void {
    const { id, lastOriginError: error } = peer.task;
    if (error) this.#passOn(peer, error);
    else this.#refuse(peer, 'FAILED_PRECONDITION', `nobody serves task ${id}, and its origin may not be asked`);
  }

  #passOn(peer: Peer, { message, details }: OriginError): void {
    this.#out.send(peer, { kind: 'fail-peer', code: 'SOURCE_STATUS', message, details });
  }

  #refuse(peer: Peer, code: ErrorCode, message: string): void {
    this.#out.send(peer, { kind: 'fail-peer', code, message });
  }
}

function lacksHeldByNobody({ task, wanted, pieces }: Peer): boolean {
  if (task.pieceCount === undefined) return true;
  for (const piece of (wanted ?? PieceSet.range(0, task.pieceCount)).difference(pieces))
    if ((task.holders[piece] ?? 0) === 0) return true;
  return false;
}
