/** Digests of pieces, computed in a separate thread (piece-hash-worker.ts). */
import type { Worker } from 'node:worker_threads';
import type { Blake3Hasher } from '@napi-rs/blake-hash';
import { DragonflyError } from '../../../core/errors.ts';
import type { Closable } from '../../../core/process/lifecycle.ts';
import { ownThread } from '../../../core/own-files.ts';
import { UpdateRing, type HashUpdate } from './update-ring.ts';

export type HashCommand =
  | (StoredBytes & { readonly kind: 'stored'; readonly id: number })
  /** Memory that will be hashed in parts; referred to by its number from here on. */
  | { readonly kind: 'block'; readonly block: number; readonly memory: SharedArrayBuffer }
  /** An update for which the ring has no room. */
  | (HashUpdate & { readonly kind: 'update' })
  /** The digest of all updates of an arriving piece, which ends it. */
  | { readonly kind: 'digest'; readonly piece: number; readonly id: number }
  | { readonly kind: 'drop'; readonly piece: number }
  /** Reports when all previous commands have been carried out. */
  | { readonly kind: 'passed'; readonly id: number }
  /** The block is no longer used. */
  | { readonly kind: 'forget'; readonly block: number };

export interface HashMessage {
  readonly command: HashCommand;
  /** Carried out after this many updates of the ring. */
  readonly after: number;
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

/** The digest of an arriving piece. Dispose of it when nobody wants it any more. */
export interface IncomingHash extends Disposable {
  /** Takes the next bytes, which lie in shared memory. The returned function tells when the memory may be reused: now, or later. */
  update(bytes: Uint8Array): () => Promise<void> | undefined;
  /** The digest of everything taken; called once. */
  digest(): Promise<Uint8Array>;
}

/** For bytes that arrive in small parts, in blocks of a connection. */
export async function blake3(): Promise<Blake3Hasher> {
  return new (await import('@napi-rs/blake-hash')).Blake3Hasher();
}

export class PieceHasher implements Closable {
  #worker: Worker | undefined;
  #ring = new UpdateRing();
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();
  /** Numbers of the blocks in the thread. It forgets those that nobody here references any more; the pool may drop blocks while others are in use. */
  #blocks = new WeakMap<SharedArrayBuffer, number>();
  readonly #dropped = new FinalizationRegistry<number>((block) => this.#post({ kind: 'forget', block }));
  #nextBlock = 0;

  /** False on a platform without a build of the hash; pieces have no digests there. */
  static async isAvailable(): Promise<boolean> {
    try {
      await import('@napi-rs/blake-hash');
      return true;
    } catch {
      return false;
    }
  }

  /** Rejects with STORAGE when the disk cannot read the bytes. */
  hash({ fd, offset, length }: StoredBytes): Promise<Uint8Array> {
    return this.#ask((id) => ({ kind: 'stored', id, fd, offset, length }));
  }

  /** For a piece whose bytes are in memory as they arrive: they are neither read again nor copied. */
  incoming(): IncomingHash {
    const piece = this.#nextId++;
    let isOpen = true;
    return {
      update: (bytes) => (isOpen ? this.#update(piece, bytes) : () => undefined),
      digest: () => {
        isOpen = false;
        return this.#ask((id) => ({ kind: 'digest', piece, id }));
      },
      [Symbol.dispose]: () => {
        if (isOpen) this.#post({ kind: 'drop', piece });
        isOpen = false;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  #update(piece: number, { buffer, byteOffset: from, length }: Uint8Array): () => Promise<void> | undefined {
    const worker = this.#started();
    const update: HashUpdate = { piece, block: this.#blockOf(buffer), from, length };
    if (!this.#ring.write(update)) {
      this.#post({ kind: 'update', ...update });
      return () => this.#passed();
    }
    const { written } = this.#ring;
    return () => {
      const isPassed = worker !== this.#worker || this.#ring.hasPassed(written);
      return isPassed ? undefined : this.#passed();
    };
  }

  /** Also resolves when the thread has ended, since nobody reads the memory then. */
  async #passed(): Promise<void> {
    await this.#ask((id) => ({ kind: 'passed', id })).catch(() => undefined);
  }

  #blockOf(memory: ArrayBufferLike): number {
    if (!(memory instanceof SharedArrayBuffer)) throw new TypeError('bytes to hash are not in shared memory');
    const known = this.#blocks.get(memory);
    if (known !== undefined) return known;
    const block = this.#nextBlock++;
    this.#blocks.set(memory, block);
    this.#dropped.register(memory, block);
    this.#post({ kind: 'block', block, memory });
    return block;
  }

  /** Sends to the thread, if there is one. */
  #post(command: HashCommand): void {
    if (!this.#worker) return;
    this.#worker.postMessage({ command, after: this.#ring.written } satisfies HashMessage);
    this.#ring.wake();
  }

  #ask(command: (id: number) => HashCommand): Promise<Uint8Array> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.set(id, { resolve, reject });
    this.#started();
    this.#post(command(id));
    return promise;
  }

  #started(): Worker {
    this.#worker ??= this.#start();
    return this.#worker;
  }

  #start(): Worker {
    this.#ring = new UpdateRing();
    const worker = ownThread('dfdaemon/task/proof/piece-hash-worker', this.#ring.memory);
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
    this.#blocks = new WeakMap();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new DragonflyError('INTERNAL', error.message, { cause: error }));
  }
}
