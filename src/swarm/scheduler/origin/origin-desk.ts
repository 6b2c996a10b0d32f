/**
 * Who may fetch what from the origin.
 *
 * A lease names the one holder of a range of pieces; ranges do not overlap, so the origin sends each byte once however
 * many peers ask. Two bounded exceptions: a few bytes a reader waits for (ReaderDesk), and one rescue of a task whose swarm stalls. A lease ends when its pieces are held, or when its holder stalls, fails or leaves; what is then missing
 * is leased again. Seeds come first: a task nobody holds makes a seed host fetch it, the next seed of the ring if
 * that one does not come, and a waiting peer itself if no seed does.
 */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { LeaseRange } from '../../shared/decisions.ts';
import type { OriginSign } from '../../shared/events.ts';
import { firstDownload } from './first-download.ts';
import { LeaseBook, leasesOf, stallMs } from './lease-book.ts';
import type { SwarmLimits } from '../limits.ts';
import type { Outbox } from '../outbox.ts';
import { PieceSet } from '../../shared/piece-set.ts';
import { Pulse } from './pulse.ts';
import { ReaderDesk } from './reader-desk.ts';
import type { Host, Peer, Task } from '../records.ts';
import { isDownloading } from '../states.ts';
import { anyDownloading, longestRun, wantedPieces } from './wanted-pieces.ts';

/** Of one task. */
const failedHostsKept = 1000;

export interface OriginSurroundings {
  readonly limits: SwarmLimits;
  readonly out: Outbox;
  /** Live seed hosts in the order in which they should be tried for this task. */
  readonly seedsFor: (task: Task) => readonly Host[];
  /** Called when the lease of a peer began or ended. */
  readonly rootChanged: (peer: Peer, nowMs: number) => void;
  /** Stop counting this peer as a holder until it is heard from again. */
  readonly fellSilent: (peer: Peer) => void;
  readonly wakeAt: (task: Task, atMs: number) => void;
  /** A peer is sent to the origin. */
  readonly leaseGiven: (holder: Peer) => void;
}

export class OriginDesk {
  readonly #around: OriginSurroundings;
  readonly #leases: LeaseBook;
  readonly #readers: ReaderDesk;

  constructor(surroundings: OriginSurroundings) {
    this.#around = surroundings;
    this.#leases = new LeaseBook(surroundings);
    this.#readers = new ReaderDesk({
      limits: surroundings.limits,
      leases: this.#leases,
      wake: (peer, nowMs) => this.#wakeSeed(peer, nowMs),
      wakeAt: surroundings.wakeAt,
    });
  }

  /** Grants leases, or triggers seeds, for everything wanted that nobody holds or fetches. Call after every change of a task. */
  settle(task: Task, nowMs: number): void {
    this.#endDone(task, nowMs);
    if (nowMs < task.quietUntilMs) return;
    this.#readers.serve(task, nowMs);
    const { limits } = this.#around;
    for (let round = 0; round <= limits.backToSourceCount && task.leases.size < limits.backToSourceCount; round += 1) {
      const gap = this.#gap(task);
      if (!gap) break;
      const holder = this.#candidate(task, gap, nowMs);
      if (!holder) return;
      this.#leases.grant(holder, fetchedBy(holder, gap), { nowMs });
    }
    this.#split(task, nowMs);
  }

  /** A reader of the peer waits for these bytes; the caller settles the task afterwards. */
  readerAsks(peer: Peer, range: RangeSpec): void {
    this.#readers.ask(peer, range);
  }

  /** The content's layout became known: open ranges get their end. */
  layoutKnown(task: Task): void {
    if (task.pieceCount === undefined) return;
    for (const lease of task.leases.values()) {
      if (lease.range.end === undefined && !lease.readerRange)
        lease.range = { first: lease.range.first, end: task.pieceCount };
    }
    this.#readers.layoutKnown(task);
  }

  /** The origin answers ranges with everything: the peer that found out fetches everything, in place of all readers. */
  rangesRefused(by: Peer, nowMs: number): void {
    const { task } = by;
    if (task.ranges === false) return;
    task.ranges = false;
    const [first] = by.readerLeases;
    const isAlone = [...task.leases.values()].every(({ readerRange }) => readerRange !== undefined);
    for (const lease of Array.from(task.leases.values()))
      if (lease.readerRange && (lease !== first || !isAlone))
        this.#leases.revoke(lease, 'the origin gives no ranges', nowMs);
    if (first && isAlone) this.#leases.toWhole(first);
  }

  /** The origin has answered the peer, as it reports each time. */
  answered(peer: Peer, nowMs: number): void {
    for (const lease of leasesOf(peer)) lease.answeredAtMs ??= nowMs;
  }

  progress(peer: Peer, nowMs: number): void {
    peer.task.originFailures = 0;
    peer.task.originSilences = 0;
    peer.task.refusedBy.clear();
    for (const lease of leasesOf(peer)) {
      lease.expiresAtMs = nowMs + stallMs(peer, this.#around.limits);
      lease.pulse?.heard(nowMs);
    }
  }

  /** A sign of life of the holder, which may promise the next within `aliveEveryMs`. */
  alive(peer: Peer, { aliveEveryMs, originSilent }: OriginSign, nowMs: number): void {
    if (!originSilent) this.progress(peer, nowMs);
    if (aliveEveryMs === 0) return;
    const { leaseSilentMs: silentMs, leaseStallMs: mostMs, lateLookMs: lateMs } = this.#around.limits;
    for (const lease of leasesOf(peer)) {
      if (lease.pulse) lease.pulse.heard(nowMs);
      else {
        const { rhythm } = peer.host;
        lease.pulse = new Pulse({ silentMs, mostMs, lateMs }, { everyMs: aliveEveryMs, rhythm }, nowMs);
        this.#around.wakeAt(lease.holder.task, lease.pulse.silentAtMs);
      }
    }
  }

  /** Takes the peer's leases away, or the one with this id; the caller settles the task afterwards. */
  end(peer: Peer, nowMs: number, leaseId?: number): void {
    for (const lease of leasesOf(peer))
      if (leaseId === undefined || lease.id === leaseId) this.#leases.end(lease, nowMs);
  }

  revoke(peer: Peer, reason: string, nowMs: number): void {
    for (const lease of leasesOf(peer)) this.#leases.revoke(lease, reason, nowMs);
  }

  /** What the peer was to fetch has reached others another way, and it can get it from them. True when the lease was taken back. */
  takeBackNeedless({ task, lease, features }: Peer, nowMs: number): boolean {
    if (!lease || lease.rescue || !features.leases || lease.range.end === undefined) return false;
    if (this.#firstLacking(task, lease.range) !== undefined) return false;
    this.#leases.revoke(lease, 'others hold all that it was for', nowMs);
    return true;
  }

  /** Ends leases without progress since their deadline, or with a silent holder; true when one was ended. */
  expire(task: Task, nowMs: number): boolean {
    let changed = false;
    for (const lease of Array.from(task.leases.values())) {
      const { holder, pulse } = lease;
      const silent = pulse?.isSilent(nowMs, holder.host.lastSeenMs) === true;
      if (lease.expiresAtMs > nowMs && !silent) {
        this.#around.wakeAt(task, Math.min(lease.expiresAtMs, pulse?.silentAtMs ?? Number.POSITIVE_INFINITY));
        continue;
      }
      if (!silent && pulse) {
        // The holder lives, and it is the origin that takes its time, as one does that fetches or scans first.
        if (!this.#othersCouldGo(task, holder, nowMs)) {
          lease.expiresAtMs = nowMs + stallMs(holder, this.#around.limits);
          this.#around.wakeAt(task, Math.min(lease.expiresAtMs, pulse.silentAtMs));
          continue;
        }
        task.originSilences += 1;
      }
      this.keepAway(holder, nowMs + this.#around.limits.blockParentMs);
      this.#leases.revoke(lease, silent ? 'no sign of life in time' : 'no progress from the origin in time', nowMs);
      if (silent) this.#around.fellSilent(holder);
      changed = true;
    }
    if (task.trigger && task.trigger.deadlineMs <= nowMs) {
      this.seedFailed(task, task.trigger.hostId, nowMs);
      changed = true;
    }
    return changed;
  }

  /**
   * For a peer that has got nothing for long and could go itself, while the heartbeats of the peer at the origin come
   * late: a peer that loses a third of its packets is heard now and then, but is of no more use than a silent one. True
   * when its lease was taken away.
   */
  leaveLate(peer: Peer, nowMs: number): boolean {
    const { task, lease: own, deaf, disableBackToSource, originBlockedUntilMs } = peer;
    const { leaseLateMs, uselessMs, blockParentMs } = this.#around.limits;
    if (own || deaf || disableBackToSource || originBlockedUntilMs > nowMs) return false;
    let left = false;
    for (const lease of Array.from(task.leases.values())) {
      const { holder, pulse, readerRange, grantedAtMs } = lease;
      if (readerRange || nowMs - grantedAtMs < uselessMs || pulse?.isLate(nowMs, leaseLateMs) !== true) continue;
      this.keepAway(holder, nowMs + blockParentMs);
      this.#leases.revoke(lease, 'its signs of life come late, and others get nothing', nowMs);
      this.#around.fellSilent(holder);
      left = true;
    }
    return left;
  }

  /** Others go to the origin before this peer does again. */
  keepAway(peer: Peer, untilMs: number): void {
    const { failedAtOrigin } = peer.task;
    if (failedAtOrigin.size >= failedHostsKept) failedAtOrigin.clear();
    failedAtOrigin.set(peer.host.id, (failedAtOrigin.get(peer.host.id) ?? 0) + 1);
    peer.originBlockedUntilMs = untilMs;
    this.#around.wakeAt(peer.task, untilMs);
  }

  /** A leaving peer may have passed on pieces that nobody else is known to hold: their receivers get a moment to report. */
  holderLeaves(peer: Peer, nowMs: number): void {
    const { task } = peer;
    if (task.peers.size === 1 || peer.pieces.count === 0 || !(leasesOf(peer).length > 0 || holdsAlone(peer))) return;
    task.quietUntilMs = Math.max(task.quietUntilMs, nowMs + this.#around.limits.reportGraceMs);
    this.#around.wakeAt(task, task.quietUntilMs);
  }

  /** The peer does not get what others hold, so it fetches what it lacks once more. One rescue at a time per task. */
  rescue(peer: Peer, nowMs: number): void {
    const { task } = peer;
    if (
      peer.lease ||
      peer.deaf ||
      peer.disableBackToSource ||
      task.pieceCount === undefined ||
      task.trigger ||
      peer.originBlockedUntilMs > nowMs
    )
      return;
    if (nowMs < task.quietUntilMs || task.leases.size >= this.#around.limits.backToSourceCount) return;
    const lacking = (peer.wanted ?? PieceSet.range(0, task.pieceCount)).difference(peer.pieces);
    for (const lease of task.leases.values()) {
      if (lease.rescue) return;
      for (let piece = lease.range.first; piece < (lease.range.end ?? 0); piece += 1) lacking.delete(piece);
    }
    const run = longestRun(lacking, task.pieceCount);
    if (run) this.#leases.grant(peer, run, { nowMs, rescue: true });
  }

  seedFailed(task: Task, hostId: string, nowMs: number): void {
    if (task.trigger?.hostId === hostId) task.trigger = undefined;
    task.failedSeeds.set(hostId, nowMs + this.#around.limits.seedFailedMs);
  }

  #endDone(task: Task, nowMs: number): void {
    for (const lease of Array.from(task.leases.values())) {
      const { holder, range } = lease;
      if (range.end !== undefined && holder.pieces.firstMissing(range.first, range.end) === undefined)
        this.#leases.end(lease, nowMs);
    }
  }

  /** Somebody else could fetch what this holder does not get. */
  #othersCouldGo(task: Task, holder: Peer, nowMs: number): boolean {
    for (const peer of task.peers.values())
      if (peer !== holder && isDownloading(peer.state) && !peer.lease && !peer.deaf && !peer.disableBackToSource)
        return true;
    if (task.seedPeers.has(holder)) return false;
    return this.#around.seedsFor(task).some((host) => (task.failedSeeds.get(host.id) ?? 0) <= nowMs);
  }

  /** First piece of the range that nobody holds. */
  #firstLacking(task: Task, range: LeaseRange): number | undefined {
    for (let piece = range.first; piece < (range.end ?? 0); piece += 1)
      if ((task.holders[piece] ?? 0) === 0) return piece;
    return undefined;
  }

  /** The longest run of wanted pieces that nobody holds and no lease covers. Usually there is none, which is found without examining the peers. */
  #gap(task: Task): LeaseRange | undefined {
    if (task.pieceCount === undefined)
      return task.leases.size === 0 && anyDownloading(task) ? { first: 0, end: undefined } : undefined;
    const open = PieceSet.range(0, task.pieceCount);
    for (let piece = 0; piece < task.pieceCount; piece += 1) if ((task.holders[piece] ?? 0) > 0) open.delete(piece);
    for (const { range, holder } of task.leases.values()) {
      for (let piece = range.first; piece < (range.end ?? 0); piece += 1) open.delete(piece);
      if (holder.features.leases) continue;
      if (!holder.wanted) return undefined; // it fetches everything that it lacks
      for (const piece of holder.wanted) open.delete(piece);
    }
    if (open.count === 0) return undefined;
    // Without range support one response also brings everything before the wanted pieces.
    if (task.ranges === false && task.leases.size > 0) return undefined;
    return longestRun(task.ranges === false ? open : open.intersection(wantedPieces(task)), task.pieceCount);
  }

  /** The peer that should fetch next. Undefined: nobody can, or a triggered seed has not come yet. */
  #candidate(task: Task, gap: LeaseRange, nowMs: number): Peer | undefined {
    for (const seed of task.seedPeers) {
      if (mayBeSent(seed, nowMs) && seed.needBackToSource) return seed;
    }
    const able: Peer[] = [];
    for (const peer of task.peers.values()) {
      if (mayBeSent(peer, nowMs) && !peer.disableBackToSource && this.#wants(peer, gap)) able.push(peer);
    }
    if (task.trigger || (task.wasCut && seedComesTo(task, gap))) return undefined;
    const [waiting] = task.waiting;
    const requester = waiting ?? able[0];
    if (!requester) return undefined;
    const sharing = able.filter((peer) => peer.sharing);
    const choices = leastFailed(task, sharing.length > 0 ? sharing : able);
    if (
      firstDownload(requester.priority) === 'seed' &&
      !requester.needBackToSource &&
      this.#triggerSeed(task, requester, nowMs)
    )
      return undefined;
    return choices.find((peer) => peer.needBackToSource) ?? choices.find((peer) => peer.features.leases) ?? choices[0];
  }

  #wants(peer: Peer, gap: LeaseRange): boolean {
    if (peer.task.ranges === false) return true;
    if (gap.end === undefined) return !peer.partial;
    if (peer.wanted === undefined) return true;
    for (let piece = gap.first; piece < gap.end; piece += 1) if (peer.wanted.has(piece)) return true;
    return false;
  }

  #triggerSeed(task: Task, requester: Peer, nowMs: number): boolean {
    for (const host of this.#around.seedsFor(task)) {
      if (host === requester.host || (task.failedSeeds.get(host.id) ?? 0) > nowMs) continue;
      if ([...host.peers].some((peer) => peer.task === task)) continue;
      task.trigger = { hostId: host.id, deadlineMs: nowMs + this.#around.limits.seedTriggerMs };
      this.#around.wakeAt(task, task.trigger.deadlineMs);
      this.#around.out.send(requester, { kind: 'trigger-seed', hostId: host.id });
      return true;
    }
    return false;
  }

  /** Triggers a seed that is not there yet, to fetch the whole content once for all. */
  #wakeSeed(peer: Peer, nowMs: number): void {
    const { task } = peer;
    if (task.seedPeers.size > 0 || task.trigger || peer.needBackToSource) return;
    if (firstDownload(peer.priority) === 'seed') this.#triggerSeed(task, peer, nowMs);
  }

  /** An idle seed takes the upper half of what the busiest lease still has to fetch. */
  #split(task: Task, nowMs: number): void {
    if (task.ranges === false) return; // the half would cost the whole
    for (const seed of task.seedPeers) {
      if (seed.lease || !seed.needBackToSource || !seed.features.leases || !isDownloading(seed.state)) continue;
      if (seed.originBlockedUntilMs > nowMs || task.leases.size >= this.#around.limits.backToSourceCount) continue;
      const widest = [...task.leases.values()]
        .filter((lease) => lease.holder.features.leases && !lease.readerRange)
        .flatMap((lease) => {
          const { end } = lease.range;
          const from = this.#firstLacking(task, lease.range);
          return from === undefined || end === undefined ? [] : [{ lease, from, end }];
        })
        .sort((a, b) => b.end - b.from - (a.end - a.from))[0];
      if (!widest || widest.end - widest.from < 2 * this.#around.limits.stripePieces) return;
      const middle = Math.ceil((widest.from + widest.end) / 2);
      this.#leases.change(widest.lease, { first: widest.lease.range.first, end: middle });
      this.#leases.grant(seed, { first: middle, end: widest.end }, { nowMs });
    }
  }
}

/** Peers that were sent and brought nothing come after all others, under whatever names: their failure may be pretended. */
function leastFailed({ failedAtOrigin }: Task, peers: readonly Peer[]): readonly Peer[] {
  if (failedAtOrigin.size === 0) return peers;
  const failures = peers.map(({ host }) => failedAtOrigin.get(host.id) ?? 0);
  const least = failures.reduce((few, count) => Math.min(few, count), Number.POSITIVE_INFINITY);
  return peers.filter((_peer, place) => failures[place] === least);
}

function mayBeSent({ state, lease, deaf, originBlockedUntilMs }: Peer, nowMs: number): boolean {
  return isDownloading(state) && !lease && !deaf && originBlockedUntilMs <= nowMs;
}

/** It is the only known holder of some piece. */
function holdsAlone({ task, pieces, sharing }: Peer): boolean {
  if (sharing) for (const piece of pieces) if (task.holders[piece] === 1) return true;
  return false;
}

/** A peer without leases fetches everything that it lacks, not only the gap. */
function fetchedBy({ features, wanted, task }: Peer, gap: LeaseRange): LeaseRange {
  if (features.leases || wanted || task.leases.size > 0 || gap.end === undefined) return gap;
  return { first: 0, end: task.pieceCount };
}

/** A seed is fetching what precedes the gap, and will continue with it. */
function seedComesTo(task: Task, gap: LeaseRange): boolean {
  for (const { lease, state } of task.seedPeers)
    if (lease && isDownloading(state) && (lease.range.end ?? Infinity) <= gap.first) return true;
  return false;
}
