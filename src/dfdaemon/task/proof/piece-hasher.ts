/** Digests of pieces, computed in a thread of its own (piece-hash-worker.ts). */
import type { Worker } from 'node:worker_threads';
import type { Blake3Hasher } from '@napi-rs/blake-hash';
import { DragonflyError } from '../../../core/errors.ts';
import type { Closable } from '../../../core/process/lifecycle.ts';
import { ownThread } from '../../../core/own-files.ts';

export interface HashCommand extends StoredBytes {
  readonly id: number;
}

export type HashReply =
  { readonly id: number; readonly digest: Uint8Array } | { readonly id: number; readonly failure: string };

/** Bytes of an open file, which stays open until they are hashed. */
export interface StoredBytes {
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
}

interface Waiting {
  readonly resolve: (digest: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** For bytes that come in blocks of a connection, a little at a time. */
export async function blake3(): Promise<Blake3Hasher> {
  return new (await import('@napi-rs/blake-hash')).Blake3Hasher();
}

export class PieceHasher implements Closable {
  #worker: Worker | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  /** False on a platform that the hash is not built for: pieces have no digests there. */
  static async isAvailable(): Promise<boolean> {
    try {
      await import('@napi-rs/blake-hash');
      return true;
    } catch {
      return false;
    }
  }

  /** Rejects with STORAGE when the disk does not give the bytes back. */
  hash({ fd, offset, length }: StoredBytes): Promise<Uint8Array> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.set(id, { resolve, reject });
    this.#worker ??= this.#start();
    this.#worker.postMessage({ id, fd, offset, length } satisfies HashCommand);
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = ownThread('dfdaemon/task/proof/piece-hash-worker');
    worker.unref();
    worker.on('message', (reply: HashReply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('digest' in reply) waiting?.resolve(reply.digest);
      else waiting?.reject(new DragonflyError('STORAGE', `a piece cannot be read back: ${reply.failure}`));
    });
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the thread that hashes pieces has ended')));
    return worker;
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new DragonflyError('INTERNAL', error.message, { cause: error }));
  }
}
