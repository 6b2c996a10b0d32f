/** The session of a simulated daemon's download with the scheduler: registrations and reports, over a link with latency. */
import type { SessionEffect } from '../swarm/peer/download/effects.ts';
import { downloadLimits } from '../swarm/peer/download/limits.ts';
import { digestBytes } from '../swarm/shared/piece-digests.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';

export class SimulatedSession {
  readonly #daemon: SimulatedDaemon;

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
      case 'report-pieces':
        for (const { parentId: from = 'source', pieces } of effect.sources)
          tell(this.#daemon, (swarm, nowMs) => swarm.piecesFinished(peerId, { pieces, from }, nowMs));
        return;
      case 'report-held':
        return tell(this.#daemon, (swarm, nowMs) =>
          swarm.piecesFinished(peerId, { pieces: effect.held, from: 'local' }, nowMs),
        );
      case 'report-piece':
      case 'ask-for-reader':
        return; // the simulation has no scheduler of the original, and no reader of a range
      case 'report-parent': {
        const { parentId, piece, fault } = effect;
        const reason = fault === 'gone' ? 'not-held' : fault === 'corrupt' ? 'corrupt' : 'temporary';
        return tell(this.#daemon, (swarm, nowMs) => swarm.pieceFailed(peerId, parentId, reason, nowMs, piece));
      }
      case 'report-lease-started':
        return tell(this.#daemon, (swarm, nowMs) => swarm.backToSourceStarted(peerId, nowMs));
      case 'report-lease-alive': {
        if (world.options.arm !== 'ours') return; // the original's daemons send no such message
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

  /** Honest daemons report the same digest for all pieces: only equality counts here. */
  tellDigest(first: number): void {
    const { scheduler, peerId } = this.#daemon;
    const told = { first, digests: new Uint8Array(digestBytes), validator: '', checked: false };
    scheduler.tell(this.#daemon, (swarm, nowMs) => swarm.pieceDigests(peerId, told, nowMs));
  }
}
