/** Runs the thread that computes what is to be known of imported content (scan-worker.ts), beside whoever writes its file. */
import { once } from 'node:events';
import { DragonflyError } from '../../core/errors.ts';
import { ownThread } from '../../core/own-files.ts';
import type { ScanAnswer, ScanOrder } from './scan-worker.ts';

export interface Scanned {
  readonly sha256: string;
  /** SHA-256 of the content and the suffix behind it. */
  readonly id: string;
  /** Of every piece. */
  readonly crcs: readonly number[];
  readonly lengthBytes: number;
}

export class ContentScan implements AsyncDisposable {
  readonly #worker: ReturnType<typeof ownThread>;
  readonly #lengthBytes = new BigInt64Array(new SharedArrayBuffer(8));
  readonly #answer: Promise<Scanned>;

  /** @param order.path a file that exists. */
  constructor(order: Omit<ScanOrder, 'lengthBytes'>) {
    Atomics.store(this.#lengthBytes, 0, -1n);
    this.#worker = ownThread('dfdaemon/imports/scan-worker', { ...order, lengthBytes: this.#lengthBytes });
    this.#answer = this.#result();
    this.#answer.catch(() => undefined); // the writer may fail first
  }

  /** All bytes are in the file. Rejects with STORAGE when they cannot be read back. */
  finish(lengthBytes: number): Promise<Scanned> {
    Atomics.store(this.#lengthBytes, 0, BigInt(lengthBytes));
    Atomics.notify(this.#lengthBytes, 0);
    return this.#answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  async #result(): Promise<Scanned> {
    const ended = once(this.#worker, 'exit').then((): [ScanAnswer] => [
      { failure: 'the thread that reads it has ended' },
    ]);
    const [answer] = (await Promise.race([once(this.#worker, 'message'), ended])) as [ScanAnswer];
    if ('failure' in answer)
      throw new DragonflyError('STORAGE', `imported content cannot be read back: ${answer.failure}`);
    return answer;
  }
}
