/**
 * The session of one download with its scheduler: whether there is one, when a lost one is opened again (the scheduler restarts),
 * and whether its end is an answer (`ended`). DownloadSession in the daemon carries it out.
 */
import type { ErrorCode } from '../../../core/errors.ts';
import type { Random } from '../../shared/random.ts';
import { downloadLimits } from './limits.ts';

export interface SessionEnd {
  /** The scheduler had said that it speaks the extended protocol. */
  readonly extended: boolean;
  /** Undefined when the stream ended without a word. */
  readonly code: ErrorCode | undefined;
  /** The scheduler passes on what the origin said. */
  readonly originSaid: boolean;
}

/** May be better at the next try; anything else is what only the caller can change. */
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
  #attempts = 0;
  /** When to open a lost one again; infinite while there is nothing to open. */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A session is open; or being opened; or the last one was lost. */
  get state(): 'connected' | 'asked' | 'lost' {
    return this.#state === 'left' ? 'lost' : this.#state;
  }

  /** A scheduler that gives leases is there. */
  get isLeasing(): boolean {
    return this.#state === 'connected' && this.#isExtended;
  }

  /** There is one, or it is being opened. */
  get isOpen(): boolean {
    return this.#state === 'connected' || this.#state === 'asked';
  }

  /** A scheduler of the original is there. */
  get isOriginal(): boolean {
    return this.#state === 'connected' && !this.#isExtended;
  }

  /** A scheduler of the original takes each peer id for one registration. */
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
    this.#isExtended = extended;
  }

  /** It gave parents: whatever breaks later is another fault. */
  gaveParents(): void {
    this.#attempts = 0;
  }

  left(): void {
    this.#state = 'left';
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  /** True when the scheduler has answered, and will not change its mind; otherwise it is asked again while attempts are left. */
  ended({ extended, code, originSaid }: SessionEnd, nowMs: number): boolean {
    if (this.#state === 'left') return false;
    this.#state = 'lost';
    this.#isExtended = extended;
    // What the original refuses, for instance since it has forgotten this host, is no word about the content.
    const counts = extended || code === 'UNAUTHENTICATED';
    if (code !== undefined && counts && (originSaid || !passing.has(code))) return true;
    this.#attempts += 1;
    const { sessionAttempts, sessionBackoffMs, sessionBackoffMaxMs } = downloadLimits;
    if (this.#attempts > sessionAttempts) return false;
    const pauseMs = Math.min(sessionBackoffMs * 2 ** (this.#attempts - 1), sessionBackoffMaxMs);
    this.dueMs = nowMs + pauseMs * (0.5 + this.#random() / 2);
    return false;
  }

  /** A scheduler has taken this host again: it knows the host that it may have refused. */
  hostTaken(nowMs: number): void {
    if (this.dueMs < Number.POSITIVE_INFINITY) this.dueMs = nowMs;
  }
}
