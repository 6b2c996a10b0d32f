/** Periodic checks: stalled downloads, silent peers and hosts. */
import type { DigestDesk } from './digest-desk.ts';
import type { SwarmLimits } from './limits.ts';
import type { Matchmaker } from './matchmaker.ts';
import type { Membership } from './membership.ts';
import type { OriginDesk } from './origin/origin-desk.ts';
import type { Peer, Task } from './records.ts';
import type { Roster } from './roster.ts';
import { isDownloading } from './states.ts';

export interface UpkeepParts {
  readonly limits: SwarmLimits;
  readonly roster: Roster;
  readonly matchmaker: Matchmaker;
  readonly origin: OriginDesk;
  readonly membership: Membership;
  readonly digests: DigestDesk;
}

export class Upkeep {
  readonly #parts: UpkeepParts;
  #nextGcMs = 0;
  #nextStallCheckMs = 0;
  /** Where the last check stopped; peers that come and go meanwhile do not disturb it. */
  #lookingAt: Iterator<Peer, undefined> | undefined;
  /** Tasks of the peers helped since this look began. */
  readonly #helped = new Set<Task>();

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  get nextMs(): number {
    return Math.min(this.#nextGcMs, this.#nextStallCheckMs);
  }

  /** Runs the maintenance that is due; returns the tasks to settle afterwards. */
  run(nowMs: number): Set<Task> {
    const changed = new Set<Task>();
    const { limits } = this.#parts;
    if (nowMs >= this.#nextStallCheckMs && this.#helpStalled(nowMs)) {
      for (const task of this.#helped) changed.add(task);
      this.#helped.clear();
      this.#nextStallCheckMs = nowMs + limits.stallCheckMs;
    }
    if (nowMs >= this.#nextGcMs) {
      this.#collect(changed, nowMs);
      this.#nextGcMs = nowMs + limits.gcIntervalMs;
    }
    return changed;
  }

  /**
   * A peer that gets nothing although others hold what it lacks is introduced to them; if that does not help, it goes to the
   * origin. False: the next event continues.
   */
  #helpStalled(nowMs: number): boolean {
    const { limits, roster, matchmaker, origin } = this.#parts;
    this.#lookingAt ??= roster.peers.values();
    for (let looks = 0, found = 0; looks < limits.stallLooks && found < limits.stallIntroductions; looks += 1) {
      const { value: peer } = this.#lookingAt.next();
      if (!peer) {
        this.#lookingAt = undefined;
        return true;
      }
      const stalledMs = nowMs - peer.progressAtMs;
      if (!isDownloading(peer.state)) continue;
      const takenBack = origin.takeBackNeedless(peer, nowMs);
      if (peer.lease || (stalledMs < limits.stallCheckMs && !takenBack)) continue;
      if (stalledMs >= limits.uselessMs && origin.leaveLate(peer, nowMs)) this.#helped.add(peer.task);
      const lacking = lackingHeld(peer);
      if (lacking === undefined) continue;
      const patienceMs = patienceOf(peer, limits);
      matchmaker.introduce(peer, lacking, { nowMs, anywhere: stalledMs >= patienceMs / 2 });
      if (!takenBack && stalledMs >= patienceMs) origin.rescue(peer, nowMs);
      this.#helped.add(peer.task);
      found += 1;
    }
    return false;
  }

  #collect(changed: Set<Task>, nowMs: number): void {
    const { limits, roster, membership, digests } = this.#parts;
    for (const host of Array.from(roster.hosts.values())) {
      if (nowMs - host.lastSeenMs < Math.min(limits.hostTtlMs, 2 * host.info.announceIntervalMs)) continue;
      for (const task of membership.removeHost(host, nowMs)) changed.add(task);
    }
    for (const peer of Array.from(roster.peers.values())) {
      const ttlMs = isDownloading(peer.state) ? limits.pieceDownloadTimeoutMs : limits.peerTtlMs;
      if (nowMs - peer.updatedAtMs < ttlMs) continue;
      membership.remove(peer, nowMs);
      changed.add(peer.task);
    }
    for (const task of Array.from(roster.tasks.values())) {
      if (task.peers.size > 0) continue;
      roster.tasks.delete(task.id);
      digests.forget(task);
    }
  }
}

/** @param first it had no piece before. */
export function progressed(peer: Peer, nowMs: number, first: boolean): void {
  if (!first) peer.longestPauseMs = Math.max(peer.longestPauseMs ?? 0, nowMs - peer.progressAtMs);
  peer.progressAtMs = nowMs;
}

/** A stalled peer's parents still answer, so nobody leaves them: how long that may last depends on its pace so far. */
function patienceOf({ longestPauseMs }: Peer, { stalledMs, stalledLeastMs, stalledPauses }: SwarmLimits): number {
  if (longestPauseMs === undefined) return stalledMs;
  return Math.min(stalledMs, Math.max(stalledLeastMs, stalledPauses * longestPauseMs));
}

/** A piece that the peer lacks, somebody else holds, and nobody is fetching from the origin. */
function lackingHeld({ task, wanted, pieces }: Peer): number | undefined {
  for (let piece = 0; piece < (task.pieceCount ?? 0); piece += 1) {
    if ((task.holders[piece] ?? 0) > 0 && !pieces.has(piece) && (!wanted || wanted.has(piece))) return piece;
  }
  return undefined;
}
