/** Places files of a repository where they are wanted: the daemon links what it holds, otherwise this process downloads them. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Writable, type Readable } from 'node:stream';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { taskId } from '../../core/ids.ts';
import type { RpcClient } from '../../rpc/client.ts';
import { ExportLocalTaskRequest, type DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import type { HubRepository, RepositoryFile } from './hub-repository.ts';

export interface HeldFilesOptions {
  readonly local: RpcClient<typeof DfdaemonLocalDefinition>;
  readonly repository: HubRepository;
  readonly signal: AbortSignal;
}

export class HeldFiles {
  readonly #options: HeldFilesOptions;

  constructor(options: HeldFilesOptions) {
    this.#options = options;
  }

  /** @param path at which nothing exists. Throws the errors of the hub and the daemon, DIGEST_MISMATCH, OUTPUT. */
  async place(file: RepositoryFile, commit: string, path: string): Promise<void> {
    const { repository } = this.#options;
    if (file.lengthBytes === 0) return this.#write(file, await repository.open(file.path, commit), path);
    // Even held content is requested, because the hub decides whether this caller may have it.
    await pipeline(await repository.open(file.path, commit), toNowhere());
    if (await this.#linked(file, path)) return;
    await this.#write(file, await repository.open(file.path, commit), path);
  }

  /** False when the daemon may not or cannot do it, or has another file system. */
  async #linked({ etag, isLarge, lengthBytes }: RepositoryFile, path: string): Promise<boolean> {
    const { local, signal } = this.#options;
    const name = `dragonfly:${isLarge ? 'sha256' : 'git-blob'}:${etag}`;
    const id = taskId({ url: '', contentForCalculatingTaskId: name });
    try {
      const request = ExportLocalTaskRequest.fromPartial({ taskId: id, outputPath: path });
      for await (const _ of local.exportLocalTask(request, { signal })); // one message
    } catch (error) {
      signal.throwIfAborted();
      if (toDragonflyError(error).code === 'NO_SPACE') throw error;
      return false;
    }
    return (await stat(path).catch(() => undefined))?.size === lengthBytes;
  }

  async #write({ etag, isLarge, lengthBytes }: RepositoryFile, content: Readable, path: string): Promise<void> {
    const temporary = `${path}.incomplete`;
    const hash = createHash(isLarge ? 'sha256' : 'sha1');
    if (!isLarge) hash.update(`blob ${lengthBytes}\0`);
    try {
      await pipeline(
        content,
        async function* (blocks: AsyncIterable<Buffer>) {
          for await (const block of blocks) {
            hash.update(block);
            yield block;
          }
        },
        createWriteStream(temporary),
      );
      if (hash.digest('hex') !== etag)
        throw new DragonflyError('DIGEST_MISMATCH', `${path} is not what the hub names it`, { hint: 'Try again.' });
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

function toNowhere(): Writable {
  return new Writable({ write: (_block, _encoding, done) => done() });
}
