/**
 * Notices that a download has had nothing to do for as long as it should be patient. A scheduler that leases the origin is
 * asked first, since it knows who is there already; the node goes by itself only when asking has come to nothing. A slow origin,
 * or a machine that is busy with other things, is no reason for a second copy: the scheduler says that somebody is there.
 */
import { DragonflyError } from '../../core/errors.ts';
import { daemonLimits } from '../limits.ts';
import type { SchedulerKinds } from '../cluster/schedulers.ts';

export interface Hopes {
  /** A session with the scheduler is open; or being opened; or the last one was lost. */
  readonly scheduler: 'connected' | 'asked' | 'lost';
  readonly kinds: SchedulerKinds;
  /** One has been there since the download began. */
  readonly seen: boolean;
  readonly hasParents: boolean;
  readonly scheduleTimeoutMs: number;
  readonly pieceTimeoutMs: number;
}

/**
 * A connected scheduler may take the schedule timeout; parents that are alive but have nothing new yet are worth a while; a
 * scheduler that is there but busy is, too, else a crowd that keeps it busy would all go to the origin. One that restarts
 * must not send every node there. Without any of them there is only a short grace.
 */
export function patienceMs({ scheduler, kinds, seen, hasParents, scheduleTimeoutMs, pieceTimeoutMs }: Hopes): number {
  // One that leases the origin gives each peer something soon: parents, or the lease.
  if (scheduler === 'connected' && !hasParents && kinds !== 'original')
    return Math.min(scheduleTimeoutMs, daemonLimits.nothingGivenMs);
  if (scheduler === 'connected') return scheduleTimeoutMs;
  if (hasParents) return pieceTimeoutMs;
  if (kinds === 'none') return 0;
  if (kinds === 'original' && scheduler === 'asked') return scheduleTimeoutMs; // it takes its time before its first word
  // Long enough to leave one that keeps silent for the next.
  if (kinds === 'held' && scheduler === 'asked') return 2 * daemonLimits.schedulerOpenTimeoutMs;
  return seen || kinds === 'returning' ? daemonLimits.schedulerReturnMs : daemonLimits.starvedMs;
}

/** Of a node that may not go to the origin. Not UNAVAILABLE, on which tools go there themselves: that is what this node must not do. */
export function starved(waitedMs: number): DragonflyError {
  return new DragonflyError(
    'DEADLINE_EXCEEDED',
    `neither a scheduler nor another node has given anything for ${Math.round(waitedMs)} ms`,
    { hint: 'Check that schedulers and peers can be reached, or allow this node to go to the origin.' },
  );
}

export interface StarvationOptions {
  readonly patienceMs: () => number;
  /** Asks the scheduler for something to do; false when there is none that would know. */
  readonly ask: (patienceMs: number) => boolean;
  /** So long it goes on asking a scheduler that answers each time that somebody brings something. */
  readonly promiseMs: () => number;
  readonly giveUp: (patienceMs: number) => void;
}

export class StarvationWatch {
  readonly #options: StarvationOptions;
  #sinceMs: number | undefined;
  #idleSinceMs: number | undefined;
  #asked = 0;
  #lost = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StarvationOptions) {
    this.#options = options;
  }

  /** The download is idle now. The wait counts from the first such call since it was last busy, or since it asked. */
  idle(): void {
    const nowMs = performance.now();
    const patienceMs = this.#options.patienceMs();
    this.#sinceMs ??= nowMs;
    this.#idleSinceMs ??= nowMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#starved(patienceMs), Math.max(0, this.#sinceMs + patienceMs - nowMs));
  }

  /** What could be hoped for has changed: the wait counts from here, though not once more for each time. */
  schedulerLost(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#sinceMs = undefined;
  }

  /** The scheduler has answered that somebody else is at the origin: no reason to go there too, for as long as that can be. */
  promised(): void {
    const waitedMs = performance.now() - (this.#idleSinceMs ?? Number.NEGATIVE_INFINITY);
    if (waitedMs < this.#options.promiseMs()) this.#asked = 0;
  }

  busy(): void {
    this.#sinceMs = undefined;
    this.#idleSinceMs = undefined;
    this.#asked = 0;
    this.#lost = false;
    clearTimeout(this.#timer);
  }

  #starved(patienceMs: number): void {
    if (this.#asked >= daemonLimits.starvedAsks || !this.#options.ask(patienceMs))
      return this.#options.giveUp(patienceMs);
    this.#asked += 1;
    this.#sinceMs = undefined;
    this.idle();
  }
}
