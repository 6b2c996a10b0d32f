/**
 * Imports a file of this machine into the store: it is copied once, hashed during the copy, and added as a whole. It is
 * invisible until it is complete, and an import that fails or is interrupted leaves nothing behind.
 */
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { persistentCacheTaskId } from '../../core/ids.ts';
import { defaultPieceLength, pieceLayout, type PieceLayout } from '../../core/piece-layout.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import type { StagedContent } from '../storage/staging.ts';
import { ContentScan } from './content-scan.ts';
import { fileToImport } from './copy-in.ts';
import { importLimits } from './limits.ts';

export interface ImportOrder {
  /** Absolute path. */
  readonly path: string;
  readonly caller: Caller;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  readonly pieceLengthBytes?: number | undefined;
  /** The id is the SHA-256 of this text rather than of the content. */
  readonly contentForCalculatingTaskId?: string | undefined;
  /** The parts whose MD5s are requested, for content of this length. */
  readonly parts?: ((lengthBytes: number) => readonly number[]) | undefined;
}

/** Dispose it when the store has taken the file, or will not take it. */
export interface StagedImport extends StagedContent, AsyncDisposable {
  readonly taskId: string;
  /** `sha256:…` of the whole content. */
  readonly digest: string;
  /** MD5s of the requested parts. */
  readonly md5s: readonly Uint8Array[];
}

export interface ImporterOptions {
  /** A directory on the file system of the store. */
  readonly directory: string;
  /** Rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
}

export class Importer {
  readonly #options: ImporterOptions;
  #running = 0;
  #count = 0;

  constructor(options: ImporterOptions) {
    this.#options = options;
  }

  /** Throws the errors of fileToImport, SOURCE_CHANGED, NO_SPACE, RESOURCE_EXHAUSTED when too many run, the signal's reason. */
  async stage(order: ImportOrder, signal: AbortSignal): Promise<StagedImport> {
    if (this.#running >= importLimits.atOnce)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `${this.#running} imports are running already`, {
        hint: 'Try again when some have ended.',
      });
    this.#running += 1;
    try {
      return await this.#stage(order, signal);
    } catch (error) {
      throw signal.aborted ? (signal.reason as Error) : toDragonflyError(error);
    } finally {
      this.#running -= 1;
    }
  }

  async #stage(order: ImportOrder, signal: AbortSignal): Promise<StagedImport> {
    await using owned = new AsyncDisposableStack();
    const file = owned.use(await fileToImport(order.path, order.caller));
    await this.#options.makeRoom(file.lengthBytes);
    this.#count += 1;
    const path = join(this.#options.directory, `${process.pid}-${this.#count}`);
    const staged = new AsyncDisposableStack();
    staged.defer(() => rm(path, { force: true }));
    owned.use(staged);
    await writeFile(path, '', { flag: 'wx', mode: 0o600 });
    const layout = layoutFor(order, file.lengthBytes);
    const { tag = '', application = '', pieceLengthBytes, contentForCalculatingTaskId: text } = order;
    const suffix = persistentCacheTaskId.suffix({ tag, application, pieceLengthBytes });
    await using scan = new ContentScan({
      path,
      pieceLengthBytes: layout.pieceLengthBytes,
      suffix,
      parts: order.parts?.(file.lengthBytes),
    });
    await file.copyTo(path, signal);
    const { sha256, id, crcs, md5s, lengthBytes } = await scan.finish(file.lengthBytes);
    if (lengthBytes !== file.lengthBytes)
      throw new DragonflyError('SOURCE_CHANGED', `${order.path} was changed while it was imported`);
    await chmod(path, 0o644);
    const kept = staged.move();
    return {
      path,
      layout,
      crcs,
      md5s,
      digest: `sha256:${sha256}`,
      taskId: text === undefined ? id : persistentCacheTaskId.ofText(text),
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    };
  }
}

function layoutFor({ pieceLengthBytes }: ImportOrder, lengthBytes: number): PieceLayout {
  return pieceLayout(lengthBytes, pieceLengthBytes ?? defaultPieceLength(lengthBytes));
}
