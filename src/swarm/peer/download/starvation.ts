/**
 * Notices that a download has had nothing to do for as long as it should be patient. A scheduler that leases the origin is
 * asked first, since it knows who is there already; the node goes by itself only when asking has come to nothing. A slow origin,
 * or a machine that is busy with other things, is no reason for a second copy: the scheduler says that somebody is there.
 */
import { downloadLimits } from './limits.ts';

/**
 * What there is to ask: nobody, at least one that may be of the original, only ones that answer at once; of these, `held`
 * when one has this host, so that it is there, however long a busy machine takes for its answer, and `returning` when the
 * last of them was lost a moment ago.
 */
export type SchedulerKinds = 'none' | 'original' | 'extended' | 'held' | 'returning';

/** What there is to hope for. */
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
    return Math.min(scheduleTimeoutMs, downloadLimits.nothingGivenMs);
  if (scheduler === 'connected') return scheduleTimeoutMs;
  if (hasParents) return pieceTimeoutMs;
  if (kinds === 'none') return 0;
  if (kinds === 'original' && scheduler === 'asked') return scheduleTimeoutMs; // it takes its time before its first word
  if (kinds === 'held' && scheduler === 'asked') return downloadLimits.schedulerAnswerMs;
  return seen || kinds === 'returning' ? downloadLimits.schedulerReturnMs : downloadLimits.starvedMs;
}

export class Starvation {
  #sinceMs: number | undefined;
  /** Since it was last busy, whatever it has asked meanwhile. */
  #idleSinceMs: number | undefined;
  #patienceMs = 0;
  #asked = 0;
  #lost = false;
  #schedulerSeen = false;

  /** When patience ends; infinite while there is something to do. */
  get dueMs(): number {
    return this.#sinceMs === undefined ? Number.POSITIVE_INFINITY : this.#sinceMs + this.#patienceMs;
  }

  /** How long it had to be patient. */
  get patienceMs(): number {
    return this.#patienceMs;
  }

  /** The download is idle now. The wait counts from the first such call since it was last busy, or since it asked. */
  idle(nowMs: number, hopes: Omit<Hopes, 'seen'>, hasAnotherWay: boolean): void {
    this.#sinceMs ??= nowMs;
    this.#idleSinceMs ??= nowMs;
    this.#schedulerSeen ||= hopes.kinds === 'held' || hopes.kinds === 'original';
    const patience = (): number => patienceMs({ ...hopes, seen: this.#schedulerSeen });
    this.#patienceMs = hasAnotherWay ? patience() : hopes.scheduleTimeoutMs;
  }

  /**
   * The scheduler has answered that somebody else brings the content: it is asked on, for as long as that can be.
   * @param scheduleTimeoutMs how long it may take each time
   */
  promised(nowMs: number, scheduleTimeoutMs: number): void {
    const mostMs = scheduleTimeoutMs * (downloadLimits.starvedAsks + 1);
    if (this.#idleSinceMs !== undefined && nowMs - this.#idleSinceMs < mostMs) this.#asked = 0;
  }

  /** What could be hoped for has changed: the wait counts from here, though not once more for each time. */
  schedulerLost(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#sinceMs = undefined;
  }

  busy(): void {
    if (this.#idleSinceMs === undefined && !this.#lost) return;
    this.#sinceMs = undefined;
    this.#idleSinceMs = undefined;
    this.#asked = 0;
    this.#lost = false;
  }

  /** Patience has ended. @param mayAsk there is a scheduler that would know what to do. */
  ended(mayAsk: boolean): 'ask' | 'give-up' {
    this.#sinceMs = undefined;
    if (!mayAsk || this.#asked >= downloadLimits.starvedAsks) return 'give-up';
    this.#asked += 1;
    return 'ask';
  }
}
