/**
 * While a download waits for the scheduler, the scheduler has to be alive: one that is stopped or behind a dead link
 * keeps its streams open for minutes. This ends the stream of a scheduler that gives no sign of life.
 */
import { DragonflyError } from '../../../core/errors.ts';
import type { OpenPeerStream } from './scheduler-session.ts';

const nothingWaited = new DragonflyError('CANCELLED', 'nothing is waited for');

type Silence = (signal: AbortSignal) => Promise<never>;

export class SchedulerLife {
  /** Aborts when the download ends. */
  readonly #signal: AbortSignal;
  #silence: Silence | undefined;
  #isWaiting = false;
  #asking: AbortController | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** A stream opened through this fails with UNAVAILABLE when its scheduler falls silent. */
  through(open: OpenPeerStream): OpenPeerStream {
    return async (taskId, requests, options) => {
      this.#turnTo(undefined);
      const dead = new AbortController();
      const signal = AbortSignal.any([options.signal, dead.signal]);
      const stream = await open(taskId, requests, { ...options, signal });
      if (stream.extended) {
        this.#turnTo((asking) =>
          stream.silence(asking).catch((error: unknown) => {
            if (!asking.aborted) dead.abort(error);
            throw error;
          }),
        );
      }
      return stream;
    };
  }

  /** Whether the download can only wait. */
  waiting(isWaiting: boolean): void {
    this.#isWaiting = isWaiting;
    this.#look();
  }

  #turnTo(silence: Silence | undefined): void {
    this.#stop();
    this.#silence = silence;
    this.#look();
  }

  #look(): void {
    const silence = this.#silence;
    if (!this.#isWaiting || !silence || this.#signal.aborted) return this.#stop();
    if (this.#asking) return;
    this.#asking = new AbortController();
    silence(AbortSignal.any([this.#asking.signal, this.#signal])).catch(() => undefined);
  }

  #stop(): void {
    this.#asking?.abort(nothingWaited);
    this.#asking = undefined;
  }
}
