/** Virtual time: a queue of actions that run in order of their time. Nothing here uses the real clock. */
import { Deadlines } from '../swarm/shared/deadlines.ts';

export class VirtualClock {
  readonly #queue = new Deadlines<() => void>();
  #nowMs = 0;
  #steps = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events handled so far. */
  get steps(): number {
    return this.#steps;
  }

  after(delayMs: number, action: () => void): void {
    this.#queue.add(this.#nowMs + delayMs, action);
  }

  at(timeMs: number, action: () => void): void {
    this.#queue.add(Math.max(timeMs, this.#nowMs), action);
  }

  /** Runs until `done` returns true, the queue is empty, or virtual time reaches `untilMs`. */
  run(untilMs: number, done: () => boolean): void {
    while (!done()) {
      const next = this.#queue.nextMs;
      if (next === undefined || next > untilMs) return;
      const action = this.#queue.take(next);
      this.#nowMs = next;
      this.#steps += 1;
      action?.();
    }
  }
}
