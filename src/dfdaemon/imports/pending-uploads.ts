/**
 * Uploads of imported content that its store does not have yet: done in the background, with as many attempts as it
 * takes, also by the next process. The record of an upload is only in the row of its task, with the sealed credentials
 * of whoever imported it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseDigest, partsTag } from '../../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { onAbort, orAborted, type Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { StoredObject } from '../../swarm/replicas/kept-task.ts';
import { uploadParts, type UploadContent } from '../../swarm/replicas/object-upload.ts';
import type { Upstream } from '../proxy/wire/upstream.ts';
import { Slots } from '../proxy/slots.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { PendingUpload } from '../storage/task-record.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { ContentScan } from './content-scan.ts';
import { importLimits } from './limits.ts';
import { ObjectRequests } from './object-requests.ts';
import { writeObject } from './object-writer.ts';
import type { SealedStorage } from './sealed-storage.ts';

export interface PendingUploadsOptions {
  readonly store: TaskStore;
  readonly upstream: Upstream;
  readonly sealed: SealedStorage;
  readonly logger: Logger;
}

interface Running {
  readonly ending: AbortController;
  readonly done: Promise<StoredObject>;
}

export class PendingUploads implements Closable {
  readonly #options: PendingUploadsOptions;
  readonly #running = new Map<string, Running>();
  readonly #failures = new Map<string, string>();
  /** Every stored task waits for one upload at most, so the queue needs no bound of its own. */
  readonly #slots = new Slots(importLimits.uploadsAtOnce, Infinity);
  readonly #controller = new AbortController();

  constructor(options: PendingUploadsOptions) {
    this.#options = options;
    options.store.onRemoved(({ id }) => this.#running.get(id)?.ending.abort(gone(id)));
  }

  /** Why the last attempt failed; empty when none has. */
  failureOf(taskId: string): string {
    return this.#failures.get(taskId) ?? '';
  }

  /**
   * Resumes the uploads of an earlier process. Content that was deleted while this node was away must not be uploaded,
   * so for a while each upload waits for a scheduler that knows the task. @param onStored called for each task that its
   * store has by now
   */
  resume(onStored: (taskId: string) => void, isKnown: (taskId: string) => Promise<boolean>): void {
    for (const task of this.#options.store.list()) {
      if (!task.record.kept?.upload) continue;
      this.inBackground(task, onStored, (signal) => untilKnown(task.id, isKnown, signal));
    }
  }

  /** @param ready resolves when it may begin. */
  inBackground({ id }: StoredTask, onStored: (taskId: string) => void, ready?: Way['ready']): void {
    const { logger } = this.#options;
    this.#start(id, { patient: true, ready }).done.then(
      () => onStored(id),
      (error: unknown) => logger.debug({ taskId: id, reason: toDragonflyError(error).message }, 'an upload has ended'),
    );
  }

  /**
   * Resolves when the store has it. Throws the store's refusal; temporary errors are retried until the signal aborts,
   * and its reason is thrown. An upload that is already running is joined, and goes on even if this caller stops
   * waiting. @param md5s of its parts, if they have just been computed
   */
  async now({ id }: StoredTask, md5s: readonly Uint8Array[], signal: AbortSignal): Promise<StoredObject> {
    signal.throwIfAborted();
    const joined = this.#running.get(id);
    if (joined) return await orAborted(joined.done, signal);
    const running = this.#start(id, { patient: false, md5s });
    using _stopping = onAbort(signal, () => running.ending.abort(signal.reason));
    return await running.done;
  }

  /** Ends the upload and removes its parts from the store; an object that is complete there stays. Never throws. */
  async abandon(taskId: string): Promise<void> {
    const running = this.#running.get(taskId);
    running?.ending.abort(gone(taskId));
    await running?.done.catch(() => undefined);
    const { record } = this.#options.store.get(taskId) ?? {};
    const { object, upload } = record?.kept ?? {};
    if (!object || upload?.uploadId === undefined) return;
    const { uploadId } = upload;
    const signal = AbortSignal.timeout(importLimits.takeBackMs);
    await this.#requestsOf(object, upload)
      .then((requests) => requests.abort(uploadId, signal))
      .catch(() => undefined); // the store's own rules delete it later
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort(new DragonflyError('UNAVAILABLE', 'the daemon is stopping'));
    await Promise.allSettled(Array.from(this.#running.values(), ({ done }) => done));
  }

  #start(taskId: string, way: Way): Running {
    const known = this.#running.get(taskId);
    if (known) return known;
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, this.#controller.signal]);
    const done = this.#untilStored(taskId, way, signal).finally(() => {
      this.#running.delete(taskId);
      this.#failures.delete(taskId);
    });
    const running = { ending, done };
    this.#running.set(taskId, running);
    done.catch(() => undefined);
    return running;
  }

  async #untilStored(taskId: string, { patient, md5s, ready }: Way, signal: AbortSignal): Promise<StoredObject> {
    const { logger } = this.#options;
    let known = md5s;
    await ready?.(signal);
    for (
      let retryMs: number = importLimits.uploadRetryMs;
      ;
      retryMs = Math.min(2 * retryMs, importLimits.mostUploadRetryMs)
    ) {
      try {
        return await this.#inTurn(signal, () => this.#attempt(taskId, known, signal));
      } catch (error) {
        signal.throwIfAborted();
        known = undefined; // time has passed
        const failure = toDragonflyError(error);
        if (!patient && !mayPass(failure)) throw failure;
        this.#failures.set(taskId, failure.message);
        logger.warn(
          { taskId, code: failure.code, reason: failure.message, retryMs },
          'content could not be brought to its store',
        );
      }
      await delay(retryMs, undefined, { signal, ref: false });
    }
  }

  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (!(await this.#slots.take(Infinity, signal))) throw toDragonflyError(signal.reason);
    try {
      return await work();
    } finally {
      this.#slots.release();
    }
  }

  async #requestsOf({ url }: StoredObject, { sealedStorage }: PendingUpload): Promise<ObjectRequests> {
    const { sealed, upstream } = this.#options;
    return new ObjectRequests({ url, storage: await sealed.open(sealedStorage) }, upstream);
  }

  async #attempt(taskId: string, md5s: readonly Uint8Array[] | undefined, signal: AbortSignal): Promise<StoredObject> {
    const { store } = this.#options;
    await store.get(taskId)?.recovered;
    const task = store.get(taskId);
    const kept = task?.record.kept;
    if (!task || !kept?.object) throw gone(taskId);
    const { object, upload } = kept;
    if (!upload) return object;
    if (task.state !== 'finished') throw new DragonflyError('STORAGE', `task ${taskId} is damaged here`);
    using _pin = task.pin();
    const remember = (uploadId: string | undefined): void => {
      const now = task.record.kept;
      if (now?.upload) task.keep({ ...now, upload: { ...now.upload, uploadId } }, task.persistent);
    };
    const requests = await this.#requestsOf(object, upload);
    if (!md5s) await requests.look(signal); // a store that is away is no reason to read the whole file
    const content = contentOf(task, upload, md5s ?? (await scanned(task, upload)));
    const etag = await writeObject(requests, { content, path: task.content.path, remember }, signal);
    const stored: StoredObject = { ...object, state: 'stored', etag };
    task.keep({ ...(task.record.kept ?? kept), object: stored }, task.persistent);
    return stored;
  }
}

interface Way {
  /** Whatever the store says. */
  readonly patient: boolean;
  readonly md5s?: readonly Uint8Array[] | undefined;
  readonly ready?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

async function untilKnown(
  taskId: string,
  isKnown: (taskId: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = performance.now() + importLimits.knownMs;
  for (
    let pauseMs: number = importLimits.retryMs;
    performance.now() < untilMs && !(await isKnown(taskId));
    pauseMs = Math.min(2 * pauseMs, importLimits.mostRetryMs)
  )
    await delay(pauseMs, undefined, { signal });
}

function contentOf(
  { contentLengthBytes: lengthBytes = 0 }: StoredTask,
  { partLengthBytes, uploadId }: PendingUpload,
  md5s: readonly Uint8Array[],
): UploadContent {
  const hex = md5s.map((md5) => Buffer.from(md5).toString('hex'));
  const [single = ''] = hex;
  return { lengthBytes, partLengthBytes, md5s: hex, etag: hex.length === 1 ? single : partsTag(md5s), uploadId };
}

/** MD5s of its parts. Reads all of it, so that content that was corrupted on disk is not uploaded. Throws STORAGE. */
async function scanned(task: StoredTask, { partLengthBytes }: PendingUpload): Promise<readonly Uint8Array[]> {
  const { layout, identity, content } = task;
  if (!layout) throw new DragonflyError('STORAGE', `task ${task.id} is here in part only`);
  const { contentLengthBytes: lengthBytes, pieceLengthBytes } = layout;
  const parts = uploadParts({ lengthBytes, partLengthBytes }).map((part) => part.lengthBytes);
  await using scan = new ContentScan({ path: content.path, pieceLengthBytes, suffix: '', parts });
  const { sha256, md5s } = await scan.finish(lengthBytes);
  if (identity.digest !== undefined && parseDigest(identity.digest).value !== sha256) {
    task.suspect();
    throw new DragonflyError(
      'STORAGE',
      `task ${task.id} is damaged here: it is made whole before it goes to its store`,
    );
  }
  return md5s;
}

/** True for a store that is away or overloaded. */
function mayPass({ code, details }: DragonflyError): boolean {
  if (code === 'SOURCE_STATUS') return (details?.statusCode ?? 0) >= 500 || details?.statusCode === 429;
  return code === 'SOURCE_UNREACHABLE' || code === 'STORAGE' || code === 'DIGEST_MISMATCH';
}

function gone(taskId: string): DragonflyError {
  return new DragonflyError('CANCELLED', `task ${taskId} is not here any more`);
}
