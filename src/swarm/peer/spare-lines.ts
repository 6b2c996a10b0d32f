/**
 * Allows a child more transfers at once while most of its parents are idle. One at a time is best among peers that all give and
 * take; but a child that comes late, or whose parents have slower links than itself, uses uplinks that would otherwise be idle.
 * The first additional transfer has to raise the total rate; if it does not, the child's own link is full, and the limit stays
 * at one for a while.
 */

/** Share of the parents that hold missing pieces and send us nothing which must be idle before a transfer is added. */
const idleShare = 0.25;
const lookMs = 200;
/** A look this late is ignored: most parents are idle for a moment between two pieces, and a late look may meet just that. */
const lateMs = 20;
/** Looks in a row before the first more is allowed, with one more for each after it. */
const looksToBelieve = 4;
/** Looks after which the first more must have raised the rate by `helpfulShare`. */
const looksToHelp = 2;
const helpfulShare = 0.15;
/** If the rate has not risen by that share, no transfer is added for this many looks. */
const looksToRest = 50;

export class SpareLines {
  #nextLookMs = 0;
  #looks = 0;
  #rateBefore = 0;

  get nextLookMs(): number {
    return this.#nextLookMs;
  }

  /** How many transfers are welcome besides the first. `share`: among parents that could serve this node and do not, those without any load. */
  welcome(nowMs: number, rateBytesPerSec: number, share: () => number): number {
    if (nowMs >= this.#nextLookMs) {
      const late = nowMs > this.#nextLookMs + lateMs;
      this.#nextLookMs = nowMs + lookMs;
      if (!late) this.#look(rateBytesPerSec, share);
    }
    return Math.max(0, this.#looks - looksToBelieve + 1);
  }

  #look(rate: number, share: () => number): void {
    this.#looks = this.#looks < 0 || share() >= idleShare ? this.#looks + 1 : 0;
    if (this.#looks === looksToBelieve) this.#rateBefore = rate;
    if (this.#looks === looksToBelieve + looksToHelp && rate < (1 + helpfulShare) * this.#rateBefore)
      this.#looks = -looksToRest;
  }
}
