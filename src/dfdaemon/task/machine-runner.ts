/** Runs the machine of one download by the clock of this node: events go in, one at a time, and what the machine wants is carried out. */
import type { PeerEffect } from '../../swarm/peer/download/effects.ts';
import type { Moment, PeerEvent } from '../../swarm/peer/download/events.ts';
import { PeerMachine } from '../../swarm/peer/download/peer-machine.ts';
import type { DownloadRecording, MachineSetup } from '../recordings.ts';
import type { DownloadContext } from './download-context.ts';

/** Requests sent and not yet answered. One: requesting more in parallel only splits the bandwidth. */
const requestsAhead = 1;
/** Each announcement is answered at once. */
const settleMs = 0;

export interface MachineRunnerOptions {
  readonly context: DownloadContext;
  readonly taskId: string;
  readonly peerId: string;
  readonly mayGoToOrigin: boolean;
  readonly prefetch: boolean;
  readonly run: (effect: PeerEffect) => void;
}

export class MachineRunner implements Disposable {
  readonly #context: DownloadContext;
  readonly #run: (effect: PeerEffect) => void;
  readonly #machine: PeerMachine;
  readonly #recording: DownloadRecording | undefined;
  /** The one that is being taken, and those that follow from it. */
  readonly #events: PeerEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ context, taskId, peerId, mayGoToOrigin, prefetch, run }: MachineRunnerOptions) {
    const { concurrentPieceCount, scheduleTimeoutMs, pieceTimeoutMs, record } = context;
    const limits = { maxRunning: concurrentPieceCount, maxWaiting: requestsAhead };
    const rules = { mayGoToOrigin, prefetch, scheduleTimeoutMs, pieceTimeoutMs, settleMs };
    const setup: MachineSetup = { taskId, peerId, limits, ...rules };
    this.#context = context;
    this.#run = run;
    this.#recording = record?.(setup);
    this.#machine = this.#recording?.machine ?? new PeerMachine({ ...rules, picker: { random: Math.random, limits } });
  }

  /** To look at; events come by `take`. */
  get machine(): Pick<PeerMachine, 'leases' | 'wantsWhole'> {
    return this.#machine;
  }

  /** The download still waits for something. */
  get isRunning(): boolean {
    return !this.#isClosed && this.#machine.isRunning;
  }

  /** What an effect leads to at once is taken when all effects of its step have been carried out. */
  take(event: PeerEvent): void {
    this.#events.push(event);
    if (this.#events.length > 1) return;
    try {
      for (let next: PeerEvent | undefined = event; next && !this.#isClosed; next = this.#events[0]) {
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

  #step(event: PeerEvent): void {
    const moment = this.#moment();
    const effects = this.#machine.step(event, moment);
    this.#recording?.step(moment, event, effects);
    for (const effect of effects) if (!this.#isClosed) this.#run(effect);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const waitMs = this.#machine.dueMs - performance.now();
    if (waitMs === Infinity || this.#isClosed) return;
    this.#timer = setTimeout(() => this.take({ kind: 'tick' }), Math.max(1, Math.ceil(waitMs)));
  }

  #moment(): Moment {
    const { pieces, pace, schedulerKinds } = this.#context;
    const { bytesPerSec, latestBytesPerSec } = pieces;
    const nowMs = performance.now();
    return { nowMs, bytesPerSec, latestBytesPerSec, answerMs: pace.longestMs, schedulers: schedulerKinds() };
  }
}
