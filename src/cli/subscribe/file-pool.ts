/** Open files of a directory tree, a limited number of them: chunks come in the order of packs, which is nearly that of the files. */
import { open, type FileHandle } from 'node:fs/promises';
import { longestWriteBytes } from '../../core/files/longest-write.ts';

const openAtOnce = 64;

export class FilePool implements AsyncDisposable {
  readonly #flags: 'r' | 'r+';
  /** The least recently used file comes first. */
  readonly #open = new Map<string, FileHandle>();

  constructor(flags: 'r' | 'r+') {
    this.#flags = flags;
  }

  /** Valid until the next call. */
  async get(path: string): Promise<FileHandle> {
    const known = this.#open.get(path);
    if (known) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const [oldest] = this.#open;
    if (oldest && this.#open.size >= openAtOnce) {
      this.#open.delete(oldest[0]);
      await oldest[1].close();
    }
    const file = await open(path, this.#flags);
    this.#open.set(path, file);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(files.map((file) => file.close()));
  }
}

/** Throws the file system's error. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const count = Math.min(bytes.length - done, longestWriteBytes);
    done += (await file.write(bytes, done, count, position + done)).bytesWritten;
  }
}
