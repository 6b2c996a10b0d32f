/** When the first of the parents that were set aside may be asked again, without looking at all of them every time. */
import type { Parent } from './request-book.ts';

type Aside = Pick<Parent, 'stats' | 'load'>;

export class ParentReturns {
  /** Undefined when all have to be checked; too early when that parent has become less loaded in the meantime. */
  #firstMs: number | undefined;

  /** Call before the parent's time changes or the parent goes: those of the others stay. */
  changing(parent: Aside): void {
    if (asideUntilMs(parent) === this.#firstMs) this.#firstMs = undefined;
  }

  /** Call after the parent's time has changed. */
  changed(parent: Aside, nowMs: number): void {
    if (this.#firstMs !== undefined && asideUntilMs(parent) > nowMs)
      this.#firstMs = Math.min(this.#firstMs, asideUntilMs(parent));
  }

  /** Infinite when nobody is set aside. */
  firstMs(parents: Iterable<Aside>, nowMs: number): number {
    if (this.#firstMs !== undefined && this.#firstMs > nowMs) return this.#firstMs;
    let first = Number.POSITIVE_INFINITY;
    for (const parent of parents) {
      const untilMs = asideUntilMs(parent);
      if (untilMs > nowMs && untilMs < first) first = untilMs;
    }
    this.#firstMs = first;
    return first;
  }
}

function asideUntilMs({ stats, load }: Aside): number {
  return stats.asideUntilMs(load);
}
