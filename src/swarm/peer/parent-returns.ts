/** When the first of the parents set aside may be asked again, without checking all of them each time. */
import type { Parent } from './request-book.ts';

type Aside = Pick<Parent, 'stats' | 'load'>;

export class ParentReturns {
  /** Undefined when all have to be checked; too early when that parent's load has dropped meanwhile. */
  #firstMs: number | undefined;

  /** Call before the parent's time changes or the parent leaves; the times of the others stay valid. */
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
