/** When the first of the parents that were set aside may be asked again, without looking at all of them every time. */
import type { ParentStats } from './parent-stats.ts';

export class ParentReturns {
  /** Undefined when all have to be looked at. */
  #firstMs: number | undefined;

  /** Call before the parent's time changes or the parent goes: those of the others stay. */
  changing(stats: ParentStats): void {
    if (stats.asideUntilMs === this.#firstMs) this.#firstMs = undefined;
  }

  /** Call after the parent's time has changed. */
  changed(stats: ParentStats, nowMs: number): void {
    if (this.#firstMs !== undefined && stats.asideUntilMs > nowMs)
      this.#firstMs = Math.min(this.#firstMs, stats.asideUntilMs);
  }

  /** Infinite when nobody is set aside. */
  firstMs(parents: Iterable<{ readonly stats: ParentStats }>, nowMs: number): number {
    if (this.#firstMs !== undefined && this.#firstMs > nowMs) return this.#firstMs;
    let first = Number.POSITIVE_INFINITY;
    for (const { stats } of parents)
      if (stats.asideUntilMs > nowMs && stats.asideUntilMs < first) first = stats.asideUntilMs;
    this.#firstMs = first;
    return first;
  }
}
