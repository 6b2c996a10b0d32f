/** The origin, as one simulated daemon fetches from it: the pieces of a run in sequence, over a link of the network. */
import type { OriginEffect } from '../swarm/peer/download/effects.ts';
import type { OriginLease } from '../swarm/peer/download/origin-lease.ts';
import type { Flow } from './fluid-network.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';

interface Fetch {
  readonly key: number;
  run: Pick<OriginLease, 'first' | 'end'>;
  /** True when something has arrived since the request was sent. */
  progressed: boolean;
}

export class SimulatedOrigin {
  readonly #daemon: SimulatedDaemon;
  #fetch: Fetch | undefined;
  #flow: Flow | undefined;
  #piece: number | undefined;
  /** Bytes received of pieces whose fetch was interrupted. */
  readonly #parts = new Map<number, number>();

  constructor(daemon: SimulatedDaemon) {
    this.#daemon = daemon;
  }

  /** Bytes come in. */
  get flows(): boolean {
    return this.#flow !== undefined;
  }

  run(effect: OriginEffect): void {
    switch (effect.kind) {
      case 'fetch-origin':
        this.#fetch = { key: effect.fetch, run: effect.lease, progressed: false };
        return this.#ask(this.#fetch);
      case 'change-origin-run':
        if (this.#fetch?.key === effect.fetch) this.#fetch.run = effect.lease;
        return;
      case 'resume-origin':
        return this.#fetch?.key === effect.fetch ? this.#ask(this.#fetch) : undefined;
      case 'stop-origin':
        return this.stop();
      case 'origin-begun':
        return this.#daemon.uploads.originBegan();
      case 'origin-left':
        return this.#daemon.uploads.originEnded();
    }
  }

  crash(): void {
    this.stop();
    this.#parts.clear();
  }

  /** The bytes of an unfinished piece stay; children that wait for it here are told. */
  stop(): void {
    const { world, uploads } = this.#daemon;
    this.#fetch = undefined;
    const [flow, piece] = [this.#flow, this.#piece];
    this.#flow = undefined;
    this.#piece = undefined;
    if (!flow || piece === undefined) return;
    world.network.cancel(flow);
    const bytes = flow.bytes - flow.remainingBytes;
    world.originBytes += bytes;
    this.#parts.set(piece, (this.#parts.get(piece) ?? 0) + bytes);
    uploads.givenUp(piece);
  }

  #ask(fetch: Fetch): void {
    const { world, life } = this.#daemon;
    fetch.progressed = false;
    world.originRequests += 1;
    world.after(2 * world.options.latencyMs, () => {
      if (this.#daemon.life !== life || !this.#daemon.alive || this.#fetch !== fetch) return;
      if (world.originIsUp) {
        this.#daemon.learnLayout(world.layout);
        this.#daemon.take({ kind: 'origin-answered', fetch: fetch.key, ranges: true });
      }
      this.#next(fetch, fetch.run.first);
    });
  }

  #next(fetch: Fetch, from: number): void {
    const daemon = this.#daemon;
    const { world } = daemon;
    if (this.#fetch !== fetch) return;
    const { first, end = world.pieceCount } = fetch.run;
    const piece = daemon.held.firstMissing(Math.max(from, first), Math.min(end, world.pieceCount));
    if (piece === undefined || !world.originIsUp) {
      if (piece !== undefined) return this.#broke(fetch);
      this.#fetch = undefined;
      return daemon.take({ kind: 'origin-fetched', fetch: fetch.key });
    }
    if (world.isHeldElsewhere(daemon.setup.index, piece)) world.avoidableOriginBytes += world.pieceBytes(piece);
    const { life } = daemon;
    const bytes = world.pieceBytes(piece) - (this.#parts.get(piece) ?? 0);
    this.#piece = piece;
    this.#flow = world.network.start(world.originPath(daemon.setup), Math.max(1, bytes), () => {
      this.#flow = undefined;
      this.#piece = undefined;
      this.#parts.delete(piece);
      world.originBytes += bytes;
      if (daemon.life !== life || !daemon.alive) return;
      fetch.progressed = true;
      daemon.stored(piece, 'source');
      this.#next(fetch, piece + 1);
    });
    daemon.uploads.begun(piece);
  }

  #broke({ key, progressed }: Fetch): void {
    const why = { code: 'SOURCE_UNREACHABLE', temporary: true, retryAfterMs: undefined } as const;
    this.#daemon.take({ kind: 'origin-failed', fetch: key, request: 0, progressed, ...why });
  }
}
