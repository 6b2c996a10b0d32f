/**
 * How long the others took to answer lately, which tells how long a silence may be: where processors are scarce, one that is well
 * takes seconds, and elsewhere one that is quiet for as long is dead.
 */
const halfLifeMs = 20_000;

export class AnswerPace {
  #longestMs = 0;
  #atMs = 0;

  /** Something that costs the other side nothing was answered after so long. */
  answered(tookMs: number): void {
    this.#longestMs = Math.max(tookMs, this.longestMs);
    this.#atMs = performance.now();
  }

  /** The longest of the last while; what is long ago counts for less and less. */
  get longestMs(): number {
    return this.#longestMs * 2 ** ((this.#atMs - performance.now()) / halfLifeMs);
  }
}
