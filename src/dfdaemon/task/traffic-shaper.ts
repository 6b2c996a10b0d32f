/**
 * Rate limits of downloads: one per task, one for everything from origins, one for content that nobody waits for yet,
 * and one in total. With sampling, the total is divided every second by what each running task needs.
 */
import { RateLimiter } from '../../core/rate-limiter.ts';
import { fairShares } from './fair-shares.ts';

/** Bytes per second. */
export interface DownloadRates {
  readonly total: number;
  readonly perTask: number;
  readonly backToSource: number;
  readonly prefetch: number;
}

export interface TrafficShaperOptions {
  readonly rates: DownloadRates;
  /** Divide the total by need instead of first come, first served. */
  readonly sampling: boolean;
}

const samplingMs = 1000;

/** A task that used this much of its share counts as limited by it. */
const pressedPart = 0.9;

/** A task that used less may grow by this factor before it counts as limited. */
const headroom = 1.5;

/** What the least busy task gets at least: with less than a block or two it could never show that it needs more. */
const leastNeed = 2 ** 20;

export class TrafficShaper {
  /** Limits all downloads, from parents and origins. */
  readonly total: RateLimiter;
  readonly #options: TrafficShaperOptions;
  readonly #origin: RateLimiter;
  readonly #prefetch: RateLimiter;
  readonly #tasks = new Set<TaskRate>();
  #timer: NodeJS.Timeout | undefined;
  #sampledMs = 0;

  constructor(options: TrafficShaperOptions) {
    this.#options = options;
    this.total = new RateLimiter(options.rates.total);
    this.#origin = new RateLimiter(options.rates.backToSource);
    this.#prefetch = new RateLimiter(options.rates.prefetch);
  }

  /** The limits of one running task, until it is disposed. @param limit of bytes per second for this task alone. */
  open(limit = Infinity): TaskRate {
    const { rates, sampling } = this.#options;
    const common = { total: this.total, origin: this.#origin, prefetch: this.#prefetch };
    const mean = sampling ? rates.total / (this.#tasks.size + 1) : Infinity;
    const bounds = { share: mean, limit, most: rates.perTask };
    const task = new TaskRate(bounds, common, () => this.#close(task));
    this.#tasks.add(task);
    if (sampling && !this.#timer) {
      this.#sampledMs = performance.now();
      this.#timer = setInterval(() => this.#sample(), samplingMs);
    }
    return task;
  }

  /** Gives every task its share of the total, by what it has taken in these seconds. */
  divide(seconds: number): void {
    const { rates } = this.#options;
    const tasks = [...this.#tasks];
    const needs = tasks.map((task) => Math.min(task.need(seconds), task.limit));
    for (const [index, share] of fairShares(rates.total, needs).entries()) tasks[index]?.setShare(share);
  }

  #close(task: TaskRate): void {
    this.#tasks.delete(task);
    if (this.#tasks.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sample(): void {
    const nowMs = performance.now();
    this.divide(Math.max(1, nowMs - this.#sampledMs) / 1000);
    this.#sampledMs = nowMs;
  }
}

export class TaskRate implements Disposable {
  /** Nobody waits for the task's content, so it also pays the prefetch limit. */
  background = false;
  readonly #own: RateLimiter;
  readonly #common: { readonly total: RateLimiter; readonly origin: RateLimiter; readonly prefetch: RateLimiter };
  readonly #close: () => void;
  readonly #most: number;
  #limit: number;
  #share: number;
  #takenBefore = 0;

  constructor(
    { share, limit, most }: { readonly share: number; readonly limit: number; readonly most: number },
    common: { readonly total: RateLimiter; readonly origin: RateLimiter; readonly prefetch: RateLimiter },
    close: () => void,
  ) {
    this.#most = most;
    this.#limit = limit;
    this.#share = share;
    this.#own = new RateLimiter(this.share);
    this.#common = common;
    this.#close = close;
  }

  /** Bytes per second it may take. */
  get share(): number {
    return Math.min(this.#share, this.limit);
  }

  /** Bytes per second it may never exceed. */
  get limit(): number {
    return Math.min(this.#limit, this.#most);
  }

  /** Limits that bytes from peers pay besides the total, which the piece client charges itself. */
  get fromPeers(): readonly RateLimiter[] {
    return this.background ? [this.#own, this.#common.prefetch] : [this.#own];
  }

  /** What bytes from an origin pay. */
  get fromOrigin(): readonly RateLimiter[] {
    return [...this.fromPeers, this.#common.origin, this.#common.total];
  }

  /** Bytes per second that the task needs, judged by what it has taken since the last call. */
  need(seconds: number): number {
    const { taken } = this.#own;
    const used = (taken - this.#takenBefore) / seconds;
    this.#takenBefore = taken;
    const pressed = this.#own.waiting > 0 || used >= this.share * pressedPart;
    return pressed ? Infinity : Math.max(leastNeed, used * headroom);
  }

  setShare(bytesPerSec: number): void {
    this.#share = bytesPerSec;
    this.#own.setRate(this.share);
  }

  /** Another reader has joined with a higher limit. */
  raiseLimit(bytesPerSec: number): void {
    this.#limit = Math.max(this.#limit, bytesPerSec);
    this.#own.setRate(this.share);
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
