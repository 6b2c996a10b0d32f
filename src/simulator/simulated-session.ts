/** The session of a simulated daemon's download with the scheduler: registrations, reports and their batches, over a wire that takes a latency. */
import type { SessionEffect } from '../swarm/peer/download/effects.ts';
import { downloadLimits } from '../swarm/peer/download/limits.ts';
import { digestBytes } from '../swarm/shared/piece-digests.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';

const reportEveryMs = 200;

export class SimulatedSession {
  readonly #daemon: SimulatedDaemon;
  #report = new Map<string, PieceSet>();
  #reportQueued = false;

  constructor(daemon: SimulatedDaemon) {
    this.#daemon = daemon;
  }

  run(effect: SessionEffect): void {
    const { scheduler, peerId, origin, world, layout } = this.#daemon;
    const tell: (typeof scheduler)['tell'] = (...event) => scheduler.tell(...event);
    switch (effect.kind) {
      case 'open-session':
        return this.#daemon.openSession();
      case 'ask-scheduler':
        return tell(this.#daemon, (swarm, nowMs) => swarm.reschedule(peerId, [], nowMs));
      case 'report-parent': {
        const { parentId, piece, fault } = effect;
        const reason = fault === 'gone' ? 'not-held' : fault === 'corrupt' ? 'corrupt' : 'temporary';
        return tell(this.#daemon, (swarm, nowMs) => swarm.pieceFailed(peerId, parentId, reason, nowMs, piece));
      }
      case 'report-lease-started':
        return tell(this.#daemon, (swarm, nowMs) => swarm.backToSourceStarted(peerId, nowMs));
      case 'report-lease-alive': {
        if (world.options.arm !== 'ours') return; // the original's daemons give no such sign
        const sign = { aliveEveryMs: downloadLimits.leaseAliveMs, originSilent: !origin.flows };
        return tell(this.#daemon, (swarm, nowMs) => swarm.originProgress(peerId, sign, nowMs));
      }
      case 'report-lease-failed': {
        const failure = { permanent: !effect.temporary, error: { message: 'the origin is down' } };
        return tell(this.#daemon, (swarm, nowMs) => swarm.originFailed(peerId, failure, nowMs));
      }
      case 'report-layout':
        return layout && tell(this.#daemon, (swarm, nowMs) => swarm.taskMetadata(peerId, layout, nowMs, effect.ranges));
      case 'leave-session':
        return tell(this.#daemon, (swarm, nowMs) => swarm.peerFailed(peerId, nowMs));
    }
  }

  /** A piece is on disk; the first one is reported at once. `from` is a peer id or `source`. */
  stored(piece: number, from: string): void {
    if (from === 'source') this.#tellDigest(piece);
    const batch = this.#report.get(from);
    if (batch) batch.add(piece);
    else this.#report.set(from, PieceSet.of([piece]));
    if (this.#daemon.held.count === 1) this.flush();
    else if (!this.#reportQueued) {
      this.#reportQueued = true;
      this.#daemon.world.after(reportEveryMs, () => this.flush());
    }
  }

  flush(): void {
    this.#reportQueued = false;
    const { alive, scheduler, peerId } = this.#daemon;
    if (!alive) return;
    const report = this.#report;
    this.#report = new Map();
    for (const [from, pieces] of report)
      scheduler.tell(this.#daemon, (swarm, nowMs) => swarm.piecesFinished(peerId, { pieces, from }, nowMs));
  }

  crash(): void {
    this.#report.clear();
  }

  /** Those that are honest tell one digest for all pieces: only whether it is the same counts here. */
  #tellDigest(first: number): void {
    const { scheduler, peerId } = this.#daemon;
    const told = { first, digests: new Uint8Array(digestBytes), validator: '', checked: false };
    scheduler.tell(this.#daemon, (swarm, nowMs) => swarm.pieceDigests(peerId, told, nowMs));
  }
}
