/** Reads stored chunks and returns their hashes (xorb-check-worker.ts). */
import type { Worker } from 'node:worker_threads';
import { DragonflyError } from '../../../../core/errors.ts';
import { ownThread } from '../../../../core/own-files.ts';
import type { FileSpan } from '../../../task/open-task.ts';
import type { ChunkRun } from './chunk-run.ts';

/** Commands of a run are sent one at a time. */
export type CheckCommand =
  | { readonly run: number; readonly kind: 'read'; readonly span: FileSpan }
  | { readonly run: number; readonly kind: 'end' }
  | { readonly run: number; readonly kind: 'drop' };

export type CheckReply =
  | { readonly run: number; readonly result?: ChunkRun }
  /** `isContent`: the bytes are no chunks. Otherwise they could not be read. */
  | { readonly run: number; readonly failure: string; readonly isContent: boolean };

interface Waiting {
  readonly resolve: (run: ChunkRun | undefined) => void;
  readonly reject: (error: Error) => void;
}

export class XorbChecker {
  #worker: Worker | undefined;
  #nextRun = 1;
  readonly #waiting = new Map<number, Waiting>();

  /** Rejects with DIGEST_MISMATCH for bytes that are no chunks, with STORAGE when they cannot be read, and as the iterable does. */
  async check(spans: AsyncIterable<FileSpan>): Promise<ChunkRun> {
    const run = this.#nextRun++;
    let isOver = false;
    try {
      // A file is open until the next span is asked for.
      for await (const span of spans) await this.#put({ run, kind: 'read', span });
      const result = await this.#put({ run, kind: 'end' });
      isOver = true;
      if (result) return result;
      throw new DragonflyError('INTERNAL', 'the thread that checks chunks has not said what they are');
    } finally {
      if (!isOver) this.#worker?.postMessage({ run, kind: 'drop' } satisfies CheckCommand);
    }
  }

  [Symbol.dispose](): void {
    void this.#worker?.terminate();
  }

  #put(command: CheckCommand): Promise<ChunkRun | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<ChunkRun | undefined>();
    this.#waiting.set(command.run, { resolve, reject });
    this.#worker ??= this.#start();
    this.#worker.postMessage(command);
    return promise;
  }

  #start(): Worker {
    const worker = ownThread('dfdaemon/proxy/doors/xet/xorb-check-worker');
    worker.unref();
    worker.on('message', (reply: CheckReply) => {
      const waiting = this.#waiting.get(reply.run);
      this.#waiting.delete(reply.run);
      if (!('failure' in reply)) waiting?.resolve(reply.result);
      else waiting?.reject(new DragonflyError(reply.isContent ? 'DIGEST_MISMATCH' : 'STORAGE', reply.failure));
    });
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the thread that checks chunks has ended')));
    return worker;
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new DragonflyError('INTERNAL', error.message, { cause: error }));
  }
}
