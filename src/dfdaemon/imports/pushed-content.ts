/**
 * Content that clients of this node have uploaded to an origin, which accepted it, is added to the store: the first nodes that
 * want it need not fetch it from the origin.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { partsTag } from '../../core/digest.ts';
import { defaultPieceLength, pieceLayout } from '../../core/piece-layout.ts';
import type { Logger } from '../../core/process/logger.ts';
import { redact } from '../../core/redact.ts';
import { holdingOf } from '../cluster/holdings.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { bringsCredentials } from '../task/credentials.ts';
import type { DownloadRequest } from '../task/open-task.ts';
import { ContentScan, type Scanned } from './content-scan.ts';

export interface PushedContentOptions {
  readonly store: TaskStore;
  readonly schedulers: Schedulers;
  readonly hostId: string;
  /** Rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly logger: Logger;
}

/** `sha256:…`, or the entity tag that an object store computed from the parts it was written in. */
export type OriginName =
  | { readonly kind: 'digest'; readonly digest: string }
  | { readonly kind: 'tag'; readonly tag: string; readonly parts: readonly number[] };

export interface PushedFile {
  readonly taskId: string;
  /** In the store's staging directory. */
  readonly path: string;
  readonly lengthBytes: number;
  /** The origin's name for the content. */
  readonly name: OriginName;
  /** The request that will ask for this content. */
  readonly request: DownloadRequest;
  /** The header that the origin would send with the content. */
  readonly responseHeader?: Readonly<Record<string, string>> | undefined;
}

export class PushedContent {
  readonly #options: PushedContentOptions;

  constructor(options: PushedContentOptions) {
    this.#options = options;
  }

  /** The directory for content that is still arriving. */
  get directory(): string {
    return this.#options.store.incoming;
  }

  /** Checks that there is room for this many more bytes. Rejects with NO_SPACE. */
  requireRoom(bytes: number): Promise<void> {
    return this.#options.makeRoom(bytes);
  }

  /** A copy of a task in a file of its own, for storing the same bytes under another name; undefined when the task is not here. */
  async copyOf(taskId: string): Promise<{ readonly path: string; readonly bytes: number } | undefined> {
    const { store } = this.#options;
    const task = store.get(taskId);
    const bytes = task?.contentLengthBytes ?? 0;
    if (task?.state !== 'finished' || bytes === 0) return undefined;
    using _pin = task.pin();
    await this.requireRoom(bytes);
    const path = join(this.directory, `copy-${randomUUID()}`);
    await copyFile(task.content.path, path, constants.COPYFILE_FICLONE);
    return { path, bytes };
  }

  /**
   * When it resolves, the content is stored on this node and a scheduler knows. Throws DIGEST_MISMATCH, NO_SPACE. The file may be
   * gone afterwards.
   */
  async keep({ taskId, path, lengthBytes, name, request, responseHeader }: PushedFile): Promise<void> {
    const { store, makeRoom, logger } = this.#options;
    await makeRoom(lengthBytes);
    const layout = pieceLayout(lengthBytes, request.pieceLengthBytes ?? defaultPieceLength(lengthBytes));
    const parts = name.kind === 'tag' ? name.parts : undefined;
    await using scan = new ContentScan({ path, pieceLengthBytes: layout.pieceLengthBytes, suffix: '', parts });
    const scanned = await scan.finish(lengthBytes);
    requireName(name, scanned);
    const { crcs } = scanned;
    await chmod(path, 0o644);
    const { url, tag, application } = request;
    const digest = name.kind === 'digest' ? name.digest : request.digest;
    const identity = { url: redact(url), tag, application, digest };
    const staged = { path, layout, crcs };
    const restricted = request.restricted === true || bringsCredentials(request);
    const task = store.take(taskId, identity, { staged, restricted, responseHeader });
    if (!task) return;
    logger.info({ taskId, bytes: lengthBytes }, 'what was pushed stays here for those who pull it');
    await this.#tell(task);
  }

  async #tell(task: StoredTask): Promise<void> {
    const { schedulers, hostId, logger } = this.#options;
    const { layout } = task;
    if (!layout || !schedulers.exists) return;
    const holdings = [holdingOf(task, layout, hostId)];
    try {
      await schedulers.ask(task.id, (client) => client.announceTasks({ hostId, holdings }));
    } catch (error) {
      logger.debug({ taskId: task.id, error: toDragonflyError(error).message }, 'could not tell what this node holds');
    }
  }
}

function requireName(name: OriginName, { sha256, md5s }: Scanned): void {
  if (name.kind === 'digest') {
    if (name.digest === `sha256:${sha256}`) return;
    throw new DragonflyError('DIGEST_MISMATCH', `what was pushed has sha256:${sha256}, not ${name.digest}`);
  }
  // A store may compute its tag differently; then nothing shows what it has accepted.
  const [whole] = md5s;
  const single = whole && Buffer.from(whole).toString('hex');
  if (name.tag === partsTag(md5s) || (md5s.length === 1 && name.tag === single)) return;
  throw new DragonflyError('DIGEST_MISMATCH', `the store calls what it took ${name.tag}, which is not what was sent`);
}
