/** How fast a swarm is right now: who gets how much, how long that will take, who drags and who waits. */
import type { PeerState } from '../events/event-types.ts';

/** The current rate is what came within this time. */
const windowMs = 10_000;
/** A peer that got nothing for this long waits. Reports of pieces come in batches, some a second apart. */
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
  /** Those that have waited longest come first. */
  readonly waiting: readonly { readonly peer: PeerState; readonly forMs: number }[];
  /** When all of this reads differently although no frame came; infinite when it will not. */
  readonly changesInMs: number;
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
    let changesInMs = Number.POSITIVE_INFINITY;
    const waiting: { peer: PeerState; forMs: number }[] = [];
    for (const peer of peers) {
      const rate = this.#rateOf(peer.id, nowMs);
      piecesPerSec += rate;
      if (rate > 0) changesInMs = Math.min(changesInMs, this.#endsMs(peer.id) - nowMs);
      if (!isAtIt(peer, pieceCount)) continue;
      const forMs = nowMs - (this.#samples.get(peer.id)?.at(-1)?.atMs ?? peer.started_at_ms);
      changesInMs = Math.min(changesInMs, forMs >= waitingMs ? readsAnewInMs(forMs) : waitingMs - forMs);
      if (forMs >= waitingMs) waiting.push({ peer, forMs });
      else if (rate > 0) {
        const leftMs = ((pieceCount - peer.finished_pieces) / rate) * 1000;
        if (leftMs > (slowest?.leftMs ?? 0)) slowest = { peer, leftMs };
      }
    }
    waiting.sort((a, b) => b.forMs - a.forMs);
    const leftMs = waiting.length > 0 ? undefined : slowest?.leftMs;
    return { piecesPerSec, leftMs, slowest, waiting, changesInMs };
  }

  /** When what came last no longer counts for the rate. */
  #endsMs(peerId: string): number {
    return (this.#samples.get(peerId)?.at(-1)?.atMs ?? 0) + windowMs + 1;
  }

  #rateOf(peerId: string, nowMs: number): number {
    const samples = this.#samples.get(peerId) ?? [];
    const [first] = samples;
    const last = samples.at(-1);
    if (!first || !last || last.atMs < nowMs - windowMs) return 0;
    return ((last.pieces - first.pieces) / Math.max(1, nowMs - first.atMs)) * 1000;
  }
}

/** Until the text of a duration changes: seconds are shown for a minute, then minutes. */
function readsAnewInMs(forMs: number): number {
  const stepMs = forMs < 60_000 ? 1_000 : 60_000;
  return stepMs - (forMs % stepMs);
}

function isAtIt({ state, finished_pieces: finished }: PeerState, pieceCount: number): boolean {
  return finished < pieceCount && !/fail|leave|succeed|pending/i.test(state);
}
