/**
 * Gives the swarm its clock: runs events, hands their decisions to peer-sessions.ts, and ticks when the swarm says it is due.
 * An event that throws has changed nothing: swarm/scheduler/validation.ts has rejected it.
 */
import type { Closable } from '../core/process/lifecycle.ts';
import type { Decision } from '../swarm/shared/decisions.ts';
import type { Swarm } from '../swarm/scheduler/swarm.ts';
import { longestTickMs } from './limits.ts';

export type SwarmEvent = (swarm: Swarm, nowMs: number) => readonly Decision[];

export interface SwarmDriverOptions {
  readonly swarm: Swarm;
  readonly deliver: (decision: Decision) => void;
  /** Called with the seconds that one event took, without the delivery of its decisions. */
  readonly onEvent?: (seconds: number) => void;
  /** A monotonic clock in milliseconds. */
  readonly nowMs?: () => number;
}

export class SwarmDriver implements Closable {
  readonly swarm: Swarm;
  readonly #deliver: (decision: Decision) => void;
  readonly #onEvent: (seconds: number) => void;
  readonly #nowMs: () => number;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Infinity;
  #closed = false;

  constructor({ swarm, deliver, onEvent, nowMs }: SwarmDriverOptions) {
    this.swarm = swarm;
    this.#deliver = deliver;
    this.#onEvent = onEvent ?? (() => undefined);
    this.#nowMs = nowMs ?? (() => performance.now());
  }

  /**
   * One event. Throws what the swarm throws; then nothing has changed and nothing was decided.
   * @param accepted called when the swarm has taken the event, before its decisions are delivered: what is known beside the
   * swarm is written here.
   */
  run(event: SwarmEvent, accepted?: () => void): void {
    const startMs = this.#nowMs();
    try {
      const decisions = event(this.swarm, startMs);
      this.#onEvent((this.#nowMs() - startMs) / 1000);
      accepted?.();
      for (const decision of decisions) this.#deliver(decision);
    } finally {
      this.#schedule();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    return Promise.resolve();
  }

  #schedule(): void {
    const dueMs = this.swarm.nextTickMs();
    if (this.#closed || dueMs === undefined || dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    // Rounded up to a whole millisecond: a fraction too early would only tick twice.
    const waitMs = Math.min(longestTickMs, Math.max(0, Math.ceil(dueMs - this.#nowMs())));
    this.#timer = setTimeout(() => {
      this.#timerDueMs = Infinity;
      this.run((swarm, nowMs) => swarm.tick(nowMs));
    }, waitMs);
    this.#timer.unref();
  }
}
