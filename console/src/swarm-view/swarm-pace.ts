/** How fast a swarm is right now: who gets how much, how long that will take, who drags and who waits. */
import type { PeerState } from '../events/event-types.ts';

/** What came within this time is the rate of now. */
const windowMs = 10_000;
/** Who got nothing for so long waits: reports of pieces come in batches, some a second apart. */
export const waitingMs = 5_000;

interface Sample {
  readonly atMs: number;
  readonly pieces: number;
}

export interface Pace {
  readonly piecesPerSec: number;
  /** Until the last one has everything; undefined while nobody can tell. */
  readonly leftMs: number | undefined;
  /** The one that will be last. */
  readonly slowest: { readonly peer: PeerState; readonly leftMs: number } | undefined;
  /** The longest first. */
  readonly waiting: readonly { readonly peer: PeerState; readonly forMs: number }[];
}

export class SwarmPace {
  readonly #samples = new Map<string, Sample[]>();

  clear(): void {
    this.#samples.clear();
  }

  remove(peerId: string): void {
    this.#samples.delete(peerId);
  }

  /** @param atMs by the clock of the manager's frames, as everywhere here. */
  note({ id, finished_pieces: pieces }: PeerState, atMs: number): void {
    const samples = this.#samples.get(id) ?? [];
    if (samples.at(-1)?.pieces === pieces) return;
    samples.push({ atMs, pieces });
    // One older than the window stays: the first piece in it came since then.
    while ((samples[1]?.atMs ?? atMs) < atMs - windowMs) samples.shift();
    this.#samples.set(id, samples);
  }

  at(peers: Iterable<PeerState>, pieceCount: number, nowMs: number): Pace {
    let piecesPerSec = 0;
    let slowest: Pace['slowest'];
    const waiting: { peer: PeerState; forMs: number }[] = [];
    for (const peer of peers) {
      const rate = this.#rateOf(peer.id, nowMs);
      piecesPerSec += rate;
      if (!isAtIt(peer, pieceCount)) continue;
      const forMs = nowMs - (this.#samples.get(peer.id)?.at(-1)?.atMs ?? peer.started_at_ms);
      if (forMs >= waitingMs) waiting.push({ peer, forMs });
      else if (rate > 0) {
        const leftMs = ((pieceCount - peer.finished_pieces) / rate) * 1000;
        if (leftMs > (slowest?.leftMs ?? 0)) slowest = { peer, leftMs };
      }
    }
    waiting.sort((a, b) => b.forMs - a.forMs);
    return { piecesPerSec, leftMs: waiting.length > 0 ? undefined : slowest?.leftMs, slowest, waiting };
  }

  #rateOf(peerId: string, nowMs: number): number {
    const samples = this.#samples.get(peerId) ?? [];
    const [first] = samples;
    const last = samples.at(-1);
    if (!first || !last || last.atMs < nowMs - windowMs) return 0;
    return ((last.pieces - first.pieces) / Math.max(1, nowMs - first.atMs)) * 1000;
  }
}

function isAtIt({ state, finished_pieces: finished }: PeerState, pieceCount: number): boolean {
  return finished < pieceCount && !/fail|leave|succeed|pending/i.test(state);
}
