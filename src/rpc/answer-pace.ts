/**
 * How long other nodes may take to answer, and so how long a silence is normal: on loaded machines a healthy process
 * takes seconds, elsewhere a process that is silent that long is dead. Estimated from recent answers, and without any
 * from this machine's load, since its neighbours are often as busy.
 */
import { availableParallelism, loadavg } from 'node:os';

const halfLifeMs = 20_000;
/** How much longer an answer takes for each task waiting for a processor. */
const crowdedMs = 200;
const lookAgainMs = 1_000;

export class AnswerPace {
  readonly #load: () => number;
  #longestMs = 0;
  #atMs = 0;
  #crowdMs = 0;
  #lookAtMs = 0;

  /** @param load running and waiting tasks per processor. */
  constructor(load: () => number = () => (loadavg()[0] ?? 0) / availableParallelism()) {
    this.#load = load;
  }

  /** An answer that costs the other side nothing took this long. */
  answered(tookMs: number): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(tookMs, this.#fadedMs(nowMs));
    this.#atMs = nowMs;
  }

  /** The longest recent answer; older ones count less and less. */
  get longestMs(): number {
    const nowMs = performance.now();
    if (nowMs >= this.#lookAtMs) {
      this.#lookAtMs = nowMs + lookAgainMs;
      this.#crowdMs = crowdedMs * Math.max(0, this.#load() - 1);
    }
    return Math.max(this.#fadedMs(nowMs), this.#crowdMs);
  }

  #fadedMs(nowMs: number): number {
    return this.#longestMs * 2 ** ((this.#atMs - nowMs) / halfLifeMs);
  }
}
