/**
 * Which piece requests this host answers now, which wait, and which are told to ask elsewhere. UploadGate decides; the
 * desk gives it the time and the rate the uplink carries, wakes who waits, and tells how much there is to do here.
 */
import { performance } from 'node:perf_hooks';
import { toDragonflyError } from '../../core/errors.ts';
import { RateMeter } from '../../core/rate-meter.ts';
import { UploadGate, type UploadRequest } from '../../swarm/upload-gate.ts';
import { gateRecheckMs, loadNewsMs, maxActiveBodies } from './limits.ts';

interface Asked extends UploadRequest {
  readonly start: () => void;
}

export interface UploadDeskOptions {
  /** This host fetches from an origin what others wait for. */
  readonly atOrigin?: () => boolean;
  /** Uploads at once, at most; how many are useful, the gate finds out. */
  readonly maxActive?: number;
}

/** One upload that was let in. The caller tells what leaves, and disposes of it when the kernel has the last of it: little enough to be on the line in time for the next. */
export interface UploadTurn extends Disposable {
  sent(bytes: number): void;
}

export class UploadDesk implements AsyncDisposable {
  readonly #gate: UploadGate<Asked>;
  readonly #meter = new RateMeter();
  readonly #atOrigin: () => boolean;
  readonly #listeners = new Set<(load: number) => void>();
  #announcedLoad = 0;
  #recheck: NodeJS.Timeout | undefined;
  #news: NodeJS.Timeout | undefined;

  constructor({ atOrigin = () => false, maxActive = maxActiveBodies }: UploadDeskOptions = {}) {
    this.#atOrigin = atOrigin;
    this.#gate = new UploadGate({ maxActive });
  }

  /** Uploads running and waiting, as it was told last. */
  get load(): number {
    return this.#announcedLoad;
  }

  /** Called with the load after it changed; changes of one moment are told once. */
  onLoad(listener: (load: number) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Undefined: the child should ask somebody else. Rejects when the signal aborts while the request waits. */
  async enter(request: UploadRequest, signal: AbortSignal): Promise<UploadTurn | undefined> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<UploadTurn | undefined>();
    this.#gate.atOrigin = this.#atOrigin();
    const asked: Asked = { ...request, start: () => resolve(this.#turn()) };
    const nowMs = performance.now();
    if (!this.#gate.request(asked, nowMs, this.#meter.bytesPerSec(nowMs), this.#meter.latestBytesPerSec(nowMs)))
      return undefined;
    const leave = (): void => {
      if (this.#gate.cancel(request.childId, request.taskId, request.piece)) resolve(undefined);
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
    clearTimeout(this.#news);
    return Promise.resolve();
  }

  #turn(): UploadTurn {
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      this.#gate.ended();
      this.#pump();
    };
    return {
      sent: (bytes) => this.#meter.add(bytes, performance.now()),
      [Symbol.dispose]: end,
    };
  }

  #next(): Asked | undefined {
    const nowMs = performance.now();
    return this.#gate.start(nowMs, this.#meter.bytesPerSec(nowMs), this.#meter.latestBytesPerSec(nowMs));
  }

  #pump(): void {
    for (let next = this.#next(); next; next = this.#next()) next.start();
    clearTimeout(this.#recheck);
    // that the uplink has room again is no event: a child has got another sender
    if (this.#gate.waiting > 0) this.#recheck = setTimeout(() => this.#pump(), gateRecheckMs).unref();
    this.#news ??= setTimeout(() => this.#tellLoad(), loadNewsMs).unref();
  }

  #tellLoad(): void {
    this.#news = undefined;
    const { load } = this.#gate;
    if (load === this.#announcedLoad) return;
    this.#announcedLoad = load;
    for (const listener of this.#listeners) listener(load);
  }
}
