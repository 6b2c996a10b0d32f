/** Packs new chunks, and stores every full pack in the cluster while the next one is being filled. */
import { createHash, type Hash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { outputError } from '../../core/files/output-file.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { releaseLimits } from '../../swarm/releases/limits.ts';
import type { Pack } from '../../swarm/releases/manifest.ts';
import type { PutOptions, ReleaseDaemon } from '../releases/release-daemon.ts';

/** Packs that are stored at once: one is copied and hashed while others are on their way, each of which alone would leave lines idle at its end. */
const packsAtOnce = 6;

export interface PackWriterOptions extends Omit<PutOptions, 'signal' | 'onHeld'> {
  /** A pack is on this node, and its replicas are being made. Never rejects. */
  readonly announce: (taskId: string, signal: AbortSignal) => Promise<void>;
  readonly daemon: ReleaseDaemon;
  /** Made for this. */
  readonly scratch: string;
  readonly targetBytes: number;
  /** The number of the first pack. */
  readonly firstIndex: number;
  readonly startedMs: number;
  readonly signal: AbortSignal;
}

interface OpenPack {
  readonly path: string;
  readonly index: number;
  readonly file: FileHandle;
  readonly hash: Hash;
  lengthBytes: number;
}

export class PackWriter implements AsyncDisposable {
  readonly #options: PackWriterOptions;
  readonly #packs: Pack[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal;
  /** Tasks that this run has created. */
  readonly #own: string[] = [];
  #open: OpenPack | undefined;
  #count = 0;
  #newBytes = 0;
  #failure: DragonflyError | undefined;

  constructor(options: PackWriterOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#controller.signal]);
  }

  get newBytes(): number {
    return this.#newBytes;
  }

  /** Returns the location of the chunk. Throws the daemon's error for an earlier pack. */
  async add(bytes: Uint8Array): Promise<{ readonly pack: number; readonly offset: number }> {
    if (this.#failure) throw this.#failure;
    const pack = (this.#open ??= await this.#begin());
    const offset = pack.lengthBytes;
    try {
      for (let done = 0; done < bytes.length;)
        done += (await pack.file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    } catch (error) {
      throw outputError(pack.path, error);
    }
    pack.hash.update(bytes);
    pack.lengthBytes += bytes.length;
    if (pack.lengthBytes >= this.#options.targetBytes) await this.#seal();
    return { pack: pack.index, offset };
  }

  /** Resolves with all packs, by number from `firstIndex` on, when all have their replicas. */
  async finish(): Promise<readonly Pack[]> {
    if (this.#open) await this.#seal();
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure;
    return this.#packs;
  }

  /** Stores a file that is not a pack, such as the manifest. Resolves with the id of its task. */
  async put(
    path: string,
    ttlMs: number,
    lengthBytes: number,
    onHeld?: (taskId: string) => void,
  ): Promise<{ readonly taskId: string; readonly expiresMs: number }> {
    const { daemon, tag, replicas, startedMs } = this.#options;
    const task = await daemon.put(path, { tag, replicas, ttlMs, onHeld, signal: this.#signal });
    const createdMs = task.createdAt?.getTime() ?? startedMs;
    if (createdMs >= startedMs) {
      this.#own.push(task.id);
      this.#newBytes += lengthBytes;
    }
    return { taskId: task.id, expiresMs: createdMs + (task.ttl?.seconds ?? 0) * 1000 };
  }

  /** Deletes from the cluster what this run has stored. Never throws: what cannot be deleted expires. */
  async takeBack(): Promise<void> {
    this.#controller.abort(new DragonflyError('CANCELLED', 'the directory is not published'));
    await Promise.all(this.#running);
    await Promise.all(this.#own.map((taskId) => this.#options.daemon.remove(taskId).catch(() => undefined)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort(new DragonflyError('CANCELLED', 'the directory is not published'));
    await Promise.all(this.#running);
    await this.#open?.file.close();
  }

  async #begin(): Promise<OpenPack> {
    const { scratch, firstIndex } = this.#options;
    if (firstIndex + this.#count >= 2 * releaseLimits.packs)
      throw new DragonflyError('INVALID_ARGUMENT', 'the directory is too large for one version', {
        hint: 'Publish parts of it under their own names.',
      });
    const index = firstIndex + this.#count;
    this.#count += 1;
    const path = join(scratch, `pack-${index}`);
    try {
      return { path, index, file: await open(path, 'wx', 0o600), hash: createHash('sha256'), lengthBytes: 0 };
    } catch (error) {
      throw outputError(path, error);
    }
  }

  async #seal(): Promise<void> {
    const pack = this.#open;
    this.#open = undefined;
    if (!pack) return;
    await pack.file.close();
    while (this.#running.size >= packsAtOnce) await Promise.race(this.#running);
    const work = this.#import(pack)
      .catch((error: unknown) => {
        this.#failure ??= toDragonflyError(error);
      })
      .finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  async #import({ path, index, hash, lengthBytes }: OpenPack): Promise<void> {
    const { ttlMs, firstIndex, announce } = this.#options;
    let announced: Promise<void> | undefined;
    const { taskId, expiresMs } = await this.put(path, ttlMs, lengthBytes, (id) => {
      announced = announce(id, this.#signal);
    });
    await announced;
    this.#packs[index - firstIndex] = { taskId, sha256: hash.digest('hex'), lengthBytes, expiresMs };
    await rm(path, { force: true });
  }
}
