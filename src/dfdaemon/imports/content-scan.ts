/** Runs a thread that computes the digests of imported content (scan-worker.ts) while its file is being written. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { DragonflyError } from '../../core/errors.ts';
import { ownThread } from '../../core/own-files.ts';
import { importLimits } from './limits.ts';
import type { ScanAnswer, ScanOrder } from './scan-worker.ts';

export type Scanned = Exclude<ScanAnswer, { readonly failure: string }>;

export class ContentScan implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #lengthBytes = new BigInt64Array(new SharedArrayBuffer(8));
  readonly #answer: Promise<Scanned>;
  #answered = false;

  /** @param order.path a file that exists. */
  constructor(order: Omit<ScanOrder, 'lengthBytes'>) {
    Atomics.store(this.#lengthBytes, 0, -1n);
    this.#worker = takeThread();
    this.#answer = this.#result();
    this.#answer.catch(() => undefined); // the writer may fail first
    this.#worker.postMessage({ ...order, lengthBytes: this.#lengthBytes } satisfies ScanOrder);
  }

  /** Called when all bytes are in the file. Rejects with STORAGE when they cannot be read back. */
  finish(lengthBytes: number): Promise<Scanned> {
    Atomics.store(this.#lengthBytes, 0, BigInt(lengthBytes));
    Atomics.notify(this.#lengthBytes, 0);
    return this.#answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#answered) giveBack(this.#worker);
    else await this.#worker.terminate();
  }

  async #result(): Promise<Scanned> {
    const over = new AbortController();
    const { signal } = over;
    try {
      const ended = once(this.#worker, 'exit', { signal }).then((): [ScanAnswer] => [
        { failure: 'the thread that reads it has ended' },
      ]);
      ended.catch(() => undefined);
      const [answer] = (await Promise.race([once(this.#worker, 'message', { signal }), ended])) as [ScanAnswer];
      if ('failure' in answer)
        throw new DragonflyError('STORAGE', `imported content cannot be read back: ${answer.failure}`);
      this.#answered = true;
      return answer;
    } finally {
      over.abort();
    }
  }
}

/** Starting a thread costs more than reading small content, so a few threads wait a while for the next one. None of them keeps the process alive. */
const idle: { readonly worker: Worker; readonly timer: NodeJS.Timeout }[] = [];

function takeThread(): Worker {
  const known = idle.pop();
  if (!known) return ownThread('dfdaemon/imports/scan-worker', undefined);
  clearTimeout(known.timer);
  known.worker.ref();
  return known.worker;
}

function giveBack(worker: Worker): void {
  if (idle.length >= importLimits.idleThreads) return void worker.terminate();
  const timer = setTimeout(() => {
    idle.splice(
      idle.findIndex((each) => each.worker === worker),
      1,
    );
    void worker.terminate();
  }, importLimits.idleThreadMs);
  timer.unref();
  worker.unref();
  idle.push({ worker, timer });
}
