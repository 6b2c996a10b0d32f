/** Tells when nothing has happened for a time: a daemon that a tool started for itself then ends. */
import type { Closable } from '../core/lifecycle.ts';

export class IdleWatch implements Closable {
  readonly #aliveTimeMs: number;
  readonly #busy: () => boolean;
  readonly #idle = Promise.withResolvers<void>();
  #lastUseMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** @param aliveTimeMs 0 never ends. @param busy work is under way, however silent. */
  constructor(aliveTimeMs: number, busy: () => boolean) {
    this.#aliveTimeMs = aliveTimeMs;
    this.#busy = busy;
    if (aliveTimeMs > 0) this.#wait(aliveTimeMs);
  }

  /** Resolves after `aliveTimeMs` without a use. */
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
