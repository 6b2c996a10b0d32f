/**
 * The session of one download with its scheduler: whether there is one, when a lost one is opened again (the scheduler restarts),
 * and whether its end is an answer (`ended`). DownloadSession in the daemon carries it out.
 */
import type { ErrorCode } from '../../../core/errors.ts';
import type { Random } from '../../shared/random.ts';
import { downloadLimits } from './limits.ts';

export interface SessionEnd {
  /** The scheduler had announced the extended protocol. */
  readonly extended: boolean;
  /** Undefined when the stream ended without an error. */
  readonly code: ErrorCode | undefined;
  /** The scheduler passes on the origin's answer. */
  readonly originSaid: boolean;
  /** It gave no sign of life: this one, while others could be asked, or every one there is. */
  readonly silent?: 'one' | 'all' | undefined;
}

/** Errors that may not occur again; any other has to be resolved by the caller. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'UNAVAILABLE',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'INTERNAL',
  'HOST_UNKNOWN',
  'PEER_UNKNOWN',
]);

export class SessionWatch {
  readonly #random: Random;
  #state: 'asked' | 'connected' | 'lost' | 'left' = 'lost';
  #isExtended = false;
  #isSilent = false;
  #attempts = 0;
  /** When to open a lost session again; infinite while there is nothing to open. */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A session is open; or being opened; or the last one was lost. */
  get state(): 'connected' | 'asked' | 'lost' {
    return this.#state === 'left' ? 'lost' : this.#state;
  }

  /** Every scheduler was asked, and none gave a sign of life: nothing tells that one is about to come back. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** The session is with a scheduler that grants leases. */
  get isLeasing(): boolean {
    return this.#state === 'connected' && this.#isExtended;
  }

  /** A session is open or being opened. */
  get isOpen(): boolean {
    return this.#state === 'connected' || this.#state === 'asked';
  }

  /** The session is with a scheduler of the original. */
  get isOriginal(): boolean {
    return this.#state === 'connected' && !this.#isExtended;
  }

  /** A scheduler of the original accepts each peer id for one registration only. */
  get needsNewId(): boolean {
    return !this.#isExtended;
  }

  opening(): void {
    this.#state = 'asked';
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  connected(extended: boolean): void {
    if (this.#state !== 'asked') return;
    this.#state = 'connected';
    this.#isSilent = false;
    this.#isExtended = extended;
  }

  /** The scheduler gave parents: later failures are counted afresh. */
  gaveParents(): void {
    this.#attempts = 0;
  }

  left(): void {
    this.#state = 'left';
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  /** True when the scheduler's answer is final; otherwise it is asked again while attempts are left. */
  ended({ extended, code, originSaid, silent }: SessionEnd, nowMs: number): boolean {
    if (this.#state === 'left') return false;
    this.#state = 'lost';
    this.#isSilent = silent === 'all';
    this.#isExtended = extended;
    // A refusal by the original, for instance because it has forgotten this host, says nothing about the content.
    const counts = extended || code === 'UNAUTHENTICATED';
    if (code !== undefined && counts && (originSaid || !passing.has(code))) return true;
    this.#attempts += 1;
    const { sessionAttempts, sessionBackoffMs, sessionBackoffMaxMs } = downloadLimits;
    if (this.#attempts > sessionAttempts) return false;
    const pauseMs = Math.min(sessionBackoffMs * 2 ** (this.#attempts - 1), sessionBackoffMaxMs);
    this.dueMs = nowMs + pauseMs * (0.5 + this.#random() / 2);
    // The next of the ring has refused nothing yet, and all who were with the silent one have waited already.
    if (silent === 'one') this.dueMs = nowMs;
    return false;
  }

  /** A scheduler has accepted this host again, which it may have refused before. */
  hostTaken(nowMs: number): void {
    if (this.dueMs < Number.POSITIVE_INFINITY) this.dueMs = nowMs;
  }
}
