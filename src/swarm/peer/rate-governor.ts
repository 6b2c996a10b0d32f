/**
 * Decides whether one more transfer makes better use of a link. Both ends of the piece exchange ask: a parent before it sends one
 * more piece at the same time, a child before it requests one more. One transfer at a time passes pieces on soonest; more are
 * worth it only while those running leave a part of the link idle.
 *
 * The capacity may be given; infinite means that one more is always welcome. Otherwise it is learned: a transfer that was
 * added and raised the total by less than `helpfulShare` shows that the link was full, at the highest rate measured so far.
 * That is believed for `believeMs`, then tried again. Measured rates fluctuate, so a link counts as idle only well below its
 * capacity. A link that carries less than half of its recent maximum has room all the same: the transfers on it are slowed
 * down at their other ends.
 */
export interface RateGovernorOptions {
  readonly capacityBytesPerSec?: number | undefined;
  /** A new transfer needs this long to take its share; judging before would always find the link idle. */
  readonly settleMs?: number;
}

const idleShareKnown = 0.1;
const idleShareLearned = 0.25;
const slowShare = 0.5;
const helpfulShare = 0.1;
const believeMs = 10_000;
/**
 * With a known capacity a misjudgement is cheap. Otherwise the measured rate must have followed the change, and a piece
 * should be complete: two transfers that share a link make the links at their other ends look idle, which spreads.
 */
const settleMsKnown = 20;
const settleMsLearned = 1000;
/** The latest rate only covers the current transfers if the last of them began this long ago. */
const latestMs = 75;

export class RateGovernor {
  readonly #capacity: number | undefined;
  readonly #settleMs: number;
  #lastAddedMs = Number.NEGATIVE_INFINITY;
  /** Total rate before the last addition, until its effect was judged. */
  #before: number | undefined;
  #learned = Number.POSITIVE_INFINITY;
  #learnedUntilMs = 0;
  /** Highest rate measured lately. */
  #best = 0;
  #bestUntilMs = 0;

  constructor(options: RateGovernorOptions = {}) {
    this.#capacity = options.capacityBytesPerSec;
    this.#settleMs = options.settleMs ?? (this.#capacity === undefined ? settleMsLearned : settleMsKnown);
  }

  /** `running` transfers achieve `rateBytesPerSec` together now, and `latestBytesPerSec` in the last 75 ms. */
  mayAdd(running: number, nowMs: number, rateBytesPerSec: number, latestBytesPerSec = rateBytesPerSec): boolean {
    if (running === 0 || this.#capacity === Number.POSITIVE_INFINITY) return true;
    this.#see(rateBytesPerSec, nowMs);
    const sinceMs = nowMs - this.#lastAddedMs;
    if (this.#capacity === undefined && sinceMs >= latestMs && latestBytesPerSec < this.#best * slowShare) return true;
    if (sinceMs < this.#settleMs) return false;
    this.#judge(nowMs, rateBytesPerSec);
    const capacity = this.#capacity ?? (nowMs < this.#learnedUntilMs ? this.#learned : Number.POSITIVE_INFINITY);
    return rateBytesPerSec <= capacity * (1 - (this.#capacity === undefined ? idleShareLearned : idleShareKnown));
  }

  added(running: number, nowMs: number, rateBytesPerSec: number): void {
    this.#lastAddedMs = nowMs;
    this.#before = running === 0 ? undefined : rateBytesPerSec;
  }

  #see(rate: number, nowMs: number): void {
    if (nowMs >= this.#bestUntilMs) this.#best = 0;
    if (rate <= this.#best) return;
    this.#best = rate;
    this.#bestUntilMs = nowMs + believeMs;
  }

  #judge(nowMs: number, rate: number): void {
    if (this.#before === undefined) return;
    if (rate < this.#before * (1 + helpfulShare)) {
      this.#learned = Math.max(rate, this.#before, this.#best);
      this.#learnedUntilMs = nowMs + believeMs;
    }
    this.#before = undefined;
  }
}
