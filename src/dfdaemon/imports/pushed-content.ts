/** What clients of this node have given to an origin, which took it, becomes content of the store: the first nodes that want it need not ask for it there. */
import { chmod } from 'node:fs/promises';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { defaultPieceLength, pieceLayout } from '../../core/piece-layout.ts';
import type { Logger } from '../../core/process/logger.ts';
import { redact } from '../../core/redact.ts';
import { holdingOf } from '../cluster/holdings.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { bringsCredentials } from '../task/credentials.ts';
import type { DownloadRequest } from '../task/open-task.ts';
import { ContentScan } from './content-scan.ts';

export interface PushedContentOptions {
  readonly store: TaskStore;
  readonly schedulers: Schedulers;
  readonly hostId: string;
  /** Rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly logger: Logger;
}

export interface PushedFile {
  readonly taskId: string;
  /** In the store's directory for what comes in. */
  readonly path: string;
  readonly lengthBytes: number;
  /** `sha256:…` that the origin has it under. */
  readonly digest: string;
  /** By which it will be asked for. */
  readonly request: DownloadRequest;
}

export class PushedContent {
  readonly #options: PushedContentOptions;

  constructor(options: PushedContentOptions) {
    this.#options = options;
  }

  /** Directory for what is still coming in. */
  get directory(): string {
    return this.#options.store.incoming;
  }

  /** There is room for so many more bytes. Rejects with NO_SPACE. */
  requireRoom(bytes: number): Promise<void> {
    return this.#options.makeRoom(bytes);
  }

  /** Throws DIGEST_MISMATCH, NO_SPACE. The file may be gone afterwards. */
  async keep({ taskId, path, lengthBytes, digest, request }: PushedFile): Promise<void> {
    const { store, makeRoom, logger } = this.#options;
    await makeRoom(lengthBytes);
    const layout = pieceLayout(lengthBytes, request.pieceLengthBytes ?? defaultPieceLength(lengthBytes));
    await using scan = new ContentScan({ path, pieceLengthBytes: layout.pieceLengthBytes, suffix: '' });
    const { sha256, crcs } = await scan.finish(lengthBytes);
    if (`sha256:${sha256}` !== digest)
      throw new DragonflyError('DIGEST_MISMATCH', `what was pushed has sha256:${sha256}, not ${digest}`);
    await chmod(path, 0o644);
    const { url, tag, application } = request;
    const identity = { url: redact(url), tag, application, digest };
    const staged = { path, layout, crcs };
    const task = store.take(taskId, identity, { staged, restricted: bringsCredentials(request) });
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
