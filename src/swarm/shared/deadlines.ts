/** Binary heap of due times. Entries are never removed early: the consumer checks whether an entry still matters. */
export class Deadlines<T> {
  readonly #times: number[] = [];
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Time of the earliest entry. */
  get nextMs(): number | undefined {
    return this.#times[0];
  }

  add(atMs: number, item: T): void {
    const times = this.#times;
    const items = this.#items;
    let place = items.length;
    items.push(item);
    times.push(atMs);
    while (place > 0) {
      const above = (place - 1) >>> 1;
      const time = times[above] as number;
      if (time <= atMs) break;
      times[place] = time;
      items[place] = items[above] as T;
      place = above;
    }
    times[place] = atMs;
    items[place] = item;
  }

  /** The earliest entry due at `nowMs`, removed; undefined when nothing is. */
  take(nowMs: number): T | undefined {
    const first = this.#times[0];
    if (first === undefined || first > nowMs) return undefined;
    const item = this.#items[0];
    const time = this.#times.pop() as number;
    const last = this.#items.pop() as T;
    if (this.#items.length > 0) this.#sink(time, last);
    return item;
  }

  /** Re-inserts an entry that was cut from the end, starting at the top. */
  #sink(atMs: number, item: T): void {
    const times = this.#times;
    const items = this.#items;
    const size = items.length;
    let place = 0;
    for (;;) {
      let lower = place * 2 + 1;
      if (lower >= size) break;
      if (lower + 1 < size && (times[lower + 1] as number) < (times[lower] as number)) lower += 1;
      const time = times[lower] as number;
      if (time >= atMs) break;
      times[place] = time;
      items[place] = items[lower] as T;
      place = lower;
    }
    times[place] = atMs;
    items[place] = item;
  }
}
