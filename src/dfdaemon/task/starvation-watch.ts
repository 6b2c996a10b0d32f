/** Calls once when a download has had nothing to do for as long as it should be patient. */
export class StarvationWatch {
  readonly #onStarved: (patienceMs: number) => void;
  #sinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onStarved: (patienceMs: number) => void) {
    this.#onStarved = onStarved;
  }

  /** The download is idle now. The wait counts from the first such call since it was last busy. */
  idle(patienceMs: number): void {
    const nowMs = performance.now();
    this.#sinceMs ??= nowMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onStarved(patienceMs), Math.max(0, this.#sinceMs + patienceMs - nowMs));
  }

  busy(): void {
    this.#sinceMs = undefined;
    clearTimeout(this.#timer);
  }
}
