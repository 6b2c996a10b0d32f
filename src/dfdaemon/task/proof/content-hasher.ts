/** Digests of whole contents, computed behind the download in a separate thread (digest-worker.ts). */
import type { Worker } from 'node:worker_threads';
import { sameDigest, formatDigest, type Digest } from '../../../core/digest.ts';
import { DragonflyError } from '../../../core/errors.ts';
import type { Closable } from '../../../core/process/lifecycle.ts';
import { ownThread } from '../../../core/own-files.ts';
import type { DigestCommand, DigestReply } from './digest-worker.ts';

/** One content being hashed. */
export interface ContentHash {
  /** All bytes below the offset are on disk. */
  advance(offset: number): void;
  /** Resolves once all bytes are hashed and equal the expected digest; DIGEST_MISMATCH otherwise. */
  verify(contentLengthBytes: number): Promise<void>;
  close(): void;
}

interface Waiting {
  readonly resolve: (value: string) => void;
  readonly reject: (error: Error) => void;
}

export class ContentHasher implements Closable {
  #worker: Worker | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  /** @param path file the content is written to, at its final offsets. */
  open(path: string, expected: Digest): ContentHash {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    promise.catch(() => undefined); // a hash may fail before anybody asks for its result
    this.#waiting.set(id, { resolve, reject });
    this.#send({ kind: 'open', id, path, algorithm: expected.algorithm });
    return {
      advance: (offset) => this.#send({ kind: 'advance', id, offset }),
      verify: async (length) => {
        this.#send({ kind: 'finish', id, length });
        const actual: Digest = { algorithm: expected.algorithm, value: await promise };
        if (sameDigest(actual, expected)) return;
        throw new DragonflyError(
          'DIGEST_MISMATCH',
          `the content has ${formatDigest(actual)}, expected ${formatDigest(expected)}`,
          {
            hint: 'The origin serves something else than was asked for, or the expected digest is wrong.',
          },
        );
      },
      close: () => {
        if (this.#waiting.delete(id)) this.#send({ kind: 'close', id });
      },
    };
  }

  #send(command: DigestCommand): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(command);
  }

  #start(): Worker {
    const worker = ownThread('dfdaemon/task/proof/digest-worker');
    worker.unref();
    worker.on('message', (reply: DigestReply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.kind === 'digest') waiting?.resolve(reply.value);
      else waiting?.reject(new DragonflyError('STORAGE', `the stored content cannot be read back: ${reply.message}`));
    });
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the digest thread has ended')));
    return worker;
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new DragonflyError('INTERNAL', error.message, { cause: error }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }
}
