/**
 * A blob of a registry has two ids, by its digest and by its URL, and the parts of a cluster may not agree on one: a scheduler of the original
 * preheats by URL, whatever the proxies go by. What is here under one id becomes content of the other when somebody asks for that, without the
 * registry: the digest is the name of both, and what is here is read and compared with it.
 */
import { rm } from 'node:fs/promises';
import { toDragonflyError } from '../../core/errors.ts';
import { blobDigest, taskId as computeTaskId } from '../../core/ids.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { isEntitled } from '../task/credentials.ts';
import type { DownloadRequest } from '../task/open-task.ts';
import type { PushedContent } from './pushed-content.ts';

interface Parts {
  readonly store: TaskStore;
  readonly content: PushedContent;
  readonly logger: Logger;
}

export class BlobTwins {
  readonly #parts: Parts;
  readonly #running = new Map<string, Promise<void>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Resolves when the content stored under the blob's other id is also stored under this one; at once when there is none. Never rejects. */
  async bring(taskId: string, request: DownloadRequest): Promise<void> {
    const running = this.#running.get(taskId);
    if (running) return running;
    const twin = this.#twinOf(taskId, request);
    if (!twin) return;
    const bringing = this.#copy(twin, taskId, request).finally(() => this.#running.delete(taskId));
    this.#running.set(taskId, bringing);
    await bringing;
  }

  /** Only if it is complete, and if this caller may have it. */
  #twinOf(taskId: string, request: DownloadRequest): StoredTask | undefined {
    const { store } = this.#parts;
    const digest = digestOf(request);
    if (digest === undefined || (store.get(taskId)?.pieces.count ?? 0) > 0) return undefined;
    const { hub, blobDigestAsId = true } = request;
    const twinId = computeTaskId({ ...request, revision: hub?.revision, blobDigestAsId: !blobDigestAsId });
    const twin = store.get(twinId);
    if (twin?.state !== 'finished' || (twin.restricted && !isEntitled(request))) return undefined;
    return twin;
  }

  async #copy(twin: StoredTask, taskId: string, request: DownloadRequest): Promise<void> {
    const { content, logger } = this.#parts;
    const about = { taskId, from: twin.id };
    try {
      const { responseHeader, restricted } = twin;
      const copy = await content.copyOf(twin.id);
      if (!copy) return;
      const { path, bytes: lengthBytes } = copy;
      const digest = digestOf(request) ?? '';
      const same = { ...request, restricted: restricted || request.restricted === true };
      await content
        .keep({ taskId, path, lengthBytes, name: { kind: 'digest', digest }, request: same, responseHeader })
        .finally(() => rm(path, { force: true }));
      logger.info(about, 'the blob is here under its other id already');
    } catch (error) {
      logger.warn({ ...about, error: toDragonflyError(error).message }, 'the blob is fetched again under its other id');
    }
  }
}

/** The `sha256:…` of a request whose id follows from the URL of a blob, and which accepts only that blob. */
function digestOf({
  taskId,
  contentForCalculatingTaskId,
  url,
  digest,
  blobDigestAsId,
}: DownloadRequest): string | undefined {
  if (taskId !== undefined || contentForCalculatingTaskId !== undefined) return undefined;
  const blob = blobDigest(url);
  if (blob === undefined) return undefined;
  const named = `sha256:${blob}`;
  return blobDigestAsId === false && digest !== named ? undefined : named;
}
