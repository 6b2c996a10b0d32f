/** Detects inactivity: a daemon that a tool has started for itself then exits. */
import type { Closable } from '../core/process/lifecycle.ts';

export class IdleWatch implements Closable {
  readonly #aliveTimeMs: number;
  #busy = (): boolean => false;
  readonly #idle = Promise.withResolvers<void>();
  #lastUseMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** @param aliveTimeMs 0 means that the daemon never exits. */
  constructor(aliveTimeMs: number) {
    this.#aliveTimeMs = aliveTimeMs;
  }

  /** @param busy returns true while work is under way, even if nothing is heard of it. */
  start(busy: () => boolean): void {
    this.#busy = busy;
    this.used();
    if (this.#aliveTimeMs > 0) this.#wait(this.#aliveTimeMs);
  }

  /** Resolves once the daemon has not been used for `aliveTimeMs`. */
  get idle(): Promise<void> {
    return this.#idle.promise;
  }

  used(): void {
    this.#lastUseMs = performance.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    return Promise.resolve();
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      if (this.#busy()) this.used();
      const leftMs = this.#lastUseMs + this.#aliveTimeMs - performance.now();
      if (leftMs > 0) this.#wait(Math.ceil(leftMs));
      else this.#idle.resolve();
    }, ms);
  }
}
