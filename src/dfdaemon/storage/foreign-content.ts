/**
 * Content that a daemon of the original left in this directory. It keeps content in the same place, and records in its
 * own database which tasks are complete. That database is moved aside before anything else: it would keep referring to
 * files that this store replaces, and a daemon of the original that comes back would serve them unchecked.
 *
 * Only content that proves itself is adopted: a task whose id is the SHA-256 of its content, as for an image layer. For
 * anything else only the moved database knows whether it is complete, and nothing knows whether it is right.
 */
import { createHash } from 'node:crypto';
import { constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { copyFile, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from '../../core/crc32.ts';
import { toDragonflyError } from '../../core/errors.ts';
import { isTaskId } from '../../core/ids.ts';
import { pieceLayout, pieceSpan, type PieceLayout, type PieceSpan } from '../../core/piece-layout.ts';
import type { Logger } from '../../core/process/logger.ts';
import { readFully } from './content-file.ts';
import { verifyBlockBytes } from './limits.ts';

/** A file whose bytes were read and match its task. */
export interface ProvenContent {
  readonly id: string;
  readonly path: string;
  readonly layout: PieceLayout;
  readonly pieces: readonly (PieceSpan & { readonly crc32: number })[];
}

export interface ForeignContentOptions {
  /** Of the store. */
  readonly directory: string;
  /** Moves the file away. */
  readonly take: (content: ProvenContent) => void;
  readonly logger?: Logger | undefined;
}

export class ForeignContent {
  readonly #options: ForeignContentOptions;
  readonly #waiting: string;
  readonly #done: Promise<void>;
  #stopped = false;

  /**
   * Moves the original's database aside and starts examining the content. @param isOwn whether the file of that task
   * belongs to this store.
   */
  constructor(options: ForeignContentOptions, isOwn: (id: string) => boolean) {
    this.#options = options;
    this.#waiting = join(options.directory, 'foreign');
    this.#putAside(isOwn);
    this.#done = this.#look().catch((error: unknown) =>
      options.logger?.warn({ error: toDragonflyError(error).message }, 'what the original stored is not taken over'),
    );
  }

  /** Resolves when everything was examined. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** Ends after the current block; the next start continues. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  /** The database is moved last, so that the next start completes this after a crash. */
  #putAside(isOwn: (id: string) => boolean): void {
    const { directory, logger } = this.#options;
    const database = join(directory, 'metadata');
    if (!existsSync(join(database, 'CURRENT'))) return;
    mkdirSync(this.#waiting, { recursive: true, mode: 0o700 });
    const tasks = join(directory, 'content', 'tasks');
    for (const path of existsSync(tasks) ? readdirSync(tasks, { recursive: true, encoding: 'utf8' }) : []) {
      const name = path.split('/').at(-1) ?? '';
      if (isTaskId(name) && !isOwn(name)) renameSync(join(tasks, path), join(this.#waiting, name));
    }
    const kept = `${database}.original`;
    rmSync(kept, { recursive: true, force: true });
    renameSync(database, kept);
    logger?.warn({ kept }, 'a daemon of the original has stored here: its database is put aside');
  }

  async #look(): Promise<void> {
    const { take, logger } = this.#options;
    const names = existsSync(this.#waiting) ? readdirSync(this.#waiting) : [];
    let taken = 0;
    for (const name of names) {
      const path = join(this.#waiting, name);
      const content = isTaskId(name) ? await this.#prove(name, path) : undefined;
      if (this.#stopped) return;
      if (content) {
        take(content);
        taken += 1;
      }
      await rm(path, { force: true });
    }
    rmSync(this.#waiting, { recursive: true, force: true });
    if (names.length > 0)
      logger?.info({ taken, dropped: names.length - taken }, 'what the original stored has been looked at');
  }

  async #prove(id: string, path: string): Promise<ProvenContent | undefined> {
    await this.#makeOwn(path);
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size === 0) return undefined;
    const layout = pieceLayout(size);
    const hash = createHash('sha256');
    const block = Buffer.allocUnsafe(verifyBlockBytes);
    const pieces: (PieceSpan & { crc32: number })[] = [];
    for (let number = 0; number < layout.pieceCount; number += 1) {
      const span = pieceSpan(layout, number);
      let crc = 0;
      for (let at = 0; at < span.length; at += block.length) {
        const part = block.subarray(0, Math.min(block.length, span.length - at));
        if (this.#stopped || (await readFully(file.fd, part, span.offset + at)) < part.length) return undefined;
        hash.update(part);
        crc = crc32(part, crc);
      }
      pieces.push({ ...span, crc32: crc });
    }
    return hash.digest('hex') === id ? { id, path, layout, pieces } : undefined;
  }

  /** The original gives hard links to its users, whose changes must not reach this store. */
  async #makeOwn(path: string): Promise<void> {
    await using file = await open(path, 'r');
    if ((await file.stat()).nlink === 1) return;
    const copy = `${path}.copy`;
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    renameSync(copy, path);
  }
}
