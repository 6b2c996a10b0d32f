/** Reads the files of a directory once from beginning to end: cuts them into chunks, hashes them, and passes on the new ones. */
import { createHash, hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { CutEntry } from '../../swarm/releases/assemble.ts';
import { chunkLength, type ChunkSizes } from '../../swarm/releases/chunker.ts';
import { releaseLimits } from '../../swarm/releases/limits.ts';
import type { Chunk } from '../../swarm/releases/manifest.ts';
import type { PackWriter } from './pack-writer.ts';
import { changed, stampOf, type WalkedDirectory, type WalkedEntry } from './walk.ts';

type WalkedFile = Extract<WalkedEntry, { readonly kind: 'file' }>;

const blockBytes = 4 * 2 ** 20;

export interface CutterOptions {
  readonly root: string;
  readonly sizes: ChunkSizes;
  /** Chunks that earlier packs already contain. */
  readonly known: ReadonlyMap<string, Chunk>;
  readonly packs: PackWriter;
  readonly onRead: (bytes: number) => void;
  readonly signal: AbortSignal;
}

export class Cutter {
  readonly #options: CutterOptions;
  readonly #chunks: Chunk[] = [];
  readonly #indices = new Map<string, number>();
  /** For each known pack, where its chunks are in the directory. */
  readonly #places = new Map<number, { readonly file: WalkedFile; readonly offset: number }>();

  constructor(options: CutterOptions) {
    this.#options = options;
  }

  /** Every chunk once. */
  get chunks(): readonly Chunk[] {
    return this.#chunks;
  }

  /** Throws SOURCE_CHANGED when a file has changed since the directory was listed, and the packs' errors. */
  async cut({ entries }: WalkedDirectory): Promise<CutEntry[]> {
    const block = Buffer.allocUnsafeSlow(Math.max(blockBytes, 2 * this.#options.sizes.maxBytes));
    const cut: CutEntry[] = [];
    for (const entry of entries) {
      if (entry.kind === 'file') cut.push(await this.#cutFile(entry, block));
      else {
        const { stamp: _, ...plain } = entry;
        cut.push(plain);
      }
    }
    return cut;
  }

  /** Packs the chunks of these known packs again, for which they are read a second time. */
  async repack(packs: ReadonlySet<number>): Promise<void> {
    for (const [index, { file, offset }] of this.#places) {
      const chunk = this.#chunks[index] as Chunk;
      if (!packs.has(chunk.pack)) continue;
      await using handle = await this.#open(file);
      const bytes = Buffer.allocUnsafe(chunk.lengthBytes);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
      if (bytesRead < bytes.length || hash('sha256', bytes, 'hex') !== chunk.sha256) throw changed(file.path);
      this.#chunks[index] = { ...chunk, ...(await this.#options.packs.add(bytes)) };
    }
  }

  async #cutFile(entry: WalkedFile, block: Buffer): Promise<CutEntry> {
    const { path, mode, lengthBytes } = entry;
    const { sizes, onRead, signal } = this.#options;
    await using file = await this.#open(entry);
    const whole = createHash('sha256');
    const chunks: number[] = [];
    let [start, end, done] = [0, 0, 0];
    while (done < lengthBytes) {
      signal.throwIfAborted();
      if (end - start < sizes.maxBytes && done + (end - start) < lengthBytes) {
        block.copyWithin(0, start, end);
        [start, end] = [0, end - start];
        const { bytesRead } = await file.read(block, end, block.length - end, done + end);
        if (bytesRead === 0) throw changed(path);
        whole.update(block.subarray(end, end + bytesRead));
        onRead(bytesRead);
        end += bytesRead;
        continue;
      }
      const length = chunkLength(block, start, end, sizes);
      chunks.push(await this.#index(block.subarray(start, start + length), entry, done));
      start += length;
      done += length;
    }
    if (stampOf(await file.stat({ bigint: true })) !== entry.stamp) throw changed(path);
    return { kind: 'file', path, mode, lengthBytes, sha256: whole.digest('hex'), chunks };
  }

  async #index(bytes: Uint8Array, file: WalkedFile, offset: number): Promise<number> {
    const sha256 = hash('sha256', bytes, 'hex');
    const there = this.#indices.get(sha256);
    if (there !== undefined) return there;
    const index = this.#chunks.length;
    if (index >= releaseLimits.chunks)
      throw new DragonflyError('INVALID_ARGUMENT', `the directory has more than ${releaseLimits.chunks} chunks`, {
        hint: 'Publish parts of it under their own names.',
      });
    const { known, packs } = this.#options;
    const old = known.get(sha256);
    if (old) this.#places.set(index, { file, offset });
    this.#chunks.push(old ?? { sha256, lengthBytes: bytes.length, ...(await packs.add(bytes)) });
    this.#indices.set(sha256, index);
    return index;
  }

  async #open({ path, stamp }: WalkedFile): Promise<FileHandle> {
    let file: FileHandle;
    try {
      file = await open(join(this.#options.root, path), constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw code === 'ENOENT' || code === 'ELOOP' ? changed(path) : toDragonflyError(error);
    }
    if (stampOf(await file.stat({ bigint: true })) === stamp) return file;
    await file.close();
    throw changed(path);
  }
}
