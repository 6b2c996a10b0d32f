/**
 * Runs the PeerMachine of one download by this node's clock: takes events one at a time and hands the effects to Download.
 * What an event leads to is decided in swarm/peer/download/peer-machine.ts.
 */
import type { DragonflyError } from '../../core/errors.ts';
import type { PeerEffect } from '../../swarm/peer/download/effects.ts';
import type { Moment, PeerEvent } from '../../swarm/peer/download/events.ts';
import { PeerMachine } from '../../swarm/peer/download/peer-machine.ts';
import type { DownloadRecording, MachineSetup } from '../recordings.ts';
import type { DownloadContext } from './download-context.ts';
import type { DownloadRequest } from './open-task.ts';

/** Requests sent and not yet answered. One: requesting more in parallel only splits the bandwidth. */
const requestsAhead = 1;
/** Each announcement is handled at once. */
const settleMs = 0;

/** Carries out the machine's effects. */
export interface EffectRunner {
  run(effect: PeerEffect): void;
}

interface Taken {
  readonly event: PeerEvent;
  /** The error that the event reports. */
  readonly cause: DragonflyError | undefined;
}

export class MachineRunner implements Disposable {
  readonly #context: DownloadContext;
  readonly #runner: EffectRunner;
  readonly #machine: PeerMachine;
  readonly #recording: DownloadRecording | undefined;
  /** The event being handled, and those that follow from it. */
  readonly #events: Taken[] = [];
  #cause: DragonflyError | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; infinite while there is none. */
  #timerMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(
    context: DownloadContext,
    about: { readonly taskId: string; readonly peerId: string; readonly request: DownloadRequest },
    runner: EffectRunner,
  ) {
    const { concurrentPieceCount, scheduleTimeoutMs, pieceTimeoutMs, record } = context;
    const { taskId, peerId, request } = about;
    const limits = { maxRunning: concurrentPieceCount, maxWaiting: requestsAhead };
    const mayGoToOrigin = request.disableBackToSource !== true;
    const hasFallback = request.hasFallback === true;
    const prefetch = request.prefetch === true;
    const rules = { mayGoToOrigin, hasFallback, prefetch, scheduleTimeoutMs, pieceTimeoutMs, settleMs };
    const setup: MachineSetup = { taskId, peerId, limits, ...rules };
    this.#context = context;
    this.#runner = runner;
    this.#recording = record?.(setup);
    this.#machine = this.#recording?.machine ?? new PeerMachine({ ...rules, picker: { random: Math.random, limits } });
  }

  /** For reading only; events go through `take`. */
  get state(): Pick<PeerMachine, 'leases' | 'wantsWhole'> {
    return this.#machine;
  }

  /** The error of the last event that reported one. */
  get cause(): DragonflyError | undefined {
    return this.#cause;
  }

  /** The download still waits for something. */
  get isRunning(): boolean {
    return !this.#isClosed && this.#machine.isRunning;
  }

  /**
   * Events that an effect causes at once are handled after all effects of its step. @param cause the error that the
   * event reports.
   */
  take(event: PeerEvent, cause?: DragonflyError): void {
    this.#events.push({ event, cause });
    if (this.#events.length > 1) return;
    try {
      for (let next = this.#events[0]; next && !this.#isClosed; next = this.#events[0]) {
        this.#step(next);
        this.#events.shift();
      }
    } finally {
      this.#events.length = 0;
    }
    this.#arm();
  }

  /** Nothing more is taken. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#recording?.close();
  }

  #step({ event, cause }: Taken): void {
    if (cause) this.#cause = cause;
    const moment = this.#moment();
    const effects = this.#machine.step(event, moment);
    this.#recording?.step(moment, event, effects);
    for (const effect of effects) if (!this.#isClosed) this.#runner.run(effect);
  }

  /** Most events move the due time further away: a timer that fires too early just looks again, which is cheaper than a new timer for each event. */
  #arm(): void {
    const { dueMs } = this.#machine;
    if (dueMs >= this.#timerMs || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timerMs = dueMs;
    this.#timer = setTimeout(() => this.#fired(), Math.max(1, Math.ceil(dueMs - performance.now())));
  }

  #fired(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    if (this.#machine.dueMs <= performance.now()) this.take({ kind: 'tick' });
    else this.#arm();
  }

  #moment(): Moment {
    const { pieces, pace, schedulerKinds } = this.#context;
    const { bytesPerSec, latestBytesPerSec } = pieces;
    const nowMs = performance.now();
    return { nowMs, bytesPerSec, latestBytesPerSec, answerMs: pace.longestMs, schedulers: schedulerKinds() };
  }
}
