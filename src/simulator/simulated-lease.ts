/** A simulated daemon at the origin: fetches the pieces of its lease one after the other. */
import type { LeaseRange } from '../swarm/shared/decisions.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import type { Flow } from './fluid-network.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';

export class SimulatedLease {
  readonly #daemon: SimulatedDaemon;
  #lease: { readonly id: number; readonly range: LeaseRange } | undefined;
  #flow: Flow | undefined;
  #piece: number | undefined;

  constructor(daemon: SimulatedDaemon) {
    this.#daemon = daemon;
  }

  /** Of the lease that is held now. */
  get id(): number | undefined {
    return this.#lease?.id;
  }

  crash(): void {
    this.#lease = undefined;
    if (this.#flow) this.#stop(this.#flow);
  }

  take(id: number, range: LeaseRange): void {
    const fetching = this.#lease !== undefined;
    this.#lease = { id, range };
    this.#daemon.uploads.originBegan();
    if (fetching) return;
    this.#daemon.world.originRequests += 1;
    const { life } = this.#daemon;
    this.#daemon.world.after(2 * this.#daemon.world.options.latencyMs, () => {
      if (this.#daemon.life !== life || !this.#daemon.alive || !this.#lease) return;
      this.#daemon.originSaidLayout();
      this.#fetchNext(range.first);
    });
  }

  drop(): void {
    this.#lease = undefined;
    if (this.#flow) this.#stop(this.#flow);
    this.#daemon.take({ kind: 'origin-fetching', pieces: new PieceSet() });
    this.#daemon.uploads.originEnded();
  }

  #fetchNext(from: number): void {
    const lease = this.#lease;
    if (!lease || this.#flow) return;
    const piece = this.#daemon.held.firstMissing(
      Math.max(from, lease.range.first),
      lease.range.end ?? this.#daemon.world.pieceCount,
    );
    if (piece === undefined || !this.#daemon.world.originIsUp) {
      this.#daemon.uploads.originEnded();
      this.#lease = undefined;
    }
    if (piece === undefined) return;
    if (!this.#daemon.world.originIsUp) {
      this.#daemon.scheduler.tell(this.#daemon, (swarm, nowMs) =>
        swarm.originFailed(this.#daemon.peerId, { permanent: false, error: { message: 'the origin is down' } }, nowMs),
      );
      return;
    }
    if (this.#daemon.world.isHeldElsewhere(this.#daemon.setup.index, piece))
      this.#daemon.world.avoidableOriginBytes += this.#daemon.world.pieceBytes(piece);
    this.#daemon.take({ kind: 'origin-fetching', pieces: PieceSet.of([piece]) });
    const { life } = this.#daemon;
    this.#piece = piece;
    this.#flow = this.#daemon.world.network.start(
      this.#daemon.world.originPath(this.#daemon.setup),
      this.#daemon.world.pieceBytes(piece),
      () => {
        this.#flow = undefined;
        this.#piece = undefined;
        this.#daemon.world.originBytes += this.#daemon.world.pieceBytes(piece);
        if (this.#daemon.life !== life || !this.#daemon.alive) return;
        this.#daemon.stored(piece, 'source');
        this.#fetchNext(piece + 1);
      },
    );
    this.#daemon.uploads.begun(piece);
  }

  /** What came of an unfinished piece was sent for nothing, and counts. */
  #stop(flow: Flow): void {
    this.#daemon.world.network.cancel(flow);
    this.#daemon.world.originBytes += flow.bytes - flow.remainingBytes;
    this.#flow = undefined;
    if (this.#piece !== undefined) this.#daemon.uploads.givenUp(this.#piece);
    this.#piece = undefined;
  }
}
