/** Pieces on their way: each lives for a moment between two spots. Many pieces at once are shown by some. */
import type { Flow } from './swarm-model.ts';
import type { Layout, Spot } from './swarm-layout.ts';

export interface Particle {
  readonly from: Spot;
  readonly to: Spot;
  readonly fromOrigin: boolean;
  readonly startMs: number;
}

export const flightMs = 900;
/** Frames of events arrive in beats; the pieces of one are let go over this time. */
const releaseMs = 500;
const maxParticles = 900;
const maxPerFlow = 3;

export class Particles {
  #flying: Particle[] = [];

  add(flows: readonly Flow[], { origin, spots }: Layout, nowMs: number): void {
    const room = maxParticles - this.#flying.length;
    const wanted = flows.reduce((sum, { pieces }) => sum + Math.min(pieces, maxPerFlow), 0);
    const share = wanted <= room ? 1 : room / wanted;
    for (const { from, to, pieces } of flows) {
      const start = from === undefined ? origin : spots.get(from);
      const end = spots.get(to);
      if (!start || !end) continue;
      for (let count = Math.min(pieces, maxPerFlow); count > 0; count -= 1) {
        if (Math.random() > share) continue;
        this.#flying.push({
          from: start,
          to: end,
          fromOrigin: from === undefined,
          startMs: nowMs + Math.random() * releaseMs,
        });
      }
    }
  }

  /** Those in flight at that time; the landed are forgotten. */
  at(nowMs: number): readonly Particle[] {
    this.#flying = this.#flying.filter(({ startMs }) => nowMs - startMs < flightMs);
    return this.#flying;
  }

  clear(): void {
    this.#flying = [];
  }
}
