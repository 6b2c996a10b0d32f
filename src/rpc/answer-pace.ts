/**
 * How long the others may take to answer, which tells how long a silence may be: where processors are scarce, one that is well
 * takes seconds, and elsewhere one that is quiet for as long is dead. Known from the answers of late, and where there were none,
 * from how crowded this machine is: its neighbours are often as busy, and those on the same machine always.
 */
import { availableParallelism, loadavg } from 'node:os';

const halfLifeMs = 20_000;
/** How much longer an answer takes for each task that waits for a processor. */
const crowdedMs = 200;
const lookAgainMs = 1_000;

export class AnswerPace {
  readonly #load: () => number;
  #longestMs = 0;
  #atMs = 0;
  #crowdMs = 0;
  #lookAtMs = 0;

  /** @param load tasks that run or wait, for each processor. */
  constructor(load: () => number = () => (loadavg()[0] ?? 0) / availableParallelism()) {
    this.#load = load;
  }

  /** Something that costs the other side nothing was answered after so long. */
  answered(tookMs: number): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(tookMs, this.#fadedMs(nowMs));
    this.#atMs = nowMs;
  }

  /** The longest of the last while; what is long ago counts for less and less. */
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
