/**
 * Notices when a download has had nothing to do for too long. A scheduler that grants leases is asked first, since it
 * knows who is at the origin; the node goes there on its own only when asking has led to nothing. A slow origin or a
 * busy machine is no reason for a second copy, so the scheduler confirms that somebody is at the origin.
 */
import { downloadLimits } from './limits.ts';

/**
 * The schedulers that could be asked: none, at least one that may be of the original, or only ones that answer at once.
 * Of the last kind: `held` when one holds this host, so that it is alive however long a busy machine takes to answer;
 * `returning` when the last of them was lost a moment ago.
 */
export type SchedulerKinds = 'none' | 'original' | 'extended' | 'held' | 'returning';

/** Sources that may still give something. */
export interface Hopes {
  /** A session is open, is being opened, or was lost. */
  readonly scheduler: 'connected' | 'asked' | 'lost';
  /** Every scheduler was asked, and none gave a sign of life. */
  readonly isSilent: boolean;
  readonly kinds: SchedulerKinds;
  /** A scheduler has been there since the download began. */
  readonly seen: boolean;
  readonly hasParents: boolean;
  readonly scheduleTimeoutMs: number;
  readonly pieceTimeoutMs: number;
}

/**
 * A connected scheduler may take the schedule timeout. Live parents without anything new, and a live but busy
 * scheduler, are worth a longer wait, because otherwise a crowd that keeps the scheduler busy would go to the origin as
 * one. A restarting scheduler must not send every node there; one that hangs does not restart, was waited for when that was
 * found out, and is asked once more only where no other one is left. Without any of these there is only a short grace period.
 */
export function patienceMs(hopes: Hopes): number {
  const { scheduler, isSilent, kinds, seen, hasParents, scheduleTimeoutMs, pieceTimeoutMs } = hopes;
  // A scheduler that grants leases gives each peer something soon: parents, or the lease.
  if (scheduler === 'connected' && !hasParents && kinds !== 'original')
    return Math.min(scheduleTimeoutMs, downloadLimits.nothingGivenMs);
  if (scheduler === 'connected') return scheduleTimeoutMs;
  if (hasParents) return pieceTimeoutMs;
  if (kinds === 'none') return 0;
  if (isSilent) return downloadLimits.starvedMs; // a pause of a second is no reason for a copy of each node's own
  if (kinds === 'original' && scheduler === 'asked') return scheduleTimeoutMs; // it takes its time for the first answer
  if (kinds === 'held' && scheduler === 'asked') return downloadLimits.schedulerAnswerMs;
  return seen || kinds === 'returning' ? downloadLimits.schedulerReturnMs : downloadLimits.starvedMs;
}

export class Starvation {
  #sinceMs: number | undefined;
  /** Since the download last had something to do, whatever was asked meanwhile. */
  #idleSinceMs: number | undefined;
  #patienceMs = 0;
  #asked = 0;
  #lost = false;
  #schedulerSeen = false;

  /** When the wait ends; infinite while there is something to do. */
  get dueMs(): number {
    return this.#sinceMs === undefined ? Number.POSITIVE_INFINITY : this.#sinceMs + this.#patienceMs;
  }

  /** How long this wait is. */
  get patienceMs(): number {
    return this.#patienceMs;
  }

  /** The download is idle. The wait starts with the first such call since it was last busy, or since it asked. */
  idle(nowMs: number, hopes: Omit<Hopes, 'seen'>, hasAnotherWay: boolean): void {
    this.#sinceMs ??= nowMs;
    this.#idleSinceMs ??= nowMs;
    this.#schedulerSeen ||= hopes.kinds === 'held' || hopes.kinds === 'original';
    const patience = (): number => patienceMs({ ...hopes, seen: this.#schedulerSeen });
    this.#patienceMs = hasAnotherWay ? patience() : hopes.scheduleTimeoutMs;
  }

  /**
   * The scheduler has answered that another node brings the content: the wait goes on for as long as that may take.
   * @param scheduleTimeoutMs maximum for each answer
   */
  promised(nowMs: number, scheduleTimeoutMs: number): void {
    const mostMs = scheduleTimeoutMs * (downloadLimits.starvedAsks + 1);
    if (this.#idleSinceMs !== undefined && nowMs - this.#idleSinceMs < mostMs) this.#asked = 0;
  }

  /** The scheduler was lost: the wait starts again, but not once for each loss. */
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

  /** The wait has ended. @param mayAsk a scheduler could be asked what to do. */
  ended(mayAsk: boolean): 'ask' | 'give-up' {
    this.#sinceMs = undefined;
    if (!mayAsk || this.#asked >= downloadLimits.starvedAsks) return 'give-up';
    this.#asked += 1;
    return 'ask';
  }
}
