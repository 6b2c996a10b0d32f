/**
 * Which piece requests this host answers now, which wait, and which are sent elsewhere. UploadGate decides; the desk
 * supplies the time and the uplink rate, wakes waiting requests, and announces the load.
 */
import { performance } from 'node:perf_hooks';
import { toDragonflyError } from '../../core/errors.ts';
import { RateMeter } from '../../core/rate-meter.ts';
import { LoadNews } from '../../swarm/peer/load-news.ts';
import { promiseMs } from '../../swarm/peer/transfer-timing.ts';
import { UploadGate, type Uplink, type UploadRequest } from '../../swarm/peer/upload-gate.ts';
import { EndingWatch } from './ending.ts';
import { gateRecheckMs, maxActiveBodies, timerEarlyMs } from './limits.ts';

export interface DeskRequest extends UploadRequest {
  /** Of the whole piece. */
  readonly bytes: number;
  /** To the child. */
  readonly roundTripMs?: number;
  /** Of the child. */
  readonly address?: string;
}

interface Asked extends UploadRequest {
  readonly start: () => void;
}

export interface UploadDeskOptions {
  /** Whether this host is at an origin, fetching content that others wait for. */
  readonly atOrigin?: () => boolean;
  /** Maximum number of concurrent uploads; the gate finds out how many are useful. */
  readonly maxActive?: number;
}

/**
 * One admitted upload. The caller reports sent bytes, and disposes of it when the kernel has the last of them: early enough for
 * the next upload to start in time.
 */
export interface UploadTurn extends Disposable {
  sent(bytes: number): void;
}

export class UploadDesk implements AsyncDisposable {
  readonly #gate: UploadGate<Asked>;
  readonly #meter = new RateMeter();
  readonly #atOrigin: () => boolean;
  /** One watch for each admitted upload. */
  readonly #running = new Set<EndingWatch>();
  readonly #listeners = new Set<(load: number) => void>();
  readonly #places: Places;
  readonly #news = new LoadNews();
  #recheck: NodeJS.Timeout | undefined;
  #telling: NodeJS.Timeout | undefined;
  #tellAtMs = Number.POSITIVE_INFINITY;

  constructor({ atOrigin = () => false, maxActive = maxActiveBodies }: UploadDeskOptions = {}) {
    this.#atOrigin = atOrigin;
    this.#gate = new UploadGate({ maxActive });
    this.#places = new Places(Math.ceil(maxActive / 2));
  }

  /** Uploads running and waiting, as last announced. */
  get load(): number {
    return this.#news.told;
  }

  /** Called with the load soon after it changed; simultaneous changes are reported once. */
  onLoad(listener: (load: number) => void): () => void {
    this.#listeners.add(listener);
    this.#tellSoon();
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Undefined: the child should ask another parent. Rejects when the signal aborts while the request waits. Requests of
   * one address, running and waiting, take at most half of the places, so that a slow reader with many connections
   * locks nobody out.
   */
  async enter(request: DeskRequest, signal: AbortSignal): Promise<UploadTurn | undefined> {
    signal.throwIfAborted();
    const leave = this.#places.take(request.address);
    if (!leave) return undefined;
    try {
      const turn = await this.#enter(request, signal);
      if (!turn) leave();
      return turn && { sent: (bytes) => turn.sent(bytes), [Symbol.dispose]: () => (leave(), turn[Symbol.dispose]()) };
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #enter(request: DeskRequest, signal: AbortSignal): Promise<UploadTurn | undefined> {
    const { promise, resolve } = Promise.withResolvers<UploadTurn | undefined>();
    this.#gate.atOrigin = this.#atOrigin();
    const { childId, taskId, piece, patient, bytes, roundTripMs = 0 } = request;
    const start = (): void => resolve(this.#turn(bytes));
    const asked: Asked = { childId, taskId, piece, ...(patient !== undefined && { patient }), start };
    const nowMs = performance.now();
    const endingSoon = this.#endingWithin(promiseMs + roundTripMs, nowMs);
    if (!this.#gate.request(asked, nowMs, { ...this.#uplink(nowMs), endingSoon })) {
      this.#news.refused();
      this.#tellSoon();
      return undefined;
    }
    const leave = (): void => {
      if (this.#gate.cancel(childId, taskId, piece)) resolve(undefined);
      this.#pump();
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#pump();
    const turn = await promise.finally(() => signal.removeEventListener('abort', leave));
    if (!turn || signal.aborted) {
      turn?.[Symbol.dispose]();
      throw toDragonflyError(signal.reason);
    }
    return turn;
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#recheck);
    clearTimeout(this.#telling);
    return Promise.resolve();
  }

  #turn(totalBytes: number): UploadTurn {
    const watch = new EndingWatch(totalBytes);
    this.#running.add(watch);
    return {
      sent: (bytes) => {
        const nowMs = performance.now();
        this.#meter.add(bytes, nowMs);
        watch.passed(bytes, nowMs);
      },
      [Symbol.dispose]: () => {
        if (!this.#running.delete(watch)) return;
        this.#gate.ended();
        this.#pump();
      },
    };
  }

  #endingWithin(ms: number, nowMs: number): number {
    let count = 0;
    for (const watch of this.#running) if (watch.leftMs(nowMs) <= ms) count += 1;
    return count;
  }

  #uplink(nowMs: number): Uplink {
    return { bytesPerSec: this.#meter.bytesPerSec(nowMs), latestBytesPerSec: this.#meter.latestBytesPerSec(nowMs) };
  }

  #next(): Asked | undefined {
    const nowMs = performance.now();
    return this.#gate.start(nowMs, this.#uplink(nowMs));
  }

  #pump(): void {
    for (let next = this.#next(); next; next = this.#next()) next.start();
    clearTimeout(this.#recheck);
    // no event tells that the uplink has room again: a child may have found another sender
    if (this.#gate.waiting > 0) this.#recheck = setTimeout(() => this.#pump(), gateRecheckMs).unref();
    this.#tellSoon();
  }

  #tellSoon(): void {
    const dueMs = this.#news.dueMs(this.#gate.load, this.#listeners.size);
    if (dueMs >= this.#tellAtMs) return; // a timer that fires early looks again
    clearTimeout(this.#telling);
    this.#tellAtMs = dueMs;
    this.#telling = setTimeout(() => this.#tellLoad(), Math.max(0, dueMs - performance.now())).unref();
  }

  #tellLoad(): void {
    this.#tellAtMs = Number.POSITIVE_INFINITY;
    const { load } = this.#gate;
    const nowMs = performance.now();
    if (this.#news.dueMs(load, this.#listeners.size) > nowMs + timerEarlyMs) return this.#tellSoon();
    this.#news.tell(load, nowMs);
    for (const listener of this.#listeners) listener(load);
  }
}

/** Counts the places taken by each address. */
class Places {
  readonly #most: number;
  readonly #taken = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns a function that gives the place back; undefined when the address has its maximum. */
  take(address = ''): (() => void) | undefined {
    const taken = this.#taken.get(address) ?? 0;
    if (address !== '' && taken >= this.#most) return undefined;
    this.#taken.set(address, taken + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      const left = (this.#taken.get(address) ?? 0) - 1;
      if (left > 0) this.#taken.set(address, left);
      else this.#taken.delete(address);
    };
  }
}
