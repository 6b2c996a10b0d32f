/**
 * A parent's side of piece exchange: which requests are served, which wait, and which are better off elsewhere.
 *
 * Sending few pieces at a time gets each piece much sooner to a child that can pass it on than sending many slowly. So
 * there is one upload, and one more whenever those running leave part of the uplink unused (RateGovernor). A request
 * that cannot start at once is answered `busy`: its child finds another parent, which beats waiting by far while there
 * are others. But for each upload that is about to end, one request is accepted, so that the uplink does not stand idle
 * until the next child is there. A host at the origin sends a few pieces at the same time and lets one more wait: its
 * uplink, from which everything comes, must never pause, and each of its children shares its own link among several
 * parents. Children that do not know `busy` wait in a queue.
 *
 * One instance per host. The caller starts what `start` returns, reports `ended`, and announces `load` when it changes.
 */
import { RateGovernor } from './rate-governor.ts';

export interface UploadGateOptions {
  /** Uploads at once (load limit of the host). */
  readonly maxActive: number;
  /** The uplink where it is known, such as a configured rate limit; otherwise it is learned. */
  readonly capacityBytesPerSec?: number | undefined;
}

export interface UploadRequest {
  readonly childId: string;
  readonly taskId: string;
  readonly piece: number;
  /** The child does not understand `busy`. */
  readonly patient?: boolean;
}

/** The current state of the uplink. */
export interface Uplink {
  /** Total rate of all running uploads. */
  readonly bytesPerSec: number;
  /** The same in the last 75 ms. */
  readonly latestBytesPerSec?: number;
  /** Running uploads that will have ended before a rejected child could be back. */
  readonly endingSoon?: number;
}

/** Requests of children without `busy` that may wait; the next is refused in any case. */
const maxPatient = 1024;
/** Concurrent uploads of a host at the origin, whatever its uplink appears to carry. */
const activeAtOrigin = 3;
/** Requests that may wait there. */
const maxWaitingAtOrigin = 1;
/** Pieces whose send counts are remembered; the oldest are forgotten first. */
const countsKept = 65_536;

export class UploadGate<T extends UploadRequest> {
  readonly #maxActive: number;
  readonly #governor: RateGovernor;
  readonly #waiting: T[] = [];
  readonly #sent = new Map<string, number>();
  #active = 0;
  /** Set while the host holds an origin lease. */
  atOrigin = false;

  constructor(options: UploadGateOptions) {
    this.#maxActive = options.maxActive;
    this.#governor = new RateGovernor({ capacityBytesPerSec: options.capacityBytesPerSec });
  }

  /** Uploads running and waiting: what children consider when they choose a parent. */
  get load(): number {
    return this.#active + this.#waiting.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** False: answer `busy`. True: the request is accepted, and `start` will return it sooner or later. */
  request(request: T, nowMs: number, uplink: Uplink): boolean {
    if (this.#waiting.length >= this.#room(request, uplink)) {
      const starts = this.#waiting.length === 0 && this.#mayStart(nowMs, uplink);
      if (!starts) return false;
    }
    this.#waiting.push(request);
    return true;
  }

  #room({ patient }: T, { endingSoon = 0 }: Uplink): number {
    if (patient === true) return maxPatient;
    return Math.max(endingSoon, this.atOrigin ? maxWaitingAtOrigin : 0);
  }

  /** The child has cancelled the request; true when it was still waiting. */
  cancel(childId: string, taskId: string, piece: number): boolean {
    const place = this.#waiting.findIndex(
      (one) => one.childId === childId && one.piece === piece && one.taskId === taskId,
    );
    if (place >= 0) this.#waiting.splice(place, 1);
    return place >= 0;
  }

  childLeft(childId: string): void {
    for (let place = this.#waiting.length - 1; place >= 0; place -= 1)
      if (this.#waiting[place]?.childId === childId) this.#waiting.splice(place, 1);
  }

  /** The next request to serve, if one may start; call again until it returns undefined. */
  start(nowMs: number, uplink: Uplink): T | undefined {
    if (this.#waiting.length === 0 || !this.#mayStart(nowMs, uplink)) return undefined;
    const [next] = this.#waiting.splice(this.#leastSent(), 1);
    if (!next) return undefined;
    this.#governor.added(this.#active, nowMs, uplink.bytesPerSec);
    this.#active += 1;
    this.#count(next);
    return next;
  }

  /** An upload has ended in any way, or is about to end well: call once for each that was started. */
  ended(): void {
    this.#active -= 1;
  }

  #mayStart(nowMs: number, { bytesPerSec, latestBytesPerSec }: Uplink): boolean {
    if (this.#active >= this.#maxActive) return false;
    if (this.atOrigin && this.#active < activeAtOrigin) return true;
    return this.#governor.mayAdd(this.#active, nowMs, bytesPerSec, latestBytesPerSec);
  }

  /** The piece sent to the fewest children so far; among equals the one that has waited longest. */
  #leastSent(): number {
    let best = 0;
    let fewest = Number.POSITIVE_INFINITY;
    for (const [place, request] of this.#waiting.entries()) {
      const count = this.#sent.get(pieceKey(request)) ?? 0;
      if (count < fewest) [best, fewest] = [place, count];
      if (fewest === 0) break;
    }
    return best;
  }

  #count(request: T): void {
    const key = pieceKey(request);
    this.#sent.set(key, (this.#sent.get(key) ?? 0) + 1);
    if (this.#sent.size <= countsKept) return;
    const oldest = this.#sent.keys().next();
    if (!oldest.done) this.#sent.delete(oldest.value);
  }
}

function pieceKey({ taskId, piece }: UploadRequest): string {
  return `${taskId}/${piece}`;
}
